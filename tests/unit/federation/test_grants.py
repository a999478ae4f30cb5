from __future__ import annotations

from typing import Any

import pytest

from fedssh.errors import RefusedError
from fedssh.federation.access_steps import Grant
from fedssh.federation.grants import keeps_token, needed_grant, stored_secrets, undo_of
from fedssh.kubernetes.account import references
from fedssh.sensitive import Sensitive
from tests.fakes.facts import fresh, member, thing

ACCOUNT, ROLE, BINDING, SECRET = ALL = references("member1")

PROVEN = "the rights of its token are proven when it is there"


def grant(*, adopt: bool = False, **said: Any) -> Grant | None:
    """Return the grant that a member needs."""
    return needed_grant(member(**said), adopt=adopt)


def with_objects(**changed: Any) -> dict[str, Any]:
    """Return the objects of an account of which some are another way; None is one that is not there."""
    kinds = dict(zip(("account", "role", "binding", "secret"), ALL, strict=True))
    objects = {reference: thing() for reference in ALL}
    for kind, found in changed.items():
        objects.pop(kinds[kind])
        if found is not None:
            objects[kinds[kind]] = found
    return {"objects": objects}


def test_nothing_is_needed_where_all_is_as_it_should_be() -> None:
    """And the token that is there stays."""
    assert grant() is None
    assert keeps_token(member(), None)


def test_without_a_stored_token_no_secret_is_wanted() -> None:
    """One that is there is no reason for a grant, nor is one that is missing or wrong."""
    assert needed_grant(member(), adopt=False, is_stored=False) is None
    assert needed_grant(member(**with_objects(secret=None), token=None), adopt=False, is_stored=False) is None
    wrong = thing(differences=("type is other",), is_fixed=True)
    assert needed_grant(member(**with_objects(secret=wrong), token=None), adopt=False, is_stored=False) is None
    found = needed_grant(fresh(), adopt=False, is_stored=False)
    assert found
    assert (found.created, found.is_stored) == ((ACCOUNT, ROLE, BINDING), False)
    gone = needed_grant(member(**with_objects(account=None)), adopt=False, is_stored=False)
    assert gone
    assert (gone.created, gone.anew) == ((ACCOUNT,), ())


def test_the_secrets_that_hold_tokens_are_fedsshs_own() -> None:
    """The newest and the older ones; not one of somebody else's."""
    seen = member(number=3, other_tokens={1: None, 2: None}, objects={"secret/member1-fedssh-3": thing()})
    assert stored_secrets(seen) == ("member1-fedssh-1", "member1-fedssh-2", "member1-fedssh-3")
    assert stored_secrets(fresh()) == ()
    assert stored_secrets(fresh(generated_secrets=("member1-token-x7k2p",))) == ("member1-token-x7k2p",)
    assert stored_secrets(fresh(objects={SECRET: thing(is_ours=False)})) == ()


def test_a_member_without_an_account_needs_all_of_it() -> None:
    """In one reason."""
    found = needed_grant(fresh(), adopt=False)
    assert found == Grant(cluster="member1", why="there is no account member1", needs=PROVEN, created=tuple(ALL))
    assert (found.text, found.done) == ("grant access", "granted access")
    assert not keeps_token(fresh(), found)


@pytest.mark.parametrize(
    ("kind", "reference"), [("account", ACCOUNT), ("role", ROLE), ("binding", BINDING), ("secret", SECRET)]
)
def test_a_missing_object_is_created(kind: str, reference: str) -> None:
    """Any of the four; only that one is undone."""
    found = grant(**with_objects(**{kind: None}), token=None if kind == "secret" else member().token)
    assert found
    assert found.created == (reference,)
    assert f"there is no {reference}" in found.why
    assert undo_of(found, member()).created == (reference,)


def test_a_secret_that_has_outlived_its_account_is_made_anew() -> None:
    """Its token means nothing any more."""
    seen = member(**with_objects(account=None))
    found = needed_grant(seen, adopt=False)
    assert found
    assert (found.created, found.anew) == ((ACCOUNT,), (SECRET,))
    assert not keeps_token(seen, found)


@pytest.mark.parametrize(
    ("kind", "reference", "fixed"),
    [("role", ROLE, False), ("binding", BINDING, False), ("binding", BINDING, True), ("secret", SECRET, True)],
)
def test_an_edited_object_is_mended(kind: str, reference: str, *, fixed: bool) -> None:
    """Where it is, or anew where the API server does not let it be changed; it is not undone."""
    edited = thing(differences=("its rules are other ones",), is_fixed=fixed)
    seen = member(**with_objects(**{kind: edited}))
    found = needed_grant(seen, adopt=False)
    assert found
    assert (found.created, found.taken, found.mended) == ((), (), (reference,))
    assert found.anew == ((reference,) if fixed else ())
    assert found.why == f"{reference}: its rules are other ones"
    assert keeps_token(seen, found) == (reference != SECRET)
    assert not undo_of(found, seen)


def test_a_secret_without_a_token_is_granted_again() -> None:
    """Where it is: the token comes by itself."""
    found = grant(token=None)
    assert found == Grant(cluster="member1", why=f"there is no token in {SECRET}", needs=PROVEN)


def test_a_wrong_token_is_no_missing_one() -> None:
    """It is refused by a rule, and not overwritten."""
    assert grant(token=None, bad_token=RefusedError("x")) is None


def test_somebody_elses_objects_are_taken_over_only_when_that_is_said() -> None:
    """A binding and a Secret are made anew then; all are told, and given back as they were."""
    objects = {
        reference: thing(is_ours=False, whole=Sensitive(f'{{"kind": "{reference}"}}'))
        for reference in (ACCOUNT, BINDING)
    }
    seen = member(objects={**member().objects, **objects})
    assert needed_grant(seen, adopt=False) is None
    found = needed_grant(seen, adopt=True)
    assert found
    assert (found.created, found.taken, found.anew) == ((), (ACCOUNT, BINDING), (BINDING,))
    assert found.done == f"granted access, taking over {ACCOUNT}, {BINDING}"
    undo = undo_of(found, seen)
    assert (undo.created, list(undo.taken)) == ((), [ACCOUNT, BINDING])


def test_the_last_that_was_made_is_undone_first() -> None:
    """What depends on another goes before it."""
    found = needed_grant(fresh(), adopt=False)
    assert found
    undo = undo_of(found, fresh())
    assert undo.created == tuple(reversed(ALL))
