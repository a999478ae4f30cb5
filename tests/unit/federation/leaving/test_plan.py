from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.protocol import HostTraces, MemberTraces
from fedssh.errors import AuthenticationError, ConfigurationError, RefusedError, StepError, UnreachableError
from fedssh.federation.leaving.plan import plan_unfederate
from fedssh.federation.leaving.residue import left_behind, unseen
from fedssh.federation.leaving.rules import check_leaving
from fedssh.federation.leaving.steps import Withdraw
from tests.fakes.facts import joined
from tests.fakes.leaving import ENGINE, NAMES, SHOP, WEB, found, host_leaver, leaver, wanted

if TYPE_CHECKING:
    from fedssh.federation.leaving.facts import Leaver, LeavingFacts
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.kubectl import Target

MEMBER = [
    "withdraw",
    "remove-access",
    "let-go",
    "remove-namespace",
    "forget",
    "remove-context",
]
EVERYBODY = [leaver("member1"), leaver("member2"), host_leaver()]


def kinds(facts: LeavingFacts, wishes: Wishes | None = None, cluster: str = "") -> list[str]:
    """Return the kinds of the steps for a cluster, or of all."""
    plan = plan_unfederate(wishes or wanted("member1"), facts, ENGINE)
    return [step.kind for step in plan.steps if cluster in {"", step.cluster}]


def gone(name: str = "member1", **said: Any) -> Leaver:
    """Return a cluster of which nothing is left."""
    return leaver(name, **{"own": (), "traces": MemberTraces(), "secrets": (), **said})


def test_a_member_leaves_step_by_step() -> None:
    """KubeFed lets go before the access ends; the host forgets it last. The copies hold its token."""
    assert kinds(found(leaver())) == [*MEMBER, "remove-copies"]


def test_what_the_host_alone_knows_is_noted_first_and_forgotten_last() -> None:
    """KubeFed's Secret tells the next run how the cluster is reached, and that it was let go: until nothing is left."""
    steps = plan_unfederate(wanted("member1"), found(leaver(way="host")), ENGINE).steps
    assert [step.kind for step in steps] == [
        "withdraw",
        "remove-access",
        "let-go",
        "remove-namespace",
        "remove-context",
        "remove-copies",
        "forget",
    ]
    (withdraw, *_) = steps
    assert isinstance(withdraw, Withdraw)
    assert withdraw.is_noted


def test_what_an_earlier_run_has_let_go_of_needs_the_host_alone() -> None:
    """Its account is gone, and with it all that was to be removed there: nothing has to be expected on it."""
    withdrawn = HostTraces(withdrawn={"member1": joined()})
    facts = found(gone(way="done", secrets=("member1.fedssh",)), clusters=("fedhost",), traces=withdrawn)
    assert kinds(facts) == ["remove-context", "remove-copies", "forget"]
    assert unseen(facts, ENGINE) == {}


def test_the_host_leaves_last_and_gets_its_name_back() -> None:
    """With --all; what members need of it is there until they are out."""
    plan = plan_unfederate(wanted(is_all=True), found(*EVERYBODY), ENGINE)
    of_host = [index for index, step in enumerate(plan.steps) if step.cluster == "fedhost"]
    of_members = [
        index for index, step in enumerate(plan.steps) if step.kind in {"withdraw", "remove-access", "forget"}
    ]
    members = [index for index in of_members if plan.steps[index].cluster != "fedhost"]
    assert max(members) < min(of_host)
    texts = [step.text for step in plan.steps if step.cluster == "fedhost"]
    assert texts[-2:] == [
        "rename the context fedhost back to kubernetes-admin@kubernetes",
        "remove the copies of the host's kubeconfig",
    ]


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"own": (), "traces": replace(leaver().traces, access=())}, "remove-access"),
        ({"traces": replace(leaver().traces, workloads=())}, "let-go"),
        ({"traces": replace(leaver().traces, namespace=None)}, "remove-namespace"),
        ({"traces": replace(leaver().traces, others=("Secret/x",))}, "remove-namespace"),
        ({"secrets": ()}, "forget"),
    ],
)
def test_what_is_gone_already_is_no_step(said: dict[str, Any], missing: str) -> None:
    """However it went: half removed by hand, or by a run that was stopped."""
    assert kinds(found(leaver(**said)), cluster="member1") == [kind for kind in MEMBER if kind != missing]


def test_nothing_is_left_of_who_has_left() -> None:
    """No step, and nothing to be told of; the lock of a run for all goes all the same."""
    facts = replace(found(gone(), clusters=("fedhost",)), copies=())
    assert kinds(facts, cluster="member1") == ["remove-context"]  # by the kubeconfig of this test
    clean = found(gone("nobody"), clusters=())
    assert kinds(clean) == []
    assert left_behind(wanted("member1"), clean, ENGINE) == {}
    plan = plan_unfederate(wanted(is_all=True), found(gone("fedhost"), clusters=()), ENGINE)
    assert [step.kind for step in plan.changes] == ["restore-context", "remove-copies"]


def test_fault_53_workloads_go_only_where_that_is_wanted() -> None:
    """Else KubeFed's mark is taken off, and they stay."""
    (let_go,) = [
        step for step in plan_unfederate(wanted("member1"), found(leaver()), ENGINE).steps if step.kind == "let-go"
    ]
    assert let_go.text == "let go of 2 objects there"
    assert let_go.why == f"the federation has put there {WEB}, {SHOP}"
    assert "delete-workloads" in kinds(found(leaver()), wanted("member1", delete_workloads=True))


def test_fault_51_on_who_is_dead_nothing_is_done_but_on_the_host() -> None:
    """What must be expected there is told, with the commands that remove it."""
    dead = leaver(way="none", problem=UnreachableError("no answer"))
    facts = found(dead)
    assert kinds(facts, cluster="member1") == ["withdraw", "forget", "remove-context"]
    expected = unseen(facts, ENGINE)["member1"]
    assert all(one.where == "member1" and one.commands for one in expected)
    commands = "\n".join(command for one in expected for command in one.commands)
    for word in (
        "serviceaccount/member1",
        "kubefed-controller-manager:member1-fedhost",
        "kube-federation-system",
        "label -f -",
    ):
        assert word in commands
    said = [finding.text for finding in check_leaving(wanted("member1"), facts, ENGINE)]
    assert said == ["no answer; nothing is done there, only on fedhost"]


def test_who_does_not_let_us_in_stays_as_it_is() -> None:
    """Its error is told, and no step is planned for it; the others leave."""
    error = AuthenticationError("none of our keys", machine="member1")
    facts = found(leaver(error=error), leaver("member2"))
    assert kinds(facts, cluster="member1") == []
    assert kinds(facts, cluster="member2") == MEMBER
    (refused,) = [finding for finding in check_leaving(wanted(), facts, ENGINE) if finding.state == "refused"]
    assert refused.error is error
    assert unseen(facts, ENGINE) == {}


def test_fault_54_a_name_that_nobody_knows_is_answered_by_the_nearest() -> None:
    """Of hosts.yaml and of the federation; the host is none of them."""
    facts = found(unknown=("membr3",), clusters=("fedhost", "member3"))
    (finding,) = check_leaving(wanted("member1"), facts, ENGINE)
    assert isinstance(finding.error, ConfigurationError)
    assert "did you mean 'member3'" in finding.text
    assert finding.error.hint == "members there: member1, member2, member3"


def test_what_is_said_of_a_cluster_that_is_got_at_in_another_way() -> None:
    """How, and what stays there or on the host since it is not of this join."""
    unlisted = leaver("member3", cluster=None, way="host", traces=replace(leaver().traces, others=("Secret/x",)))
    said = [finding.text for finding in check_leaving(wanted("member1"), found(unlisted), ENGINE)]
    assert said == [
        "hosts.yaml does not name it; it is got at from fedhost",
        "the namespace of KubeFed stays there, since it also holds Secret/x",
    ]
    lost = leaver("member3", cluster=None, way="none")
    (text,) = [finding.text for finding in check_leaving(wanted("member1"), found(lost), ENGINE)]
    assert text == "hosts.yaml does not name it, and no credential on fedhost leads to it"


def test_the_host_stays_where_others_stay() -> None:
    """With --all, the federation of clusters that hosts.yaml does not name goes on."""
    facts = found(leaver(), leaver("member2"), clusters=("fedhost", *NAMES, "other"))
    (finding,) = check_leaving(wanted(is_all=True), facts, ENGINE)
    assert finding.text == "it stays in the federation with other, which hosts.yaml does not name"


class Installation:
    """An installation that must stay, or has one part."""

    def __init__(self, *reasons: RefusedError) -> None:
        self.reasons = reasons
        self.asked: dict[str, Any] = {}

    def refusals(self, *, leaving: Any, with_objects: bool) -> list[Any]:
        """Return the reasons."""
        self.asked = {"leaving": leaving, "with_objects": with_objects}
        return list(self.reasons)

    def removals(self, *, target: Target) -> list[Any]:
        """Return nothing."""
        assert target.context
        return []


def test_fault_55_what_keeps_the_engine_ends_the_run() -> None:
    """It is asked with all who leave, the host among them; its reasons are the host's."""
    installation = Installation(RefusedError("it is used"))
    facts = found(*EVERYBODY, installation=installation)
    (finding,) = check_leaving(wanted(is_all=True, uninstall=True, delete_workloads=True), facts, ENGINE)
    assert (finding.cluster, finding.text) == ("fedhost", "it is used")
    assert installation.asked == {"leaving": ["fedhost", *NAMES, "fedhost"], "with_objects": True}


def test_what_is_left_is_told_with_what_removes_it() -> None:
    """On the cluster's machine where it lies there; by fedssh where it lies on the host."""
    left = left_behind(wanted("member1"), found(leaver()), ENGINE)
    commands = {residue.what.partition(" ")[0]: (residue.where, residue.commands) for residue in left["member1"]}
    assert commands["take"] == ("", ("fedssh unfederate --member member1",))
    where, (roles, accounts, account) = commands["clusterrolebinding/kubefed-controller-manager:member1-fedhost,"]
    assert where == "member1"
    assert roles.startswith("kubectl delete --ignore-not-found clusterrolebinding")
    assert accounts.startswith("kubectl -n kube-federation-system delete")
    assert account.startswith("kubectl -n default delete")
    assert commands["namespace/kube-federation-system"] == (
        "member1",
        ("kubectl delete namespace kube-federation-system",),
    )
    everything = left_behind(wanted(is_all=True), found(*EVERYBODY), ENGINE)
    assert everything["fedhost"][-1].commands == ("fedssh unfederate --all",)
    assert left_behind(wanted("member1"), found(leaver(error=StepError("x"))), ENGINE).keys() <= {"fedhost"}
