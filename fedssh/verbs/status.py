"""``status``: the federation as its engine sees it. Only the host is asked, and nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines import load_engine
from fedssh.federation.journal import Journal
from fedssh.federation.look.federation import look_at_host_alone
from fedssh.federation.outcomes import Outcome, exit_code, failed_run, report_clusters, sum_up, tls_words
from fedssh.federation.plan import Plan
from fedssh.federation.report import Report

if TYPE_CHECKING:
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Tell, for every cluster of hosts.yaml and of the federation, whether it has joined and is Ready.

    Ready is what the engine says; nothing is proven here.

    Args:
        wishes: Whose hosts.yaml it is, and which of its members are meant; all clusters when it names none.
        connect: Opens a connection to a machine.
        report: Told of every step.
    """
    engine, journal, inventory = load_engine(), Journal(report), wishes.inventory
    host = inventory.host
    _, found = look_at_host_alone(wishes, connect, engine, journal)
    facts = found.host
    if facts.gaps:
        return failed_run("status", wishes, engine, facts.gaps[0])
    # What has joined without standing in hosts.yaml is part of the federation, too.
    joined = facts.clusters
    others = [] if wishes.members else joined
    members = wishes.members or inventory.members
    names = list(dict.fromkeys([host.name, *(cluster.name for cluster in members), *others]))
    outcome = Outcome(is_known=True, clusters=joined, version=facts.known.engine.version, tls=tls_words(facts, engine))
    clusters = report_clusters(wishes, outcome, journal, Plan(), names)
    title = f"{engine.TITLE} {outcome.version}".strip()
    remark = f"Ready is what {title} says; federate proves it, and check looks at everything."
    if not outcome.version and not joined:
        remark = f"{engine.TITLE} is not installed yet. Next: federate --all, or --member NAME"
    return Report(
        verb="status",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=outcome.version,
        exit_code=exit_code(clusters, engine),
        dry_run=wishes.dry_run,
        summary=sum_up(clusters, "Ready"),
        remark=remark,
        has_details=True,
        error=None,
    )
