"""``rotate``: new credentials for clusters that have joined, and the old ones revoked, while the federation works on.

Look, check, plan, then show the plan or execute it. Nothing is revoked before its successor is in use and proven.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fedssh.engines import load_engine
from fedssh.errors import FedsshError
from fedssh.federation.act.kubeconfig import connect_and_lock
from fedssh.federation.findings import refusals
from fedssh.federation.journal import Journal
from fedssh.federation.look.federation import look
from fedssh.federation.outcomes import Outcome, failed_run, planned_exit_code, report_clusters
from fedssh.federation.plan import Plan
from fedssh.federation.report import Report
from fedssh.federation.rotation.execute import execute_rotation
from fedssh.federation.rotation.facts import concerned, find_rotation
from fedssh.federation.rotation.plan import plan_rotate
from fedssh.federation.rotation.rules import check_clusters, check_host
from fedssh.federation.trust import load_ca_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import ClusterReport, Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Replace fedssh's own token and the engine's own credential for each member of ``wishes``.

    Args:
        wishes: Who is meant, and how old a credential must be; with ``is_all``, the host's credential, too. With
            ``dry_run`` nothing is changed, and the report holds the plan.
        connect: Opens a connection to a machine.
        report: Told of every step.

    Returns:
        How it ended for each cluster. A cluster that fails before its old credentials are revoked keeps them whole.
    """
    engine, journal = load_engine(), Journal(report)
    try:
        ca_files = {cluster.name: load_ca_file(cluster) for cluster in wishes.members}
    except FedsshError as error:
        return failed_run("rotate", wishes, engine, error)
    wishes = replace(wishes, ca_files=ca_files)
    reach = connect if wishes.dry_run else connect_and_lock(connect, wishes.inventory)
    machines, facts = look(wishes, reach, engine, journal, accounts=True)
    journal.find(check_host(facts.host))
    if facts.host.name in journal.errors:
        journal.end(facts.host.name, journal.errors[facts.host.name])
        return _report(wishes, Plan(), Outcome(), journal, engine)
    findings = check_clusters(wishes, facts, engine)
    journal.find(findings)
    taking_part = [name for name in concerned(wishes, engine) if name not in refusals(findings)]
    rotations = {name: find_rotation(name, wishes, facts, engine) for name in taking_part if name not in journal.errors}
    plan = plan_rotate(rotations, engine)
    executed = Plan() if wishes.dry_run else plan
    outcome = execute_rotation(
        executed, rotations, machines, wishes=wishes, facts=facts, engine=engine, journal=journal
    )
    return _report(wishes, plan, outcome, journal, engine)


def _report(wishes: Wishes, plan: Plan, outcome: Outcome, journal: Journal, engine: Engine) -> Report:
    names = [wishes.inventory.host.name, *(cluster.name for cluster in wishes.members)]
    clusters = report_clusters(wishes, outcome, journal, plan, names)
    error = journal.ended
    meant = [cluster for cluster in clusters if cluster.name in concerned(wishes, engine)]
    return Report(
        verb="rotate",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=outcome.version,
        exit_code=error.exit_code if error else planned_exit_code(clusters),
        dry_run=wishes.dry_run,
        summary="" if error or wishes.dry_run else _summary(meant),
        has_table=not error and not wishes.dry_run,
        error=error,
    )


def _summary(clusters: Sequence[ClusterReport]) -> str:
    failed = sum(cluster.state == "Failed" for cluster in clusters)
    rotated = sum(bool(cluster.changes) and cluster.state != "Failed" for cluster in clusters)
    if not (failed or rotated):
        return "Nothing to do: no credential is that old"
    return ", ".join([f"{rotated} of {len(clusters)} rotated", *([f"{failed} failed"] if failed else [])])
