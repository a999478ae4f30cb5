"""Ways to a machine that is not reached directly: ProxyJump and ProxyCommand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import paramiko

from fedssh.errors import UnreachableError, visible
from fedssh.shell import last_words
from fedssh.ssh.sockets import CONNECT_TIMEOUT_SECONDS, TransientError

if TYPE_CHECKING:
    from fedssh.ssh.closing import Closing

_END_TIMEOUT_SECONDS = 1.0
_WORDS_BYTES = 64 * 1024


def open_through(gateway: paramiko.Transport, host: str, port: int) -> paramiko.Channel:
    """Return a channel to ``host`` that ``gateway`` connects; it stands in for a socket.

    Raises:
        TransientError: the gateway cannot connect.
        UnreachableError: it may not, or has gone silent.
    """
    try:
        return gateway.open_channel("direct-tcpip", (host, port), ("", 0), timeout=CONNECT_TIMEOUT_SECONDS)
    except paramiko.ChannelException as error:
        if error.code == paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED:
            raise UnreachableError(
                f"the gateway does not forward to {host} port {port}",
                hint="Allow it: AllowTcpForwarding and PermitOpen in the gateway's sshd_config.",
            ) from None
        raise TransientError(
            f"the gateway cannot connect to {host} port {port}: {visible(error.text)}",
            hint="Check address and port as seen from the gateway, and that sshd runs on the machine.",
        ) from None
    except (paramiko.SSHException, OSError, EOFError):
        raise UnreachableError(
            f"the gateway did not connect to {host} port {port} within {CONNECT_TIMEOUT_SECONDS:.0f} s",
            hint="Check address and port as seen from the gateway.",
        ) from None


class CommandSocket(socket.socket):
    """A socket whose other end is a command's input and output.

    Paramiko's ProxyCommand spins when the command ends, and leaves it behind.
    """

    def __init__(self, command: str, closing: Closing) -> None:
        """Start ``command`` in a shell, as OpenSSH does."""
        ours, theirs = socket.socketpair()
        super().__init__(fileno=ours.detach())
        self._words = ""
        self._closing_lock = threading.Lock()  # the transport's thread closes, too
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        with theirs:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._errors,
                start_new_session=True,
            )
        closing.add(self.end)

    @property
    def words(self) -> str:
        """The command's last words on stderr, known once the socket is closed."""
        return self._words

    def end(self) -> None:
        """End the command and everything it started."""
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT_SECONDS)
                break

    def close(self) -> None:
        """Close the socket and end the command."""
        self.end()
        with self._closing_lock:
            if not self._errors.closed:
                self._errors.seek(0)
                self._words = last_words(self._errors.read(_WORDS_BYTES).decode(errors="replace"))
                self._errors.close()
        super().close()
