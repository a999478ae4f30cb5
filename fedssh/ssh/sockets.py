"""TCP connections with a deadline, tuned for many small answers."""

from __future__ import annotations

import errno
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fedssh.errors import UnreachableError

if TYPE_CHECKING:
    from fedssh.ssh.closing import Closing

CONNECT_TIMEOUT_SECONDS = 10.0
"""How long finding a machine's address and reaching one of its addresses may take, all in all."""

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux has it

_RETRIED = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED}


class TransientError(UnreachableError):
    """A machine turned us away in a way that often passes; only ``fedssh.ssh`` sees it."""


class TunedSocket(socket.socket):
    """A socket that neither waits to send nor to acknowledge.

    Paramiko's own wait for Nagle and delayed acknowledgements costs 40 ms in each direction and one round trip per
    command.
    """

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Read and ask again for immediate acknowledgements: the kernel forgets it by itself."""
        data = super().recv(bufsize, flags)
        if _QUICKACK is not None:
            with suppress(OSError):  # closed meanwhile
                self.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return data


def open_socket(host: str, port: int, closing: Closing) -> TunedSocket:
    """Return a socket connected to ``host``, any of its addresses.

    Raises:
        TransientError: the port is closed, or the connection was reset.
        UnreachableError: the name is unknown, or nothing answers in ``CONNECT_TIMEOUT_SECONDS``.
    """
    deadline = time.monotonic() + CONNECT_TIMEOUT_SECONDS
    addresses = _find_addresses(host, port, closing)
    refusal: OSError | None = None
    for number, (family, address) in enumerate(addresses):
        # An address that swallows packets (often IPv6) leaves time for the next one.
        seconds = max((deadline - time.monotonic()) / (len(addresses) - number), 0.1)
        try:
            return _connect(family, address, seconds, closing)
        except OSError as error:
            if refusal is None or isinstance(refusal, TimeoutError):
                refusal = error
    if refusal is None or isinstance(refusal, TimeoutError):
        raise UnreachableError(
            f"{host} port {port} did not answer within {CONNECT_TIMEOUT_SECONDS:.0f} s",
            hint="Check address and port, and that no firewall stands between; is the machine running?",
        )
    reason = refusal.strerror or str(refusal)
    kind = TransientError if refusal.errno in _RETRIED else UnreachableError
    raise kind(
        f"{host} port {port}: {reason}",
        hint="Check address and port, and that sshd runs on the machine.",
    ) from None


def _find_addresses(host: str, port: int, closing: Closing) -> list[tuple[int, tuple[object, ...]]]:
    try:
        found = closing.within(CONNECT_TIMEOUT_SECONDS, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that DNS cannot hold
        reason = error.strerror if isinstance(error, socket.gaierror) else ""
        raise UnreachableError(
            f"the name {host} was not found: {reason or 'no answer from the name server'}",
            hint="Check the address, and that this computer's name server knows it.",
        ) from None
    return [(family, address) for family, _, _, _, address in found]


def _connect(family: int, address: tuple[object, ...], seconds: float, closing: Closing) -> TunedSocket:
    connection = TunedSocket(family, socket.SOCK_STREAM)
    try:
        closing.add(lambda: connection.shutdown(socket.SHUT_RDWR))
        connection.settimeout(seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
