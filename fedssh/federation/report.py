"""What a verb tells while it works and at its end: plain values, for ``output`` to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fedssh.engines.protocol import CheckFinding, Topic

if TYPE_CHECKING:
    from fedssh.errors import FedsshError

__all__ = [
    "Agree",
    "CheckFinding",
    "ClusterReport",
    "PlannedChange",
    "Progress",
    "Report",
    "Reporter",
    "Role",
    "State",
    "Topic",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What happens on one cluster.

    Attributes:
        cluster: The cluster's name.
        text: The step that begins, as in "granting access"; how far it is, as in "3 of 15 MB"; that a cluster waits for
            the others; what was found in order; what was done, as in "granted access", or is done no more; what that
            has come to; what failed; or what has become, after a failure, of what was done.
        state: Which of these it is.
        error: What failed, whole; None in any other state.
    """

    cluster: str
    text: str
    state: Literal[
        "running", "progressing", "waiting", "checked", "changed", "undone", "confirmed", "failed", "aftermath"
    ]
    error: FedsshError | None = None


Reporter = Callable[[Progress], None]

Role = Literal["host", "member"]
State = Literal["Ready", "NotReady", "NotJoined", "Failed", "Unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A change that a run would make to a cluster.

    Attributes:
        step: The kind of step, one word, as in ``grant``; for programs.
        text: What would be done, as in "grant access".
        change: How a run reports it when it is done, as in "granted access".
        why: Why it is needed, as in "there is no ServiceAccount member1".
        needs: What it depends on that cannot be known yet, as in "the new token is proven first"; or "".
    """

    step: str
    text: str
    change: str
    why: str
    needs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """Something that a cluster which has left has left behind.

    Attributes:
        where: The cluster on whose machine it lies and the commands work; "" for the laptop's.
        what: What it is, as in "serviceaccount/member1 in default".
        commands: The command lines that remove it.
    """

    where: str
    what: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """How it ended for one cluster.

    Attributes:
        name: The cluster.
        role: What it is in the federation.
        state: Its state; ``Failed`` has an ``error``, and ``Unknown`` is one that nobody has seen.
        proven: Whether this run has seen the engine's own credential for it work, from the host. Without that,
            ``Ready`` is only what the engine says.
        api_server: The address at which the engine reaches it, or "".
        labels: The labels that the engine has for it.
        plan: What a run would change, in order; of a dry run only.
        changes: What this run did to it, in order, as in "granted access".
        notices: What has to be said about it as long as it is so, as in "nobody verifies its certificate".
        message: Why it is not ready, or "".
        reason: The same in a word or two, or "".
        kubernetes: Its Kubernetes version, as the engine has found it, or "".
        tls: How it is verified, in hosts.yaml's word: from the host's kubeconfig, else from the engine's description;
            "" where nobody has looked.
        issued: When the engine's credential for it was made or renewed, as Kubernetes writes times, or "".
        ends: When that ends, in the same way; ``never``; or "" where it is not known.
        in_inventory: Whether hosts.yaml names it.
        error: What went wrong first, or None.
        further: What else is wrong, so that all of it can be corrected before the next run.
        aftermath: What has become, after the error, of what this run had done, as in "What had been created on
            member1 is gone again."; a line each.
        residue: What is left of it, where it has left the federation.
        findings: What ``check`` has found, in the order of the way.
    """

    name: str
    role: Role
    state: State
    proven: bool = False
    api_server: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    plan: tuple[PlannedChange, ...] = ()
    changes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    message: str = ""
    reason: str = ""
    kubernetes: str = ""
    tls: str = ""
    issued: str = ""
    ends: str = ""
    in_inventory: bool = True
    error: FedsshError | None = None
    further: tuple[FedsshError, ...] = ()
    aftermath: tuple[str, ...] = ()
    residue: tuple[Residue, ...] = ()
    findings: tuple[CheckFinding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of a verb, whether it went well or not.

    Attributes:
        verb: Which one it was; "" when the command line was not understood.
        clusters: The host first, then the members; () when nobody was asked.
        engine: What federates, by the name of its section in hosts.yaml.
        engine_version: The version that is installed there at the end, or "".
        exit_code: What the program ends with.
        dry_run: Whether it only tells what a run would do.
        summary: What it has come to, for people, as in "3 of 4 federated, 1 failed".
        remark: What else people should know at the end, a sentence, or "".
        has_table: Whether people are shown a table of the clusters.
        has_details: Whether that table tells versions, TLS and credentials.
        error: Why the run as a whole ended early, or None.
    """

    verb: str
    clusters: tuple[ClusterReport, ...] = ()
    engine: str = ""
    engine_version: str = ""
    exit_code: int = 0
    dry_run: bool = False
    summary: str = ""
    remark: str = ""
    has_table: bool = True
    has_details: bool = False
    error: FedsshError | None = None

    @property
    def changed(self) -> bool:
        """Whether the run changed anything anywhere."""
        return any(cluster.changes for cluster in self.clusters)


Agree = Callable[[Report], bool]
