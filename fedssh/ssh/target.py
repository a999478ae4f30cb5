"""What to connect to: a machine of hosts.yaml with everything settled that ssh_config says about it."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedssh.errors import ConfigurationError
from fedssh.ssh.ssh_config import split_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.inventory import Machine
    from fedssh.inventory.hostsfile import HostKeyPolicy
    from fedssh.ssh.ssh_config import SshConfig

DEFAULT_PORT = 22

_MOST_GATEWAYS = 8
_DEFAULT_IDENTITIES = ["~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"]
_USER_KNOWN_HOSTS = ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
_SYSTEM_KNOWN_HOSTS = ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One SSH server and how to get into it.

    Attributes:
        host: The host name or address.
        port: Its port.
        user: Whom to log in as.
        identity_files: Private keys to try.
        identities_named: Whether a user named them, so that one that is missing is worth a word.
        identities_only: Whether an agent's other keys are left alone.
        agent: The agent's socket, None without an agent.
        known_hosts: The files that say which host keys are right.
        host_key_alias: The name it has there, None for host and port.
        host_key_policy: What to do with a key that none of them has.
        gateway: The server through which it is reached, None if directly.
        proxy_command: The command whose input and output lead to it, None without one.
    """

    host: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    identities_named: bool
    identities_only: bool
    agent: str | None
    known_hosts: tuple[Path, ...]
    host_key_alias: str | None
    host_key_policy: HostKeyPolicy
    gateway: Target | None
    proxy_command: str | None

    @property
    def place(self) -> str:
        """The target for a message: ``user@host port 22``."""
        return f"{self.user}@{self.host} port {self.port}"

    def describe(self) -> dict[str, str]:
        """Return everything that was settled, in words, for a person who wonders why."""
        ways = [hop.place for hop in self.gateways()] + ([self.proxy_command] if self.proxy_command else [])
        keys = [str(path) for path in self.identity_files if self.identities_named or path.exists()]
        keys += [f"the agent at {self.agent}" + (" for these keys only" if self.identities_only else "")] * bool(
            self.agent
        )
        return {
            "login": self.place,
            "through": ", ".join(ways) or "no gateway",
            "keys": ", ".join(keys) or "none",
            "known_hosts": ", ".join(str(path) for path in self.known_hosts) or "none",
            "host_key_policy": self.host_key_policy,
        }

    def gateways(self) -> list[Target]:
        """Return the servers on the way, the first one first."""
        return [*self.gateway.gateways(), self.gateway] if self.gateway else []

    def way(self) -> list[Target]:
        """Return the servers on the way and, at its end, the target itself."""
        return [*self.gateways(), self]

    @property
    def known_as(self) -> tuple[str, int]:
        """Host and port under which known_hosts files keep it."""
        return (self.host_key_alias, DEFAULT_PORT) if self.host_key_alias else (self.host, self.port)


def find_target(machine: Machine, config: SshConfig) -> Target:
    """Return where a machine is and how to get in; hosts.yaml stands above ssh_config.

    Raises:
        ConfigurationError: ssh_config cannot be understood, or its gateways go in a circle.
    """
    return _find(machine.address, config, machine=machine, user=machine.user, port=machine.port, hops=None, depth=0)


def _find(
    name: str,
    config: SshConfig,
    *,
    machine: Machine,
    user: str | None,
    port: int | None,
    hops: list[str] | None,
    depth: int,
) -> Target:
    """Return the target called ``name``: ``machine`` itself, or one of the gateways before it.

    Args:
        name: A name, address or alias.
        config: What ssh_config says.
        machine: The machine this leads to.
        user: Stands above ssh_config.
        port: The same.
        hops: The gateways to it, the first one first; None for those of ssh_config.
        depth: How many targets lie behind this one.
    """
    if depth > _MOST_GATEWAYS:
        raise ConfigurationError(f"ssh_config: more than {_MOST_GATEWAYS} gateways (ProxyJump) to {machine.address}")
    settings = config.about(name, user=user, port=port)
    host = _text(settings, "hostname") or name
    # A gateway has keys of its own. Its host key is judged by the same files and always strictly: what hosts.yaml says
    # about a machine is not said about the gateway that others share.
    identity_file = machine.identity_file if depth == 0 else None
    named = [str(identity_file)] if identity_file else split_values(settings.get("identityfile"))
    if hops is None:
        hops = _hops(settings, {name, host})
    gateway = None
    if hops:
        hop_user, hop_host, hop_port = _split_hop(hops[-1])
        gateway = _find(
            hop_host,
            config,
            machine=machine,
            user=hop_user,
            port=hop_port,
            hops=hops[:-1] or None,
            depth=depth + 1,
        )
    command = _text(settings, "proxycommand")
    return Target(
        host=host,
        port=_port(_text(settings, "port") or str(DEFAULT_PORT), f"Port for {name}"),
        user=_text(settings, "user") or getpass.getuser(),
        identity_files=tuple(
            Path(path).expanduser() for path in named or _DEFAULT_IDENTITIES if path.lower() != "none"
        ),
        identities_named=bool(named),
        identities_only=identity_file is not None or _text(settings, "identitiesonly").lower() == "yes",
        agent=_agent(_text(settings, "identityagent")),
        known_hosts=(machine.known_hosts,) if machine.known_hosts else _known_hosts(settings),
        host_key_alias=_text(settings, "hostkeyalias") or None,
        host_key_policy=machine.host_key_policy if depth == 0 else "strict",
        gateway=gateway,
        proxy_command=None if gateway or command.lower() in {"", "none"} else command,
    )


def _text(settings: Mapping[str, str | list[str]], key: str) -> str:
    value = settings.get(key) or ""
    return value if isinstance(value, str) else " ".join(value)


def _hops(settings: Mapping[str, str | list[str]], own_names: set[str]) -> list[str]:
    """Return the gateways of ssh_config; a gateway that "Host *" gives itself is none."""
    jump = _text(settings, "proxyjump").replace(" ", "")
    hops = [] if jump.lower() in {"", "none"} else jump.split(",")
    return [] if any(_split_hop(hop)[1] in own_names for hop in hops) else hops


def _split_hop(hop: str) -> tuple[str | None, str, int | None]:
    """Return user, host and port of ``[user@]host[:port]`` or ``ssh://…``."""
    user, _, place = hop.removeprefix("ssh://").rstrip("/").rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port, or a bare IPv6 address
        host, port = place, ""
    return user or None, host.strip("[]"), _port(port, f"ProxyJump {hop}") if port else None


def _port(text: str, setting: str) -> int:
    if not text.isdecimal():
        raise ConfigurationError(f"ssh_config: {setting}: {text} is no port")
    return int(text)


def _agent(setting: str) -> str | None:
    """Return the agent's socket: IdentityAgent's, or that of the environment."""
    if setting.lower() == "none":
        return None
    if setting in {"", "SSH_AUTH_SOCK"}:
        return os.environ.get("SSH_AUTH_SOCK") or None
    return str(Path(os.path.expandvars(setting.replace("%d", "~"))).expanduser())


def _known_hosts(settings: Mapping[str, str | list[str]]) -> tuple[Path, ...]:
    user = split_values(settings.get("userknownhostsfile")) or _USER_KNOWN_HOSTS
    system = split_values(settings.get("globalknownhostsfile")) or _SYSTEM_KNOWN_HOSTS
    return tuple(Path(path).expanduser() for path in [*user, *system] if path.lower() != "none")
