"""Noticing that a machine has gone silent.

TCP itself takes minutes, and Paramiko's keepalive sends without waiting for an answer. OpenSSH's ServerAliveInterval is
the model: ask, and close the connection when nothing at all comes back.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import paramiko

if TYPE_CHECKING:
    from fedssh.ssh.closing import Closing

SILENCE_SECONDS = 12.0
"""How long a machine may be silent before its connection is closed; noticed at most a second later."""

_ASK_AFTER_SECONDS = 4.0
_LOOK_EVERY_SECONDS = 1.0


class Link:
    """The connection to one machine, and when something was last heard on it.

    Attributes:
        transport: Paramiko's side of the connection.
        silent: Whether it was closed because nothing came any more.
    """

    def __init__(self, transport: paramiko.Transport) -> None:
        self.transport = transport
        self.silent = False
        # By looks, not by the clock: a laptop that is too busy to hear a machine is too busy to look, too.
        self._looks_since = 0
        self._asking = False

    def heard(self) -> None:
        """Note that the machine sent something."""
        self._looks_since = 0

    def look(self) -> None:
        """Ask a quiet machine for a sign of life; close the connection of one that gives none."""
        self._looks_since += 1
        quiet_seconds = self._looks_since * _LOOK_EVERY_SECONDS
        if quiet_seconds > SILENCE_SECONDS:
            self.silent = True
            self.transport.close()
        elif quiet_seconds > _ASK_AFTER_SECONDS and not self._asking:
            self._asking = True
            threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        try:
            self.transport.global_request("keepalive@openssh.com", wait=True)
        except (paramiko.SSHException, OSError, EOFError):
            return  # closed meanwhile
        finally:
            self._asking = False
        if self.transport.is_active():
            self.heard()


class Watchdog:
    """Looks at every link of a run once a second, in one thread for all of them."""

    def __init__(self, closing: Closing) -> None:
        self._closed = closing.closed
        self._lock = threading.Lock()
        self._links: list[Link] = []
        self._thread: threading.Thread | None = None

    def watch(self, link: Link) -> None:
        """Look at ``link`` until its connection has ended."""
        with self._lock:
            self._links.append(link)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="fedssh watchdog", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while not self._closed.wait(_LOOK_EVERY_SECONDS):
            with self._lock:
                self._links = [link for link in self._links if link.transport.is_active()]
                links = list(self._links)
            for link in links:
                link.look()
