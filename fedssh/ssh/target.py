"""What to connect to: a machine of hosts.yaml with everything settled."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssh.hostsfile import HostKeyPolicy
    from fedssh.inventory import Machine

DEFAULT_PORT = 22

_DEFAULT_IDENTITIES = ("id_ed25519", "id_ecdsa", "id_rsa")
_DEFAULT_KNOWN_HOSTS = (
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One SSH server and how to get into it.

    Attributes:
        name: The cluster whose machine it is, for messages.
        host: The host name or address.
        port: Its port.
        user: Whom to log in as.
        identity_files: Private keys to try; those that were named must exist.
        identities_named: Whether a user named these keys; only then are an agent's other keys not tried.
        agent: The agent's socket, None without an agent.
        known_hosts: The files that say which host keys are right.
        host_key_policy: What to do with a key that none of them has.
    """

    name: str
    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    identities_named: bool
    agent: str | None
    known_hosts: tuple[Path, ...]
    host_key_policy: HostKeyPolicy

    @property
    def place(self) -> str:
        """The target for a message: ``user@host port 22``."""
        return f"{self.user}@{self.host} port {self.port}"


def find_target(machine: Machine) -> Target:
    """Return where a machine is and how to get in."""
    if machine.identity_file:
        identity_files: tuple[Path, ...] = (machine.identity_file,)
    else:
        identity_files = tuple(Path("~/.ssh").expanduser() / name for name in _DEFAULT_IDENTITIES)
    if machine.known_hosts:
        known_hosts: tuple[Path, ...] = (machine.known_hosts,)
    else:
        known_hosts = tuple(Path(path).expanduser() for path in _DEFAULT_KNOWN_HOSTS)
    return Target(
        name=machine.name,
        host=machine.address,
        port=machine.port or DEFAULT_PORT,
        user=machine.user or getpass.getuser(),
        identity_files=identity_files,
        identities_named=machine.identity_file is not None,
        agent=os.environ.get("SSH_AUTH_SOCK") or None,
        known_hosts=known_hosts,
        host_key_policy=machine.host_key_policy,
    )
