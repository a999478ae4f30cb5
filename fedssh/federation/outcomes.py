"""How a run has ended: the federation as it is then, and what is told of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedssh.errors import StepError
from fedssh.federation.report import ClusterReport, PlannedChange, Report, State
from fedssh.kubernetes.kubeconfig.entries import member_mark
from fedssh.kubernetes.tokens import token_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine, JoinedCluster
    from fedssh.errors import FedsshError
    from fedssh.federation.facts import Facts, HostFacts, Proof
    from fedssh.federation.journal import Journal
    from fedssh.federation.plan import Plan
    from fedssh.federation.report import Role
    from fedssh.federation.wishes import Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the federation is at the end of a run.

    Attributes:
        is_known: Whether anybody has looked.
        clusters: The clusters that the engine has, by name.
        proven: Those whose own credential of the engine's this run has seen work.
        version: The engine's version that is installed, or "".
        tls: How the clusters are verified, in hosts.yaml's word, by name; those of which that is known.
    """

    is_known: bool = False
    clusters: Mapping[str, JoinedCluster] = field(default_factory=dict)
    proven: frozenset[str] = frozenset()
    version: str = ""
    tls: Mapping[str, str] = field(default_factory=dict)


def report_clusters(
    wishes: Wishes, outcome: Outcome, journal: Journal, plan: Plan, names: Sequence[str]
) -> tuple[ClusterReport, ...]:
    """Return what is told of each cluster.

    Args:
        wishes: What was wanted.
        outcome: How the federation is.
        journal: What was done, and what went wrong.
        plan: What a run would do; told of a dry run alone.
        names: The clusters, in order.
    """
    host, members = wishes.inventory.host.name, {member.name for member in wishes.inventory.members}
    return tuple(
        _report_cluster(
            name,
            "host" if name == host else "member",
            outcome,
            journal,
            proven=name in outcome.proven,
            in_inventory=name == host or name in members,
            plan=_planned(plan, name) if wishes.dry_run else (),
        )
        for name in names
    )


def proven_clusters(facts: Facts, proofs: Mapping[str, Proof]) -> frozenset[str]:
    """Return the clusters whose proof, by the engine's own credential, holds for the cluster that is meant."""
    uids = {name: member.cluster_uid for name, member in facts.members.items()}
    uids[facts.host.name] = facts.host.cluster_uid
    return frozenset(name for name, proof in proofs.items() if proof.holds_for(uids.get(name, "")))


def tls_words(host: HostFacts, engine: Engine) -> dict[str, str]:
    """Return how the clusters of the federation are verified, in hosts.yaml's word.

    The kubeconfig's mark knows it of those that fedssh has written; of the others, the engine's description tells it.
    """
    document = host.state.document if host.state else None
    marks = {name: member_mark(document, engine.entry_names(name)).tls if document else "" for name in host.clusters}
    return {name: marks[name] or cluster.endpoint.trust.word for name, cluster in host.clusters.items()}


def sum_up(clusters: Sequence[ClusterReport], word: str) -> str:
    """Return how many clusters are well and how many are not, as in "3 of 4 federated, 1 failed".

    Args:
        clusters: The clusters.
        word: What is said of those that are Ready.
    """
    states = Counter(cluster.state for cluster in clusters)
    others: dict[State, str] = {"Failed": "failed", "NotReady": "not ready", "NotJoined": "not joined"}
    told = [f"{states['Ready']} of {len(clusters)} {word}"]
    return ", ".join([*told, *(f"{states[state]} {text}" for state, text in others.items() if states[state])])


def failed_run(verb: str, wishes: Wishes, engine: Engine, error: FedsshError) -> Report:
    """Return the report of a run that has come to nothing because of ``error``."""
    return Report(
        verb=verb,
        engine=engine.NAME,
        exit_code=error.exit_code,
        dry_run=wishes.dry_run,
        has_table=False,
        error=error,
    )


def exit_code(clusters: Sequence[ClusterReport], engine: Engine) -> int:
    """Return the exit code: 0 when all that join are Ready; an error's own when it is every member's; else 3."""
    if all(cluster.state == "Ready" or _stays_outside(cluster, engine) for cluster in clusters):
        return 0
    return _members_code(clusters) or StepError.exit_code


def planned_exit_code(clusters: Sequence[ClusterReport]) -> int:
    """Return the exit code of a dry run: 0 when a run would go through for all; else as ``exit_code``."""
    if not any(cluster.error for cluster in clusters):
        return 0
    return _members_code(clusters) or StepError.exit_code


def _stays_outside(cluster: ClusterReport, engine: Engine) -> bool:
    """Whether it is a host that takes no part in its own federation, as it should be."""
    return cluster.role == "host" and cluster.state == "NotJoined" and not engine.HOST_JOINS


def _members_code(clusters: Sequence[ClusterReport]) -> int:
    codes = {cluster.error.exit_code if cluster.error else 0 for cluster in clusters if cluster.role == "member"}
    return codes.pop() if len(codes) == 1 else 0


def _report_cluster(
    name: str,
    role: Role,
    outcome: Outcome,
    journal: Journal,
    *,
    proven: bool,
    in_inventory: bool,
    plan: tuple[PlannedChange, ...],
) -> ClusterReport:
    joined = outcome.clusters.get(name)
    state: State = "NotJoined" if outcome.is_known else "Unknown"
    if joined is not None:
        state = "Ready" if joined.ready else "NotReady"
    error = journal.errors.get(name)
    return ClusterReport(
        name=name,
        role=role,
        state="Failed" if error else state,
        proven=proven and not error,
        api_server=joined.endpoint.server if joined else "",
        labels=joined.labels if joined else {},
        plan=() if error else plan,
        changes=tuple(journal.changes.get(name, ())),
        notices=tuple(journal.notices.get(name, ())),
        message=joined.message if joined else "",
        reason=joined.reason if joined else "",
        kubernetes=joined.kubernetes if joined else "",
        tls=outcome.tls.get(name, ""),
        issued=joined.issued if joined else "",
        ends=token_end(joined.token) if joined and joined.token else "",
        in_inventory=in_inventory,
        error=error,
        further=tuple(journal.further.get(name, ())),
        aftermath=tuple(journal.aftermath.get(name, ())),
    )


def _planned(plan: Plan, name: str) -> tuple[PlannedChange, ...]:
    return tuple(
        PlannedChange(step=step.kind, text=step.text, change=step.done, why=step.why, needs=step.needs)
        for step in plan.changes
        if step.cluster == name
    )
