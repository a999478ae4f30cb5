"""What a run would do, for people: the end of a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.output.console import styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from fedssh.federation.report import ClusterReport, Report

_WIDEST: Final = 40
_INDENT: Final = "  "
_GAP: Final = "   "


def render_plan(report: Report) -> Iterator[Text]:
    """Return the plan's lines: for each cluster what would be done, why, and on what it depends."""
    changes = [change for cluster in report.clusters for change in cluster.plan]
    # The reasons stand below each other; a change with a long text does not push them all to the right.
    width = max([len(change.text) for change in changes if len(change.text) <= _WIDEST], default=0)
    for cluster in report.clusters:
        yield from _render_cluster(cluster, verb=report.verb, width=width)


def _render_cluster(cluster: ClusterReport, *, verb: str, width: int) -> Iterator[Text]:
    if cluster.plan:
        yield styled("On ", (cluster.name, "bold"), f", {verb} would")
    elif cluster.error:
        yield styled("On ", (cluster.name, "bold"), f", {verb} would do nothing, because of its error.")
    else:
        yield styled("On ", (cluster.name, "bold"), " there is nothing to do.")
    for change in cluster.plan:
        yield styled(f"{_INDENT}{change.text:{width}}{_GAP}", (f"because {change.why}", "dim"))
        if change.needs:
            yield styled(" " * (len(_INDENT) + width + len(_GAP)), (f"provided that {change.needs}", "dim"))
