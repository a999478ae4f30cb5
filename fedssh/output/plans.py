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
    """Return the plan's lines: for each cluster what would be done, why, and on what it depends; the sum at the end."""
    changes = [change for cluster in report.clusters for change in cluster.plan]
    # The reasons stand below each other; a change with a long text does not push them all to the right.
    width = max([len(change.text) for change in changes if len(change.text) <= _WIDEST], default=0)
    for cluster in report.clusters:
        yield from _render_cluster(cluster, verb=report.verb, width=width)
    concerned = sum(bool(cluster.plan) for cluster in report.clusters)
    if changes:
        total = f"{_count(len(changes), 'change')} to {_count(concerned, 'cluster')}"
        yield styled(f"Nothing was changed. {report.verb} would make {total}.")
    elif report.exit_code:
        yield styled("Nothing was changed.")
    else:
        yield styled("Nothing was changed, and there is nothing to do.")


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


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
