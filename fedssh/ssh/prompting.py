"""Passphrases and passwords: from a keyring, or asked of a person, one question at a time."""

from __future__ import annotations

import importlib
import os
import select
import sys
import threading
from typing import TYPE_CHECKING

from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fedssh.ssh.closing import Closing

    Ask = Callable[[str, threading.Event], Sensitive | None]
    """Puts a question; returns the answer, or None if there is nobody to ask or the event was set meanwhile."""

TRIES = 3
"""How often one and the same is asked for."""

KEYRING_TIMEOUT_SECONDS = 30.0
"""How long a keyring may take; some ask their user to open them."""

_SERVICE = "fedssh"
_POLL_SECONDS = 0.2
_ENDING_SECONDS = 1.0
_LONGEST_BYTES = 4096


class Prompting:
    """Puts the questions of all threads one after the other, and knows what was right before."""

    def __init__(self, ask: Ask, closing: Closing) -> None:
        self._ask = ask
        self._closing = closing
        self._lock = threading.Lock()
        self._right: dict[str, Sensitive] = {}

    def ask(self, question: str) -> Sensitive | None:
        """Return the answer, None if there is nobody to ask."""
        with self._lock:
            return None if self._closing.closed.is_set() else self._ask(question, self._closing.closed)

    def answers(self, question: str, *, name: str) -> Iterator[Sensitive]:
        """Give one answer after the other to try, until there are no more; the caller stops when one is right.

        Args:
            question: What is asked for, as in "Passphrase for …".
            name: What a keyring knows it by.
        """
        known = self._right.get(name) or self._stored(name)
        if known:
            yield known
        for prefix in ("", *["That is not it. "] * (TRIES - 1)):
            answer = self.ask(f"{prefix}{question}: ")
            if not answer:
                return
            yield answer

    def remember(self, name: str, answer: Sensitive) -> None:
        """Have ``answers`` begin with this one, for the rest of the run."""
        self._right[name] = answer

    def end(self) -> None:
        """Wait until a question that was cancelled has left its terminal as it was."""
        if self._lock.acquire(timeout=_ENDING_SECONDS):
            self._lock.release()

    def _stored(self, name: str) -> Sensitive | None:
        """Return what the keyring holds; None without one. Its own library is optional, and slow to import."""

        def fetch() -> str | None:
            password: str | None = importlib.import_module("keyring").get_password(_SERVICE, name)
            return password

        try:
            password = self._closing.within(KEYRING_TIMEOUT_SECONDS, fetch)
        except Exception:  # noqa: BLE001 - every backend has exceptions of its own; a keyring that fails is none
            return None
        return Sensitive(password) if password else None


def keyring_advice(name: str) -> str:
    """Return what a message says about putting a secret into a keyring."""
    return f"put it into a keyring (pip install keyring; keyring set {_SERVICE} '{name}')"


def has_terminal() -> bool:
    """Whether there is somebody who can be asked: at a terminal, and not only as a reader of a pipe."""
    terminal = _open_terminal()
    if terminal is not None:
        os.close(terminal)
    return terminal is not None


def ask_on_terminal(
    question: str, cancelled: threading.Event, *, is_shown: bool = False, takes_early: bool = False
) -> Sensitive | None:
    """Ask on the terminal; without a terminal, return None at once.

    Args:
        question: What is asked.
        cancelled: Set when nobody waits for the answer any more.
        is_shown: Whether the answer may be seen while it is typed.
        takes_early: Whether what was typed before the question counts as its answer.
    """
    terminal = _open_terminal()
    if terminal is None:
        return None
    import termios  # noqa: PLC0415 - there is none on Windows, where there is no such terminal

    try:
        before = termios.tcgetattr(terminal)
        silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        when = termios.TCSADRAIN if takes_early else termios.TCSAFLUSH
        try:
            termios.tcsetattr(terminal, when, before if is_shown else silent)
            os.write(terminal, question.encode())
            answer = _read_line(terminal, cancelled)
        finally:
            termios.tcsetattr(terminal, when, before)
        if answer is None or not is_shown:
            os.write(terminal, b"\n")
        return answer
    finally:
        os.close(terminal)


def _open_terminal() -> int | None:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty()):
        return None
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return None


def _read_line(terminal: int, cancelled: threading.Event) -> Sensitive | None:
    line = b""
    while not cancelled.is_set():
        if select.select([terminal], [], [], _POLL_SECONDS)[0]:
            chunk = os.read(terminal, _LONGEST_BYTES)
            line += chunk
            if not chunk or line.endswith(b"\n"):
                return Sensitive(line.rstrip(b"\r\n").decode(errors="surrogateescape")) if line else None
    return None
