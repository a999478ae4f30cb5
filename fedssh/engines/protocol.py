"""What ``federation`` needs of an engine: pairs of commands and parsers, and decisions. No engine calls a Shell.

An engine is a folder beside this file whose ``__init__`` has what ``Engine`` names; its module is the engine. What was
found of it on the host is an ``EngineState``. The protocol is as narrow as the engines that there are need it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.errors import FedsshError
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.credentials import Credential, Endpoint
    from fedssh.kubernetes.kubeconfig.entries import EntryNames
    from fedssh.kubernetes.kubectl import Target
    from fedssh.kubernetes.objects import ObjectName
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Command, Result

NOW: Final = "date -u +%Y-%m-%dT%H:%M:%SZ"
"""The command that prints a machine's time as Kubernetes writes it (RFC 3339, UTC, whole seconds)."""


NOT_EMPTY: Final = 93
"""What ``Engine.empty_namespace_command`` answers where a namespace holds something of others, and says what."""
Topic = Literal[
    "ssh", "tools", "rights", "clocks", "network", "credentials", "engine", "federation", "residue", "journey"
]
"""What ``check`` looks at, in the order of the way from the laptop to a federated object."""

CheckState = Literal["ok", "notice", "problem"]
"""Whether something is as it should be, should be known, or has to be put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinding:
    """What ``check`` has found.

    Attributes:
        cluster: Whom it concerns.
        topic: To what it belongs.
        state: Whether it is as it should be, should be known, or has to be put right.
        text: What was found.
        since: Since when it is so, as Kubernetes writes times, or "".
        leads_to: What follows from it, or "".
        hint: What to do next, or "".
    """

    cluster: str
    topic: Topic
    state: CheckState
    text: str
    since: str = ""
    leads_to: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedCluster:
    """A cluster that the engine has, with the credential that it uses for it.

    Attributes:
        name: Its name in the federation.
        endpoint: Where the engine reaches it, and how it verifies it.
        token: The engine's own token for it, or None when that is missing.
        labels: Its labels in the federation.
        ready: The engine's own view; None before its first look.
        message: Why it is not ready, in the engine's words, or "".
        probed: When the engine looked last and found it ready, as Kubernetes writes it, or "".
        reason: The same in a word or two, or "".
        since: Since when it is ready or not, as Kubernetes writes times; "" where that is not known.
        kubernetes: The Kubernetes version that the engine has found there, or "".
        issued: When the engine's credential for it was made, or renewed for the last time; "" where that is not known.
        spec: The engine's own description of it, for the engine alone.
    """

    name: str
    endpoint: Endpoint
    token: Sensitive | None
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool | None = None
    message: str = ""
    probed: str = ""
    reason: str = ""
    since: str = ""
    kubernetes: str = ""
    issued: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of an engine that is to be installed, or waited for.

    Attributes:
        name: The engine's own word for it, one word.
        text: What would be done, as in "install its tool 0.10.0".
        running: The step while it lasts, as in "downloading its tool".
        done: What was done, as in "installed its tool 0.10.0"; "" where nothing is changed by it.
        why: Why it is needed.
    """

    name: str
    text: str
    running: str
    done: str
    why: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAccount:
    """An account on a cluster that is, or may become, the one by which the engine works there.

    Attributes:
        name: Its name.
        created: When it was made, as Kubernetes writes it.
        token: Its token, or None where it has none.
        secrets: The names of its token Secrets.
        bindings: What gives it its rights, by the engine's own names.
    """

    name: str
    created: str
    token: Sensitive | None = None
    secrets: tuple[str, ...] = ()
    bindings: frozenset[str] = frozenset()


class EngineState(Protocol):
    """What was found of an engine on the host."""

    @property
    def version(self) -> str:
        """The version that is installed, or ""."""
        ...

    @property
    def clusters(self) -> Mapping[str, JoinedCluster]:
        """The clusters that it has, by name."""
        ...

    @property
    def gaps(self) -> Sequence[FedsshError]:
        """What could not be found out, and why."""
        ...

    @property
    def cluster_gaps(self) -> Sequence[FedsshError]:
        """Those of the gaps that are about the clusters and not about a tool."""
        ...

    def wanted_version(self, inventory: Inventory) -> str:
        """Return the version that hosts.yaml asks for: what is installed when nothing is missing any more."""
        ...

    def refusals(self, inventory: Inventory) -> list[FedsshError]:
        """Return why hosts.yaml's engine cannot be installed over what is there, or be used as it is."""
        ...

    def missing(self, inventory: Inventory) -> list[Part]:
        """Return the parts that have to be installed or waited for, in this order."""
        ...

    def part_stages(self, part: Part, inventory: Inventory, *, target: Target) -> list[list[Command]]:
        """Return the stages that install a part: one execution each, one after the other while they succeed."""
        ...

    def join_command(self, name: str, inventory: Inventory, *, target: Target, member: Target) -> Command:
        """Return the command that joins a cluster.

        ``target`` is the host cluster; its context bears the host's name. ``member`` is the cluster that joins, as the
        host reaches it, by a context of the name that ``entry_names`` gives it.
        """
        ...


class Engine(Protocol):
    """An engine: what it is called, what it asks, and what it makes of the answers."""

    @property
    def NAME(self) -> str:  # noqa: N802  (a module's constant)
        """The name of its section in hosts.yaml."""
        ...

    @property
    def TITLE(self) -> str:  # noqa: N802  (a module's constant)
        """How people call it."""
        ...

    @property
    def HOST_JOINS(self) -> bool:  # noqa: N802  (a module's constant)
        """Whether the host cluster joins its own federation."""
        ...

    @property
    def PART_SECONDS(self) -> float:  # noqa: N802  (a module's constant)
        """How long the commands of a part may take."""
        ...

    @property
    def CLUSTER_TITLE(self) -> str:  # noqa: N802  (a module's constant)
        """What it calls its description of a cluster."""
        ...

    @property
    def JOIN_SECONDS(self) -> float:  # noqa: N802  (a module's constant)
        """How long the joins of one round may take."""
        ...

    @property
    def READY_SECONDS(self) -> float:  # noqa: N802  (a module's constant)
        """How long the engine may take to find a joined cluster healthy."""
        ...

    def entry_names(self, cluster: str) -> EntryNames:
        """Return how a member's entries are called in the host's kubeconfig."""
        ...

    def member_of(self, cluster_entry: str) -> str:
        """Return the member whose cluster entry of ``entry_names`` bears that name, or ""."""
        ...

    def tool_commands(self) -> list[Command]:
        """Return the commands that ask the engine's tools on the host for their versions; no API is asked."""
        ...

    def state_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that look at the engine, its clusters and their credentials."""
        ...

    def parse_state(self, tools: Sequence[Result], state: Sequence[Result], *, machine: str) -> EngineState:
        """Return what the answers to ``tool_commands`` and ``state_commands`` say; nothing is refused."""
        ...

    def check_part(self, part: Part, results: Sequence[Result], inventory: Inventory, *, machine: str) -> None:
        """Check the answers to a part's commands; raises StepError (3)."""
        ...

    def list_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that list the clusters and their credentials."""
        ...

    def parse_list(self, results: Sequence[Result], *, machine: str) -> Mapping[str, JoinedCluster]:
        """Return the clusters by name; none when the engine is not installed. Raises StepError (3)."""
        ...

    def parse_join(self, result: Result, *, machine: str) -> str:
        """Return the host's time at the end of a join. Raises StepError (3)."""
        ...

    def after_join(self, name: str, endpoint: Endpoint, before: JoinedCluster | None) -> JoinedCluster:
        """Return what a cluster's description is going to be when it has joined with that endpoint."""
        ...

    def corrections(self, cluster: JoinedCluster, endpoint: Endpoint) -> Mapping[str, Any]:
        """Return what a cluster's description lacks to be what ``endpoint`` says; {} when nothing does."""
        ...

    def correct_command(self, name: str, corrections: Mapping[str, Any], *, target: Target) -> Command:
        """Return the command that corrects a cluster's description, and prints the host's time when it is done."""
        ...

    def label_command(self, name: str, labels: Mapping[str, str], *, target: Target) -> Command:
        """Return the command that labels a cluster, so that placement can select it."""
        ...

    def reconnect_command(self, names: Sequence[str], *, target: Target) -> Command:
        """Return the command that has the engine connect anew to clusters that it knows already."""
        ...

    def parse_reconnect(self, result: Result, names: Sequence[str], *, machine: str) -> Mapping[str, FedsshError]:
        """Return, for the clusters of ``reconnect_command`` that it did not reach, why."""
        ...

    def wait_command(self, since: Mapping[str, str], *, target: Target) -> Command:
        """Return the command that waits until every cluster is Ready by a look of the engine after its time."""
        ...

    def credential(self, cluster: JoinedCluster, *, server_name: str) -> Credential | None:
        """Return the engine's own credential for a cluster, for proving it; None when there is no token.

        ``server_name`` is checked where the engine itself leaves the name out.
        """
        ...

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

    def account_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that look, on a cluster, at the accounts that the engine may have there."""
        ...

    def parse_accounts(self, results: Sequence[Result], *, machine: str) -> Mapping[str, EngineAccount]:
        """Return the accounts by name, from the answers to ``account_commands``. Raises StepError (3)."""
        ...

    def account_name(self, cluster: JoinedCluster) -> str:
        """Return the account whose token the engine has for a cluster; "" where that is none it could have made."""
        ...

    def next_account(self, name: str) -> str:
        """Return the account that takes over from an account when its credential is rotated, and back."""
        ...

    def make_account_commands(
        self, name: str, old: EngineAccount, new: EngineAccount | None, *, target: Target
    ) -> list[Command]:
        """Return the commands, run on a cluster, that make an account which may do all that ``old`` may.

        ``new`` is what there is of the account ``name`` already. They run one after the other.
        """
        ...

    def parse_made_account(self, results: Sequence[Result], name: str, *, machine: str) -> Sensitive:
        """Return the new account's token. Raises StepError (3)."""
        ...

    def remove_account_commands(self, account: EngineAccount, *, target: Target) -> list[Command]:
        """Return the commands, run on a cluster, that take an account's rights and remove it with its tokens."""
        ...

    def swap_command(self, cluster: JoinedCluster, token: Sensitive, *, rotated_at: str, target: Target) -> Command:
        """Return the command, run on the host, that gives the engine another token for a cluster.

        ``rotated_at`` is when that token was made, as Kubernetes writes times; "" for the one that it had before.
        """
        ...

    def broken_credential_hint(self) -> str:
        """Return what to do where the engine's own credential for a cluster does not work."""
        ...

    def checkup_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that ask the host how the engine is; they change nothing."""
        ...

    def checkup_findings(
        self, results: Sequence[Result], state: EngineState, inventory: Inventory, *, now: str
    ) -> list[CheckFinding]:
        """Return what the answers to ``checkup_commands`` say of the engine, and of what it has left on the host."""
        ...

    def journey_line(self, space: str, clusters: Sequence[str], *, target: Target) -> str:
        """Return the line to hold that sends a small object to clusters; when it is released, the object goes again.

        The object is a ConfigMap called ``space`` in a namespace of that name. The first line is ``sent``, or why not.
        """
        ...

    def residue_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that ask a cluster, the host or a member, what joins have left there."""
        ...

    def residue_findings(
        self, results: Sequence[Result], state: EngineState | None, *, cluster: str, host: str
    ) -> list[CheckFinding]:
        """Return what the answers to ``residue_commands`` say; what belongs to a join cannot be told without state."""
        ...
