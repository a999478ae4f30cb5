"""An engine of quite another kind, in memory: the rest of fedssh needs to know nothing more of it than the protocol.

Its host does not join, its entries have other names, it has no tools and one part, and no name can go unverified.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh import documents
from fedssh.engines import load_engine
from fedssh.engines.protocol import CheckFinding, EngineAccount, JoinedCluster, MemberTraces, Part
from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.federation.access_steps import TestContext
from fedssh.federation.facts import Facts, HostFacts, HostState, MemberFacts, Proof
from fedssh.federation.findings import refusals
from fedssh.federation.leaving.facts import Leaver, LeavingFacts
from fedssh.federation.leaving.plan import plan_unfederate
from fedssh.federation.outcomes import exit_code
from fedssh.federation.plan import Plan, plan_federate, plan_prepare
from fedssh.federation.report import ClusterReport
from fedssh.federation.rules import check_host, check_members
from fedssh.federation.steps import Join
from fedssh.federation.wishes import Wishes
from fedssh.inventory import parse_inventory
from fedssh.kubernetes import kubeconfig
from fedssh.kubernetes.account import manifests, parse_objects
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import EntryNames, put_member
from fedssh.kubernetes.kubeconfig.file import KubeconfigFile
from fedssh.kubernetes.kubectl import Target, kubectl
from fedssh.kubernetes.objects import core, rbac
from fedssh.sensitive import Sensitive
from tests.fakes.armada import ArmadaInstallation, LeavingArmada
from tests.fakes.kubernetes import CA, account_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.artefacts import Artefact, Fetched, Image
    from fedssh.engines.protocol import Engine, EngineState, Uploaded
    from fedssh.inventory import Inventory
    from fedssh.shell import Command, Result

PART = Part(name="plane", text="install Armada", running="installing Armada", done="installed Armada", why="it is new")
CONFIG = """\
current-context: admin
contexts: [{name: admin, context: {cluster: own, user: admin}}]
clusters: [{name: own, cluster: {server: "https://fedhost:6443"}}]
"""


@dataclass(frozen=True, kw_only=True)
class ArmadaState:
    """What there is of the engine on the host."""

    version: str = ""
    clusters: Mapping[str, JoinedCluster] = field(default_factory=dict)
    gaps: Sequence[FedsshError] = ()
    cluster_gaps: Sequence[FedsshError] = ()

    def wanted_version(self, inventory: Inventory) -> str:
        """Return the only version there is."""
        assert inventory.host.name
        return "1.0.0"

    def refusals(self, inventory: Inventory, *, kubernetes: str) -> list[FedsshError]:
        """Return why another version cannot be used."""
        assert not kubernetes.startswith("v0")
        is_other = self.version not in {"", self.wanted_version(inventory)}
        return [RefusedError("another Armada is installed", machine="fedhost")] if is_other else []

    def why_no_join(self, name: str, inventory: Inventory, *, kubernetes: str) -> FedsshError | None:
        """Every cluster can join."""
        assert name
        assert inventory.host.name
        assert not kubernetes.startswith("v0")
        return None

    def version_notice(self, inventory: Inventory, *, kubernetes: str) -> str:
        """Nothing has to be known."""
        assert inventory.host.name
        assert not kubernetes.startswith("v0")
        return ""

    def missing(self, inventory: Inventory) -> list[Part]:
        """Return its only part."""
        return [] if self.version == self.wanted_version(inventory) else [PART]

    def upgrade_questions(self, *, target: Target) -> list[Command]:
        """Nothing has to be known."""
        assert target.context
        return []

    def to_upgrade(self, answers: Sequence[Result] = ()) -> ArmadaState:
        """There is no other version."""
        assert not answers
        return self

    def pods_artefacts(self, inventory: Inventory) -> Mapping[str, Artefact]:
        """It has no pods."""
        assert inventory.host.name
        return {}

    def supplies(self, inventory: Inventory) -> Mapping[str, Artefact]:
        """Nothing has to be fetched for plain objects."""
        assert inventory.host.name
        return {}

    def part_stages(
        self, part: Part, inventory: Inventory, *, target: Target, uploaded: Uploaded | None
    ) -> list[list[Command]]:
        """Return how its part is installed: by plain objects."""
        assert uploaded is None
        assert part == PART
        assert inventory.host.name
        return [[kubectl("apply", target=target)]]

    def check_part(self, part: Part, results: Sequence[Result], inventory: Inventory) -> None:
        """Check its only part."""
        assert inventory.host.name
        if not all(result.ok for result in results):
            raise StepError(f"{part.text} failed", machine="fedhost")

    def join_command(
        self, name: str, inventory: Inventory, *, target: Target, member: Target, namespace: str
    ) -> Command:
        """Return how a cluster joins: by plain objects."""
        assert inventory.host.name
        assert member.context == f"ship-{name}"
        assert namespace in {"", "Active"}
        return kubectl("create", "ship", name, target=target)


class Armada(LeavingArmada):
    """The engine."""

    NAME = "armada"
    TITLE = "Armada"
    CLUSTER_TITLE = "Ship"
    HOST_JOINS = False
    MEMBER_NAMESPACE = "harbour"
    PART_SECONDS = 1.0
    JOIN_SECONDS = 1.0
    READY_SECONDS = 1.0

    def artefacts(self, inventory: Inventory) -> Mapping[str, Artefact]:
        """Nothing has to be fetched for plain objects."""
        assert inventory.host.name
        return {}

    def images(self, inventory: Inventory, supplies: Mapping[str, Fetched]) -> list[Image]:
        """It has no pods."""
        assert inventory.host.name
        assert not supplies
        return []

    def entry_names(self, cluster: str) -> EntryNames:
        """Return other names than those of the cluster."""
        return EntryNames(context=f"ship-{cluster}", cluster=f"hull-{cluster}", user=f"crew-{cluster}")

    def member_of(self, cluster_entry: str) -> str:
        """Return whose hull it is."""
        return cluster_entry.removeprefix("hull-") if cluster_entry.startswith("hull-") else ""

    def tool_commands(self) -> list[Command]:
        """Return none: it has no tools."""
        return []

    def state_commands(self, *, target: Target) -> list[Command]:
        """Return what is asked."""
        return self.list_commands(target=target)

    def parse_state(self, tools: Sequence[Result], state: Sequence[Result], *, machine: str) -> ArmadaState:
        """Return what the answers say."""
        assert not tools
        return ArmadaState(clusters=self.parse_list(state, machine=machine))

    def list_commands(self, *, target: Target) -> list[Command]:
        """Return one command."""
        return [kubectl("get", "ships", target=target)]

    def parse_list(self, results: Sequence[Result], *, machine: str) -> dict[str, JoinedCluster]:
        """Return no clusters."""
        assert results
        assert machine
        return {}

    def parse_join(self, result: Result, *, machine: str) -> str:
        """Return a time."""
        assert machine
        return result.stdout

    def after_join(self, name: str, endpoint: Endpoint, before: JoinedCluster | None) -> JoinedCluster:
        """Return what a join writes: all of it."""
        return JoinedCluster(name=name, endpoint=endpoint, token=None, labels=before.labels if before else {})

    def corrections(self, cluster: JoinedCluster, endpoint: Endpoint) -> dict[str, Any]:
        """Return the endpoint where it differs."""
        return {} if cluster.endpoint == endpoint else {"endpoint": endpoint.server}

    def correct_command(self, name: str, corrections: Mapping[str, Any], *, target: Target) -> Command:
        """Return how a description is corrected."""
        return kubectl("patch", "ship", name, *corrections, target=target)

    def label_command(self, names: Sequence[str], labels: Mapping[str, str], *, target: Target) -> Command:
        """Return how clusters are labelled."""
        return kubectl("label", "ship", *names, *labels, target=target)

    def parse_labels(self, result: Result, names: Sequence[str]) -> dict[str, FedsshError]:
        """Return all or nobody."""
        return {} if result.ok else {name: StepError("no label", machine=name) for name in names}

    def reconnect_command(self, names: Sequence[str], *, target: Target) -> Command:
        """Return how it connects anew: its controller starts again."""
        assert names
        return kubectl("rollout", "restart", target=target)

    def parse_reconnect(self, result: Result, names: Sequence[str], *, machine: str) -> dict[str, FedsshError]:
        """Return all or nobody."""
        return {} if result.ok else {name: StepError("no restart", machine=machine) for name in names}

    def wait_command(self, since: Mapping[str, str], *, target: Target) -> Command:
        """Return how health is waited for."""
        return kubectl("wait", *since, target=target)

    def credential(self, cluster: JoinedCluster, *, server_name: str) -> Credential | None:
        """Return its token, verified as it stands there."""
        assert server_name is not None
        return Credential(endpoint=cluster.endpoint, token=cluster.token) if cluster.token else None

    def account_commands(self, *, target: Target) -> list[Command]:
        """Return one command."""
        return [kubectl("get", "crews", target=target)]

    def parse_accounts(self, results: Sequence[Result], *, machine: str) -> dict[str, EngineAccount]:
        """Return no accounts."""
        assert results
        assert machine
        return {}

    def account_name(self, cluster: JoinedCluster) -> str:
        """Return the crew of a ship."""
        return cluster.name

    def next_account(self, name: str) -> str:
        """Return the relief."""
        return f"relief-of-{name}"

    def make_account_commands(
        self, name: str, old: EngineAccount, new: EngineAccount | None, *, target: Target
    ) -> list[Command]:
        """Return how a relief comes on board."""
        assert new is None
        return [kubectl("create", "crew", name, old.name, target=target)]

    def parse_made_account(self, results: Sequence[Result], name: str, *, machine: str) -> Sensitive:
        """Return its token."""
        assert name
        assert machine
        return Sensitive(results[-1].stdout)

    def remove_account_commands(self, account: EngineAccount, *, target: Target) -> list[Command]:
        """Return how a crew leaves."""
        return [kubectl("delete", "crew", account.name, target=target)]

    def swap_command(self, cluster: JoinedCluster, token: Sensitive, *, rotated_at: str, target: Target) -> Command:
        """Return how a ship gets another crew."""
        assert rotated_at is not None
        return kubectl("apply", cluster.name, target=target, stdin=token)

    def broken_credential_hint(self) -> str:
        """Return what to do."""
        return "Start its controller again."

    def checkup_commands(self, *, target: Target) -> list[Command]:
        """Return one command."""
        return [kubectl("get", "pods", target=target)]

    def checkup_findings(
        self, results: Sequence[Result], state: EngineState, inventory: Inventory, *, now: str
    ) -> list[CheckFinding]:
        """Return that it runs."""
        assert results
        assert now
        return [CheckFinding(cluster=inventory.host.name, topic="engine", state="ok", text=f"it is {state.version}")]

    def journey_line(self, space: str, clusters: Sequence[str], *, target: Target) -> str:
        """Return how an object travels."""
        assert clusters
        return kubectl("create", "cargo", space, target=target).line

    def residue_commands(self, *, target: Target) -> list[Command]:
        """Return none: it leaves nothing."""
        assert target.flags() is not None
        return []

    def residue_findings(
        self, results: Sequence[Result], state: EngineState | None, *, cluster: str, host: str
    ) -> list[CheckFinding]:
        """Return nothing."""
        assert not results
        assert state is None or cluster != host
        return []


ENGINE: Engine = Armada()
EMPTY: EngineState = ArmadaState()


def endpoint_of(name: str) -> Endpoint:
    """Return where a member is reached."""
    return Endpoint(server=f"https://{name}:6443", trust=Trust(word="ca", ca=CA))


def facts_of(wishes: Wishes, state: EngineState = EMPTY, config: str = CONFIG, *, granted: bool = False) -> Facts:
    """Return what is found on a host and its members; members that have granted access are proven to have done so."""
    file = KubeconfigFile(path="/c", text=Sensitive(config), mode="-rw-------")
    target = Target(kubeconfig="/c", context="admin")
    known = HostState(file=file, document=file.document(), target=target, engine=state)
    host = HostFacts(name="fedhost", state=known, cluster_uid="uid-of-fedhost", server="https://fedhost:6443")
    names = [cluster.name for cluster in wishes.members]
    members = {
        name: MemberFacts(name=name, server=f"https://{name}:6443", ca=CA, cluster_uid=f"uid-of-{name}")
        for name in names
    }
    if granted:
        members = {
            name: replace(member, objects=parse_objects(manifests(name), name), token=Sensitive(account_token(name)))
            for name, member in members.items()
        }
    proofs = {name: Proof(cluster_uid=f"uid-of-{name}", has_rights=True) for name in names}
    return Facts(
        host=host,
        members=members,
        access=proofs if granted else {},
        engine={name: proof for name, proof in proofs.items() if name in state.clusters},
    )


def wishes_of(*names: str, labels: str = "") -> Wishes:
    """Return the wish that members be federated; the host has labels, which nobody can give it."""
    members = "".join(f"  {name}: {{address: {name}{labels}}}\n" for name in names)
    text = f"host: {{name: fedhost, address: h, labels: {{a: b}}}}\nmembers:\n{members}"
    inventory = parse_inventory(text, path=Path("hosts.yaml"))
    return Wishes(inventory=inventory, members=inventory.members)


def joined(*names: str) -> ArmadaState:
    """Return an engine that has clusters, all of them well."""
    clusters = {
        name: JoinedCluster(name=name, endpoint=endpoint_of(name), token=Sensitive("its own"), ready=True)
        for name in names
    }
    return ArmadaState(version="1.0.0", clusters=clusters)


def written(*names: str) -> str:
    """Return a host's kubeconfig that has members' entries, by the engine's names."""
    document = parse_kubeconfig(CONFIG, source="/c")
    document.name_host_context("fedhost", how="rename")
    for name in names:
        own = Credential(endpoint=endpoint_of(name), token=Sensitive(account_token(name)))
        put_member(document, ENGINE.entry_names(name), own, cluster_uid=f"uid-of-{name}", namespace="default")
    return document.render()


def kinds(plan: Plan, cluster: str) -> list[str]:
    """Return the kinds of steps for a cluster."""
    return [step.kind for step in plan.steps if step.cluster == cluster]


def test_a_host_that_does_not_join_is_installed_and_no_more() -> None:
    """It gets the engine's part and its own context; joins, labels and waiting are the members'."""
    wishes = wishes_of("m1", "m2", labels=", labels: {region: eu}")
    facts = facts_of(wishes)
    plan = plan_federate(wishes, facts, ENGINE)
    assert kinds(plan, "fedhost") == ["install", "name-context"]
    for name in ("m1", "m2"):
        assert kinds(plan, name) == ["grant", "prove", "write-context", "test-context", "join", "label", "await-ready"]
    assert [step.text for step in plan_prepare(wishes, facts.host).steps] == ["install Armada"]
    (join, _) = [step for step in plan.steps if isinstance(step, Join)]
    assert "Armada serves first" in join.needs


def test_entries_bear_the_engines_names() -> None:
    """In what is written and in what is tried."""
    wishes = wishes_of("m1")
    plan = plan_federate(wishes, facts_of(wishes), ENGINE)
    assert "write context ship-m1" in [step.text for step in plan.steps]
    contexts = {step.cluster: step.context for step in plan.steps if isinstance(step, TestContext)}
    assert contexts == {"m1": "ship-m1"}


def test_what_is_as_it_should_be_is_no_change() -> None:
    """The second run has nothing to do, and nobody is refused."""
    wishes = wishes_of("m1", "m2")
    facts = facts_of(wishes, joined("m1", "m2"), written("m1", "m2"), granted=True)
    assert refusals([*check_host(wishes, facts.host, ENGINE), *check_members(wishes, facts, ENGINE)]) == {}
    assert plan_federate(wishes, facts, ENGINE).changes == ()


def test_a_member_that_moved_is_corrected() -> None:
    """By the engine's own word for its description; it connects anew and is waited for."""
    wishes = wishes_of("m1")
    state = joined("m1")
    moved = replace(state.clusters["m1"], endpoint=endpoint_of("elsewhere"))
    facts = facts_of(wishes, replace(state, clusters={"m1": moved}), written("m1"), granted=True)
    plan = plan_federate(wishes, facts, ENGINE)
    assert [step.text for step in plan.changes] == ["set endpoint of its Ship"]
    assert kinds(plan, "m1") == ["correct", "reconnect", "await-ready"]


def test_somebody_elses_entry_is_found_by_the_engines_name() -> None:
    """One that is called as the member is not in the way."""
    wishes = wishes_of("m1")
    fine, taken = (CONFIG + f"users: [{{name: {name}, user: {{}}}}]\n" for name in ("m1", "crew-m1"))
    assert refusals(check_members(wishes, facts_of(wishes, config=fine), ENGINE)) == {}
    found = refusals(check_members(wishes, facts_of(wishes, config=taken), ENGINE))["m1"]
    assert "has a user 'crew-m1' that fedssh did not write" in found.text


def test_the_engines_refusals_are_the_hosts() -> None:
    """With its own words."""
    wishes = wishes_of("m1")
    facts = facts_of(wishes, ArmadaState(version="0.9.0"))
    assert refusals(check_host(wishes, facts.host, ENGINE))["fedhost"].text == "another Armada is installed"


def test_a_host_that_stays_outside_is_no_failure() -> None:
    """All members being Ready, the exit code is 0; a host that failed is one."""
    host = ClusterReport(name="fedhost", role="host", state="NotJoined")
    member = ClusterReport(name="m1", role="member", state="Ready")
    assert exit_code([host, member], ENGINE) == 0
    assert exit_code([host, replace(member, state="NotReady")], ENGINE) == 3
    assert exit_code([replace(host, state="Failed"), member], ENGINE) == 3
    assert exit_code([host, replace(member, state="NotJoined")], ENGINE) == 3
    assert exit_code([host, member], load_engine()) == 3


@pytest.mark.parametrize("granted", [False, True])
def test_a_plan_for_four_hundred_costs_four_times_that_for_a_hundred(
    granted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is looked at in the kubeconfig is counted; the file is parsed once."""

    def cost(members: int) -> int:
        names = [f"m{number}" for number in range(members)]
        wishes = wishes_of(*names)
        facts = facts_of(wishes, joined(*names), written(*names), granted=granted)
        counted = 0
        real = documents.entry

        def entry(*arguments: Any) -> Any:
            nonlocal counted
            counted += 1
            return real(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(kubeconfig, "entry", entry)
            plan = plan_federate(wishes, facts, ENGINE)
        assert bool(plan.changes) is not granted
        return counted

    hundred, four = cost(100), cost(400)
    assert hundred * 3 < four < hundred * 5


def test_ships_leave() -> None:
    """By the same plan: let go first, then the crew leaves, then the papers are burnt; the control plane goes last."""
    wishes = wishes_of("m1")
    host = facts_of(wishes, joined("m1"), written("m1")).host
    leaver = Leaver(
        name="m1",
        way="machine",
        accounts=(ENGINE.usual_account("m1", host="fedhost"),),
        traces=MemberTraces(access=(rbac("Role", "crew"),), workloads=(core("Cargo", "spice", "hold"),)),
        secrets=("papers-of-m1",),
    )
    facts = LeavingFacts(host=host, leavers={"m1": leaver}, installation=ArmadaInstallation())
    plan = plan_unfederate(wishes, facts, ENGINE)
    leaving = ["withdraw", "remove-access", "let-go", "forget", "uninstall", "remove-context", "remove-copies"]
    assert [step.kind for step in plan.steps] == leaving
    assert [step.text for step in plan.steps][-2] == "remove the context ship-m1 from the host's kubeconfig"
