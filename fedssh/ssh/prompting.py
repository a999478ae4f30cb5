"""Asking a person for a passphrase or password, one question at a time."""

from __future__ import annotations

import os
import select
import sys
import threading
from typing import TYPE_CHECKING

from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[[str, threading.Event], Sensitive | None]
    """Puts a question; returns the answer, or None if there is nobody to ask or the event was set meanwhile."""

_POLL_SECONDS = 0.2
_ENDING_SECONDS = 1.0
_LONGEST_BYTES = 4096


class Prompting:
    """Puts the questions of all threads one after the other.

    Attributes:
        cancelled: Ends the question that is waiting for its answer, and those after it.
    """

    def __init__(self, ask: Ask, cancelled: threading.Event) -> None:
        self._ask = ask
        self._cancelled = cancelled
        self._lock = threading.Lock()

    def ask(self, question: str) -> Sensitive | None:
        """Return the answer, None if there is nobody to ask."""
        with self._lock:
            return None if self._cancelled.is_set() else self._ask(question, self._cancelled)

    def end(self) -> None:
        """Wait until a question that was cancelled has left its terminal as it was."""
        if self._lock.acquire(timeout=_ENDING_SECONDS):
            self._lock.release()


def ask_on_terminal(question: str, cancelled: threading.Event) -> Sensitive | None:
    """Ask on the terminal without showing the answer; without a terminal, return None at once."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        return None
    try:
        import termios  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return None
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None
    try:
        before = termios.tcgetattr(terminal)
        silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        try:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
            os.write(terminal, question.encode())
            return _read_line(terminal, cancelled)
        finally:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            os.write(terminal, b"\n")
    finally:
        os.close(terminal)


def _read_line(terminal: int, cancelled: threading.Event) -> Sensitive | None:
    line = b""
    while not cancelled.is_set():
        if select.select([terminal], [], [], _POLL_SECONDS)[0]:
            chunk = os.read(terminal, _LONGEST_BYTES)
            line += chunk
            if not chunk or line.endswith(b"\n"):
                return Sensitive(line.rstrip(b"\r\n").decode(errors="surrogateescape")) if line else None
    return None
