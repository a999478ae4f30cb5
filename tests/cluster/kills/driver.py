"""Runs fedssh, and ends it or cuts a connection of its at one of its remote executions.

``python -m tests.cluster.kills.driver DISTURBANCE FILE ARGUMENT...`` is ``fedssh ARGUMENT...``, whose executions are
noted in the file. fedssh itself knows nothing of it: its class of sessions is replaced by one that can be disturbed.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import fedssh.ssh
from fedssh.cli import main
from fedssh.shell import RUN_TIMEOUT_SECONDS, commands_of
from fedssh.ssh.channels import ShellChannel
from fedssh.ssh.session import Session
from tests.cluster.kills.points import (
    CUT_AFTER,
    CUT_DURING,
    INTERRUPTED,
    KILLED_BEFORE,
    KILLED_DURING,
    Disturbance,
    Execution,
    note,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fedssh.shell import Command, Result
    from fedssh.ssh.session import HeldCommand


class _Watch(threading.local):
    """The execution that a thread waits for.

    Attributes:
        is_meant: Whether it is the one that is disturbed.
        sent: When its program had been sent.
        timer: What then disturbs it.
    """

    is_meant: bool = False
    sent: float = 0.0
    timer: threading.Timer | None = None


class Disturbed(Session):
    """A session, one of whose executions is disturbed.

    Attributes:
        plan: What is done, and where.
        path: Where executions are noted.
    """

    plan: Disturbance | None
    path: Path
    _counts: ClassVar[Counter[str]] = Counter()
    _lock = threading.Lock()
    _watch = _Watch()
    _is_disturbed: bool = False

    def run(self, *stages: Command | Sequence[Command], timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> list[Result]:
        """Run all stages, or be disturbed."""
        titles = [command.title for command in commands_of(stages)]
        if not titles:
            return []
        with self._watched(titles):
            results = super().run(*stages, timeout_seconds=timeout_seconds)
        if self._watch.is_meant and self._is_cut():
            raise self._lost(titles[-1])
        return results

    def hold(self, line: str, *, timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> HeldCommand:
        """Start a command that stays, or be disturbed."""
        with self._watched([]):
            held = super().hold(line, timeout_seconds=timeout_seconds)
        if self._watch.is_meant and self._is_cut():
            raise self._gone("")
        return held

    def _take(self, step: str, timeout_seconds: float) -> ShellChannel:
        channel = super()._take(step, timeout_seconds)

        def send_and_note(program: bytes) -> bool:
            is_sent = ShellChannel.send(channel, program)  # not what an earlier run has put in its place
            self._begin()
            return is_sent

        channel.send = send_and_note  # type: ignore[method-assign]
        return channel

    @contextmanager
    def _watched(self, titles: Sequence[str]) -> Iterator[None]:
        """Count an execution, disturb it if it is the one, and note it if it is answered."""
        plan, watch = self.plan, self._watch
        with self._lock:
            self._counts[self.name] += 1
            number = self._counts[self.name]
        watch.is_meant = plan is not None and (plan.machine, plan.number) == (self.name, number)
        if watch.is_meant and plan and plan.kind == KILLED_BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        watch.sent, watch.timer = time.monotonic(), None
        try:
            yield
        finally:
            timer = self._watch.timer
            if timer:
                timer.cancel()
                self._disturb()  # where it has ended sooner than it did undisturbed
        seconds = time.monotonic() - watch.sent
        with self._lock:
            note(Execution(machine=self.name, number=number, titles=tuple(titles), seconds=seconds), self.path)

    def _begin(self) -> None:
        """Let the disturbance come, now that the program has been sent."""
        plan, watch = self.plan, self._watch
        watch.sent = time.monotonic()
        if watch.is_meant and plan and plan.kind != CUT_AFTER:
            watch.timer = threading.Timer(plan.seconds, self._disturb)
            watch.timer.daemon = True
            watch.timer.start()

    def _disturb(self) -> None:
        with self._lock:
            if Disturbed._is_disturbed:
                return
            Disturbed._is_disturbed = True
        kind = self.plan.kind if self.plan else ""
        if kind == KILLED_DURING:
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == INTERRUPTED:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            self._cut()

    def _cut(self) -> None:
        """Close the TCP connection, as a machine or a network in between would, without a word of SSH."""
        sock = self._link.transport.sock
        assert isinstance(sock, socket.socket)
        with suppress(OSError):  # it has ended by itself
            sock.shutdown(socket.SHUT_RDWR)

    def _is_cut(self) -> bool:
        """Cut the connection of an execution that was answered, so that the answer counts as lost."""
        if self.plan is None or self.plan.kind not in {CUT_DURING, CUT_AFTER}:
            return False
        self._cut()
        self._link.transport.join(5)
        return True


if __name__ == "__main__":
    Disturbed.plan = parse(sys.argv[1])
    Disturbed.path = Path(sys.argv[2])
    fedssh.ssh.Session = Disturbed  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    sys.argv = ["fedssh", *sys.argv[3:]]
    main()
