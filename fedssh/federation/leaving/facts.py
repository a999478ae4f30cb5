"""What was found of the clusters that are to leave: plain values, which refuse nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fedssh.engines.protocol import HostTraces, MemberTraces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Installation, JoinedCluster
    from fedssh.errors import FedsshError
    from fedssh.federation.facts import HostFacts
    from fedssh.inventory import Cluster
    from fedssh.kubernetes.credentials import Credential
    from fedssh.kubernetes.objects import ObjectName

Way = Literal["machine", "host", "none", "done"]
"""How a cluster is got at: on its own machine, from the host by a credential that is there, or not at all.

``done``: an earlier run has got at it from the host, and has removed the credential with the rest.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """A cluster that is to leave, and what was found on it.

    Attributes:
        name: Its name in the federation.
        cluster: What hosts.yaml says of it; None where it says nothing.
        way: How it is got at.
        problem: Why its own machine cannot be used; None where it can, and where hosts.yaml names no machine.
        error: Why nothing is to be done with it; None otherwise.
        credential: What leads to it from the host; None where nothing does.
        is_engines: Whether that credential is the engine's own, and not fedssh's.
        is_done: Whether an earlier run has let it go, and what led to it then is refused now.
        uid: Which cluster that credential leads to: the UID of its namespace kube-system, or "".
        accounts: The accounts of its join, as ``namespace/name``.
        own: fedssh's objects on it.
        traces: The engine's.
        secrets: The engine's Secrets for it on the host.
    """

    name: str
    cluster: Cluster | None = None
    way: Way = "none"
    problem: FedsshError | None = None
    error: FedsshError | None = None
    credential: Credential | None = field(default=None, repr=False)
    is_engines: bool = False
    is_done: bool = False
    uid: str = ""
    accounts: tuple[str, ...] = ()
    own: tuple[ObjectName, ...] = ()
    traces: MemberTraces = field(default_factory=MemberTraces)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingFacts:
    """Everything that a run has found before it changes anything.

    Attributes:
        host: The host.
        traces: What the engine holds there.
        installation: What is installed there; None where nobody has asked.
        copies: The copies of the host's kubeconfig that are to go with the entries.
        leavers: The clusters that are to leave, by name; the host's own, too, where it is to leave.
        unknown: The names that nobody knows: neither hosts.yaml nor the host.
    """

    host: HostFacts
    traces: HostTraces = field(default_factory=HostTraces)
    installation: Installation | None = None
    copies: tuple[str, ...] = ()
    leavers: Mapping[str, Leaver] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def described(self, name: str) -> JoinedCluster | None:
        """Return what the engine says of a cluster, or what was noted of it when it was let go; else None."""
        return self.host.clusters.get(name) or self.traces.withdrawn.get(name)
