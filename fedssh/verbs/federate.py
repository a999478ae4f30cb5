"""``federate``: from clusters that know nothing of each other to a federation that is proven to work.

Look, check, plan, then show the plan or execute it. Until the host has proven an access itself, neither its kubeconfig
nor the federation is touched.
"""

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
from fedssh.federation.look.advice import seek_advice
from fedssh.federation.look.federation import look
from fedssh.federation.outcomes import Outcome, exit_code, failed_run, planned_exit_code, report_clusters, sum_up
from fedssh.federation.plan import Plan, plan_federate
from fedssh.federation.report import Report
from fedssh.federation.rules import (
    check_file,
    check_host,
    check_host_address,
    check_members,
    check_members_alone,
    check_strangers,
    check_versions,
)
from fedssh.federation.supplies import connect_nodes, supply
from fedssh.federation.threads import contained
from fedssh.federation.trust import load_ca_file
from fedssh.federation.wishes import wanted_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts
    from fedssh.federation.findings import Finding
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Agree, ClusterReport, Reporter
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.credentials import Endpoint
    from fedssh.shell import Shell


def run(wishes: Wishes, *, connect: Connect, report: Reporter, agree: Agree) -> Report:
    """Federate the members of ``wishes`` with the host; what is already as it should be stays untouched.

    Args:
        wishes: What is wanted; with ``dry_run`` nothing is changed, and the report holds the plan.
        connect: Opens a connection to a machine.
        report: Told of every step.
        agree: Asked whether a run may take over what fedssh did not make; given the plan, as a dry run reports it.

    Returns:
        How it ended for each cluster. A member's failure is its own; the host's ends the run, and stands in ``error``.
    """
    engine, journal = load_engine(), Journal(report)
    try:
        ca_files = {cluster.name: load_ca_file(cluster) for cluster in wishes.members}
    except FedsshError as error:
        return failed_run("federate", wishes, engine, error)
    wishes = replace(wishes, ca_files=ca_files)
    reach = connect if wishes.dry_run else connect_and_lock(connect, wishes.inventory)
    machines, facts = look(wishes, reach, engine, journal)
    findings = [*check_host(wishes, facts.host, engine), *check_host_address(wishes, facts, engine)]
    if refusals(findings):
        findings += check_members_alone(wishes, facts)
    else:
        findings += [*check_versions(wishes, facts), *check_file(facts.host), *check_strangers(wishes, facts, engine)]
        findings += _advised(check_members(wishes, facts, engine), machines, wishes, facts, engine)
    journal.find(findings)
    if facts.host.name in journal.errors:
        journal.end(facts.host.name, journal.errors[facts.host.name])
        return _report(wishes, Plan(), Outcome(), journal, engine)
    try:
        wishes = supply(wishes, facts, engine, journal)
    except FedsshError as error:
        journal.end(facts.host.name, error)
        return _report(wishes, Plan(), Outcome(), journal, engine)
    members = {cluster.name: cluster for cluster in wishes.members}
    part = replace(wishes, members=tuple(journal.without_failed(members).values()))
    plan = plan_federate(part, facts, engine)
    is_declined = False
    if plan.takes_over and not wishes.dry_run:
        is_declined = not agree(_report(replace(wishes, dry_run=True), plan, Outcome(), journal, engine))
    executed = Plan() if wishes.dry_run or is_declined else plan
    machines |= connect_nodes(part, connect, journal) if executed.steps else {}
    outcome = execute(executed, machines, wishes=part, facts=facts, engine=engine, journal=journal)
    ended = _report(wishes, plan, outcome, journal, engine)
    if not is_declined:
        return ended
    failed = sum(cluster.state == "Failed" for cluster in ended.clusters)
    summary = "Nothing was changed" + (f", {failed} failed" if failed else "")
    return replace(ended, exit_code=planned_exit_code(ended.clusters), summary=summary)


def _advised(
    findings: list[Finding], machines: Mapping[str, Shell], wishes: Wishes, facts: Facts, engine: Engine
) -> list[Finding]:
    """Return the findings with what would work instead, for the refusal that is told of each member."""
    told = refusals(findings)
    findings = [
        finding if finding is told.get(finding.cluster, finding) else replace(finding, seek="") for finding in findings
    ]
    sought = {finding.cluster for finding in findings if finding.seek}
    if not sought:
        return findings
    endpoints: dict[str, Endpoint] = {}
    for cluster in wishes.members:
        if cluster.name in sought:
            endpoint = contained(cluster.name, partial(wanted_endpoint, cluster, wishes, facts, engine))
            endpoints |= {} if isinstance(endpoint, FedsshError) else {cluster.name: endpoint}
    return seek_advice(
        machines,
        findings,
        {cluster.name: cluster for cluster in wishes.members},
        endpoints,
        host=facts.host.name,
        kubeconfig=facts.host.known.file.path,
    )


def _report(wishes: Wishes, plan: Plan, outcome: Outcome, journal: Journal, engine: Engine) -> Report:
    names = [wishes.inventory.host.name, *(cluster.name for cluster in wishes.members)]
    clusters = report_clusters(wishes, outcome, journal, plan, names)
    error = journal.ended
    code = error.exit_code if error else planned_exit_code(clusters) if wishes.dry_run else exit_code(clusters, engine)
    return Report(
        verb="federate",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=outcome.version,
        exit_code=code,
        dry_run=wishes.dry_run,
        summary="" if error or wishes.dry_run else _summary(clusters),
        has_table=not error and not wishes.dry_run,
        error=error,
    )


def _summary(clusters: Sequence[ClusterReport]) -> str:
    idle = all(cluster.state == "Ready" and not cluster.changes for cluster in clusters)
    return ("Nothing to do: " if idle else "") + sum_up(clusters, "federated")
