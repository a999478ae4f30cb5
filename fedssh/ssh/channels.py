"""One ``sh`` on a machine: an exec channel, written and read with deadlines."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from fedssh.ssh.link import Link

CHANNEL_TIMEOUT_SECONDS = 10.0
"""How long opening a channel on an open connection may take."""

_STATUS_TIMEOUT_SECONDS = 5.0
_SLICE_SECONDS = 0.5
_READ_BYTES = 128 * 1024
_NOISE_KEPT_BYTES = 4096
_NOISE_LIMIT_BYTES = 1024 * 1024
_NOTHING = Sensitive("")
# What is raised by writing to a connection that has just gone, before Paramiko's own thread has seen that
# (EOFError: paramiko/packet.py, write_all).
_GONE = (EOFError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How an ``sh`` is started.

    Attributes:
        command: What the login shell is told to run.
        first: What that reads from stdin before the sh does.
    """

    command: str = "exec sh"
    first: Sensitive = _NOTHING


class ShellChannel:
    """An ``sh`` that reads its programs, one after the other, from the channel's stdin.

    Attributes:
        noise: The end of what came on stderr: what login scripts and the sh itself say, not the commands.
    """

    def __init__(self, link: Link, start: Start, *, timeout_seconds: float) -> None:
        """Open the channel and start the sh; nothing may take longer than ``timeout_seconds``, all in all.

        Raises:
            paramiko.SSHException: no channel was opened (``ChannelException`` where the machine refused one).
            OSError: the connection is gone.
        """
        self.noise = b""
        self._link = link
        self._first = start.first
        self._deadline = time.monotonic() + timeout_seconds
        self._channel = link.transport.open_session(timeout=CHANNEL_TIMEOUT_SECONDS)
        # Channel.exec_command() waits for a reply, without a deadline and one round trip long. What follows on the
        # channel tells whether there is an sh.
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(self._channel.remote_chanid)
        request.add_string("exec")
        request.add_boolean(False)  # noqa: FBT003 - paramiko's signature
        request.add_string(start.command)
        link.transport._send_user_message(request)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way

    @property
    def is_open(self) -> bool:
        """Whether the sh still waits for a program, as far as one knows."""
        return not (self._channel.closed or self._channel.eof_received)

    def send(self, program: bytes) -> bool:
        """Send a program; return False if the channel ended before it had all of it, so that none of it ran.

        Raises:
            TimeoutError: the deadline has passed.
        """
        self._channel.settimeout(self._remaining())
        first, self._first = self._first, _NOTHING
        try:
            self._channel.sendall(first.reveal().encode() + program)
        except TimeoutError:
            raise
        except _GONE:
            return False
        return True

    def reuse(self, timeout_seconds: float) -> None:
        """Begin anew for the next program: with this deadline, and without the last one's noise."""
        self.allow(timeout_seconds)
        self._drain_noise()
        self.noise = b""

    def pass_on(self, data: bytes) -> bool:
        """Send data to what the sh runs; return False if nobody takes it any more.

        Raises:
            TimeoutError: the deadline has passed.
        """
        self._channel.settimeout(self._remaining())
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise
        except _GONE:
            return False
        # The machine takes no more than a window's worth of what it has not read: it must have said something.
        self._link.heard()
        return True

    def read(self) -> bytes:
        """Return what came on stdout since, b"" at its end.

        Raises:
            TimeoutError: the deadline has passed.
        """
        while True:
            self._drain_noise()
            self._channel.settimeout(min(self._remaining(), _SLICE_SECONDS))
            try:
                chunk = self._channel.recv(_READ_BYTES)
            except TimeoutError:
                continue
            self._link.heard()
            return chunk

    def end_input(self) -> None:
        """End the sh's stdin."""
        with suppress(*_GONE):
            self._channel.shutdown_write()

    def wait_for_code(self) -> int | None:
        """Return the sh's exit code once stdout has ended; None if it has none, as after a signal."""
        self._channel.status_event.wait(_STATUS_TIMEOUT_SECONDS)
        self._drain_noise()
        return self._channel.exit_status if self._channel.exit_status >= 0 else None

    def allow(self, seconds: float) -> None:
        """Set the deadline anew."""
        self._deadline = time.monotonic() + seconds

    def close(self) -> None:
        """Close the channel; what runs on it ends as its stdin ends."""
        with suppress(*_GONE):
            self._channel.close()

    def _remaining(self) -> float:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def _drain_noise(self) -> None:
        """Take what came on stderr: a window nobody empties would stop the machine."""
        while self._channel.recv_stderr_ready():
            noise = self._channel.recv_stderr(_READ_BYTES)
            self.noise = (self.noise + noise)[-_NOISE_KEPT_BYTES:]


def read_first_line(channel: ShellChannel, separator: str) -> str | None:
    """Return the line after the separator's; None if stdout ended before it was complete."""
    answer = b""
    start = b"\n" + separator.encode() + b"\n"
    while chunk := channel.read():
        answer = (answer + chunk)[-_NOISE_LIMIT_BYTES:]
        line, complete, _ = answer.partition(start)[2].partition(b"\n")
        if complete:
            return line.decode(errors="replace")
    return None
