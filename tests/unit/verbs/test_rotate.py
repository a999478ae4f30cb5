"""rotate in memory: what is done, in which order, and what stays where it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import ConnectionLostError, RefusedError, StepError
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import Member, error
from tests.fakes.world import NAMES, World, by_name

if TYPE_CHECKING:
    from tests.fakes.lines import Call

CHANGES = (
    "made a new token",
    "made a new credential for KubeFed",
    "rotated KubeFed's credential",
    "wrote context member1",
    "revoked the old token",
    "revoked KubeFed's old credential",
)
DAY = 24 * 3600.0


@pytest.fixture
def world() -> World:
    """Two members that have joined."""
    world = World(members={name: Member(name) for name in NAMES[:2]})
    world.federate()
    return world


def tokens(world: World, name: str = "member1") -> tuple[str, str]:
    """Return the tokens in use for a member: the one in the host's kubeconfig, and KubeFed's."""
    secret = world.host.federation[name]["spec"]["secretRef"]["name"]
    return world.host.context(name)[1], world.host.kubefed.secrets[secret]


def works(world: World, name: str = "member1") -> bool:
    """Whether both credentials of a member are those of accounts that may do everything, and KubeFed sees it."""
    api = world.members[name].api
    own, engines = world.host.context(name)[1], world.host.kubefed.token(name)
    used = world.host.kubefed.used(name)
    return all(api.may_do_everything(api.account(token)) for token in (own, engines, used)) and used == engines


def state(world: World) -> dict[str, Any]:
    """Return what there is of credentials anywhere, but for the times."""
    found: dict[str, Any] = {"contexts": [world.host.context(name) for name in world.members]}
    for name, cluster in {**world.members, "fedhost": world.host.own}.items():
        found[name] = sorted(cluster.objects)
        found[f"subjects of {name}"] = [item.get("subjects") for item in cluster.objects.values()]
    return {**found, "secrets": dict(world.host.kubefed.secrets)}


def test_both_credentials_of_a_member_are_replaced(world: World) -> None:
    """The new ones work, the old ones do not; nobody else's are touched."""
    before, others = tokens(world), tokens(world, "member2")
    old = [world.host.context("member1")[1], world.host.kubefed.token("member1")]
    report = world.rotate("member1")
    assert (report.exit_code, report.summary) == (0, "1 of 1 rotated")
    assert by_name(report)["member1"].changes == CHANGES
    assert by_name(report)["fedhost"].changes == ()
    assert all(now != then for now, then in zip(tokens(world), before, strict=True))
    assert works(world)
    assert not any(world.members["member1"].accepts(token) for token in old)
    assert tokens(world, "member2") == others
    accounts = [name for name in world.members["member1"].objects if name.startswith(("serviceaccount", "secret"))]
    assert sorted(accounts) == [
        "secret/member1-fedhost-fedssh",
        "secret/member1-fedssh-2",
        "serviceaccount/member1",
        "serviceaccount/member1-fedhost-fedssh",
    ]
    binding = world.members["member1"].objects["clusterrolebinding/kubefed-controller-manager:member1-fedhost"]
    assert [subject["name"] for subject in binding["subjects"]] == ["member1-fedhost-fedssh"]


def test_a_second_rotation_has_joins_own_account_again(world: World) -> None:
    """It is a new one, whose token is none of those before; federate then has nothing to do."""
    seen = [tokens(world)]
    for _ in range(2):
        world.rotate("member1")
        seen.append(tokens(world))
    assert len({token for pair in seen for token in pair}) == 6
    assert "serviceaccount/member1-fedhost" in world.members["member1"].objects
    assert "serviceaccount/member1-fedhost-fedssh" not in world.members["member1"].objects
    assert works(world)
    report = world.federate()
    assert (report.changed, world.mutations) == (False, [])
    assert tokens(world) == seen[-1]


def test_all_means_the_host_as_well(world: World) -> None:
    """The host has joined its own federation, by a token that never ends."""
    before = world.host.kubefed.token("fedhost")
    report = world.rotate()
    assert report.exit_code == 0
    assert report.summary == "3 of 3 rotated"
    assert "revoked KubeFed's old credential" in by_name(report)["fedhost"].changes
    assert world.host.kubefed.token("fedhost") != before
    assert not world.host.own.accepts(before)
    assert world.host.own.accepts(world.host.kubefed.token("fedhost"))


def test_a_dry_run_tells_what_a_run_does(world: World) -> None:
    """And changes nothing, without a lock."""
    before = state(world)
    shown = world.rotate(dry_run=True)
    assert (shown.dry_run, shown.changed, world.mutations, world.locks) == (True, False, [], 0)
    assert state(world) == before
    done = world.rotate()
    for plan, deed in zip(shown.clusters, done.clusters, strict=True):
        assert [change.change for change in plan.plan] == list(deed.changes)


def test_what_is_younger_stays(world: World) -> None:
    """For cron: nothing to do, and 0; what an earlier rotation has left is finished whatever its age."""
    for member in (*world.members.values(), world.host.own):
        member.clock = world.host.clock = 1_000_000 + 2 * int(DAY)
    before = state(world)
    report = world.rotate(older_than=30 * DAY)
    assert (report.exit_code, report.summary) == (0, "Nothing to do: no credential is that old")
    assert (world.mutations, state(world)) == ([], before)
    assert world.rotate(older_than=DAY).summary == "3 of 3 rotated"


def test_who_has_not_joined_is_refused(world: World) -> None:
    """With what to do; the others are rotated."""
    del world.host.federation["member2"]
    world.members["member2"].objects.clear()
    report = world.rotate("member1", "member2")
    refusal = by_name(report)["member2"].error
    assert isinstance(refusal, RefusedError)
    assert (refusal.message, report.exit_code) == ("it has not joined fedhost", 3)
    assert "federate --member member2" in refusal.hint
    assert by_name(report)["member1"].changes == CHANGES


def test_a_join_by_hand(world: World) -> None:
    """KubeFed's credential alone is rotated, whatever its Secret is called, and that is said."""
    for reference in [key for key in world.members["member1"].objects if "fedhost" not in key]:
        del world.members["member1"].objects[reference]
    world.host.kubeconfig = HOST_KUBECONFIG
    world.host.kubefed.secrets["member1-x7k2p"] = world.host.kubefed.secrets.pop("member1.fedssh")
    world.host.federation["member1"]["spec"]["secretRef"]["name"] = "member1-x7k2p"
    old = world.host.kubefed.token("member1")
    told = by_name(world.rotate("member1"))["member1"]
    assert told.changes == tuple(change for change in CHANGES if "KubeFed" in change)
    assert told.notices == ("fedssh has no access of its own there: KubeFed's credential alone is rotated",)
    assert not world.members["member1"].accepts(old)
    assert world.members["member1"].accepts(world.host.kubefed.token("member1"))


def test_a_credential_that_does_not_work_is_not_rotated(world: World) -> None:
    """Federate mends it; nothing is changed."""
    world.members["member1"].api.delete("serviceaccount/member1-fedhost")
    report = world.rotate("member1")
    assert report.exit_code == 6
    assert "KubeFed's own credential for it does not work" in str(by_name(report)["member1"].error)
    assert world.mutations == []


def _break_member(verb: str) -> Any:
    def arrange(world: World) -> None:
        world.members["member1"].broken["kubectl", verb] = error("(Forbidden) no")

    return arrange


def _no_rights(world: World) -> None:
    """Let the new account get no rights: somebody else's admission takes its subject away."""

    def weaken(call: Call) -> None:
        if call.key == ("proof", "ask") and "engine.member1" in call.names:
            world.members["member1"].objects["clusterrolebinding/kubefed-controller-manager:member1-fedhost"][
                "subjects"
            ] = world.members["member1"].objects["clusterrolebinding/kubefed-controller-manager:member1-fedhost"][
                "subjects"
            ][:1]

    world.host.before = weaken


def _no_swap(world: World) -> None:
    world.host.broken["kubectl", "apply"] = error("(Forbidden) no")


def _stands_still(world: World) -> None:
    world.host.kubefed.stands_still = True


def _no_write(world: World) -> None:
    world.host.broken["kubeconfig", "write"] = error("disk full")


FAILURES = {
    "nothing can be made": _break_member("apply"),
    "no rights can be given": _break_member("patch"),
    "the new one has no rights": _no_rights,
    "KubeFed's Secret cannot be written": _no_swap,
    "KubeFed does not notice": _stands_still,
    "the kubeconfig cannot be written": _no_write,
}


@pytest.mark.parametrize("failure", FAILURES)
def test_fault_57_who_fails_keeps_the_old_credentials_whole(world: World, failure: str) -> None:
    """At each step; the next run does all of it."""
    before, objects = tokens(world), set(world.members["member1"].objects)
    FAILURES[failure](world)
    report = world.rotate("member1")
    assert report.exit_code == 3
    assert by_name(report)["member1"].changes == ()
    assert tokens(world) == before
    assert works(world)
    if failure not in {"KubeFed does not notice", "KubeFed's Secret cannot be written"}:  # nobody knows which it uses
        assert set(world.members["member1"].objects) == objects
    world.host.broken.clear()
    world.members["member1"].broken.clear()
    world.host.before = lambda _: None
    world.host.kubefed.stands_still = False
    done = world.rotate("member1")
    assert (done.exit_code, done.summary) == (0, "1 of 1 rotated")
    assert works(world)
    assert not any(world.members["member1"].accepts(token) for token in before)
    assert sum(key.startswith(("secret/", "serviceaccount/")) for key in world.members["member1"].objects) == 4


def test_a_member_that_fails_is_alone(world: World) -> None:
    """The others are rotated, at the same time."""
    world.members["member1"].broken["kubectl", "apply"] = error("(Forbidden) no")
    report = world.rotate("member1", "member2")
    assert (report.exit_code, report.summary) == (3, "1 of 2 rotated, 1 failed")
    assert works(world)
    assert works(world, "member2")


def test_what_cannot_be_revoked_is_an_error_and_finished_by_the_next_run(world: World) -> None:
    """The new ones are in use by then."""
    old = world.host.context("member1")[1]
    world.members["member1"].broken["kubectl", "delete"] = error("(Forbidden) no")
    report = world.rotate("member1")
    assert report.exit_code == 3
    assert "revoke the old credentials" in str(by_name(report)["member1"].error)
    assert works(world)
    world.members["member1"].broken.clear()
    new = tokens(world)
    done = by_name(world.rotate("member1", older_than=30 * DAY))["member1"]
    assert done.changes == ("revoked the old token", "revoked KubeFed's old credential")
    assert tokens(world) == new
    assert not world.members["member1"].accepts(old)


def _runs(world: World) -> int:
    """Return how many executions a rotation takes on all machines."""
    world.rotate("member1")
    return sum(len(world.shells[name].runs) for name in ("fedhost", "member1"))


def _cut(world: World, number: int, *, done: bool) -> None:
    """Let the answer of an execution be lost, and every one after it: done, or not even begun."""
    count = 0
    for name in ("fedhost", "member1"):
        shell = world.shells[name]
        run = shell.run

        def lose(*stages: Any, timeout_seconds: float = 60, run: Any = run, name: str = name) -> Any:
            nonlocal count
            count += 1
            if count < number:
                return run(*stages, timeout_seconds=timeout_seconds)
            if count == number and done:
                run(*stages, timeout_seconds=timeout_seconds)
            raise ConnectionLostError("gone", machine=name)

        shell.run = lose  # type: ignore[method-assign]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", range(1, 12))
def test_fault_57_a_run_that_is_cut_anywhere_is_finished_by_the_next(number: int, *, done: bool) -> None:
    """Both credentials work at once afterwards, and the end is that of an undisturbed run, but for numbers."""
    world = World(members={"member1": Member("member1")})
    world.federate()
    old = [world.host.context("member1")[1], world.host.kubefed.token("member1")]
    runs = {name: world.shells[name].run for name in ("fedhost", "member1")}
    _cut(world, number, done=done)
    world.rotate("member1")
    for name, run in runs.items():
        world.shells[name].run = run  # type: ignore[method-assign]
    assert works(world) or world.host.kubefed.used("member1") in old  # never without access
    assert world.members["member1"].accepts(world.host.context("member1")[1])
    assert world.members["member1"].accepts(world.host.kubefed.used("member1"))
    report = world.rotate("member1")
    assert report.exit_code == 0, report
    assert works(world)
    assert not any(world.members["member1"].accepts(token) for token in old)
    left = sorted(key for key in world.members["member1"].objects if key.startswith(("secret/", "serviceaccount/")))
    assert len(left) == 4, left
    assert world.federate().changed is False


def test_the_executions_that_are_cut_are_all_of_them(world: World) -> None:
    """The test before goes through every one."""
    assert _runs(world) == 11


def test_federate_takes_the_newest_token_and_revokes_the_older_one(world: World) -> None:
    """Where a rotation has stopped before the host's kubeconfig was written."""
    old = world.host.context("member1")[1]

    def lose(call: Call) -> None:
        if call.key == ("kubectl", "apply"):
            raise ConnectionLostError("gone", machine="fedhost")

    world.host.before = lose
    world.rotate("member1")
    assert "secret/member1-fedssh-2" in world.members["member1"].objects
    world.host.before = lambda _: None
    done = by_name(world.federate("member1"))["member1"]
    assert done.changes == ("wrote context member1", "revoked the old token")
    assert not world.members["member1"].accepts(old)
    assert world.members["member1"].accepts(world.host.context("member1")[1])


def test_fault_58_a_deleted_token_does_not_come_back_by_federate(world: World) -> None:
    """Somebody revokes it by hand: the next one has another name, and is another one."""
    seen = {world.host.context("member1")[1]}
    for number in (2, 3):
        world.members["member1"].api.delete(f"secret/member1-fedssh-{number - 1}")
        assert world.federate("member1").exit_code == 0
        assert f"secret/member1-fedssh-{number}" in world.members["member1"].objects
        seen.add(world.host.context("member1")[1])
    assert len(seen) == 3


def test_what_is_still_accepted_is_an_error(world: World) -> None:
    """An old token that works on is no revoked one."""
    old = world.host.context("member1")[1]
    world.members["member1"].known_tokens.add(old)
    report = world.rotate("member1")
    told = by_name(report)["member1"].error
    assert isinstance(told, StepError)
    assert "an old credential was not refused within 20 s" in told.message


def test_fault_57_several_that_fail_are_given_back_at_once(world: World) -> None:
    """KubeFed is waited for twice, however many clusters it does not notice: with the new ones, and with the old."""
    world.host.kubefed.stands_still = True
    report = world.rotate()
    assert {cluster.state for cluster in report.clusters} == {"Failed"}
    assert sum(call.key == ("kubefed", "wait") for call in world.called("fedhost")) == 2
    assert works(world)
    assert works(world, "member2")
