"""What a dry run tells is what a run does: the same changes, refusals and notices, and a second run has none left."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.hosts import release
from tests.fakes.refusals import ENDED, REFUSED
from tests.fakes.states import ADOPTED, CHANGED, federated
from tests.fakes.world import World

if TYPE_CHECKING:
    from fedssh.errors import FedsshError
    from fedssh.federation.report import Report


def everything(world: World) -> Any:
    """Return all that a run could change anywhere."""
    host = world.host
    objects = {name: member.objects for name, member in world.members.items()}
    state = (host.kubeconfig, host.mode, host.release, host.serves, host.kubefedctl, host.federation, objects)
    return copy.deepcopy((*state, host.kubefed.secrets, host.kubefed.joined, host.own.objects))


def told(error: FedsshError | None) -> tuple[Any, ...]:
    """Return what is told of an error."""
    return (type(error), error.message, error.machine, error.step, error.hint, error.exit_code) if error else ()


def show(world: World, *, adopt: bool = False) -> Report:
    """Return the report of a dry run, which has changed nothing."""
    before = everything(world)
    shown = world.federate(dry_run=True, adopt=adopt)
    assert shown.dry_run
    assert not shown.changed
    assert world.mutations == []
    assert world.locks == 0
    assert everything(world) == before
    proofs = [call.key[1] for call in world.host.calls if call.key[0] == "proof"]
    assert proofs.count("write") == proofs.count("remove")
    return shown


def hold_plan_against_deed(world: World, *, adopt: bool = False) -> tuple[Report, Report]:
    """Compare a dry run with the run that follows; return both reports."""
    shown = show(world, adopt=adopt)
    done = world.federate(adopt=adopt)
    assert [cluster.name for cluster in shown.clusters] == [cluster.name for cluster in done.clusters]
    for plan, deed in zip(shown.clusters, done.clusters, strict=True):
        assert [change.change for change in plan.plan] == list(deed.changes), deed.name
        assert told(plan.error) == told(deed.error), deed.name
        assert plan.notices == deed.notices, deed.name
    assert shown.exit_code == done.exit_code
    assert told(shown.error) == told(done.error)
    again = world.federate(adopt=adopt)
    assert not again.changed
    assert world.mutations == []
    assert again.exit_code == done.exit_code
    return shown, done


@pytest.mark.parametrize("state", CHANGED)
def test_what_is_planned_is_what_is_done(state: str) -> None:
    """For everything that may have become of a federation: each cluster is Ready and proven afterwards."""
    world = federated()
    CHANGED[state](world)
    shown, done = hold_plan_against_deed(world)
    assert done.exit_code == 0
    assert {(cluster.state, cluster.proven) for cluster in done.clusters} == {("Ready", True)}
    assert done.changed == (state not in {"nothing", "not serving"})
    assert all(change.why for cluster in shown.clusters for change in cluster.plan)


@pytest.mark.parametrize("status", ["", "failed", "pending-install", "uninstalling"])
@pytest.mark.parametrize("context", ["rename", "alias"])
def test_what_is_planned_for_clusters_that_are_new_is_what_is_done(status: str, context: str) -> None:
    """On a host without KubeFed, or on one where an installation has stopped half-way."""
    world = World(context=context)
    if status:
        world.host.release = release(status)
    shown, done = hold_plan_against_deed(world)
    assert done.exit_code == 0
    assert [change.step for change in shown.clusters[0].plan] == ["install", "install", "name-context", "join"]
    assert [change.step for change in shown.clusters[1].plan] == ["grant", "write-context", "join"]
    assert all(change.needs for change in shown.clusters[1].plan[1:])


@pytest.mark.parametrize(
    "said",
    [", tls: insecure", ", tls: system", ", tls: pin", ", server_name: a.example.com", ", labels: {region: eu}"],
)
def test_what_is_planned_for_a_new_member_that_is_verified_otherwise(said: str) -> None:
    """What a join cannot write is planned after it."""
    world = federated()
    world.host.federation.pop("member1")
    world.members["member1"].objects.clear()
    world.said["member1"] = said
    _, done = hold_plan_against_deed(world)
    assert done.exit_code == 0


@pytest.mark.parametrize("state", ADOPTED)
def test_what_is_planned_with_adopt_is_what_is_done(state: str) -> None:
    """The objects and entries of somebody else are fedssh's afterwards."""
    world = federated()
    ADOPTED[state](world)
    shown, done = hold_plan_against_deed(world, adopt=True)
    assert done.exit_code == 0
    assert done.changed
    assert shown.clusters[1].plan
    assert not world.federate().changed  # they are its own now, without --adopt, too


@pytest.mark.parametrize("state", REFUSED)
def test_a_refusal_is_told_before_and_changes_nothing(state: str) -> None:
    """The same words by the dry run and by the run; the others are federated all the same.

    Of the only member that is meant, its code is the run's.
    """
    world = federated()
    REFUSED[state](world)
    before = everything(world)
    _, done = hold_plan_against_deed(world)
    assert done.clusters[1].state == "Failed"
    assert done.clusters[1].plan == ()
    assert done.clusters[0].state == "Ready"
    if state != "two names for a cluster":
        assert (done.clusters[2].state, done.exit_code) == ("Ready", 3)
    alone = world.federate("member1", dry_run=True)
    assert alone.clusters[1].error
    assert alone.exit_code == alone.clusters[1].error.exit_code
    assert alone.exit_code in {3, 4, 6}
    assert everything(world) == before


@pytest.mark.parametrize("state", ENDED)
def test_what_ends_the_run_is_told_before_and_changes_nothing(state: str) -> None:
    """The host's error is the run's: the same by the dry run and by the run."""
    world = federated()
    ENDED[state](world)
    before = everything(world)
    _, done = hold_plan_against_deed(world)
    assert done.error
    assert done.exit_code == done.error.exit_code
    assert done.clusters[0].error is done.error
    assert everything(world) == before


def test_the_plan_of_a_dry_run_is_in_no_other_report() -> None:
    """What was done is told by its changes."""
    world = World()
    assert all(cluster.plan == () for cluster in world.federate().clusters)
