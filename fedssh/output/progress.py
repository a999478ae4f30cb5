"""What happens, while it happens, on stderr.

On a terminal it is a line for each cluster, kept up to date; elsewhere it is a plain line for each step.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from fedssh.output.console import console_for, styled
from fedssh.output.messages import warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from fedssh.federation.report import Progress


class ProgressView:
    """Shows ``Progress`` on stderr while its ``with`` block runs; call it with each event, from any thread.

    What fedssh logs meanwhile is shown, too: warnings always, the rest for those who want to know every check.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._console = console_for(sys.stderr, live=True)
        self._live = Live(console=self._console, refresh_per_second=8, transient=True)
        self._rows: dict[str, Progress] = {}
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
                self._tell(styled(f"{event.cluster}: checked: {event.text}"))
            return
        if not self._console.is_terminal:
            if event.state != "failed":
                self._tell(styled(f"{event.cluster}: {event.text}"))
            return
        # What is done scrolls up; what is being done stays below, until the next step of that cluster.
        if event.state in {"changed", "confirmed"}:
            self._tell(styled(("✓ ", "green"), (event.cluster, "bold"), f" {event.text}"))
            self._rows.pop(event.cluster, None)
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
            for line in kept:
                self._tell(line)

    def _tell(self, what: Text) -> None:
        with self._lock:
            if self._kept is not None:
                self._kept.append(what)
                return
        self._console.print(what, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for event in list(self._rows.values()):
            mark = Spinner("dots") if event.state == "running" else Text("✗", style="red")
            table.add_row(mark, styled((event.cluster, "bold")), styled(event.text.partition("\n")[0]))
        return table


class _LogHandler(logging.Handler):
    """Shows what the package logs."""

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
        text = record.getMessage()
        self._tell(warning(text) if record.levelno >= logging.WARNING else styled(text))
