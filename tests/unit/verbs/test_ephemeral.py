"""Members whose credentials are ephemeral: a token for each join, kept nowhere, and the way from one kind to the other.

What is planned is what is done, as for every other member.
"""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING

import pytest

from fedssh.kubernetes.account_tokens import MINTED_SECONDS
from tests.fakes.kubernetes import Member, error
from tests.fakes.world import World, by_name

from .test_plan_and_deed import hold_plan_against_deed

if TYPE_CHECKING:
    from tests.fakes.lines import Call

EPHEMERAL = ", credentials: ephemeral"
TOKEN = ("kubectl", "create", "token")


def world(said: str = EPHEMERAL) -> World:
    """Return one member and its host; nothing has happened yet."""
    return World(members={"member1": Member("member1")}, labels=said)


def minted(world: World) -> int:
    """Return for how many tokens member1 was asked in the last run."""
    return sum(call.is_one_of(TOKEN) for call in world.called("member1"))


def kept(world: World) -> list[str]:
    """Return where any token that opens member1 is kept: on it, in the host's kubeconfig, or in copies of that."""
    api = world.members["member1"].api
    held = {base64.b64decode(item["data"]["token"]).decode() for item in api.objects.values() if "data" in item}
    places = [name for name, item in api.objects.items() if "data" in item and name.startswith("secret/member1-fedssh")]
    for place, text in (("kubeconfig", world.host.kubeconfig), *(("copy", copy) for copy in world.host.copies)):
        places += [place] * any(token in text for token in (*held, *api.minted))
    return places


def test_a_member_joins_by_a_token_that_is_kept_nowhere() -> None:
    """The host knows the cluster, and has no context for it; KubeFed has its own credential."""
    there = world()
    _, done = hold_plan_against_deed(there)
    assert done.exit_code == 0
    assert by_name(done)["member1"].changes == ("granted access", "wrote cluster member1, without a token", "joined")
    assert kept(there) == []
    assert "kubefed-remote-member1" in there.host.kubeconfig
    assert "name: member1" not in there.host.kubeconfig
    assert list(there.members["member1"].objects)[:3] == [
        "serviceaccount/member1",
        "clusterrole/member1",
        "clusterrolebinding/member1",
    ]


def test_only_a_join_asks_for_a_token() -> None:
    """One with a grant, one without; none where nothing is to be done, and none of a dry run."""
    there = world()
    there.federate()
    assert minted(there) == 1
    there.federate()
    assert minted(there) == 0
    there.host.federation.clear()
    there.federate(dry_run=True)
    assert minted(there) == 0
    joined = by_name(there.federate())["member1"]
    assert (joined.state, joined.changes) == ("Ready", ("joined",))
    assert minted(there) == 1


def test_the_token_is_proven_before_it_is_used() -> None:
    """Without rights the member is refused, and what was made on it is gone again."""
    there = world()
    there.members["member1"].api.rights = False
    failed = by_name(there.federate())["member1"]
    assert failed.error
    assert "does not have the rights of a cluster administrator" in failed.error.message
    assert there.members["member1"].objects == {}
    assert there.host.joined == []


def test_a_member_that_gives_no_token_fails_alone() -> None:
    """With its kubectl's words; the grant is taken back."""
    there = world()
    forbidden = 'Error from server (Forbidden): serviceaccounts "member1" is forbidden'
    there.members["member1"].broken[TOKEN] = error(forbidden)
    failed = by_name(there.federate())["member1"]
    assert failed.error
    assert failed.error.exit_code == 3
    assert "is forbidden" in failed.error.message
    assert there.members["member1"].objects == {}


def test_from_stored_to_ephemeral_and_back() -> None:
    """Every token is revoked and removed, from the copies, too; the next stored one is another one."""
    there = world("")
    there.federate()
    first = there.host.context("member1")[1]
    assert kept(there)
    there.labels = EPHEMERAL
    _, switched = hold_plan_against_deed(there)
    assert by_name(switched)["member1"].changes == ("removed context member1 and its token", "revoked the old token")
    assert by_name(switched)["fedhost"].changes == ("removed the copies of the host's kubeconfig that hold tokens",)
    assert kept(there) == []
    assert not there.members["member1"].accepts(first)
    there.labels = ""
    _, back = hold_plan_against_deed(there)
    assert by_name(back)["member1"].changes == ("granted access", "wrote context member1")
    second = there.host.context("member1")[1]
    assert there.members["member1"].accepts(second)
    assert second != first


def test_a_switch_that_stopped_half_way_goes_on() -> None:
    """Copies go before the token is revoked, so that what is on the member tells that they are still there."""
    there = world("")
    there.federate()
    there.labels = EPHEMERAL
    member = there.members["member1"]
    member.broken["kubectl", "delete"] = error("Connection reset by peer")
    assert there.federate().exit_code == 3
    member.broken.clear()
    assert there.federate().exit_code == 0
    assert kept(there) == []


def test_a_copy_that_stays_does_not_keep_its_token_from_being_revoked() -> None:
    """It is told, and holds a token that opens nothing any more."""
    there = world("")
    there.federate()
    there.labels = EPHEMERAL
    first = there.host.context("member1")[1]
    there.host.broken["kubeconfig", "uncopy"] = error("rm: cannot remove: Operation not permitted")
    done = there.federate()
    assert done.exit_code == 0
    (told,) = by_name(done)["fedhost"].notices
    assert "Operation not permitted; the tokens in them are revoked" in told
    assert not there.members["member1"].accepts(first)


@pytest.mark.parametrize("moved", [", api_server: 'https://elsewhere.example.com'", ", tls: insecure"])
def test_another_endpoint_is_proven_before_anything_leads_there(moved: str) -> None:
    """By a token that is asked for: it may be another cluster's, which then would get KubeFed's credential."""
    there = world()
    there.federate()
    other = Member("other", server="https://elsewhere.example.com")
    there.host.clusters.append(other)
    before = there.host.kubeconfig
    there.labels = EPHEMERAL + moved
    done = by_name(there.federate())["member1"]
    assert minted(there) == 1
    if "elsewhere" in moved:
        assert done.error
        assert (there.host.kubeconfig, there.host.federation["member1"]["spec"]["apiEndpoint"]) == (
            before,
            "https://member1.example.com:6443",
        )
    else:
        assert (done.state, done.error) == ("Ready", None)


def test_a_token_that_gets_old_in_a_long_run_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """KubeFed is installed meanwhile; the token of the beginning has ended when the member joins."""
    there, now = world(), [0.0]
    monkeypatch.setattr("fedssh.federation.accesses.time.monotonic", lambda: now[0])
    asked = threading.Event()

    def take_long(call: Call) -> None:
        if call.key == ("kubectl", "rollout"):
            assert asked.wait(10)
            now[0] += MINTED_SECONDS
            there.members["member1"].api.minted.clear()

    there.host.before = take_long
    there.members["member1"].before = lambda call: asked.set() if call.is_one_of(TOKEN) else None
    done = by_name(there.federate())["member1"]
    assert (done.state, done.proven) == ("Ready", True)
    assert minted(there) == 2


def test_a_member_that_gives_no_second_token_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one was too old for the proof: what was granted is taken back, as after any access that fails."""
    there = world()
    monkeypatch.setattr("fedssh.federation.accesses.FRESH_SECONDS", 0)
    member = there.members["member1"]

    def once(call: Call) -> None:
        if call.is_one_of(TOKEN) and minted(there) > 1:
            member.broken[TOKEN] = error("etcdserver: request timed out")

    member.before = once
    failed = by_name(there.federate())["member1"]
    assert failed.error
    assert "request timed out" in failed.error.message
    assert member.objects == {}
    assert there.host.joined == []


def test_what_others_wrote_under_its_names_stays() -> None:
    """A context and a user that were written by hand; the cluster's entry alone is wanted, and taken over if agreed."""
    there = world("")
    there.federate()
    there.host.kubeconfig = there.host.kubeconfig.replace("- name: fedssh", "- name: hand")
    there.labels = EPHEMERAL
    refused = by_name(there.federate())["member1"].error
    assert refused
    assert "fedssh did not write" in refused.message
    assert by_name(there.federate(adopt=True))["member1"].state == "Ready"
    assert there.host.context("member1")[1]


def test_a_context_that_goes_is_not_the_current_one_any_more() -> None:
    """The host's own takes its place."""
    there = world("")
    there.federate()
    there.host.kubeconfig = there.host.kubeconfig.replace("current-context: fedhost", "current-context: member1")
    there.labels = EPHEMERAL
    assert there.federate().exit_code == 0
    assert "current-context: fedhost" in there.host.kubeconfig


def test_rotating_leaves_it_without_a_token() -> None:
    """KubeFed's credential alone is replaced."""
    there = world()
    there.federate()
    done = by_name(there.rotate("member1"))["member1"]
    assert done.notices == ("no token of fedssh's is kept for it: KubeFed's credential alone is rotated",)
    assert "revoked KubeFed's old credential" in done.changes
    assert kept(there) == []
    assert not there.federate().changed
