"""What an engine is asked when all is checked: its part of the protocol, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.protocol.joining import EngineState
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.kubectl import Target
    from fedssh.shell import Command, Result

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


class CheckedEngine(Protocol):
    """How it is found out what is wrong with an engine."""

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
