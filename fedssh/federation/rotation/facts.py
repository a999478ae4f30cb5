"""What there is of a cluster's two credentials, old and new: derived from what was found. Pure.

A rotation that stopped half-way has left two of a kind. The newer one is the one to go on with, whichever is in use:
so a second run ends where an undisturbed one does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from fedssh.kubernetes.kubeconfig.entries import foreign_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Engine, EngineAccount, JoinedCluster
    from fedssh.federation.facts import Facts, MemberFacts
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster
    from fedssh.sensitive import Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRotation:
    """How fedssh's own token for a member is replaced.

    Attributes:
        number: That of the new token's Secret.
        token: The new token, or None where it has to be made.
        is_written: Whether the host's kubeconfig has the new token already.
        old: The tokens that are revoked, by the number of their Secret; None where a Secret has none.
        is_half_way: Whether an earlier rotation has stopped.
    """

    number: int
    token: Sensitive | None = None
    is_written: bool = False
    old: Mapping[int, Sensitive | None] = field(default_factory=dict)
    is_half_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRotation:
    """How the engine's own credential for a cluster is replaced.

    Attributes:
        cluster: The engine's description of the cluster.
        old: The account that is removed.
        new: The name of the account that takes over.
        found: What there is of that account, or None.
        is_in_use: Whether the engine has the new account's token already.
        is_half_way: Whether an earlier rotation has stopped.
    """

    cluster: JoinedCluster
    old: EngineAccount
    new: str
    found: EngineAccount | None = None
    is_in_use: bool = False
    is_half_way: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What is rotated for a cluster.

    Attributes:
        own: fedssh's own token; None where it stays.
        engine: The engine's own credential; None where it stays.
        kept: Why a credential stays, a sentence each.
    """

    own: OwnRotation | None = None
    engine: EngineRotation | None = None
    kept: tuple[str, ...] = ()


def concerned(wishes: Wishes, engine: Engine) -> list[str]:
    """Return the clusters whose credentials are meant; the host, too, where the whole federation is."""
    members = [cluster.name for cluster in wishes.members]
    return [*([wishes.inventory.host.name] if wishes.is_all and engine.HOST_JOINS else []), *members]


def has_own_access(cluster: Cluster, facts: Facts, engine: Engine) -> bool:
    """Whether the host uses an access to a member that fedssh has made: its account there, its entries here.

    A token that should not be kept is not replaced by another one.
    """
    name = cluster.name
    member, document = facts.members[name], facts.host.known.document
    account = member.objects.get(f"serviceaccount/{name}")
    names = engine.entry_names(name)
    is_here = document.has("users", names.user) and not foreign_names(document, names)
    is_kept = bool(member.token or member.bad_token) and not cluster.is_ephemeral
    return bool(account and account.is_ours and is_here and is_kept)


def find_rotation(name: str, wishes: Wishes, facts: Facts, engine: Engine) -> Rotation:
    """Return what is to be rotated for a cluster that the rules do not refuse."""
    own, kept = None, []
    member = facts.members.get(name)
    clock = member.clock if member else facts.host.clock
    limit = wishes.older_than_seconds
    if member and has_own_access(wishes.inventory.member(name), facts, engine):
        own = _own_rotation(member, facts, engine)
        if not own.is_half_way and _is_young(member.token_created, clock, limit):
            own, kept = None, ["its token is younger"]
    credential = _engine_rotation(name, facts, engine)
    if credential and not credential.is_half_way and _is_young(credential.old.created, clock, limit):
        credential, kept = None, [*kept, f"{engine.TITLE}'s credential is younger"]
    return Rotation(own=own, engine=credential, kept=tuple(kept))


def _own_rotation(member: MemberFacts, facts: Facts, engine: Engine) -> OwnRotation:
    user, _ = facts.host.known.document.find("users", engine.entry_names(member.name).user) or ({}, {})
    current = {member.number: member.token}
    if not member.other_tokens:
        return OwnRotation(number=member.last_number + 1, old=current)
    newest = max(member.other_tokens)
    if newest > member.number:  # its token had not come yet
        others = {number: token for number, token in member.other_tokens.items() if number != newest}
        return OwnRotation(number=newest, old={**others, **current}, is_half_way=True)
    is_written = member.token is not None and user.get("token") == member.token.reveal()
    return OwnRotation(
        number=member.number, token=member.token, is_written=is_written, old=member.other_tokens, is_half_way=True
    )


def _engine_rotation(name: str, facts: Facts, engine: Engine) -> EngineRotation | None:
    cluster = facts.host.clusters.get(name)
    if cluster is None:
        return None
    accounts = facts.members[name].accounts if name in facts.members else facts.host.accounts
    used = accounts[engine.account_name(cluster)]
    other = accounts.get(engine.next_account(used.name))
    if other is None:
        return EngineRotation(cluster=cluster, old=used, new=engine.next_account(used.name))
    if other.created > used.created:
        return EngineRotation(cluster=cluster, old=used, new=other.name, found=other, is_half_way=True)
    return EngineRotation(cluster=cluster, old=other, new=used.name, found=used, is_in_use=True, is_half_way=True)


def _is_young(created: str, clock: float, limit: float) -> bool:
    """Whether something is younger than the limit; where one of the times is not known, it is not."""
    if not (limit and clock and created):
        return False
    return clock - datetime.fromisoformat(created).timestamp() < limit
