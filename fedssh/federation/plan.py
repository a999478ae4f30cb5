"""What is to be done: from facts and wishes to a plan. Pure; nothing here asks or changes a machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fedssh.federation.access_steps import (
    Grant,
    MintToken,
    NameContext,
    Prove,
    RemoveCopies,
    RevokeToken,
    TestContext,
    WriteCluster,
    WriteEntries,
)
from fedssh.federation.grants import needed_grant, stored_secrets
from fedssh.federation.steps import AwaitReady, Correct, ImportImages, Install, Join, Label, Reconnect, Step, of_kind
from fedssh.federation.wishes import host_endpoint, wanted_endpoint
from fedssh.federation.writes import EPHEMERAL, NEW_TOKEN, plan_writes
from fedssh.kubernetes.account_tokens import token_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts, HostFacts, MemberFacts
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.credentials import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Steps that are executed together.

    Attributes:
        steps: What is done, in no particular order but that of the clusters.
    """

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done, stage by stage. Printed, it is advice; a run makes its own.

    Attributes:
        stages: One after the other; a cluster whose step fails takes no further part.
    """

    stages: tuple[Stage, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for stage in self.stages for step in stage.steps)

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something and are reported."""
        return tuple(step for step in self.steps if step.done)

    @property
    def takes_over(self) -> bool:
        """Whether a step changes what fedssh did not make."""
        return any(step.takes_over for step in self.steps)


def plan_prepare(wishes: Wishes, facts: HostFacts) -> Plan:
    """Return how the engine gets onto the host."""
    return _plan(_installs(wishes, facts))


def plan_federate(wishes: Wishes, facts: Facts, engine: Engine) -> Plan:
    """Return how the members of ``wishes`` become part of the federation.

    Args:
        wishes: The members that take part: nothing refuses them.
        facts: What was found.
        engine: What federates.
    """
    if not wishes.members:
        return Plan()
    host, names = facts.host, [cluster.name for cluster in wishes.members]
    endpoints = {cluster.name: wanted_endpoint(cluster, wishes, facts, engine) for cluster in wishes.members}
    ephemeral = [cluster.name for cluster in wishes.members if cluster.is_ephemeral]
    found = {
        name: needed_grant(facts.members[name], adopt=wishes.adopt, is_stored=name not in ephemeral) for name in names
    }
    granted = {name: grant for name, grant in found.items() if grant}
    grants = list(granted.values())
    installs = _installs(wishes, host)
    writes = plan_writes(wishes, facts, engine, endpoints, granted)
    # What the contexts say is what a join writes; what hosts.yaml says besides is corrected.
    written, wanted = dict(endpoints), dict(endpoints)
    own = host_endpoint(wishes.inventory, host) if engine.HOST_JOINS else None
    if own:
        written, wanted = {host.name: replace(own, server=host.server), **written}, {host.name: own, **wanted}
    servers = {name: endpoint.server for name, endpoint in wanted.items()}
    if engine.HOST_JOINS:
        servers = {host.name: host.server, **servers}
    joins = _joins(servers, facts, granted, engine, corrected=wanted, waits=bool(installs))
    corrections = _corrections(wanted, written, joins, host, engine)
    # Without a stored token, there is one only where something is to be changed, which has to be proven first.
    revokes = _revokes([facts.members[name] for name in names if name not in ephemeral])
    revokes += _revokes_of_all([facts.members[name] for name in ephemeral])
    changing = {step.cluster for step in (*joins, *corrections, *writes, *revokes)}
    mints = [
        MintToken(cluster=name, why="no token of fedssh's is kept")
        for name in ephemeral
        if name in changing and name not in granted
    ]
    proofs = [Prove(cluster=step.cluster, why="its access is new or was mended") for step in grants]
    proofs += [Prove(cluster=step.cluster, why="its token is a new one") for step in mints]
    labels = _labels(wishes.inventory, list(servers), host)
    changed = {step.cluster for step in (*joins, *corrections)}
    ends = _ends(list(servers), changed, host, engine)
    copies = _copies(writes, revokes, ephemeral, host)
    # A context that is there as it should be was tried by the look; the host's own is used by what follows.
    contexts = {step.cluster: step.context for step in of_kind(writes, WriteEntries) if step.cluster not in ephemeral}
    if not (joins or corrections or labels or ends):
        contexts |= {step.cluster: step.cluster for step in of_kind(writes, NameContext)}
    tests = [
        TestContext(cluster=name, why="as an administrator would", context=context)
        for name, context in contexts.items()
    ]
    return _plan(
        [*grants, *mints, *installs], proofs, writes, copies, tests, revokes, joins, [*corrections, *labels], ends
    )


def _plan(*stages: Sequence[Step]) -> Plan:
    return Plan(stages=tuple(Stage(steps=tuple(steps)) for steps in stages if steps))


def _installs(wishes: Wishes, host: HostFacts) -> list[ImportImages | Install]:
    parts = host.known.engine.missing(wishes.inventory)
    steps: list[ImportImages | Install] = []
    if wishes.images:
        nodes = (host.name, *(node.name for node in wishes.inventory.host.nodes))
        names = tuple(dict.fromkeys(image.name for image, _ in wishes.images))
        why = "this computer has them for its pods"
        steps.append(ImportImages(cluster=host.name, why=why, images=names, nodes=nodes))
    return [*steps, *(Install(cluster=host.name, why=part.why, part=part) for part in parts)]


def _revokes(members: Sequence[MemberFacts]) -> list[RevokeToken]:
    """Return which old tokens a rotation that stopped half-way has left: newer ones are in use by then."""
    steps = []
    for member in members:
        older = sorted(number for number in member.other_tokens if number < member.number)
        secrets = tuple(token_secret(member.name, number) for number in older)
        if secrets and member.token is not None:
            why = "an earlier rotation stopped half-way"
            steps.append(RevokeToken(cluster=member.name, why=why, secrets=secrets))
    return steps


def _revokes_of_all(members: Sequence[MemberFacts]) -> list[RevokeToken]:
    """Return the stored tokens of members that are to have none."""
    found = {member.name: stored_secrets(member) for member in members}
    return [RevokeToken(cluster=name, why=EPHEMERAL, secrets=secrets) for name, secrets in found.items() if secrets]


def _copies(
    writes: Sequence[Step], revokes: Sequence[RevokeToken], ephemeral: Sequence[str], host: HostFacts
) -> list[RemoveCopies]:
    """Return the step that removes the copies of the host's kubeconfig which hold tokens that are not to be kept."""
    names = [step.cluster for step in of_kind(writes, WriteCluster) if step.is_closed]
    names += [step.cluster for step in revokes if step.cluster in ephemeral and step.cluster not in names]
    why = f"the token of {', '.join(names)} is in them"
    return [RemoveCopies(cluster=host.name, why=why, members=tuple(names))] if names else []


def _joins(
    servers: Mapping[str, str],
    facts: Facts,
    granted: Mapping[str, Grant],
    engine: Engine,
    *,
    corrected: Collection[str],
    waits: bool,
) -> list[Join]:
    host = facts.host
    known = host.clusters
    steps = []
    for name, server in servers.items():
        if facts.has_joined(name) and (name in corrected or known[name].endpoint.server == server):
            continue  # an address is corrected where that can be: a join would undo what else was corrected
        needs = [NEW_TOKEN] if name in granted else []
        needs += [f"{engine.TITLE} serves first"] if waits else []
        why = _why_joined(name, server, facts, engine)
        steps.append(Join(cluster=name, why=why, needs="; ".join(needs), again=name in known))
    return steps


def _why_joined(name: str, server: str, facts: Facts, engine: Engine) -> str:
    joined, proof, title = facts.host.clusters.get(name), facts.engine.get(name), engine.TITLE
    if joined is None:
        return "it has not joined"
    if joined.token is None or proof is None:
        return f"{title}'s Secret for it is missing"
    if proof.is_about_rights or (not proof.problem and not proof.has_rights):
        return f"{title}'s own credential lacks rights on the cluster"
    if proof.problem:
        return f"{title}'s own credential does not work: {proof.problem}"
    if joined.endpoint.server != server:
        return f"its address was {joined.endpoint.server}"
    return f"{title}'s own credential leads to another cluster"


def _corrections(
    endpoints: Mapping[str, Endpoint],
    written: Mapping[str, Endpoint],
    joins: Sequence[Join],
    host: HostFacts,
    engine: Engine,
) -> list[Correct]:
    """Return what has to be corrected, also in what a join is going to write."""
    known = host.clusters
    joining, steps = {step.cluster for step in joins}, []
    for name, endpoint in endpoints.items():
        cluster = engine.after_join(name, written[name], known.get(name)) if name in joining else known[name]
        is_own = name == host.name  # how it is verified, its own kubeconfig says, or the join
        wanted = replace(cluster.endpoint, server=endpoint.server) if is_own else endpoint
        lacking = engine.corrections(cluster, wanted)
        if lacking:
            why = "a join does not write it" if name in joining else "it is not as hosts.yaml and the member say"
            needs = "it joins first" if name in joining else ""
            steps.append(Correct(cluster=name, why=why, needs=needs, corrections=lacking, title=engine.CLUSTER_TITLE))
    return steps


def _labels(inventory: Inventory, names: Sequence[str], host: HostFacts) -> list[Label]:
    """Return the labels that hosts.yaml names and a cluster lacks; those that it does not name stay."""
    known = host.clusters
    wanted = {cluster.name: cluster.labels for cluster in (inventory.host, *inventory.members)}
    steps = []
    for name in names:
        there = known[name].labels if name in known else {}
        missing = {key: value for key, value in wanted[name].items() if there.get(key) != value}
        if missing:
            why = ", ".join(f"{key} is {there[key]}" if key in there else f"there is no label {key}" for key in missing)
            steps.append(Label(cluster=name, why=why, needs="" if name in known else "it joins first", labels=missing))
    return steps


def _ends(names: Sequence[str], changed: set[str], host: HostFacts, engine: Engine) -> list[Step]:
    """Return how the engine is made to see what has changed, and what is waited for.

    A cluster that it knows keeps its old connection: it has to be made to connect anew.
    """
    known = host.clusters
    waiting = [name for name in names if name in changed or (name in known and not known[name].ready)]
    steps: list[Step] = [
        Reconnect(
            cluster=name,
            why=known[name].message or f"{engine.TITLE} keeps its old connection",
            title=engine.TITLE,
            is_told=name not in changed,
        )
        for name in waiting
        if name in known
    ]
    why = f"{engine.TITLE} must find it healthy"
    return [*steps, *(AwaitReady(cluster=name, why=why, is_changed=name in changed) for name in waiting)]
