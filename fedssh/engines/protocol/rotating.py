"""What an engine is asked when its credentials are replaced: its part of the protocol, and the values in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol.joining import JoinedCluster
    from fedssh.kubernetes.kubectl import Target
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Command, Result


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


class RotatingEngine(Protocol):
    """How an engine's own credentials are replaced."""

    def account_commands(self, *, target: Target) -> list[Command]:
        """Return the commands that look, on a cluster, at the accounts that the engine may have there."""
        ...

    def parse_accounts(self, results: Sequence[Result], *, machine: str) -> Mapping[str, EngineAccount]:
        """Return the accounts by name, from the answers to ``account_commands``. Raises StepError (3)."""
        ...

    def account_name(self, cluster: JoinedCluster) -> str:
        """Return the account whose token the engine has for a cluster; "" where no join makes such an account."""
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
