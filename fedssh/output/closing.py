"""What is said to people at the end besides the result: what is not well, and what the run has come to."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fedssh.output.alike import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fedssh.federation.report import ClusterReport, Report
    from fedssh.output.messages import Messages


def show_troubles(report: Report, messages: Messages) -> None:
    """Tell what is not well with the clusters of a report, and why the run as a whole ended early.

    Errors that were told while the run lasted are not told again. A warning that is the same for several clusters is
    told once with their names, where the clusters are a crowd.
    """
    alike = _alike(report) if messages.is_crowd(len(report.clusters)) else {}
    for cluster in report.clusters:
        for notice in cluster.notices:
            _warn(notice, cluster.name, alike, messages)
        for error in (cluster.error, *cluster.further):
            if error:
                messages.error(error)
        for left in cluster.residue:
            messages.left(left, cluster=cluster.name)
        for text in _not_ready(report, cluster):
            _warn(text, cluster.name, alike, messages)
    if report.error:
        messages.error(report.error)


def _warn(text: str, cluster: str, alike: Mapping[str, Sequence[str]], messages: Messages) -> None:
    names = alike.get(kind_of(text, cluster), [cluster])
    if cluster == names[0]:  # the others are named with it
        messages.warn(text, cluster=cluster, alike=names)


def _alike(report: Report) -> Mapping[str, Sequence[str]]:
    """Return the clusters with each kind of warning."""
    found = defaultdict(list)
    for cluster in report.clusters:
        for text in (*cluster.notices, *_not_ready(report, cluster)):
            found[kind_of(text, cluster.name)].append(cluster.name)
    return found


def _not_ready(report: Report, cluster: ClusterReport) -> Iterator[str]:
    if cluster.state == "NotReady" and report.verb != "unfederate" and not cluster.findings:
        yield f"it is not ready: {cluster.message or 'nothing has said why yet'}"


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
