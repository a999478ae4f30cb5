"""Ctrl-C and SIGTERM: how they end a run, and how the end is told."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from fedssh.errors import FedsshError

if TYPE_CHECKING:
    from types import FrameType


class InterruptionError(FedsshError):
    """The run was interrupted by Ctrl-C; it stands in a report, and is never raised."""

    exit_code = 130  # as shells have it: 128 and the signal's number


class TerminationError(InterruptionError):
    """The run was ended by SIGTERM."""

    exit_code = 143


class Interrupted(BaseException):
    """Somebody wants this to end: connections are closed, and what runs on the machines is ended with them.

    It is no ``Exception``, so that nothing on the way takes it for a failure of a step.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def as_error(self) -> InterruptionError:
        """Return what the report says of it."""
        kind = TerminationError if self.number == signal.SIGTERM else InterruptionError
        return kind("interrupted", hint="Run the same command again: it goes on from what is there.")


def catch_signals() -> None:
    """Make Ctrl-C and SIGTERM an ``Interrupted``; whatever comes second ends the program at once.

    One that is ignored (``nohup``, a script's background job) stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        for caught in heard:
            signal.signal(caught, signal.SIG_DFL)
        raise Interrupted(number)

    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        signal.signal(number, interrupt)
