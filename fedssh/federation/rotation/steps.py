"""The steps of a rotation: what would be done to a cluster, and why. Values without secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fedssh.federation.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeToken(Step):
    """Make fedssh's own new token on a member, beside the old one."""

    kind: ClassVar[str] = "make-token"

    @property
    def text(self) -> str:
        """What would be done."""
        return "make a new token"

    @property
    def done(self) -> str:
        """How it is reported."""
        return "made a new token"


@dataclass(frozen=True, slots=True, kw_only=True)
class _EngineStep(Step):
    """A step that concerns the engine's own credential.

    Attributes:
        title: How people call the engine.
    """

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeCredential(_EngineStep):
    """Make a new credential of the engine's own on a cluster, beside the old one."""

    kind: ClassVar[str] = "make-credential"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"make a new credential for {self.title}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"made a new credential for {self.title}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapCredential(_EngineStep):
    """Have the engine use its new credential."""

    kind: ClassVar[str] = "swap-credential"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"rotate {self.title}'s credential"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"rotated {self.title}'s credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeCredential(_EngineStep):
    """Remove the engine's old account on a cluster, with its token."""

    kind: ClassVar[str] = "revoke-credential"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"revoke {self.title}'s old credential"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"revoked {self.title}'s old credential"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveRefusal(Step):
    """See from the host that the old credentials are not accepted any more."""

    kind: ClassVar[str] = "prove-refusal"

    @property
    def text(self) -> str:
        """What would be done."""
        return "see that the old credentials are refused"
