"""``status``: the federation as the host sees it. Only the host is asked, and nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fedssh import engines
from fedssh.errors import FedsshError
from fedssh.federation.status import status
from fedssh.verbs import ended_early

if TYPE_CHECKING:
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Report, Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Tell, for every cluster of hosts.yaml and of the federation, whether it has joined and is Ready."""
    try:
        found = status(wishes.inventory, connect=connect, report=report)
    except FedsshError as error:
        return ended_early("status", wishes, error)
    return replace(found, engine=engines.DEFAULT, summary=_summary(found))


def _summary(report: Report) -> str:
    if not report.engine_version:
        return f"{engines.DISPLAY_NAME} is not installed yet. Next: federate --all, or --member NAME"
    if any(cluster.state == "Ready" and not cluster.proven for cluster in report.clusters):
        return f"Ready is what {engines.DISPLAY_NAME} says; federate proves it."
    return ""
