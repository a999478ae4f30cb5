"""``prepare``: the engine on the host, nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fedssh.engines import load_engine
from fedssh.errors import FedsshError
from fedssh.federation.act.kubeconfig import connect_and_lock
from fedssh.federation.execute import execute
from fedssh.federation.findings import refusals
from fedssh.federation.journal import Journal
from fedssh.federation.look.federation import look_at_host_alone
from fedssh.federation.look.host import look_at_upgrade
from fedssh.federation.outcomes import Outcome, report_clusters
from fedssh.federation.plan import Plan, plan_prepare
from fedssh.federation.report import Report
from fedssh.federation.rules import check_host, check_versions
from fedssh.federation.supplies import connect_nodes, supply
from fedssh.federation.threads import contained

if TYPE_CHECKING:
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Install the engine on the host; what is there stays untouched, unless it is to be upgraded.

    Args:
        wishes: What is wanted; its members are not looked at. With ``dry_run`` nothing is changed, and the report
            holds the plan.
        connect: Opens a connection to a machine.
        report: Told of every step.
    """
    engine, journal, name = load_engine(), Journal(report), wishes.inventory.host.name
    reach = connect if wishes.dry_run else connect_and_lock(connect, wishes.inventory)
    machines, facts = look_at_host_alone(wishes, reach, engine, journal)
    if wishes.upgrade and name in machines:
        seen = contained(name, partial(look_at_upgrade, machines[name], facts.host))
        facts = replace(facts, host=replace(facts.host, gaps=(seen,)) if isinstance(seen, FedsshError) else seen)
    findings = check_host(wishes, facts.host, engine)
    journal.find(findings if refusals(findings) else [*findings, *check_versions(wishes, facts)])
    plan, outcome = Plan(), Outcome()
    try:
        if name in journal.errors:
            raise journal.errors[name]
        wishes = supply(wishes, facts, engine, journal)
    except FedsshError as error:
        journal.end(name, error)
    else:
        plan = plan_prepare(wishes, facts.host)
        executed = Plan() if wishes.dry_run else plan
        machines |= connect_nodes(wishes, connect, journal)
        outcome = execute(executed, machines, wishes=wishes, facts=facts, engine=engine, journal=journal)
    clusters = report_clusters(wishes, outcome, journal, plan, [name])
    ended = journal.ended
    state = f"{engine.TITLE} {outcome.version} and its tools are installed on {name}"
    return Report(
        verb="prepare",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=outcome.version,
        exit_code=ended.exit_code if ended else 0,
        dry_run=wishes.dry_run,
        summary="" if ended or wishes.dry_run else state if clusters[0].changes else f"Nothing to do: {state}",
        has_table=False,
        error=ended,
    )
