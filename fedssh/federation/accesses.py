"""The members' accesses while a plan is executed: their tokens, how old those are, and how a grant is taken back."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError
from fedssh.federation.act.grants import grant_access, mint_token, undo_grant
from fedssh.federation.grants import Undo, undo_of
from fedssh.federation.threads import at_once
from fedssh.federation.wishes import wanted_endpoint
from fedssh.kubernetes.account_tokens import MINTED_SECONDS
from fedssh.kubernetes.credentials import Credential
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.access_steps import Grant
    from fedssh.federation.facts import Facts
    from fedssh.federation.journal import Journal
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.credentials import Endpoint
    from fedssh.shell import Shell

FRESH_SECONDS: Final = MINTED_SECONDS / 2
"""How old a token may be that ends by itself when a join begins: the rest of its time is the join's."""


class Accesses:
    """The accesses of the members that take part; tokens stay in memory.

    Attributes:
        endpoints: Where each member is reached.
    """

    def __init__(
        self, machines: Mapping[str, Shell], *, wishes: Wishes, facts: Facts, engine: Engine, journal: Journal
    ) -> None:
        """Begin with what was found; ``machines`` are the open connections, by cluster."""
        self._machines, self._facts, self._journal = machines, facts, journal
        self._limit = wishes.inventory.concurrency
        self._members = {cluster.name: cluster for cluster in wishes.members}
        self.endpoints: Mapping[str, Endpoint] = {
            name: wanted_endpoint(cluster, wishes, facts, engine) for name, cluster in self._members.items()
        }
        self._tokens = {name: facts.members[name].token or Sensitive("") for name in self._members}
        self._undo: dict[str, tuple[Grant, Undo]] = {}
        self._asked_at: dict[str, float] = {}

    def is_ephemeral(self, name: str) -> bool:
        """Whether a cluster is a member whose token ends by itself, and is kept nowhere."""
        return name in self._members and self._members[name].is_ephemeral

    def credential(self, name: str) -> Credential:
        """Return how a member is logged in to now."""
        return Credential(endpoint=self.endpoints[name], token=self._tokens[name])

    def of(self, names: Mapping[str, object]) -> dict[str, tuple[Credential, str]]:
        """Return the credentials of members, each with the UID of its cluster."""
        return {name: (self.credential(name), self._facts.members[name].cluster_uid) for name in names}

    def grant(self, step: Grant) -> None:
        """Have a member grant access.

        Raises:
            FedsshError: It did not, or nobody knows.
        """
        name = step.cluster
        self._journal.begin(name, "granting access")
        undo = undo_of(step, self._facts.members[name])
        self._undo |= {name: (step, undo)} if undo else {}
        self._asked_at[name] = time.monotonic()
        self._tokens[name] = grant_access(self._machines[name], step, self._members[name])
        self._journal.done(step)

    def mint(self, name: str) -> None:
        """Ask a member for a token that ends by itself.

        Raises:
            FedsshError: No token came.
        """
        self._journal.begin(name, "asking for a token")
        self._asked_at[name] = time.monotonic()
        self._tokens[name] = mint_token(self._machines[name], self._members[name])

    def renew(self, names: Sequence[str]) -> None:
        """Ask for new tokens where those that end by themselves might end while they are used."""
        now = time.monotonic()
        old = [name for name in names if self.is_ephemeral(name) and now - self._asked_at[name] >= FRESH_SECONDS]
        for name, outcome in at_once({name: partial(self.mint, name) for name in old}, limit=self._limit).items():
            if isinstance(outcome, FedsshError):
                self._journal.fail(name, outcome)

    def keep(self) -> None:
        """Leave what was granted as it is from now on: it stands in the host's kubeconfig."""
        self._undo.clear()

    def take_back(self, names: Sequence[str]) -> None:
        """Undo what this run has granted on members; what cannot be undone is listed."""
        undos = {name: self._undo.pop(name) for name in names if name in self._undo}
        for name in undos:
            self._journal.begin(name, "taking the access back")
        tasks = {
            name: partial(undo_grant, self._machines[name], undo, self._members[name])
            for name, (_, undo) in undos.items()
        }
        for name, outcome in at_once(tasks, limit=self._limit).items():
            if isinstance(outcome, FedsshError):
                for line in (str(outcome), *filter(None, outcome.hint.split("\n"))):
                    self._journal.left(name, line)
            else:
                self._journal.undone(undos[name][0], outcome)

    def take_back_all(self) -> None:
        """Undo all that this run has granted."""
        self.take_back([*self._undo])
