"""Ctrl-C, SIGTERM and the end of the time that a run may take: how they end a run, and how the end is told."""

from __future__ import annotations

import re
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from fedssh.errors import ConfigurationError, FedsshError, StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

AGAIN: Final = "Run the same command again: it goes on from what is there."
_UNIT_SECONDS: Final = {"w": 7 * 24 * 3600.0, "d": 24 * 3600.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_LONGEST_SECONDS: Final = 7 * 24 * 3600.0
_OLDEST_SECONDS: Final = 100 * 365 * 24 * 3600.0


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

    def as_error(self, hint: str) -> FedsshError:
        """Return what the report says of it, with what to do next."""
        if self.number == signal.SIGALRM:
            return StepError("the run took longer than --timeout allows", hint=hint)
        kind = TerminationError if self.number == signal.SIGTERM else InterruptionError
        return kind("interrupted", hint=hint)


def leave(number: int, frame: FrameType | None) -> None:
    """End a program that has not begun a run yet, with the exit code of one that is interrupted."""
    del frame
    kind = TerminationError if number == signal.SIGTERM else InterruptionError
    sys.exit(kind.exit_code)


@contextmanager
def interruptible(timeout_seconds: float = 0) -> Iterator[None]:
    """Make Ctrl-C, SIGTERM and the end of the time an ``Interrupted`` while the block runs.

    Whatever comes second ends the program at once. A signal that is ignored (``nohup``, a script's background job) or
    that somebody else handles is left alone; and so are all of them in any thread but the main one, which hears none.

    Args:
        timeout_seconds: How long the block may take; 0 is for ever.

    Raises:
        ConfigurationError: A time is given where it cannot be kept: in another thread (2).
    """
    if threading.current_thread() is not threading.main_thread():
        if timeout_seconds:
            raise ConfigurationError("--timeout works in the main thread only")
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        if timeout_seconds:
            signal.setitimer(signal.ITIMER_REAL, 0)  # the time that is left is the clean-up's
        for heard in before:
            signal.signal(heard, signal.SIG_DFL)
        raise Interrupted(number)

    usual = (signal.SIG_DFL, signal.default_int_handler, leave)
    wanted = [signal.SIGINT, signal.SIGTERM, *([signal.SIGALRM] if timeout_seconds else [])]
    before = {number: signal.getsignal(number) for number in wanted if signal.getsignal(number) in usual}
    for number in before:
        signal.signal(number, interrupt)
    if timeout_seconds:
        signal.setitimer(signal.ITIMER_REAL, timeout_seconds)
    try:
        yield
    finally:
        if timeout_seconds:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it (time.ParseDuration): ``90s``, ``10m``, ``1h30m``, ``1.5h``.

    Raises:
        ConfigurationError: The text is no duration, or the duration is 0 or longer than a week (2).
    """
    seconds = _to_seconds(text, units="hms")
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ConfigurationError(f"--timeout is {text!r}; it can be a time such as 90s, 10m or 1h30m")
    return seconds


def parse_age(text: str) -> float:
    """Return the seconds of an age: as ``parse_duration`` has it, and in days and weeks, ``30d``, ``2w``.

    Raises:
        ConfigurationError: The text is no age, or the age is 0 or longer than a hundred years (2).
    """
    seconds = _to_seconds(text, units="wdhms")
    if not 0 < seconds <= _OLDEST_SECONDS:
        raise ConfigurationError(f"--older-than is {text!r}; it can be a time such as 30d, 12h or 2w")
    return seconds


def _to_seconds(text: str, *, units: str) -> float:
    """Return the seconds of a duration; 0 where the text is not a duration."""
    parts = re.findall(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)([{units}])", text)
    if "".join(number + unit for number, unit in parts) != text:
        return 0
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
