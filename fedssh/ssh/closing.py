"""Ending everything at once, from another thread than those that wait."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from fedssh.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")

_POLL_SECONDS = 0.1


class Closing:
    """What ``Connections.close()`` has to end: sockets, transports, helper processes.

    Attributes:
        closed: Set once everything was told to end; whatever waits, waits on it, too.
    """

    def __init__(self) -> None:
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._closers: list[Callable[[], object]] = []

    def add(self, close: Callable[[], object]) -> None:
        """Have ``close`` called at the end; it may be called from any thread and more than once.

        Raises:
            UnreachableError: the end has come already; ``close`` was called.
        """
        with self._lock:
            if not self.closed.is_set():
                self._closers.append(close)
                return
        close()
        raise UnreachableError("fedssh is closing its connections")

    def close(self) -> None:
        """End everything; the second call does nothing."""
        with self._lock:
            self.closed.set()
            closers, self._closers = self._closers, []
        for close in reversed(closers):
            with suppress(OSError):  # it has ended by itself
                close()

    def within(self, seconds: float, function: Callable[[], Value]) -> Value:
        """Return what ``function`` returns, or raise what it raises; for calls that know no deadline.

        Raises:
            TimeoutError: it took longer, or the end came; ``function`` goes on in a thread that nobody waits for.
        """
        answer: list[Value] = []
        problem: list[BaseException] = []
        done = threading.Event()

        def call() -> None:
            try:
                answer.append(function())
            except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
                problem.append(error)
            finally:
                done.set()

        threading.Thread(target=call, daemon=True).start()
        while not done.wait(min(_POLL_SECONDS, seconds)):
            seconds -= _POLL_SECONDS
            if seconds <= 0 or self.closed.is_set():
                raise TimeoutError
        if problem:
            raise problem[0]
        return answer[0]
