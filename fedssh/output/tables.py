"""The table of the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from fedssh.output.console import styled

if TYPE_CHECKING:
    from fedssh.federation.report import ClusterReport, Report

_STYLES: Final = {"Ready": "green", "NotReady": "yellow", "NotJoined": "dim", "Failed": "red", "Unknown": "dim"}
_COLUMNS: Final = ("CLUSTER", "ROLE", "STATE", "LABELS", "API SERVER")
_WIDE: Final = ("PROVEN", "CHANGES", "MESSAGE")


def render_table(report: Report, *, wide: bool = False) -> Table:
    """Return the table: a line for each cluster, with all that fits into a line where it is ``wide``."""
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 3, 0, 0))
    for title in (*_COLUMNS, *(_WIDE if wide else ())):
        table.add_column(title, no_wrap=True, header_style="bold")
    for cluster in report.clusters:
        labels = ",".join(f"{key}={value}" for key, value in sorted(cluster.labels.items()))
        cells = [
            styled(cluster.name),
            styled(cluster.role),
            styled((cluster.state, _STYLES[cluster.state])),
            styled(labels or "-"),
            styled(cluster.api_server or "-"),
        ]
        table.add_row(*cells, *([styled(text) for text in _wide_cells(cluster)] if wide else []))
    return table


def _wide_cells(cluster: ClusterReport) -> tuple[str, str, str]:
    message = cluster.error.message if cluster.error else cluster.message
    return "yes" if cluster.proven else "no", str(len(cluster.changes)), " ".join(message.split()) or "-"
