"""Which grant a member needs, why, and how it is undone. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedssh.federation.access_steps import Grant
from fedssh.kubernetes.account import is_remade, references
from fedssh.kubernetes.account_tokens import token_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.federation.facts import MemberFacts
    from fedssh.sensitive import Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How a grant is undone: a value, to be run later.

    Attributes:
        cluster: The member.
        created: The objects that were made, as ``kind/name``, the last first.
        taken: Those that were taken over, as they were.
    """

    cluster: str
    created: tuple[str, ...] = ()
    taken: Mapping[str, Sensitive] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.created or self.taken)


def needed_grant(member: MemberFacts, *, adopt: bool, is_stored: bool = True) -> Grant | None:
    """Return the step by which a member grants what it lacks; None where everything is as it should be.

    Args:
        member: What was found on it.
        adopt: Whether objects that are not fedssh's are taken over.
        is_stored: Whether its token is to lie in a Secret there.
    """
    name, objects = member.name, member.objects
    number = member.number if is_stored else member.last_number
    wanted = references(name, number, is_stored=is_stored)
    created = tuple(reference for reference in wanted if reference not in objects)
    foreign = tuple(reference for reference in wanted if reference in objects and not objects[reference].is_ours)
    mended = tuple(
        reference
        for reference in wanted
        if reference in objects and reference not in foreign and objects[reference].differences
    )
    taken = foreign if adopt else ()
    secret = _secret_of(member)
    # A Secret that has outlived its ServiceAccount holds a token that means nothing any more.
    is_stale = is_stored and f"serviceaccount/{name}" in created and secret in objects
    anew = {
        *(reference for reference in taken if is_remade(reference)),
        *(reference for reference in mended if objects[reference].is_fixed),
        *([secret] if is_stale else []),
    }
    has_token = member.token is not None or member.bad_token is not None
    reasons = [f"there is no {reference}" for reference in created]
    if len(created) == len(wanted):
        reasons = [f"there is no account {name}"]
    reasons += [f"{reference}: {', '.join(objects[reference].differences)}" for reference in mended]
    reasons += [f"{reference} is to be taken over" for reference in taken]
    if is_stored and secret in objects and not has_token and secret not in anew:
        reasons.append(f"there is no token in {secret}")
    if is_stale:
        reasons.append(f"{secret} is of an account that is gone")
    if not reasons:
        return None
    return Grant(
        cluster=name,
        number=number,
        is_stored=is_stored,
        why="; ".join(reasons),
        needs="the rights of its token are proven when it is there",
        created=created,
        mended=mended,
        taken=taken,
        anew=tuple(reference for reference in wanted if reference in anew),
    )


def stored_secrets(member: MemberFacts) -> tuple[str, ...]:
    """Return the names of the Secrets on a member that hold, or may hold, a token of fedssh's account."""
    newest = member.objects.get(_secret_of(member))
    numbers = [*member.other_tokens, *([member.number] if newest and newest.is_ours else [])]
    return (*(token_secret(member.name, number) for number in sorted(numbers)), *member.generated_secrets)


def keeps_token(member: MemberFacts, grant: Grant | None) -> bool:
    """Whether the token that is there is the one after the grant, too."""
    return member.token is not None and (grant is None or _secret_of(member) not in grant.anew)


def undo_of(grant: Grant, member: MemberFacts) -> Undo:
    """Return how a grant is undone: what it creates is deleted, what it takes over is made what it was."""
    taken = {reference: member.objects[reference].whole for reference in grant.taken}
    return Undo(cluster=grant.cluster, created=tuple(reversed(grant.created)), taken=taken)


def _secret_of(member: MemberFacts) -> str:
    return f"secret/{token_secret(member.name, member.number)}"
