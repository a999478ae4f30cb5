"""Members whose credentials are ephemeral, on real clusters: what is asked for, what is kept, and the way back."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.cluster.records import MINTED
from tests.cluster.test_rotate import accepted, credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run

ACCOUNT: Final = [
    "clusterrole.rbac.authorization.k8s.io/member1",
    "clusterrolebinding.rbac.authorization.k8s.io/member1",
    "serviceaccount/member1",
]
# A token is old as soon as it has been asked for.
_IMPATIENT: Final = "from fedssh.federation import accesses; accesses.FRESH_SECONDS = 0"
# An older cluster, for kubectl's words alone: all else is the real one.
_OLDER: Final = """#!/bin/sh
[ "$5" != version ] && [ "$4" != version ] && [ "$3" != version ] && [ "$2" != version ] ||
    { /opt/recorded/kubectl "$@" | sed '/serverVersion/,$s/"gitVersion": "v1[.][0-9]*/"gitVersion": "v1.23/'; exit; }
exec /opt/recorded/kubectl "$@"
"""


def minted(federation: Federation) -> list[str]:
    """Return the tokens that member1's kubectl was ever asked for."""
    return federation.member().check("sh", "-c", f"cat {MINTED} 2>/dev/null || :").split()


def places(federation: Federation, *tokens: str) -> list[str]:
    """Return the files of host and member1 that hold one of these tokens, as it is or in base64, and their Secrets."""
    wanted = "\n".join([*tokens, *(base64.b64encode(token.encode()).decode() for token in tokens)])
    found = []
    for machine in (federation.host, federation.member()):
        look = "grep -rlFf - /root /tmp /home /etc /usr/local /var/tmp /run 2>/dev/null"
        found += machine.exec("sh", "-c", look, stdin=wanted.encode()).stdout.split()
    kept = federation.tokens()
    return found + [token for token in tokens if base64.b64encode(token.encode()).decode() in kept]


def asked_for(federation: Federation, marks: dict[str, int]) -> list[str]:
    """Return whose tokens were asked for since then, by whom: on member1."""
    return [
        f"{one.name} by {one.user}"
        for one in federation.requests_since(marks)
        if one.resource == "serviceaccounts/token" and one.machine == "member1" and one.namespace == "default"
    ]


def test_a_member_joins_and_lives_without_a_stored_token(
    unjoined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """One token for the join, of ten minutes, which is kept nowhere; then none, and what follows does without."""
    inventory["defaults"]["credentials"] = "ephemeral"
    marks, before = unjoined.audit_marks(), len(minted(unjoined))
    assert fedssh("federate", "--member", "member1", "--dry-run").code == 0
    assert asked_for(unjoined, marks) == []
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "wrote cluster member1, without a token" in done.stderr
    assert asked_for(unjoined, marks) == ["member1 by kubernetes-admin"]
    (token,) = minted(unjoined)[before:]
    claims = yaml.safe_load(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["exp"] - claims["iat"] == 600
    assert places(unjoined, token) == []
    assert unjoined.objects() == ACCOUNT
    assert list(unjoined.contexts()) == ["fedhost"]
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}
    marks = unjoined.audit_marks()
    again = fedssh("federate", "--member", "member1")
    assert "Nothing to do" in again.stderr
    assert (unjoined.changes_since(marks), asked_for(unjoined, marks)) == ([], [])
    well = fedssh("check", "--member", "member1")
    assert well.code == 0, well.stdout
    rotated = fedssh("rotate", "--member", "member1")
    assert rotated.code == 0, rotated.stderr
    assert "no token of fedssh's is kept for it: KubeFed's credential alone is rotated" in rotated.stderr
    assert len(minted(unjoined)) == before + 1
    left = fedssh("unfederate", "--member", "member1", "--yes", "-o", "json")
    assert left.code == 0, left.stderr
    assert [one.get("residue") for one in left.report["clusters"] if one["name"] == "member1"] == [[]]
    assert unjoined.objects() == []
    assert "member1" not in unjoined.host.check("cat", "/root/.kube/config")


def test_from_stored_to_ephemeral_and_back(
    joined: Federation,
    inventory: dict[str, Any],
    fedssh: Callable[..., Run],
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    """A drift that federate repairs: nothing of the old token is left, and it is refused; back, there is a new one."""
    stored, _ = credentials(joined, "member1")
    assert places(joined, stored)
    inventory["members"]["member1"]["credentials"] = "ephemeral"
    noticed = fedssh("check", "--member", "member1")
    assert noticed.code == 3
    assert "hosts.yaml says credentials: ephemeral, and a token of fedssh's is kept" in noticed.stdout
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert places(joined, stored) == []
    assert joined.objects() == ACCOUNT
    eventually(lambda: not accepted(joined, "member1", stored))
    assert "Nothing to do" in fedssh("federate", "--member", "member1").stderr
    assert joined.ready()["member1"] == "True"
    inventory["members"]["member1"]["credentials"] = "stored"
    back = fedssh("federate", "--member", "member1")
    assert back.code == 0, back.stderr
    new, _ = credentials(joined, "member1")
    assert new != stored
    is_accepted = accepted(joined, "member1", new)
    assert is_accepted
    assert joined.objects() == sorted([*ACCOUNT, "secret/member1-fedssh-2"])
    assert joined.kubectl(joined.host, "--context", "member1", "get", "nodes", "-o", "name")


def test_fault_59_a_token_that_gets_old_in_a_long_run_is_asked_for_anew(
    unjoined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Before the proof and before the join, where it would not last; the member is Ready, and no token is kept."""
    inventory["members"]["member1"]["credentials"] = "ephemeral"
    marks, before = unjoined.audit_marks(), len(minted(unjoined))
    done = fedssh("federate", "--member", "member1", setting=_IMPATIENT)
    assert done.code == 0, done.stderr
    assert len(asked_for(unjoined, marks)) == 3
    assert unjoined.ready()["member1"] == "True"
    assert places(unjoined, *minted(unjoined)[before:]) == []


def test_fault_59_an_older_member_is_refused(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Before anything is changed: there, Kubernetes itself keeps a token of every account."""
    member = joined.member()
    inventory["members"]["member1"]["credentials"] = "ephemeral"
    member.check("mv", "/usr/local/bin/kubectl", "/opt/recorder")
    marks, before = joined.audit_marks(), joined.snapshot()
    try:
        member.check(
            "sh", "-c", "cat >/usr/local/bin/kubectl && chmod 755 /usr/local/bin/kubectl", stdin=_OLDER.encode()
        )
        done = fedssh("federate", "--member", "member1")
    finally:
        member.check("mv", "/opt/recorder", "/usr/local/bin/kubectl")
    assert done.code == 6, done.stderr
    assert "credentials: ephemeral needs Kubernetes 1.24 or newer, and its Kubernetes is v1.23" in done.stderr
    assert "an older one gives every ServiceAccount a token Secret without an end" in done.stderr
    assert "Write members.member1.credentials: stored" in done.stderr
    assert joined.changes_since(marks) == []
    assert joined.snapshot() == before
