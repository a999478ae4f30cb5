"""The steps by which the host gets its access to members: what they grant, and what the host writes down of it.

How a grant is undone is told in ``grants``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from fedssh.federation.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Step):
    """Let a member grant access.

    Attributes:
        created: The objects that are not there yet, as ``kind/name``.
        taken: Those that are somebody else's and are taken over.
        mended: Those of fedssh's own that others have changed, and that are made what they were.
        anew: Those that have to be deleted first, since they cannot be changed where they are.
        number: That of the token Secret among them.
        is_stored: Whether there is one among them; else the token is asked for, and ends by itself.
    """

    created: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    anew: tuple[str, ...] = ()
    number: int = 1
    is_stored: bool = True
    kind: ClassVar[str] = "grant"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"grant access{_taking(self.taken)}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"granted access{_taking(self.taken)}"

    @property
    def takes_over(self) -> bool:
        """Whether objects of somebody else's are among those that it changes."""
        return bool(self.taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class MintToken(Step):
    """Ask a member for a token that ends after ten minutes, and is kept nowhere."""

    kind: ClassVar[str] = "mint-token"

    @property
    def text(self) -> str:
        """What would be done."""
        return "ask it for a token that ends after ten minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prove(Step):
    """Try an access from the host that has just been granted."""

    kind: ClassVar[str] = "prove"

    @property
    def text(self) -> str:
        """What would be done."""
        return "prove the access from the host"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeToken(Step):
    """Delete token Secrets of a member's account that are not in use any more.

    Attributes:
        secrets: Their names.
    """

    secrets: tuple[str, ...]
    kind: ClassVar[str] = "revoke-token"

    @property
    def text(self) -> str:
        """What would be done."""
        return "revoke the old token"

    @property
    def done(self) -> str:
        """How it is reported."""
        return "revoked the old token"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestContext(Step):
    """Try a context that is new, as an administrator would: it was proven as it is written, or lists the nodes."""

    context: str
    kind: ClassVar[str] = "test-context"
    __test__: ClassVar[bool] = False  # no test of pytest's

    @property
    def text(self) -> str:
        """What would be done."""
        return f"try the context {self.context}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameContext(Step):
    """Let the host's context bear its name.

    Attributes:
        old: The current context.
        is_alias: Whether a second context is added beside it.
    """

    old: str
    is_alias: bool
    kind: ClassVar[str] = "name-context"

    @property
    def text(self) -> str:
        """What would be done."""
        return self._say("add", "rename")

    @property
    def done(self) -> str:
        """How it is reported."""
        return self._say("added", "renamed")

    def _say(self, add: str, rename: str) -> str:
        if self.is_alias:
            return f"{add} the context {self.cluster} beside {self.old}"
        return f"{rename} the context {self.old} to {self.cluster}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEntries(Step):
    """Write a member's entries into the host's kubeconfig.

    Attributes:
        context: The member's context.
        taken: The entries that are somebody else's and are taken over, as in "user member1".
    """

    context: str
    taken: tuple[str, ...] = ()
    kind: ClassVar[str] = "write-context"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"write context {self.context}{_taking(self.taken)}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"wrote context {self.context}{_taking(self.taken)}"

    @property
    def takes_over(self) -> bool:
        """Whether entries of somebody else's are among those that it writes."""
        return bool(self.taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteCluster(WriteEntries):
    """Write where a member is, and how it is verified, into the host's kubeconfig, and no way in.

    Attributes:
        is_closed: Whether a user with a token goes, and its context.
    """

    is_closed: bool = False
    kind: ClassVar[str] = "write-cluster"

    @property
    def text(self) -> str:
        """What would be done."""
        return self._say("remove", "write")

    @property
    def done(self) -> str:
        """How it is reported."""
        return self._say("removed", "wrote")

    def _say(self, remove: str, write: str) -> str:
        if self.is_closed:
            return f"{remove} context {self.context} and its token{_taking(self.taken)}"
        return f"{write} cluster {self.context}, without a token{_taking(self.taken)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseFile(Step):
    """Let nobody but its owner read the host's kubeconfig."""

    path: str
    kind: ClassVar[str] = "close-file"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"close {self.path} to others"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"closed {self.path} to others"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCopies(Step):
    """Remove copies of the host's kubeconfig.

    Attributes:
        members: Whose tokens are in them; () for anybody's.
        also_clean: Whether those from before fedssh's first entry go, too, and the lock's file with them.
        is_told: Whether there are any, and not only the lock that this run has taken.
    """

    members: tuple[str, ...] = ()
    also_clean: bool = False
    is_told: bool = True
    kind: ClassVar[str] = "remove-copies"

    @property
    def text(self) -> str:
        """What would be done."""
        return "remove the copies of the host's kubeconfig" + ("" if self.also_clean else " that hold tokens")

    @property
    def done(self) -> str:
        """How it is reported."""
        return self.text.replace("remove", "removed", 1) if self.is_told else ""


def _taking(taken: tuple[str, ...]) -> str:
    return f", taking over {', '.join(taken)}" if taken else ""
