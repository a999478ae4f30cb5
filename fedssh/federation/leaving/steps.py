"""The steps by which clusters leave. Values without secrets; what is removed needs no undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedssh.federation.steps import Step

if TYPE_CHECKING:
    from fedssh.engines.protocol import Removal
    from fedssh.kubernetes.objects import ObjectName


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Step):
    """Take a cluster out of the federation: from then on the engine lets it alone.

    Attributes:
        is_noted: Whether it is noted first how the cluster is reached, for the run after one that is stopped.
    """

    is_noted: bool = False
    kind: ClassVar[str] = "withdraw"

    @property
    def text(self) -> str:
        """What would be done."""
        return "take it out of the federation"

    @property
    def done(self) -> str:
        """How it is reported."""
        return "took it out of the federation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAccess(Step):
    """Remove what gives fedssh and the engine access to a cluster, the rights first.

    Attributes:
        objects: What is deleted, in this order.
    """

    objects: tuple[ObjectName, ...]
    kind: ClassVar[str] = "remove-access"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"remove the access to it, {_count(self.objects)}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"removed the access to it, {_count(self.objects)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo(Step):
    """Take the engine's marks off what it has put on a cluster; it stays there, untouched otherwise.

    Attributes:
        objects: What stays.
    """

    objects: tuple[ObjectName, ...]
    kind: ClassVar[str] = "let-go"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"let go of {_count(self.objects)} there"

    @property
    def done(self) -> str:
        """How it is reported."""
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteWorkloads(Step):
    """Delete what the engine has put on a cluster; a namespace goes only once nothing of others is in it.

    Attributes:
        objects: What is deleted.
    """

    objects: tuple[ObjectName, ...]
    kind: ClassVar[str] = "delete-workloads"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"delete {_count(self.objects)} of the federation"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"deleted {_count(self.objects)} of the federation"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveNamespace(Step):
    """Delete the engine's namespace on a cluster, if nothing else is in it."""

    namespace: str
    kind: ClassVar[str] = "remove-namespace"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"delete the namespace {self.namespace}"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"deleted the namespace {self.namespace}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget(Step):
    """Delete the engine's Secrets for a cluster on the host."""

    secrets: tuple[str, ...]
    kind: ClassVar[str] = "forget"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"delete {', '.join(f'secret/{name}' for name in self.secrets)} on the host"

    @property
    def done(self) -> str:
        """How it is reported."""
        return self.text.replace("delete", "deleted", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveEntries(Step):
    """Remove a member's entries from the host's kubeconfig.

    Attributes:
        entry: That by which they are known, as in "context member1".
    """

    entry: str
    kind: ClassVar[str] = "remove-context"

    @property
    def text(self) -> str:
        """What would be done."""
        return f"remove the {self.entry} from the host's kubeconfig"

    @property
    def done(self) -> str:
        """How it is reported."""
        return f"removed the {self.entry} from the host's kubeconfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreContext(Step):
    """Give the host's context its old name back; "" takes away one that was added beside it."""

    old: str
    kind: ClassVar[str] = "restore-context"

    @property
    def text(self) -> str:
        """What would be done."""
        return self._say("rename", "remove")

    @property
    def done(self) -> str:
        """How it is reported."""
        return self._say("renamed", "removed")

    def _say(self, rename: str, remove: str) -> str:
        if self.old:
            return f"{rename} the context {self.cluster} back to {self.old}"
        return f"{remove} the context {self.cluster}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstall(Step):
    """Take a part of the engine off the host."""

    removal: Removal
    kind: ClassVar[str] = "uninstall"

    @property
    def text(self) -> str:
        """What would be done."""
        return self.removal.text

    @property
    def done(self) -> str:
        """How it is reported."""
        return self.removal.done


def _count(objects: tuple[ObjectName, ...]) -> str:
    return f"{len(objects)} object{'s' * (len(objects) != 1)}"
