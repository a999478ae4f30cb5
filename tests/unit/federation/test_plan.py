from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.artefacts import Fetched, Image
from fedssh.engines import load_engine
from fedssh.engines.kubefed.kubefedctl import FOLDER, Tool
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.federation.access_steps import CloseFile, Grant, NameContext, Prove, WriteEntries
from fedssh.federation.facts import Proof
from fedssh.federation.plan import Plan, plan_federate, plan_prepare
from fedssh.federation.steps import AwaitReady, Correct, ImportImages, Install, Join, Label, Reconnect
from fedssh.inventory import Machine
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import put_member
from fedssh.sensitive import Sensitive
from fedssh.verbs import prepare
from tests.fakes.facts import GOOD, HOST_UID, SERVER, UID, facts, fresh, host, joined, member, wishes
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER, release
from tests.fakes.kubernetes import CA, account_token, base64_of, token_of
from tests.fakes.shells import Answer
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from fedssh.engines.protocol import JoinedCluster
    from fedssh.federation.facts import HostFacts, MemberFacts
    from fedssh.federation.steps import Step
    from fedssh.federation.wishes import Wishes

ENGINE = load_engine()
OWN = joined("fedhost", HOST_SERVER)
OWN_PROOF = Proof(cluster_uid=HOST_UID, has_rights=True)
GATE = "https://gate.example.com:6443"


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
    own_server: str | None = None,
) -> Plan:
    """Return the plan for a federation that is as it should be, but for what is said, of the host's address, too."""
    at_host = at_host or host(OWN, joined(), kubeconfig=written())
    engine = {"fedhost": own, **({"member1": proof} if proof else {})}
    known = wishes(said)
    inventory = replace(known.inventory, host=replace(known.inventory.host, api_server=own_server))
    found = facts(seen or member(), at_host, engine=engine)
    return plan_federate(replace(known, inventory=inventory), found, ENGINE)


def steps(kind: type[Step], found: Plan) -> list[Any]:
    """Return the steps of a kind."""
    return [step for step in found.steps if isinstance(step, kind)]


def kinds(found: Plan) -> list[str]:
    """Return what would be changed, by cluster."""
    return [f"{step.cluster}: {step.done}" for step in found.changes]


def upgrading(version: str = "0.9.2", *, tool: str = "0.9.2", status: str = "deployed", revision: int = 1) -> HostFacts:
    """Return a host on which this KubeFed is to be upgraded to another one."""
    at_host = host(joined())
    engine = KubeFedState(
        machine="fedhost",
        release=Release(version=version, status=status, revision=revision),
        is_running=True,
        serves=True,
        tools=(Tool(path=f"{FOLDER}/kubefedctl", version=tool),),
        clusters={"member1": joined()},
    )
    return replace(at_host, state=replace(at_host.known, engine=engine.to_upgrade()))


def with_images(*names: str, nodes: tuple[str, ...] = ()) -> Wishes:
    """Return the wish that images are imported, each of which there is for two processors, on the host and on nodes."""
    archive = Fetched(path=Path("image.tar"), sha256="ab" * 32)
    images = [Image(reference=name, architecture=processor) for name in names for processor in ("amd64", "arm64")]
    known = wishes()
    machines = tuple(Machine(name=name, address=name) for name in nodes)
    inventory = replace(known.inventory, host=replace(known.inventory.host, nodes=machines))
    return replace(known, inventory=inventory, images=tuple((image, archive) for image in images))


def test_where_all_is_as_it_should_be_nothing_is_left_to_do() -> None:
    """The contexts have been tried by the look."""
    assert plan().steps == ()


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


@pytest.mark.parametrize("is_again", [False, True])
def test_a_host_that_joins_gets_hosts_yamls_address_after_that(*, is_again: bool) -> None:
    """A join takes the one of its context, which works on its machine alone; it is waited for at the other one."""
    clusters = [joined("fedhost", GATE), joined()] if is_again else [joined()]
    at_host = host(*clusters, kubeconfig=written(), server="https://127.0.0.1:6443", ca=CA)
    found = plan(at_host=at_host, own=Proof(problem="Unauthorized"), own_server=GATE)
    assert [type(step) for step in found.changes if step.cluster == "fedhost"][:2] == [Join, Correct]
    (join,), (correct,) = steps(Join, found), steps(Correct, found)
    assert (join.cluster, join.again, correct.cluster) == ("fedhost", is_again, "fedhost")
    assert dict(correct.corrections) == {"apiEndpoint": GATE}
    assert (correct.why, correct.needs) == ("a join does not write it", "it joins first")
    (join_stage,) = [number for number, stage in enumerate(found.stages) if join in stage.steps]
    assert correct in found.stages[join_stage + 1].steps
    assert [(wait.cluster, wait.is_changed) for wait in steps(AwaitReady, found)] == [("fedhost", True)]


def test_a_host_that_has_joined_at_another_address_is_corrected() -> None:
    """It does not join again, which would undo it; what it is verified by stays as the join has written it."""
    found = plan(at_host=host(OWN, joined(), kubeconfig=written(), ca=CA), own_server=GATE)
    assert steps(Join, found) == []
    (step,) = steps(Correct, found)
    assert (step.cluster, dict(step.corrections), step.needs) == ("fedhost", {"apiEndpoint": GATE}, "")
    assert [step.cluster for step in steps(Reconnect, found)] == ["fedhost"]
    found = plan(at_host=host(OWN, joined(), kubeconfig=written(), ca=base64_of("another")), own_server=GATE)
    (step,) = steps(Correct, found)
    assert dict(step.corrections) == {"apiEndpoint": GATE}


@pytest.mark.parametrize("trust", [Trust(word="system"), Trust(word="insecure"), Trust(word="ca", ca=CA)])
def test_a_host_stays_verified_as_its_join_has_written_it(trust: Trust) -> None:
    """Where its kubeconfig has no CA, a join takes that of the account which it makes: a second run changes nothing."""
    spec = {"caBundle": trust.ca, "disabledTLSValidations": ["*"] if trust.is_insecure else None}
    there = replace(joined("fedhost", GATE), endpoint=Endpoint(server=GATE, trust=trust), spec=spec)
    assert plan(at_host=host(there, joined(), kubeconfig=written(), ca=""), own_server=GATE).changes == ()


def test_a_host_that_has_joined_at_hosts_yamls_address_stays() -> None:
    """Whatever its own kubeconfig says."""
    at_host = host(joined("fedhost", GATE), joined(), kubeconfig=written(), server="https://127.0.0.1:6443", ca=CA)
    found = plan(at_host=at_host, own_server=GATE)
    assert found.changes == ()
    assert steps(Reconnect, found) == steps(AwaitReady, found) == []


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


def test_an_upgrade_is_installed_and_waited_for_in_order() -> None:
    """The tool, the chart, its rollout, and that KubeFed has looked at its clusters; nothing else is done to them."""
    found = plan_prepare(wishes(), upgrading())
    (stage,) = found.stages
    parts = {step.part.name: step.why for step in stage.steps if isinstance(step, Install)}
    assert parts == {
        "tool": f"{FOLDER}/kubefedctl is version 0.9.2",
        "upgrade": "0.9.2 is installed",
        "rollout": "it starts anew",
        "ready": "its kubefed-controller-manager is a new one",
    }
    assert list(parts) == ["tool", "upgrade", "rollout", "ready"]
    assert len(stage.steps) == len(parts)
    assert kinds(found) == ["fedhost: installed kubefedctl 0.10.0", "fedhost: upgraded KubeFed 0.9.2 to 0.10.0"]
    assert [step.text for step in stage.steps] == [
        "install kubefedctl 0.10.0",
        "upgrade KubeFed 0.9.2 to 0.10.0",
        "wait until KubeFed serves",
        "wait until KubeFed has looked at its clusters",
    ]
    assert not found.takes_over


@pytest.mark.parametrize(
    ("at_host", "parts"),
    [
        (upgrading(tool="0.10.0"), ["upgrade", "rollout", "ready"]),
        (upgrading("0.10.0", tool="0.10.0", status="failed", revision=2), ["upgrade", "rollout", "ready"]),
        (upgrading("0.10.0", tool="0.10.0", status="pending-install"), ["chart", "rollout"]),
        (upgrading("0.10.0"), ["tool"]),
        (upgrading("0.10.0", tool="0.10.0"), []),
    ],
)
def test_an_upgrade_does_no_more_than_is_missing(at_host: HostFacts, parts: list[str]) -> None:
    """What was cut is gone on with, and what is there already stays."""
    found = plan_prepare(wishes(), at_host)
    assert [step.part.name for step in steps(Install, found)] == parts
    assert bool(found.stages) == bool(parts)


def test_a_host_is_upgraded_only_where_that_is_asked_for(world: World) -> None:
    """By the verb; without the word, what is installed stays."""
    world.host.release, world.host.kubefedctl = release(version="0.9.2"), "0.9.2"
    world.host.broken["kubectl", "version"] = Answer('{"serverVersion": {"gitVersion": "v1.21.14"}}')

    def planned(*, upgrade: bool) -> list[str]:
        asked = replace(world.wishes(dry_run=True), members=(), upgrade=upgrade)
        report = prepare.run(asked, connect=world.connect, report=world.events.append)
        assert report.exit_code == 0
        return [step.change for step in report.clusters[0].plan]

    assert planned(upgrade=False) == []
    assert planned(upgrade=True) == ["installed kubefedctl 0.10.0", "upgraded KubeFed 0.9.2 to 0.10.0"]


def test_images_are_imported_before_what_needs_them() -> None:
    """In the same stage, once for all processors, by the names that container runtimes know; on the host first."""
    asked = with_images("mesosphere/kubefed:v1", "quay.io/x/y:2", nodes=("node2", "node3"))
    first, *others = plan_prepare(asked, upgrading()).steps
    names, nodes = ("docker.io/mesosphere/kubefed:v1", "quay.io/x/y:2"), ("fedhost", "node2", "node3")
    assert first == ImportImages(
        cluster="fedhost", why="this computer has them for its pods", images=names, nodes=nodes
    )
    assert first.text == "import docker.io/mesosphere/kubefed:v1, quay.io/x/y:2 on fedhost, node2, node3"
    assert first.done == "imported docker.io/mesosphere/kubefed:v1, quay.io/x/y:2 on fedhost, node2, node3"
    assert [step.kind for step in others] == ["install"] * 4
    assert len(plan_prepare(asked, upgrading()).stages) == 1


def test_without_images_nothing_is_imported() -> None:
    """Other nodes are used for nothing else; without them, the host alone gets the images."""
    assert steps(ImportImages, plan_prepare(with_images(nodes=("node2",)), upgrading())) == []
    (step,) = steps(ImportImages, plan_prepare(with_images("quay.io/x/y:2"), upgrading()))
    assert (step.nodes, step.images) == (("fedhost",), ("quay.io/x/y:2",))


def test_a_join_waits_for_the_images_of_what_is_installed() -> None:
    """They come while the members grant access."""
    nowhere = host(kubeconfig=HOST_KUBECONFIG, tool="")
    found = plan_federate(with_images("quay.io/x/y:2"), facts(fresh(), nowhere), ENGINE)
    assert [step.kind for step in found.stages[0].steps] == ["grant", "import", "install"]
    assert "fedhost: imported quay.io/x/y:2 on fedhost" in kinds(found)
    assert {step.needs.rpartition("; ")[2] for step in steps(Join, found)} == {"KubeFed serves first"}


def test_no_plan_holds_a_secret(world: World, canary: str) -> None:
    """It is printed, and may be kept."""
    shown = world.federate(dry_run=True)
    assert by_name(shown)["member1"].plan
    assert canary not in repr(shown)
    assert canary not in repr(plan(fresh(), host(OWN)))
