"""The steps of a plan: what would be done to a cluster, why, and what it depends on. Values without secrets.

Those by which the host gets its access to members are in ``access_steps``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do for one cluster.

    Attributes:
        cluster: The cluster.
        why: Why it is needed.
        needs: What it depends on that cannot be known yet, or "".
    """

    cluster: str
    why: str
    needs: str = ""

    kind: ClassVar[str]

    @property
    def text(self) -> str:
        """What would be done, as in "grant access"."""
        raise AssertionError(self.kind)

    @property
    def done(self) -> str:
        """How it is reported when it is done, as in "granted access"; "" where nothing is changed by it."""
        return ""

    @property
    def takes_over(self) -> bool:
        """Whether it changes what fedssh did not make, so that somebody has to agree to it."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportImages(Step):
    """Give the engine's images to nodes of the host's cluster, by the names of the nodes' machines."""

    images: tuple[str, ...]
    nodes: tuple[str, ...]
    kind: ClassVar[str] = "import"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"import {', '.join(self.images)} on {', '.join(self.nodes)}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"imported {', '.join(self.images)} on {', '.join(self.nodes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Install(Step):
    """Install a part of the engine on the host, or wait for it."""

    part: Part
    kind: ClassVar[str] = "install"

    @property
    def text(self) -> str:
        """What would be done."""
        return self.part.text

    @property
    def done(self) -> str:
        """How it is reported."""
        return self.part.done


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Step):
    """Let the engine join a cluster.

    Attributes:
        again: Whether the engine has it already.
    """

    again: bool
    kind: ClassVar[str] = "join"

    @property
    def text(self) -> str:
        """What would be done."""
        return "join" + " again" * self.again

    @property
    def done(self) -> str:
        """How it is reported."""
        return "joined" + " again" * self.again


@dataclass(frozen=True, slots=True, kw_only=True)
class Correct(Step):
    """Correct the engine's description of a cluster.

    Attributes:
        corrections: What is set, by the engine's own names.
        title: What the engine calls the description.
    """

    corrections: Mapping[str, Any] = field(repr=False)
    title: str
    kind: ClassVar[str] = "correct"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"set {', '.join(self.corrections)} of its {self.title}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Step):
    """Label a cluster in the federation; labels that hosts.yaml does not name stay."""

    labels: Mapping[str, str]
    kind: ClassVar[str] = "label"

    @property
    def text(self) -> str:
        """What would be done."""
        return "label " + self._shown

    @property
    def done(self) -> str:
        """How it is reported."""
        return "labelled " + self._shown

    @property
    def _shown(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.labels.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect(Step):
    """Have the engine connect anew to a cluster that it knows.

    Attributes:
        title: How people call the engine.
        is_told: Whether it is a change of its own, and not the end of a join or a correction.
    """

    title: str
    is_told: bool
    kind: ClassVar[str] = "reconnect"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"have {self.title} connect to it anew"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"had {self.title} connect to it anew" if self.is_told else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitReady(Step):
    """Wait until the engine finds a cluster Ready, and prove its credential where a change concerns it."""

    is_changed: bool
    kind: ClassVar[str] = "await-ready"

    @property
    def text(self) -> str:
        """What would be done."""
        return "wait until it is Ready"


S = TypeVar("S", bound=Step)


def of_kind(steps: Sequence[Step], kind: type[S]) -> list[S]:
    """Return those of the steps that are of a kind."""
    return [step for step in steps if isinstance(step, kind)]
