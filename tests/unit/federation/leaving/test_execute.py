from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import yaml

from fedssh.engines.protocol import NOT_EMPTY
from fedssh.errors import UnreachableError
from fedssh.federation.journal import Journal
from fedssh.federation.leaving.execute import execute_leaving
from fedssh.federation.leaving.plan import plan_unfederate
from fedssh.library import ignore
from tests.fakes.leaving import (
    ENGINE,
    NAMES,
    SHOP,
    WEB,
    Machines,
    credential,
    found,
    host_leaver,
    kubeconfig,
    leaver,
    wanted,
)
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from typing import Any

    from fedssh.federation.leaving.facts import Leaver

FAILED = Answer(code=1, stderr="Error from server (Forbidden): denied")


def leave(machines: Machines, *leavers: Leaver, **said: Any) -> Journal:
    """Let clusters leave."""
    wishes = wanted(**said)
    facts = found(*leavers)
    journal = Journal(ignore)
    plan = plan_unfederate(wishes, facts, ENGINE)
    execute_leaving(plan, machines.shells, wishes=wishes, facts=facts, engine=ENGINE, journal=journal)
    return journal


def machines(**failing: Answer) -> Machines:
    """Return the machines of two members and their host; words of commands on member1 fail."""
    return Machines(kubeconfig(*NAMES), failing={("member1", words): said for words, said in failing.items()})


def contexts(made: Machines) -> list[str]:
    """Return the contexts of the host's kubeconfig."""
    return [entry["name"] for entry in yaml.safe_load(made.written)["contexts"]]


def test_all_leave_in_the_order_that_loses_nothing() -> None:
    """Out of the federation, then off each cluster, then off the host; the host itself last; the copies at the end."""
    made = machines()
    journal = leave(made, leaver("member1"), leaver("member2"), host_leaver(), is_all=True)
    assert journal.errors == {}
    first = {name: made.done.index(next(call for call in made.done if call[0] == name)) for name in NAMES}
    assert made.done[0] == ("fedhost", "kubectl delete kubefedcluster")
    assert min(first.values()) == 1
    last = max(index for index, (name, _) in enumerate(made.done) if name in NAMES)
    assert made.done[last + 1] == ("fedhost", "kubectl delete")
    assert contexts(made) == ["kubernetes-admin@kubernetes"]
    assert made.done[-1] == ("fedhost", "removal of copies of the kubeconfig")


def test_a_member_that_fails_keeps_its_way_and_the_host_stays() -> None:
    """Its Secret and its context are there for the next run; the others leave."""
    made = machines(**{"kubectl delete": FAILED})
    journal = leave(made, leaver("member1"), leaver("member2"), host_leaver(), is_all=True)
    assert "denied" in journal.errors["member1"].message
    assert "member1 has not left" in journal.errors["fedhost"].message
    assert "member2" not in journal.errors
    assert contexts(made) == ["fedhost", "member1"]
    assert made.done[-1] == ("fedhost", "removal of copies of the kubeconfig")
    assert "deleted secret/member2.fedssh on the host" in journal.changes["member2"]
    assert not [change for change in journal.changes["member1"] if "secret" in change]


def test_the_hosts_failure_ends_the_run() -> None:
    """Before anybody's access is touched."""
    made = Machines(kubeconfig(*NAMES), failing={("fedhost", "kubefedcluster"): FAILED})
    journal = leave(made, leaver("member1"))
    assert journal.ended
    assert made.done == [("fedhost", "kubectl delete kubefedcluster")]
    assert contexts(made) == ["fedhost", *NAMES]


def test_what_keeps_a_namespace_is_said_and_is_no_failure() -> None:
    """Workloads are deleted all the same."""
    made = machines(**{"delete namespace shop": Answer("ConfigMap/orders\n", code=NOT_EMPTY)})
    journal = leave(made, leaver("member1"), delete_workloads=True)
    assert journal.errors == {}
    assert journal.notices["member1"] == ["shop stays: it also holds ConfigMap/orders"]
    assert "deleted 2 objects of the federation" in journal.changes["member1"]


def test_the_hosts_namespaces_are_never_deleted() -> None:
    """The federated objects are in them."""
    made = machines()
    own = replace(host_leaver(), traces=replace(host_leaver().traces, workloads=(WEB, SHOP)))
    leave(made, own, is_all=True, delete_workloads=True)
    assert not [title for _, title in made.done if "namespace" in title]
    assert ("fedhost", "kubectl label") in made.done


def test_who_is_dead_is_not_asked() -> None:
    """The host's side is cleaned."""
    made = machines()
    journal = leave(made, leaver("member1", way="none", problem=UnreachableError("no answer")))
    assert {name for name, _ in made.done} == {"fedhost"}
    assert contexts(made) == ["fedhost", "member2"]
    assert "took it out of the federation" in journal.changes["member1"]


def titles_after_write(made: Machines) -> list[str]:
    """Return what was done by the temporary kubeconfig."""
    titles = [title for _, title in made.done]
    start = titles.index("write of a temporary kubeconfig")
    return titles[start + 1 : titles.index("removal of the temporary kubeconfig")]


def test_by_fedsshs_own_credential_that_goes_last() -> None:
    """The engine's access first, then what it let go of and its namespace, then the credential's own role."""
    made = machines()
    journal = leave(made, leaver("member1", way="host", credential=credential("member1")))
    assert journal.errors == {}
    assert titles_after_write(made) == [
        "kubectl delete",
        "kubectl label",
        "kubectl delete namespace kube-federation-system",
        "kubectl delete clusterrole",
    ]
    assert {name for name, _ in made.done} == {"fedhost"}
    assert "removed the access to it, 6 objects" in journal.changes["member1"]


def test_by_the_engines_credential_that_and_its_namespace_go_last() -> None:
    """Both hang on its role."""
    made = machines()
    journal = leave(made, leaver("member1", way="host", credential=credential("member1"), is_engines=True))
    assert titles_after_write(made) == ["kubectl delete", "kubectl label", "kubectl delete clusterrole"]
    assert "deleted the namespace kube-federation-system" in journal.changes["member1"]


def test_what_fails_by_a_credential_is_that_members() -> None:
    """The others, by theirs, leave."""
    words = "--context=member1 --request-timeout=20s label"
    made = Machines(kubeconfig(*NAMES), failing={("fedhost", words): FAILED})
    both = [leaver(name, way="host", credential=credential(name)) for name in NAMES]
    journal = leave(made, *both)
    assert list(journal.errors) == ["member1"]
    assert contexts(made) == ["fedhost", "member1"]
