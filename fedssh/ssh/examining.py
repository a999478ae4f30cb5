"""What can be told of the way to a machine without going it: settings, known host keys, the files of keys."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedssh.ssh.known_hosts import host_name

if TYPE_CHECKING:
    from fedssh.ssh.host_keys import HostKeys
    from fedssh.ssh.identities import IdentityFiles
    from fedssh.ssh.target import Target

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A private key that would be tried.

    Attributes:
        path: Where it lies.
        is_named: Whether a user named it, in hosts.yaml or in ssh_config.
        exists: Whether it is there.
        is_open: Whether others than its owner may read it.
        is_locked: Whether it wants a passphrase.
        problem: Why it cannot be used, or "".
    """

    path: str
    is_named: bool
    exists: bool
    is_open: bool
    is_locked: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A server on the way to a machine, or the machine itself, as far as this computer knows it.

    Attributes:
        place: The server, as in ``root@10.0.0.1 port 22``.
        is_gateway: Whether it only leads on.
        name: The name under which known_hosts files keep it.
        policy: What is done with a host key that none of them has.
        known_hosts: The files that were looked into; a missing one says so.
        host_keys: How many keys they know it by.
        has_authority: Whether they name a certificate authority for it.
        unreadable: The lines that are not in known_hosts form, as ``file:line``.
        proxy_command: The command that leads to it, or "".
        agent: The agent's socket, or "".
        has_agent: Whether that socket is there.
        keys: The private keys that would be tried.
    """

    place: str
    is_gateway: bool
    name: str
    policy: str
    known_hosts: tuple[str, ...]
    host_keys: int
    has_authority: bool
    unreadable: tuple[str, ...]
    proxy_command: str
    agent: str
    has_agent: bool
    keys: tuple[KeyFile, ...]


def examine(target: Target, host_keys: HostKeys, files: IdentityFiles) -> tuple[Hop, ...]:
    """Return what is known of the way to a target: its gateways, the first one first, then the target.

    Raises:
        ConfigurationError: A known_hosts file is there but cannot be read.
    """
    return tuple(_examine_hop(hop, host_keys, files, is_gateway=hop is not target) for hop in target.way())


def _examine_hop(target: Target, host_keys: HostKeys, files: IdentityFiles, *, is_gateway: bool) -> Hop:
    entries = host_keys.about(target)
    return Hop(
        place=target.place,
        is_gateway=is_gateway,
        name=host_name(*target.known_as),
        policy=target.host_key_policy,
        known_hosts=tuple(f"{path}" + ("" if path.exists() else " (missing)") for path in target.known_hosts),
        host_keys=sum(not entry.marker for entry in entries),
        has_authority=any(entry.marker == "@cert-authority" for entry in entries),
        unreadable=tuple(host_keys.unreadable(target)),
        proxy_command=target.proxy_command or "",
        agent=target.agent or "",
        has_agent=bool(target.agent) and Path(target.agent or "").exists(),
        keys=tuple(
            _examine_key(path, files, is_named=target.identities_named)
            for path in target.identity_files
            if target.identities_named or path.exists()
        ),
    )


def _examine_key(path: Path, files: IdentityFiles, *, is_named: bool) -> KeyFile:
    identity = files.load(path)
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = 0
    return KeyFile(
        path=str(path),
        is_named=is_named,
        exists=bool(mode),
        is_open=bool(mode & _OTHERS),
        is_locked=identity.locked is not None,
        problem="" if identity.key or identity.locked else identity.problem,
    )
