"""``unfederate``: clusters leave the federation, and nothing of it stays behind; what is the users' does.

Look, check, plan, then show the plan or execute it; at the end, look again and tell what is left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from fedssh.engines import load_engine
from fedssh.errors import FedsshError, StepError
from fedssh.federation.act.kubeconfig import connect_and_lock
from fedssh.federation.journal import Journal
from fedssh.federation.leaving.execute import execute_leaving
from fedssh.federation.leaving.plan import plan_unfederate
from fedssh.federation.leaving.residue import left_behind, unseen
from fedssh.federation.leaving.rules import check_leaving
from fedssh.federation.look.leaving import look_after, look_at_leavers
from fedssh.federation.outcomes import Outcome, planned_exit_code, report_clusters
from fedssh.federation.plan import Plan
from fedssh.federation.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.leaving.facts import LeavingFacts
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Agree, ClusterReport, Reporter, Residue
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter, agree: Agree) -> Report:
    """Let clusters leave the federation; what the federation has put on them stays, unless it is to be deleted.

    Args:
        wishes: Who is to leave; with ``dry_run`` nothing is changed, and the report holds the plan.
        connect: Opens a connection to a machine.
        report: Told of every step.
        agree: Asked before anything is changed; given the plan, as a dry run reports it.

    Returns:
        How it ended for each cluster, with what is left of it. The host's failure ends the run.
    """
    engine, journal = load_engine(), Journal(report)
    reach = connect if wishes.dry_run else connect_and_lock(connect, wishes.inventory)
    machines, facts = look_at_leavers(wishes, reach, engine, journal)
    host = facts.host.name
    for gap in facts.host.gaps:
        journal.end(host, gap)
    if not journal.ended:
        journal.find(check_leaving(wishes, facts, engine))
    if host in journal.errors:
        journal.end(host, journal.errors[host])
        return _report(wishes, facts, Plan(), {}, journal=journal, engine=engine)
    plan = plan_unfederate(wishes, facts, engine)
    if wishes.dry_run:
        return _report(wishes, facts, plan, unseen(facts, engine), journal=journal, engine=engine)
    if plan.changes and not agree(
        _report(replace(wishes, dry_run=True), facts, plan, {}, journal=journal, engine=engine)
    ):
        declined = _report(wishes, facts, Plan(), {}, journal=journal, engine=engine)
        return replace(declined, exit_code=planned_exit_code(declined.clusters), summary="Nothing was changed")
    execute_leaving(plan, machines, wishes=wishes, facts=facts, engine=engine, journal=journal)
    if journal.ended:
        return _report(wishes, facts, plan, {}, journal=journal, engine=engine)
    done = [name for name in facts.leavers if name not in journal.errors]
    journal.begin(host, "looking at what is left")
    try:
        after = look_after(machines, wishes, facts, engine, done=done) if plan.changes else facts
    except FedsshError as error:
        journal.end(host, error)
        return _report(wishes, facts, plan, {}, journal=journal, engine=engine)
    for leaver in after.leavers.values():
        if leaver.error and leaver.name in done:
            journal.fail(leaver.name, leaver.error)
    return _report(wishes, after, plan, left_behind(wishes, after, engine), journal=journal, engine=engine)


def _report(
    wishes: Wishes,
    facts: LeavingFacts,
    plan: Plan,
    residue: Mapping[str, Sequence[Residue]],
    *,
    journal: Journal,
    engine: Engine,
) -> Report:
    host, error = facts.host.name, journal.ended
    listed = [cluster.name for cluster in wishes.members]
    names = list(dict.fromkeys([host, *listed, *facts.leavers]))
    state = facts.host.state
    outcome = Outcome(
        is_known=state is not None,
        clusters=facts.host.clusters,
        version=state.engine.version if state else "",
    )
    clusters = tuple(
        replace(cluster, residue=() if cluster.error else tuple(residue.get(cluster.name, ())))
        for cluster in report_clusters(wishes, outcome, journal, plan, names)
    )
    code = error.exit_code if error else planned_exit_code(clusters) if wishes.dry_run else _exit_code(clusters)
    return Report(
        verb="unfederate",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=outcome.version,
        exit_code=code,
        dry_run=wishes.dry_run,
        summary="" if error or wishes.dry_run else _summary(clusters, facts),
        has_table=not error and not wishes.dry_run,
        error=error,
    )


def _exit_code(clusters: Sequence[ClusterReport]) -> int:
    """Return the exit code: 0 where nothing is left of those that were to leave; an error's own, or 3."""
    failed = planned_exit_code(clusters)
    return failed or (StepError.exit_code if any(cluster.residue for cluster in clusters) else 0)


def _summary(clusters: Sequence[ClusterReport], facts: LeavingFacts) -> str:
    meant = [cluster for cluster in clusters if cluster.name in facts.leavers]
    counted = Counter(
        "failed" if cluster.error else "left something behind" if cluster.residue else "gone" for cluster in meant
    )
    if not any(cluster.changes for cluster in clusters) and counted["gone"] == len(meant):
        return f"Nothing to do: nothing is left of {', '.join(cluster.name for cluster in meant)}"
    told = [f"{counted['gone']} of {len(meant)} left without a trace"]
    told += [f"{counted[word]} {word}" for word in ("left something behind", "failed") if counted[word]]
    return ", ".join(told)
