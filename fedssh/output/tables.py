"""The table of the clusters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rich.table import Table

from fedssh.output.console import styled

if TYPE_CHECKING:
    from rich.text import Text

    from fedssh.federation.report import ClusterReport, Report

_STYLES: Final = {"Ready": "green", "NotReady": "yellow", "NotJoined": "dim", "Failed": "red", "Unknown": "dim"}
_DAY_SECONDS: Final = 86400
_COLUMNS: Final = ("CLUSTER", "ROLE", "STATE", "LABELS", "API SERVER")
_DETAILS: Final = ("CLUSTER", "ROLE", "STATE", "KUBERNETES", "TLS", "CREDENTIAL", "API SERVER")
_WIDE: Final = ("PROVEN", "CHANGES", "MESSAGE")


def render_table(report: Report, *, wide: bool = False) -> Table:
    """Return the table: a line for each cluster, with all that fits into a line where it is ``wide``."""
    has_details = report.has_details
    titles = (*_DETAILS, *(("LABELS",) if wide else ())) if has_details else _COLUMNS
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 3, 0, 0))
    for title in (*titles, *(_WIDE if wide else ())):
        table.add_column(title, no_wrap=True, header_style="bold")
    now = datetime.now(UTC)
    for cluster in report.clusters:
        cells = [styled(cluster.name), _role_cell(cluster), _state_cell(cluster, has_details=has_details)]
        if has_details:
            details = (cluster.kubernetes, cluster.tls, _credential_cell(cluster, now), cluster.api_server)
            cells += [styled(text or "-") for text in details]
            cells += [styled(_labels_cell(cluster))] if wide else []
        else:
            cells += [styled(_labels_cell(cluster)), styled(cluster.api_server or "-")]
        table.add_row(*cells, *([styled(text) for text in _wide_cells(cluster)] if wide else []))
    return table


def _role_cell(cluster: ClusterReport) -> Text:
    return styled(cluster.role + ", not in hosts.yaml" * (not cluster.in_inventory))


def _state_cell(cluster: ClusterReport, *, has_details: bool) -> Text:
    reason = f": {cluster.reason}" * bool(cluster.reason and has_details)
    return styled((cluster.state, _STYLES[cluster.state]), reason)


def _labels_cell(cluster: ClusterReport) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(cluster.labels.items())) or "-"


def _credential_cell(cluster: ClusterReport, now: datetime) -> str:
    """Return how old the engine's credential is, and when it ends, in whole days: "12 d, never ends"."""
    issued, ends = _days(cluster.issued, now), _days(cluster.ends, now)
    parts = [] if issued is None else [f"{max(int(-issued), 0)} d"]
    if cluster.ends == "never":
        parts.append("never ends")
    elif ends is not None:
        parts.append("has ended" if ends < 0 else f"ends in {int(ends)} d")
    return ", ".join(parts)


def _days(time: str, now: datetime) -> float | None:
    """Return in how many days a time is; None for what is none."""
    try:
        return (datetime.fromisoformat(time) - now).total_seconds() / _DAY_SECONDS
    except (TypeError, ValueError):
        return None


def _wide_cells(cluster: ClusterReport) -> tuple[str, str, str]:
    message = cluster.error.message if cluster.error else cluster.message
    return "yes" if cluster.proven else "no", str(len(cluster.changes)), " ".join(message.split()) or "-"
