"""``federate``: from clusters that know nothing of each other to a federation that is proven to work."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fedssh import engines
from fedssh.errors import FedsshError
from fedssh.federation.federate import federate
from fedssh.verbs import ended_early, refuse_dry_run

if TYPE_CHECKING:
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Report, Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Federate the members with the host; what is already as it should be stays untouched."""
    try:
        refuse_dry_run(wishes)
        found = federate(wishes.inventory, wishes.members, connect=connect, report=report, adopt=wishes.adopt)
    except FedsshError as error:
        return ended_early("federate", wishes, error)
    return replace(found, engine=engines.DEFAULT, summary=_summary(found))


def _summary(report: Report) -> str:
    if report.exit_code:
        return ""  # errors speak for themselves
    *others, last = [cluster.name for cluster in report.clusters]
    federated = f"{' and '.join(filter(None, [', '.join(others), last]))} are federated."
    return federated if report.changed else f"Nothing to do: {federated}"
