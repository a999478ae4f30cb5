"""What happens, while it happens: on a terminal a row for each cluster, for as long as the run lasts.

Elsewhere it is a line for each step, which ``Messages`` tells.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from fedssh.output.console import styled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from fedssh.federation.report import Progress
    from fedssh.output.messages import Messages

_PACKAGE: Final = "fedssh"
_SSH_LIBRARY: Final = "paramiko"
_SHARE_SECONDS: Final = 10.0
"""How often it is told how far a step is, where there are no rows."""


@dataclass(frozen=True, slots=True)
class _Row:
    """What a cluster is at, since when, and how far that is."""

    event: Progress
    since: float
    share: str = ""


class ProgressView:
    """Shows ``Progress`` while its ``with`` block runs; call it with each event, from any thread.

    What fedssh and the SSH library log meanwhile is told, too, as far as it is wanted.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._rows: dict[str, _Row] = {}
        self._told_at = 0.0
        self._spinner = Spinner("dots")
        self._lock = threading.Lock()
        self._drawn = False
        self._live = self._new_live()
        self._handler = _Handler(messages)

    def __enter__(self) -> Self:
        self._handler.attach()
        self._drawn = self._messages.is_live
        if self._drawn:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._drawn = False
            self._live.stop()
        self._handler.detach()

    def __call__(self, event: Progress) -> None:
        """Show one event."""
        if event.state == "progressing":
            self._progress(event)
            return
        if event.state not in {"checked", "undone"}:
            row = self._rows.get(event.cluster)
            # What follows a failure does not hide it.
            if row is None or row.event.state != "failed":
                self._rows[event.cluster] = _Row(event, time.monotonic())
        if not (self._messages.is_live and event.state == "running"):  # that is what the row says
            self._messages.step(event)

    def _progress(self, event: Progress) -> None:
        """Show how far a step is: in its row, or where there are none as a line now and then."""
        row, now = self._rows.get(event.cluster), time.monotonic()
        if row and row.event.state == "running":
            self._rows[event.cluster] = replace(row, share=event.text)
        if not self._messages.is_live and now - max(self._told_at, row.since if row else 0) >= _SHARE_SECONDS:
            self._told_at = now
            self._messages.step(event)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal alone, for a question; what there is to tell meanwhile is told afterwards."""
        with self._lock:
            self._live.stop()
        with self._messages.held():
            yield
        with self._lock:
            if self._drawn:
                self._live = self._new_live()  # the old one would wipe the question away
                self._live.start()

    def _new_live(self) -> Live:
        return Live(console=self._messages.console, refresh_per_second=8, transient=True, get_renderable=self._picture)

    def _picture(self) -> Group:
        """Return the rows, those that matter most first, as many as the terminal has room for."""
        # The thread that draws calls this, while another may wait for it: no lock.
        rows = sorted((*self._rows.values(),), key=lambda row: _ORDER.get(row.event.state, len(_ORDER)))
        width, room = self._messages.console.width, max(1, self._messages.console.height - 2)
        lines = [self._line(row, width) for row in rows[:room]]
        if len(rows) > room:
            lines.append(styled(f"  and {len(rows) - room} more"))
        return Group(*lines)

    def _line(self, row: _Row, width: int) -> Text:
        event, seconds = row.event, time.monotonic() - row.since
        first, *_ = (event.error.message if event.error else event.text).split("\n")
        first += f": {row.share}" if row.share else ""
        line = Text.assemble(self._mark(event), " ", styled((event.cluster, "bold"), f"  {first}"))
        duration = f" {seconds:.0f} s" if event.state == "running" else ""
        line.truncate(max(0, width - len(duration)), overflow="ellipsis")
        return line.append(duration, style="dim")

    def _mark(self, event: Progress) -> Text:
        if event.state == "running":
            frame = self._spinner.render(time.monotonic())
            return frame if isinstance(frame, Text) else Text()
        if event.state == "waiting":
            return Text(" ")
        return Text("✗", style="red") if event.error else Text("✓", style="green")


_ORDER: Final = {"failed": 0, "running": 1}


class _Handler(logging.Handler):
    """Tells what fedssh and the SSH library log."""

    def __init__(self, messages: Messages) -> None:
        super().__init__(messages.threshold)
        self._messages = messages
        self._before: dict[str, int] = {}

    def attach(self) -> None:
        """Begin."""
        dialogue = (_SSH_LIBRARY,) if self.level <= logging.DEBUG else ()
        for name in (_PACKAGE, *dialogue):
            logger = logging.getLogger(name)
            self._before[name] = logger.level
            logger.setLevel(self.level)
            logger.addHandler(self)

    def detach(self) -> None:
        """End, and leave the loggers as they were."""
        for name, level in self._before.items():
            logger = logging.getLogger(name)
            logger.removeHandler(self)
            logger.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record."""
        text = record.getMessage()
        is_ours = record.name.partition(".")[0] == _PACKAGE
        # The SSH library calls an error what fedssh tries again, or tells in words of its own.
        if record.levelno < logging.INFO or not is_ours:
            where = "" if is_ours else f"{record.name.partition('.')[2]}: "
            self._messages.debug(where + text)
        elif record.levelno < logging.WARNING:
            self._messages.detail(text)
        else:
            self._messages.warn(text)
