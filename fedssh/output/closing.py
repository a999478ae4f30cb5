"""What is said to people at the end besides the result: what is not well, and what the run has come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssh.federation.report import Report
    from fedssh.output.messages import Messages


def show_troubles(report: Report, messages: Messages) -> None:
    """Tell what is not well with the clusters of a report, and why the run as a whole ended early.

    Errors that were told while the run lasted are not told again.
    """
    for cluster in report.clusters:
        for notice in cluster.notices:
            messages.warn(notice, cluster=cluster.name)
        for error in (cluster.error, *cluster.further):
            if error:
                messages.error(error)
        for left in cluster.residue:
            messages.left(left, cluster=cluster.name)
        if cluster.state == "NotReady" and report.verb != "unfederate" and not cluster.findings:
            messages.warn(f"it is not ready: {cluster.message or 'nothing has said why yet'}", cluster=cluster.name)
    if report.error:
        messages.error(report.error)


def closing_lines(report: Report, *, seconds: float) -> list[str]:
    """Return the last line of a run, what it has come to and how long it took; before it, the report's remark."""
    time = spent(seconds)
    changes = sum(len(cluster.changes) for cluster in report.clusters)
    if report.error:
        made = f"{count(changes, 'change')} made" if changes else "nothing changed"
        return [f"Ended early, {made}, {time}"]
    if report.dry_run:
        return [f"{_planned(report)}, {time}"]
    return [*filter(None, [report.remark]), f"{report.summary}, {time}"]


def spent(seconds: float) -> str:
    """Return how long something took, in whole seconds, as in "21 s"; nothing takes less than one."""
    return f"{max(1, round(seconds))} s"


def count(number: int, thing: str) -> str:
    """Return a number with its noun, as in "2 changes"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _planned(report: Report) -> str:
    changes = sum(len(cluster.plan) for cluster in report.clusters)
    concerned = sum(bool(cluster.plan) for cluster in report.clusters)
    if changes:
        total = f"{count(changes, 'change')} to {count(concerned, 'cluster')}"
        return f"Nothing was changed. {report.verb} would make {total}"
    return "Nothing was changed" if report.exit_code else "Nothing was changed, and there is nothing to do"
