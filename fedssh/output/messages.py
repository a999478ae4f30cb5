"""What is said to people besides the result, on stderr: errors, warnings, and what has become of things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.output.console import styled, write_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from fedssh.errors import FedsshError
    from fedssh.federation.report import Report


def show_line(text: str) -> None:
    """Print one line to stderr."""
    write_message(styled(text))


def show_error(error: FedsshError, *, aftermath: Sequence[str] = ()) -> None:
    """Print an error to stderr, what has become of things after it, and what to do next."""
    write_message(styled(("error: ", "bold red"), str(error)))
    for line in aftermath:
        show_line(f"  {line}")
    if error.hint:
        write_message(styled(("  next: ", "bold"), error.hint.replace("\n", "\n        ")))


def show_troubles(report: Report) -> None:
    """Print what is not well with the clusters of a report, and why the run as a whole ended early."""
    told: list[FedsshError] = []
    for cluster in report.clusters:
        for notice in cluster.notices:
            write_message(warning(f"{cluster.name}: {notice}"))
        # What ended the whole run can be the error of several clusters; once is enough.
        if cluster.error and cluster.error not in told:
            told.append(cluster.error)
            show_error(cluster.error, aftermath=cluster.aftermath)
            continue
        if cluster.state == "NotReady":
            show_line(f"{cluster.name} is not ready: {cluster.message or 'nothing has said why yet'}")
        for line in cluster.aftermath:
            show_line(f"{cluster.name}: {line}")
    if report.error and report.error not in told:
        show_error(report.error)


def warning(text: str) -> Text:
    """Return a warning's line."""
    return styled(("warning: ", "bold yellow"), text)
