from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines import load_engine
from fedssh.federation.access_steps import CloseFile, Grant, NameContext, Prove, TestContext, WriteEntries
from fedssh.federation.facts import Proof
from fedssh.federation.plan import Plan, plan_federate, plan_prepare
from fedssh.federation.steps import AwaitReady, Correct, Join, Label, Reconnect
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import put_member
from fedssh.sensitive import Sensitive
from tests.fakes.facts import GOOD, HOST_UID, SERVER, UID, facts, fresh, host, joined, member, wishes
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER
from tests.fakes.kubernetes import CA, account_token, base64_of, token_of
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from fedssh.engines.protocol import JoinedCluster
    from fedssh.federation.facts import HostFacts, MemberFacts
    from fedssh.federation.steps import Step

ENGINE = load_engine()
OWN = joined("fedhost", HOST_SERVER)
OWN_PROOF = Proof(cluster_uid=HOST_UID, has_rights=True)


def written(server: str = SERVER, token: str = "", **trust: Any) -> str:
    """Return the host's kubeconfig after a run."""
    document = parse_kubeconfig(HOST_KUBECONFIG, source="config")
    document.name_host_context("fedhost", how="rename")
    endpoint = Endpoint(server=server, trust=Trust(**{"word": "ca", "ca": CA, **trust}))
    credential = Credential(endpoint=endpoint, token=Sensitive(token or account_token("member1")))
    put_member(document, ENGINE.entry_names("member1"), credential, cluster_uid=UID, namespace="default")
    return document.render()


def plan(
    seen: MemberFacts | None = None,
    at_host: HostFacts | None = None,
    said: str = "",
    *,
    proof: Proof | None = GOOD,
    own: Proof = OWN_PROOF,
) -> Plan:
    """Return the plan for a federation that is as it should be, but for what is said."""
    at_host = at_host or host(OWN, joined(), kubeconfig=written())
    engine = {"fedhost": own, **({"member1": proof} if proof else {})}
    return plan_federate(wishes(said), facts(seen or member(), at_host, engine=engine), ENGINE)


def steps(kind: type[Step], found: Plan) -> list[Any]:
    """Return the steps of a kind."""
    return [step for step in found.steps if isinstance(step, kind)]


def kinds(found: Plan) -> list[str]:
    """Return what would be changed, by cluster."""
    return [f"{step.cluster}: {step.done}" for step in found.changes]


def test_where_all_is_as_it_should_be_only_the_contexts_are_tried() -> None:
    """Nothing would change."""
    found = plan()
    assert {type(step) for step in found.steps} == {TestContext}
    assert found.changes == ()


def test_without_members_there_is_no_plan() -> None:
    """All were refused: nothing is installed, and the host does not join."""
    empty = replace(wishes(), members=())
    assert plan_federate(empty, facts(member(), host()), ENGINE) == Plan()


def test_from_nothing_the_stages_come_in_order() -> None:
    """Grant and install, prove, write, try, join, settle, end; each of them knows what it waits for."""
    nowhere = host(joined("x"), kubeconfig=HOST_KUBECONFIG, tool="")
    found = plan(fresh(), nowhere, ", server_name: api.example.com", proof=None)
    assert [{type(step).__name__ for step in stage.steps} for stage in found.stages] == [
        {"Grant"} | {"Install"},
        {"Prove"},
        {"NameContext", "WriteEntries"},
        {"TestContext"},
        {"Join"},
        {"Correct"},
        {"AwaitReady"},
    ]
    assert kinds(found) == [
        "member1: granted access",
        "fedhost: installed kubefedctl 0.10.0",
        "fedhost: renamed the context kubernetes-admin@kubernetes to fedhost",
        "member1: wrote context member1",
        "fedhost: joined",
        "member1: joined",
        "member1: set disabledTLSValidations of its KubeFedCluster",
    ]
    (write,), (_, join), (correct,) = steps(WriteEntries, found), steps(Join, found), steps(Correct, found)
    assert write.needs == "the new token is proven from the host first"
    assert join.needs == "the new token is proven from the host first; KubeFed serves first"
    assert correct.needs == "it joins first"


def test_only_an_access_that_is_granted_anew_is_proven() -> None:
    """One that is there was proven by looking."""
    assert [step.cluster for step in steps(Prove, plan(fresh()))] == ["member1"]
    assert steps(Grant, plan(fresh()))[0].created
    assert steps(Prove, plan()) == []


@pytest.mark.parametrize(
    ("kubeconfig", "why"),
    [
        (HOST_KUBECONFIG, "there is no context member1"),
        (written(server="https://old.example.com"), "its address was https://old.example.com"),
        (written(ca=base64_of("x")), "it is verified by another certificate now"),
        (written(word="pin"), "it was verified by tls: pin"),
        (written(token=token_of("other")), "its token is another one"),
        (written(server_name="x"), "its entries are not as fedssh writes them"),
        (written().replace(UID, "uid-of-another"), "it was another cluster"),
        (written().replace("namespace: default", "namespace: x"), "its entries are not as fedssh writes them"),
        (written().replace("name: kubefed-member1", "name: x"), "there is no user kubefed-member1"),
        (written().replace("name: kubefed-remote-member1", "name: x"), "there is no cluster kubefed-remote-member1"),
    ],
)
def test_entries_that_differ_are_written_and_it_is_said_why(kubeconfig: str, why: str, canary: str) -> None:
    """Without a word of a secret."""
    (step,) = steps(WriteEntries, plan(at_host=host(OWN, joined(), kubeconfig=kubeconfig)))
    assert (step.cluster, step.why, step.needs) == ("member1", why, "")
    assert canary not in repr(step)


def test_a_new_token_is_written_over_an_old_one() -> None:
    """Which it will be is not known yet."""
    (step,) = steps(WriteEntries, plan(member(token=None)))
    assert (step.why, bool(step.needs)) == ("its token is a new one", True)


def test_a_kubeconfig_that_others_can_read_is_closed() -> None:
    """Even where nothing else is written."""
    found = plan(at_host=host(OWN, joined(), kubeconfig=written(), mode="-rw-r--r--"))
    (step,) = steps(CloseFile, found)
    assert (step.text, step.why) == (
        "close /root/.kube/config to others",
        "it can be read by others (-rw-r--r--)",
    )
    assert found.changes == (step,)


def test_the_hosts_context_is_named_once() -> None:
    """Renamed, or another one beside it, as hosts.yaml says."""
    (step,) = steps(NameContext, plan(at_host=host(OWN, joined())))
    assert step.text == "rename the context kubernetes-admin@kubernetes to fedhost"
    assert replace(step, is_alias=True).done == "added the context fedhost beside kubernetes-admin@kubernetes"
    assert steps(NameContext, plan()) == []


@pytest.mark.parametrize(
    ("proof", "cluster", "why"),
    [
        (Proof(problem="Unauthorized"), joined(), "KubeFed's own credential does not work: Unauthorized"),
        (Proof(cluster_uid=UID), joined(), "KubeFed's own credential lacks rights on the cluster"),
        (None, joined(token=None), "KubeFed's Secret for it is missing"),
        (Proof(cluster_uid="x", has_rights=True), joined(), "KubeFed's own credential leads to another cluster"),
    ],
)
def test_a_cluster_whose_credential_does_not_work_joins_again(
    proof: Proof | None, cluster: JoinedCluster, why: str
) -> None:
    """And KubeFed connects to it anew, and it is waited for; the others are not touched."""
    found = plan(at_host=host(OWN, cluster, kubeconfig=written()), proof=proof)
    (step,) = steps(Join, found)
    assert (step.cluster, step.why, step.again, step.done) == ("member1", why, True, "joined again")
    assert [(again.cluster, again.is_told, again.done) for again in steps(Reconnect, found)] == [("member1", False, "")]
    assert [(wait.cluster, wait.is_changed) for wait in steps(AwaitReady, found)] == [("member1", True)]


def test_a_host_whose_address_changed_joins_again_and_a_members_is_corrected() -> None:
    """A member's join would undo what else was corrected."""
    moved = host(joined("fedhost", "https://old"), joined(server="https://old"), kubeconfig=written())
    found = plan(at_host=moved)
    assert [step.cluster for step in steps(Join, found)] == ["fedhost"]
    assert [(step.cluster, dict(step.corrections)) for step in steps(Correct, found)] == [
        ("member1", {"apiEndpoint": SERVER})
    ]
    assert {step.cluster for step in steps(Reconnect, found)} == {"fedhost", "member1"}
    assert not facts(member()).has_joined("fedhost")


def test_only_labels_that_hosts_yaml_names_and_a_cluster_lacks_are_set() -> None:
    """Those of others stay, and nothing is waited for."""
    cluster = joined(labels={"region": "eu", "mine": "x", "tier": "gold"})
    found = plan(at_host=host(OWN, cluster, kubeconfig=written()), said=", labels: {region: us, tier: gold, new: yes1}")
    (step,) = steps(Label, found)
    assert (step.labels, step.done) == ({"region": "us", "new": "yes1"}, "labelled region=us, new=yes1")
    assert step.why == "region is eu, there is no label new"
    assert steps(AwaitReady, found) == []


@pytest.mark.parametrize("ready", [False, None])
def test_a_cluster_that_is_not_ready_is_connected_to_anew(ready: bool | None) -> None:
    """It is a change of its own; it is waited for, and nothing else happens to it."""
    cluster = joined(ready=ready, message="cluster is not reachable")
    found = plan(at_host=host(OWN, cluster, kubeconfig=written()))
    (step,) = steps(Reconnect, found)
    assert (step.cluster, step.why) == ("member1", "cluster is not reachable")
    assert kinds(found) == ["member1: had KubeFed connect to it anew"]
    assert [(wait.cluster, wait.is_changed) for wait in steps(AwaitReady, found)] == [("member1", False)]


def test_a_cluster_that_is_new_to_the_engine_is_not_connected_to_anew() -> None:
    """It has no old connection."""
    found = plan(at_host=host(OWN, kubeconfig=written()), proof=None)
    assert [(step.cluster, step.again) for step in steps(Join, found)] == [("member1", False)]
    assert steps(Reconnect, found) == []


def test_preparing_installs_what_is_missing() -> None:
    """And nothing else, whoever has joined."""
    found = plan_prepare(wishes(), host(joined(), tool=""))
    assert kinds(found) == ["fedhost: installed kubefedctl 0.10.0"]


def test_no_plan_holds_a_secret(world: World, canary: str) -> None:
    """It is printed, and may be kept."""
    shown = world.federate(dry_run=True)
    assert by_name(shown)["member1"].plan
    assert canary not in repr(shown)
    assert canary not in repr(plan(fresh(), host(OWN)))
