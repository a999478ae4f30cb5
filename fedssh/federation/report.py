"""What a verb tells while it works and at its end: plain values, for ``output`` to show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fedssh.errors import FedsshError


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What happens on one cluster.

    Attributes:
        cluster: The cluster's name.
        text: The step that begins, as in "granting access"; what was found in order; what was done, as in "granted
            access"; what that has come to; or what failed.
        state: Which of these it is.
    """

    cluster: str
    text: str
    state: Literal["running", "checked", "changed", "confirmed", "failed"]


Reporter = Callable[[Progress], None]

State = Literal["Ready", "NotReady", "NotJoined", "Failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterReport:
    """How it ended for one cluster.

    Attributes:
        name: The cluster.
        role: What it is in the federation.
        state: ``Ready`` is proven, not believed; ``Failed`` has an ``error``.
        api_server: The address at which KubeFed reaches it, or "".
        labels: The labels of its KubeFedCluster.
        changes: What this run did to it, in order, as in "granted access".
        notices: What has to be said about it as long as it is so, as in "nobody verifies its certificate".
        message: Why it is not ready, or "".
        error: What went wrong, or None.
    """

    name: str
    role: Literal["host", "member"]
    state: State
    api_server: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    message: str = ""
    error: FedsshError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The end of a verb.

    Attributes:
        verb: Which one it was.
        clusters: The host first, then the members.
        kubefed_version: The version that is installed, or "".
        exit_code: What the program ends with.
    """

    verb: Literal["federate", "prepare", "status"]
    clusters: tuple[ClusterReport, ...]
    kubefed_version: str
    exit_code: int

    @property
    def changed(self) -> bool:
        """Whether the run changed anything anywhere."""
        return any(one.changes for one in self.clusters)
