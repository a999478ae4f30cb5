"""What happens, while it happens: on a terminal a picture of all clusters, for as long as the run lasts.

``Messages`` tells the steps, a line each; on a terminal, those of more clusters than fit are counted instead.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

from rich.live import Live
from rich.spinner import Spinner

from fedssh.output.alike import Gathering
from fedssh.output.picture import FAILED, Picture, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from fedssh.federation.report import Progress
    from fedssh.output.messages import Messages
    from fedssh.output.picture import Row

_PACKAGE: Final = "fedssh"
_SSH_LIBRARY: Final = "paramiko"
_SHARE_SECONDS: Final = 10.0
"""How often it is told how far a step is, where there are no rows."""


class ProgressView:
    """Shows ``Progress`` while its ``with`` block runs; call it with each event, from any thread.

    What fedssh and the SSH library log meanwhile is told, too, as far as it is wanted.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._rows: dict[str, Row] = {}
        self._steps = {FAILED: True}
        self._gathering = Gathering()
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
        for group in self._gathering.close():
            self._messages.alike(group)

    def __call__(self, event: Progress) -> None:
        """Show one event."""
        if event.state == "progressing":
            self._progress(event)
            return
        if event.state not in {"checked", "undone"}:
            row = self._rows.get(event.cluster)
            # What follows a failure does not hide it.
            if row is None or row.event.state != "failed":
                begun = row_of(event)
                self._steps.setdefault(begun.counted, True)  # before the row: a picture counts every row
                self._rows[event.cluster] = begun
        if self._messages.is_crowd(len(self._rows)) and self._gathering.take(event):
            return
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

    def _picture(self) -> Picture:
        # The thread that draws calls this, while another may wait for it: no lock. A tuple is made in one go.
        return Picture((*self._rows.values(),), (*self._steps,), self._spinner)


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
