"""SSH connections to the machines of a run; the only importer of fabric and paramiko.

Their defaults are not what one would want here: Fabric accepts any host key, a silent link hangs for ever, output is
read in quadratic time, every byte of input takes 10 ms. Fabric makes the connections; what runs on them is read and
written by this package.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Self

import tenacity

from fedssh.errors import FedsshError
from fedssh.ssh.channels import Start
from fedssh.ssh.closing import Closing
from fedssh.ssh.connecting import open_transport
from fedssh.ssh.examining import examine
from fedssh.ssh.host_keys import HostKeys
from fedssh.ssh.identities import IdentityFiles
from fedssh.ssh.link import Link, Watchdog
from fedssh.ssh.prompting import Prompting, ask_on_terminal, has_terminal
from fedssh.ssh.session import Session
from fedssh.ssh.sockets import TransientError
from fedssh.ssh.ssh_config import SshConfig
from fedssh.ssh.sudo import become_root
from fedssh.ssh.target import find_target

if TYPE_CHECKING:
    import paramiko

    from fedssh.inventory import Machine
    from fedssh.shell import Shell
    from fedssh.ssh.examining import Hop
    from fedssh.ssh.prompting import Ask
    from fedssh.ssh.target import Target

__all__ = ["Connections", "ask_on_terminal", "has_terminal"]

ATTEMPTS = 4
"""How often a connection is tried that is refused, reset or dropped before the login."""

_FIRST_WAIT_SECONDS = 0.3
_LONGEST_WAIT_SECONDS = 3.0
_JITTER_SECONDS = 0.5

_log = logging.getLogger(__name__)

# Paramiko's threads log tracebacks as errors, which Python prints where nobody has set up logging.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False


class Connections:
    """The SSH connections of one run, one per machine; a context manager that closes them all.

    Keys, known_hosts files and ssh_config are read once. All methods may be called from any thread.
    """

    def __init__(self, ask: Ask = ask_on_terminal) -> None:
        """Take how to ask a person for a passphrase or password; called by one thread at a time."""
        self._closing = Closing()
        self._prompting = Prompting(ask, self._closing)
        self._watchdog = Watchdog(self._closing)
        self._host_keys = HostKeys()
        self._files = IdentityFiles(self._prompting)
        self._ssh_config = SshConfig()
        self._targets: dict[Machine, Target] = {}
        self._lock = threading.Lock()
        self._locks: dict[Machine | Target, threading.Lock] = {}
        self._sessions: dict[Machine, Session] = {}
        self._gateways: dict[Target, Link] = {}

    def connect(self, machine: Machine) -> Shell:
        """Return the Shell of ``machine``: the open one, or a new one if there is none or it has died.

        Raises:
            UnreachableError: it does not answer; refused, reset and dropped connections were tried ``ATTEMPTS`` times.
            HostKeyError: it cannot prove who it is; nothing was sent to it.
            AuthenticationError: it does not let us in, or not be root where ``sudo`` is wanted.
            ConfigurationError: a known_hosts file or ssh_config cannot be read.
        """
        with self._lock_of(machine):
            session = self._sessions.get(machine)
            if session is None or not session.alive:
                try:
                    target = self._target_of(machine)
                    link = self._open(target)
                    start = become_root(link, target.place, self._prompting) if machine.sudo else Start()
                except FedsshError as error:
                    error.machine = error.machine or machine.name
                    error.step = error.step or "connect"
                    raise
                session = Session(machine.name, link, start)
                self._sessions[machine] = session
            return session

    def describe(self, machine: Machine) -> dict[str, str]:
        """Return how ``machine`` is reached once ssh_config was asked, in words; nothing is connected to.

        Raises:
            ConfigurationError: ssh_config cannot be read or understood.
        """
        return self._target_of(machine).describe()

    def examine(self, machine: Machine) -> tuple[Hop, ...]:
        """Return what can be told of the way to ``machine`` without going it: its gateways first, then the machine.

        Raises:
            ConfigurationError: a known_hosts file or ssh_config cannot be read or understood.
        """
        return examine(self._target_of(machine), self._host_keys, self._files)

    def close(self) -> None:
        """Close every connection, open or being opened; threads that wait on one end with an error within 2 s.

        What still runs on the machines is ended there.
        """
        self._closing.close()
        self._prompting.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _target_of(self, machine: Machine) -> Target:
        """Return where a machine is and how to get in, found once."""
        if machine not in self._targets:
            self._targets[machine] = find_target(machine, self._ssh_config)
        return self._targets[machine]

    def _lock_of(self, what: Machine | Target) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(what, threading.Lock())

    def _open(self, target: Target) -> Link:
        gateway = self._open_gateway(target.gateway) if target.gateway else None
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=tenacity.stop_after_attempt(ATTEMPTS) | tenacity.stop_when_event_set(self._closing.closed),
            wait=tenacity.wait_exponential(_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS)
            + tenacity.wait_random(0, _JITTER_SECONDS),
            sleep=tenacity.sleep_using_event(self._closing.closed),
            before_sleep=lambda state: _log.info(
                "attempt %d of %d: %s",
                state.attempt_number,
                ATTEMPTS,
                state.outcome and state.outcome.exception(),
            ),
            reraise=True,
        )
        transport = retrying(
            open_transport,
            target,
            gateway=gateway,
            host_keys=self._host_keys,
            files=self._files,
            prompting=self._prompting,
            closing=self._closing,
        )
        link = Link(transport)
        self._watchdog.watch(link)
        return link

    def _open_gateway(self, target: Target) -> paramiko.Transport:
        """Return the transport of a gateway; several machines behind it share it."""
        with self._lock_of(target):
            link = self._gateways.get(target)
            if link is None or not link.transport.is_active():
                try:
                    link = self._gateways[target] = self._open(target)
                except FedsshError as error:
                    error.message = f"gateway {target.place}: {error.message}"
                    raise
            return link.transport
