"""What ``check`` has found besides the facts of every run: plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from fedssh.inventory import Machine

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

    from fedssh.errors import FedsshError
    from fedssh.federation.facts import Facts, Presented
    from fedssh.federation.wishes import Wishes
    from fedssh.shell import Result


class KeyFile(Protocol):
    """A private key that would be tried, as ``fedssh.ssh`` describes it."""

    @property
    def path(self) -> str:
        """Where it lies."""
        ...

    @property
    def is_named(self) -> bool:
        """Whether a user named it."""
        ...

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether others than its owner may read it."""
        ...

    @property
    def is_locked(self) -> bool:
        """Whether it wants a passphrase."""
        ...

    @property
    def problem(self) -> str:
        """Why it cannot be used, or ""."""
        ...


class Hop(Protocol):
    """A server on the way to a machine, or the machine itself, as ``fedssh.ssh`` describes it."""

    @property
    def place(self) -> str:
        """The server, as in ``root@10.0.0.1 port 22``."""
        ...

    @property
    def is_gateway(self) -> bool:
        """Whether it only leads on."""
        ...

    @property
    def name(self) -> str:
        """The name under which known_hosts files keep it."""
        ...

    @property
    def policy(self) -> str:
        """What is done with a host key that none of them has."""
        ...

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """The files that were looked into."""
        ...

    @property
    def host_keys(self) -> int:
        """How many keys they know it by."""
        ...

    @property
    def has_authority(self) -> bool:
        """Whether they name a certificate authority for it."""
        ...

    @property
    def unreadable(self) -> tuple[str, ...]:
        """The lines that are not in known_hosts form."""
        ...

    @property
    def proxy_command(self) -> str:
        """The command that leads to it, or ""."""
        ...

    @property
    def agent(self) -> str:
        """The agent's socket, or ""."""
        ...

    @property
    def has_agent(self) -> bool:
        """Whether that socket is there."""
        ...

    @property
    def keys(self) -> Sequence[KeyFile]:
        """The private keys that would be tried."""
        ...


Examine = Callable[[Machine], Sequence[Hop]]
"""Tells the way to a machine without going it; raises what ``fedssh.ssh`` raises where settings are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundThing:
    """An object of fedssh's on a cluster: what kubectl calls it, and when it was made."""

    reference: str
    namespace: str
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCheckup:
    """What a cluster's own machine says when it is asked for a check-up.

    Attributes:
        is_admin: Whether its kubeconfig may do everything; None where that could not be asked.
        admin_problem: Why it could not be asked, or "".
        kubectl: The version of the machine's kubectl, or "".
        kubernetes: The cluster's Kubernetes version, or "".
        login: The certificates by which its kubeconfig logs in; () where it does so otherwise.
        objects: The objects there that bear fedssh's label.
        residue: The answers to what the engine asks.
    """

    is_admin: bool | None = None
    admin_problem: str = ""
    kubectl: str = ""
    kubernetes: str = ""
    login: tuple[Certificate, ...] = ()
    objects: tuple[FoundThing, ...] = ()
    residue: Sequence[Result] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFiles:
    """What lies beside the host's kubeconfig.

    Attributes:
        kubectls_lock: How many seconds ago kubectl's lock was taken; None where it is not taken.
        held: For how many seconds a run of fedssh has been holding its lock; -1 where it is held, and since when is
            not known; None where it is not held.
        held_from: From where that run has come, or "".
        proofs: Kubeconfigs for trying credentials: name and age in seconds.
        copies: Copies of earlier kubeconfigs: name and permissions.
        halves: Kubeconfigs that were never completed: name and age in seconds.
    """

    kubectls_lock: int | None = None
    held: int | None = None
    held_from: str = ""
    proofs: Mapping[str, int] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    halves: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """How a name resolves.

    Attributes:
        address: Its first address on the host's machine, or "".
        in_cluster: Whether the cluster's own DNS knows it; None where that could not be asked.
    """

    address: str
    in_cluster: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCheckup:
    """What the host's machine says besides, when it is asked for a check-up.

    Attributes:
        tools: Its tools, by name: their paths, or "" where they are missing.
        user: Who fedssh is there.
        files: What lies beside its kubeconfig.
        engine: The answers to what the engine asks; () where it was not asked.
        contexts: Why the contexts of its kubeconfig do not work, by cluster; "" where they do.
        presented: What API servers present to it, by cluster.
        names: How the names in their addresses resolve, by name.
        dns: Why the cluster's DNS could not be asked, or "".
    """

    tools: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    files: HostFiles = field(default_factory=HostFiles)
    engine: Sequence[Result] = ()
    contexts: Mapping[str, str] = field(default_factory=dict)
    presented: Mapping[str, Presented] = field(default_factory=dict)
    names: Mapping[str, Resolved] = field(default_factory=dict)
    dns: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Everything that ``check`` knows before it judges.

    Attributes:
        wishes: What hosts.yaml and the command line say; its members are those that are meant.
        ways: The ways to the machines by cluster, or why they cannot be told.
        ca_problems: Why members' ``ca_file`` cannot be used.
        facts: What every run finds; None where nobody was connected to.
        connected: The clusters whose machines let fedssh in.
        clusters: What they said of themselves, or why they did not.
        host: What the host's machine said besides, or why it did not; None where it was not asked.
        laptop_clock: What the laptop's clock said, in seconds since 1970.
        is_limited: Whether the command line names the members that are meant, so that no others are told of.
    """

    wishes: Wishes
    ways: Mapping[str, Sequence[Hop] | FedsshError]
    ca_problems: Mapping[str, FedsshError] = field(default_factory=dict)
    facts: Facts | None = None
    connected: frozenset[str] = frozenset()
    clusters: Mapping[str, ClusterCheckup | FedsshError] = field(default_factory=dict)
    host: HostCheckup | FedsshError | None = None
    laptop_clock: float = 0
    is_limited: bool = False

    @property
    def names(self) -> list[str]:
        """The clusters that are meant, the host first."""
        return [self.wishes.inventory.host.name, *(cluster.name for cluster in self.wishes.members)]

    def machine(self, name: str) -> Machine:
        """Return the machine of a cluster that is meant."""
        inventory = self.wishes.inventory
        return (inventory.host if name == inventory.host.name else inventory.member(name)).machine

    @property
    def now(self) -> str:
        """The host's time, else the laptop's, as Kubernetes writes times."""
        clock = (self.facts.host.clock if self.facts else 0) or self.laptop_clock
        return datetime.fromtimestamp(clock, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def later(self, days: int) -> str:
        """Return the time in so many days; negative ones lie behind."""
        clock = (self.facts.host.clock if self.facts else 0) or self.laptop_clock
        return datetime.fromtimestamp(clock + days * 86400, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
