"""``prepare``: the engine on the host, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines import load_engine
from fedssh.federation.act.kubeconfig import connect_and_lock
from fedssh.federation.execute import execute
from fedssh.federation.findings import refusals
from fedssh.federation.journal import Journal
from fedssh.federation.look.federation import look_at_host_alone
from fedssh.federation.outcomes import Outcome, report_clusters
from fedssh.federation.plan import Plan, plan_prepare
from fedssh.federation.report import Report
from fedssh.federation.rules import check_host, check_versions

if TYPE_CHECKING:
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Install the engine on the host; what is there stays untouched.

    Args:
        wishes: What is wanted; its members are not looked at. With ``dry_run`` nothing is changed, and the report
            holds the plan.
        connect: Opens a connection to a machine.
        report: Told of every step.
    """
    engine, journal, name = load_engine(), Journal(report), wishes.inventory.host.name
    reach = connect if wishes.dry_run else connect_and_lock(connect, wishes.inventory)
    machines, facts = look_at_host_alone(wishes, reach, engine, journal)
    findings = check_host(wishes, facts.host, engine)
    journal.find(findings if refusals(findings) else [*findings, *check_versions(wishes, facts)])
    plan, outcome = Plan(), Outcome()
    if name in journal.errors:
        journal.end(name, journal.errors[name])
    else:
        plan = plan_prepare(wishes, facts.host)
        outcome = execute(
            Plan() if wishes.dry_run else plan, machines, wishes=wishes, facts=facts, engine=engine, journal=journal
        )
    clusters = report_clusters(wishes, outcome, journal, plan, [name])
    error = journal.ended
    state = f"{engine.TITLE} {outcome.version} and its tools are installed on {name}"
    return Report(
        verb="prepare",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=outcome.version,
        exit_code=error.exit_code if error else 0,
        dry_run=wishes.dry_run,
        summary="" if error or wishes.dry_run else state if clusters[0].changes else f"Nothing to do: {state}",
        has_table=False,
        error=error,
    )
