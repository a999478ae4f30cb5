"""The table of the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from fedssh.output.console import styled

if TYPE_CHECKING:
    from fedssh.federation.report import Report

_STYLES: Final = {"Ready": "green", "NotReady": "yellow", "NotJoined": "dim", "Failed": "red"}


def render_table(report: Report) -> Table:
    """Return the table: a line for each cluster."""
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 3, 0, 0))
    for title in ("CLUSTER", "ROLE", "STATE", "LABELS", "API SERVER"):
        table.add_column(title, no_wrap=True, header_style="bold")
    for cluster in report.clusters:
        labels = ",".join(f"{key}={value}" for key, value in sorted(cluster.labels.items()))
        table.add_row(
            styled(cluster.name),
            styled(cluster.role),
            styled((cluster.state, _STYLES[cluster.state])),
            styled(labels or "-"),
            styled(cluster.api_server or "-"),
        )
    return table
