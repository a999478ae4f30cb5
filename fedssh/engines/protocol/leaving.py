"""What an engine is asked when clusters leave: its part of the protocol, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.engines.protocol.joining import EngineState, JoinedCluster
    from fedssh.errors import FedsshError
    from fedssh.kubernetes.kubectl import Target
    from fedssh.kubernetes.objects import ObjectName
    from fedssh.shell import Command, Result

NOT_EMPTY: Final = 93
"""What ``Engine.empty_namespace_command`` answers where a namespace holds something of others, and says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTraces:
    """What the engine holds on the host for the clusters that have joined, and perhaps for some that have left.

    Attributes:
        secrets: The Secrets that hold its credentials: by name, the account as ``namespace/name``, or "".
        withdrawn: The clusters that were taken out of the federation, as they were then, by name, where that was noted.
        types: The kinds of objects that it puts on clusters, as kubectl names them.
    """

    secrets: Mapping[str, str] = field(default_factory=dict)
    withdrawn: Mapping[str, JoinedCluster] = field(default_factory=dict)
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberTraces:
    """What a join has made on a cluster, and what the engine has put there since.

    Attributes:
        access: What grants the engine its access, in the order in which it is deleted.
        namespace: The namespace that joins make, or None.
        others: What else is in it, as ``kind/name``, and belongs to another federation.
        workloads: What the engine has put on the cluster.
    """

    access: tuple[ObjectName, ...] = ()
    namespace: ObjectName | None = None
    others: tuple[str, ...] = ()
    workloads: tuple[ObjectName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A part of the engine that is to be taken off the host.

    Attributes:
        name: The engine's own word for it, one word.
        text: What would be done, as in "uninstall its release".
        running: The step while it lasts.
        done: What was done.
        by_hand: The command line by which an administrator would do it.
        command: The command that does it; what is gone already is no error.
    """

    name: str
    text: str
    running: str
    done: str
    by_hand: str
    command: Command


class Installation(Protocol):
    """What is installed of an engine on the host, and whose it is."""

    def refusals(self, *, leaving: Sequence[str], with_objects: bool) -> list[FedsshError]:
        """Return why it must not be taken off.

        Args:
            leaving: The clusters that leave before.
            with_objects: Whether the federated objects go with it.
        """
        ...

    def removals(self, *, target: Target) -> list[Removal]:
        """Return its parts, in the order in which they are taken off; none where nothing is left."""
        ...


class LeavingEngine(Protocol):
    """How clusters leave an engine, and how it is taken off the host."""

    def account_of(self, cluster: JoinedCluster, *, host: str) -> str:
        """Return the account by which the engine enters a cluster, as ``namespace/name``."""
        ...

    def usual_account(self, name: str, *, host: str) -> str:
        """Return the account that a join makes, as ``namespace/name``."""
        ...

    def account_base(self, account: str) -> str:
        """Return the account that a join has made first, where another one has taken its place since."""
        ...

    def secrets_of(self, name: str, cluster: JoinedCluster | None) -> set[str]:
        """Return the Secrets on the host that belong to a cluster by their names."""
        ...

    def host_trace_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that look for what joins have left on the host."""
        ...

    def parse_host_traces(self, results: Sequence[Result], *, machine: str) -> HostTraces:
        """Return what the answers say. Raises StepError (3)."""
        ...

    def member_trace_commands(self, types: Sequence[str], *, target: Target) -> list[Command]:
        """Return the commands that look for what a join has made on a cluster, and what the engine has put there."""
        ...

    def parse_member_traces(self, results: Sequence[Result], accounts: Iterable[str], *, machine: str) -> MemberTraces:
        """Return what the answers say of the join of these accounts. Raises StepError (3)."""
        ...

    def expected_traces(self, account: str) -> MemberTraces:
        """Return what a join leaves on a cluster that nobody can look at."""
        ...

    def note_command(self, clusters: Sequence[JoinedCluster], *, target: Target) -> Command:
        """Return the command that notes, beside the credentials, how clusters are reached that are to be taken out."""
        ...

    def withdraw_command(self, names: Sequence[str], *, target: Target) -> Command:
        """Return the command that takes clusters out of the federation, so that the engine lets go of them."""
        ...

    def forget_command(self, secrets: Sequence[str], *, target: Target) -> Command:
        """Return the command that deletes the engine's credentials."""
        ...

    def let_go_command(self, workloads: Sequence[ObjectName], *, target: Target) -> Command:
        """Return the command that takes the engine's marks off what it has put on a cluster, and lets it stay."""
        ...

    def let_go_by_hand(self) -> str:
        """Return the command line by which an administrator does that."""
        ...

    def empty_namespace_command(self, namespace: str, *, target: Target, wait_seconds: int) -> Command:
        """Return the command that deletes a namespace once it holds nothing of anybody's; else it says what."""
        ...

    def installation_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that look at what is installed on the host."""
        ...

    def parse_installation(self, results: Sequence[Result], state: EngineState, *, machine: str) -> Installation:
        """Return what the answers say. Raises StepError (3)."""
        ...
