"""All that is printed: progress and errors on stderr, results on stdout.

On a terminal, progress is one line per cluster, kept up to date; elsewhere it is one plain line per step. Nothing
here is read as rich's markup, since names and messages come from machines.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from fedssh.errors import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from fedssh.errors import FedsshError
    from fedssh.federation.report import ClusterReport, Progress, Report

Format = Literal["table", "json"]

_UNLIMITED = 10_000
_STYLES = {"Ready": "green", "NotReady": "yellow", "NotJoined": "dim", "Failed": "red"}


class ProgressView:
    """Shows ``Progress`` on stderr while its ``with`` block runs; call it with each event, from any thread.

    What fedssh logs meanwhile is shown, too: warnings always, the rest for those who want to know every check.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._console = _console(sys.stderr, live=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._rows: dict[str, Progress] = {}
        self._told = False
        self._lock = threading.Lock()
        self._drawn = False
        self._kept: list[Text] | None = None
        self._log = _LogHandler(self._tell, logging.INFO if verbose else logging.WARNING)

    def __enter__(self) -> Self:
        self._log.attach()
        self._drawn = self._console.is_terminal
        if self._drawn:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._drawn = False
            self._live.stop()
        self._log.detach()

    def __call__(self, event: Progress) -> None:
        """Show one event; failures are left to the end, where they are told with what to do next."""
        if event.state == "checked":
            if self._verbose:
                self._tell(Text(f"{event.cluster}: checked: {event.text}"))
            return
        if not self._console.is_terminal:
            if event.state != "failed":
                self._tell(Text(f"{event.cluster}: {event.text}"))
            return
        # What is done scrolls up; what is being done stays below, until the next step of that cluster.
        if event.state in {"changed", "confirmed"}:
            self._tell(Text.assemble(("✓ ", "green"), (event.cluster, "bold"), f" {event.text}"))
            self._rows.pop(event.cluster, None)
            self._told = True
        else:
            self._rows[event.cluster] = event
        self._live.update(self._table())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal alone, for a question; what there is to tell meanwhile is told afterwards."""
        with self._lock:
            kept: list[Text] = []
            self._kept = kept
            self._live.stop()
        try:
            yield
        finally:
            with self._lock:
                self._kept = None
                if self._drawn:
                    self._live.start()
            for one in kept:
                self._tell(one)

    def _tell(self, what: Text) -> None:
        with self._lock:
            if self._kept is not None:
                self._kept.append(what)
                return
        _print(self._console, what)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for event in list(self._rows.values()):
            mark = Spinner("dots") if event.state == "running" else Text("✗", style="red")
            table.add_row(mark, Text(event.cluster, style="bold"), Text(event.text.partition("\n")[0]))
        return table


class _LogHandler(logging.Handler):
    """Shows what the package logs; names in it may be anything that ssh_config or a machine says."""

    def __init__(self, tell: Callable[[Text], None], level: int) -> None:
        super().__init__(level)
        self._tell = tell
        self._logger = logging.getLogger("fedssh")
        self._before = self._logger.level

    def attach(self) -> None:
        """Begin."""
        self._before = self._logger.level
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)

    def detach(self) -> None:
        """End, and leave the logger as it was."""
        self._logger.removeHandler(self)
        self._logger.setLevel(self._before)

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record."""
        text = visible(record.getMessage())
        warned = record.levelno >= logging.WARNING
        self._tell(Text.assemble(("warning: ", "bold yellow"), text) if warned else Text(text))


def show_report(report: Report, output: Format) -> None:
    """Print a report: to stdout what it is, to stderr what went wrong."""
    if output == "json":
        _write(json.dumps(_to_json(report), indent=2) + "\n")
    else:
        console = _console(sys.stdout)
        if report.verb != "prepare":
            _print_table(console, _render_table(report))
        if summary := _summary(report):
            _print(console, Text(summary))
    for one in report.clusters:
        for notice in one.notices:
            _print(_console(sys.stderr), Text.assemble(("warning: ", "bold yellow"), f"{one.name}: {notice}"))
        if one.error:
            show_error(one.error)
        elif one.state == "NotReady":
            _print(
                _console(sys.stderr), Text(f"{one.name} is not ready: {one.message or 'KubeFed has not said why yet'}")
            )


def show_failure(error: FedsshError, output: Format) -> None:
    """Print why a run as a whole failed; as JSON it is a report without clusters, so that a program has one to read."""
    if output == "json":
        report = {"apiVersion": "fedssh/v1", "kind": "Report", "exitCode": error.exit_code, "changed": False}
        _write(json.dumps({**report, "clusters": [], "error": _error_to_json(error)}, indent=2) + "\n")
    show_error(error)


def show_error(error: FedsshError) -> None:
    """Print an error and what to do next to stderr."""
    console = _console(sys.stderr)
    _print(console, Text.assemble(("error: ", "bold red"), str(error)))
    if error.hint:
        _print(console, Text.assemble(("  next: ", "bold"), error.hint.replace("\n", "\n        ")))


def show_line(text: str) -> None:
    """Print one line to stderr."""
    _print(_console(sys.stderr), Text(text))


class _Console(Console):
    """A console that falls silent when nobody reads it any more; rich's own would end the program half-way."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _drop(self.file)


def _console(stream: Any, *, live: bool = False) -> Console:
    # Lines are as long as they are, and a narrow terminal wraps them, as it does kubectl's; rich would cut a table's
    # columns down to nothing. Only what is drawn again and again has to know the width.
    console = _Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not (live and console.is_terminal):
        console = _Console(file=stream, highlight=False, markup=False, emoji=False, width=_UNLIMITED)
    return console


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)


def _drop(stream: Any) -> None:
    """Let nothing more be written to a stream that nobody reads (``fedssh status | head -1``)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print(console: Console, what: Text | Table) -> None:
    console.print(what, soft_wrap=isinstance(what, Text))


def _print_table(console: Console, table: Table) -> None:
    with console.capture() as captured:
        console.print(table)
    # rich fills the last column with blanks.
    _write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def _render_table(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 3, 0, 0))
    for title in ("CLUSTER", "ROLE", "STATE", "LABELS", "API SERVER"):
        table.add_column(title, no_wrap=True, header_style="bold")
    for one in report.clusters:
        labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
        table.add_row(
            Text(one.name),
            Text(one.role),
            Text(one.state, style=_STYLES[one.state]),
            Text(labels or "-"),
            Text(one.api_server or "-"),
        )
    return table


def _summary(report: Report) -> str:
    if report.verb == "status":
        return "" if report.kubefed_version else "KubeFed is not installed yet. Next: federate --all, or --member NAME"
    names = " and ".join(filter(None, [", ".join(one.name for one in report.clusters[:-1]), report.clusters[-1].name]))
    if report.exit_code:
        return ""
    if report.verb == "prepare":
        state = f"KubeFed {report.kubefed_version} and kubefedctl are installed on {names}."
    else:
        state = f"{names} are federated."
    return state if report.changed else f"Nothing to do: {state}"


def _to_json(report: Report) -> dict[str, Any]:
    return {
        "apiVersion": "fedssh/v1",
        "kind": "Report",
        "verb": report.verb,
        "exitCode": report.exit_code,
        "changed": report.changed,
        "kubefedVersion": report.kubefed_version,
        "clusters": [_cluster_to_json(one) for one in report.clusters],
    }


def _cluster_to_json(one: ClusterReport) -> dict[str, Any]:
    error = one.error
    return {
        "name": one.name,
        "role": one.role,
        "state": one.state,
        "apiServer": one.api_server,
        "labels": dict(one.labels),
        "changes": list(one.changes),
        "notices": list(one.notices),
        "message": one.message,
        "error": _error_to_json(error) if error else None,
    }


def _error_to_json(error: FedsshError) -> dict[str, Any]:
    return {
        "message": error.message,
        "machine": error.machine,
        "step": error.step,
        "hint": error.hint,
        "exitCode": error.exit_code,
    }
