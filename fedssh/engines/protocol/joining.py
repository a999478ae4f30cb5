"""What an engine is asked for installing it and joining clusters: its part of the protocol, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.artefacts import Artefact, Fetched, Image
    from fedssh.errors import FedsshError
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.credentials import Credential, Endpoint
    from fedssh.kubernetes.kubeconfig.entries import EntryNames
    from fedssh.kubernetes.kubectl import Target
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Command, Result

NOW: Final = "date -u +%Y-%m-%dT%H:%M:%SZ"
"""The command that prints a machine's time as Kubernetes writes it (RFC 3339, UTC, whole seconds)."""


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
class Uploaded:
    """A file that was uploaded to the host's machine.

    Attributes:
        path: Where it lies there.
        sha256: Its checksum.
    """

    path: str
    sha256: str


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

    def refusals(self, inventory: Inventory, *, kubernetes: str) -> list[FedsshError]:
        """Return why hosts.yaml's engine cannot be installed over what is there, or be used as it is.

        ``kubernetes`` is the version of the host's cluster, or "".
        """
        ...

    def why_no_join(self, name: str, inventory: Inventory, *, kubernetes: str) -> FedsshError | None:
        """Return why a cluster of that Kubernetes cannot join, or None."""
        ...

    def version_notice(self, inventory: Inventory, *, kubernetes: str) -> str:
        """Return what has to be known before a cluster of that Kubernetes takes part, or ""."""
        ...

    def missing(self, inventory: Inventory) -> list[Part]:
        """Return the parts that have to be installed or waited for, in this order."""
        ...

    def upgrade_questions(self, *, target: Target) -> list[Command]:
        """Return the commands whose answers ``to_upgrade`` takes; none where there is nothing to ask."""
        ...

    def to_upgrade(self, answers: Sequence[Result] = ()) -> EngineState:
        """Return the same, where another version that is installed is to be upgraded, and is no reason to refuse.

        Raises:
            StepError: A command failed (3).
        """
        ...

    def pods_artefacts(self, inventory: Inventory) -> Mapping[str, Artefact]:
        """Return what names the images of its pods, as ``Engine.images`` takes it; nothing where all of them serve."""
        ...

    def supplies(self, inventory: Inventory) -> Mapping[str, Artefact]:
        """Return what a machine without internet has to be given for the missing parts, by their names."""
        ...

    def part_stages(
        self, part: Part, inventory: Inventory, *, target: Target, uploaded: Uploaded | None
    ) -> list[list[Command]]:
        """Return the stages that install a part: one execution each, one after the other while they succeed.

        ``uploaded`` is what ``supplies`` names for it, where it was uploaded.
        """
        ...

    def check_part(self, part: Part, results: Sequence[Result], inventory: Inventory) -> None:
        """Check the answers to ``part_stages``, as far as they were run; raises StepError (3)."""
        ...

    def join_command(
        self, name: str, inventory: Inventory, *, target: Target, member: Target, namespace: str
    ) -> Command:
        """Return the command that joins a cluster.

        ``target`` is the host cluster; its context bears the host's name. ``member`` is the cluster that joins, as the
        host reaches it, by a context of the name that ``entry_names`` gives it. ``namespace`` is how
        ``MEMBER_NAMESPACE`` was found there, as in ``Active``; "" for none.
        """
        ...


class JoiningEngine(Protocol):
    """How an engine is installed, and how clusters join it."""

    def artefacts(self, inventory: Inventory) -> Mapping[str, Artefact]:
        """Return what hosts.yaml's engine is installed from, for every processor that is common, by names."""
        ...

    def images(self, inventory: Inventory, supplies: Mapping[str, Fetched]) -> list[Image]:
        """Return the images of the engine's pods, for every processor that is common.

        ``supplies`` is what ``artefacts`` or ``EngineState.supplies`` has named; there are none where that tells none.
        """
        ...

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
    def MEMBER_NAMESPACE(self) -> str:  # noqa: N802  (a module's constant)
        """The namespace in which it keeps what is its own on a cluster that has joined."""
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
        """How long one join may take."""
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

    def label_command(self, names: Sequence[str], labels: Mapping[str, str], *, target: Target) -> Command:
        """Return the command that gives clusters the same labels, so that placement can select them."""
        ...

    def parse_labels(self, result: Result, names: Sequence[str]) -> Mapping[str, FedsshError]:
        """Return, for the clusters of ``label_command`` that were not labelled, why."""
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

    def broken_credential_hint(self) -> str:
        """Return what to do where the engine's own credential for a cluster does not work."""
        ...
