"""What a run tells at once, and whom it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from tests.fakes.world import World


def test_the_host_and_the_members_are_told_together(world: World) -> None:
    """All that can be corrected before the next run; of whom nobody has seen anything, nothing is claimed."""
    world.host.broken["helm", "version"] = Answer(code=127)
    world.unreachable = {"member2"}
    world.members["member3"].broken["kubectl", "config"] = Answer(code=127)
    for dry_run in (False, True):
        report = world.federate(dry_run=dry_run)
        found = {cluster.name: (cluster.state, cluster.error and cluster.error.message) for cluster in report.clusters}
        assert found["fedhost"] == ("Failed", "helm is not there")
        assert found["member1"] == ("Unknown", None)
        assert found["member2"] == ("Failed", "no answer")
        assert found["member3"] == ("Failed", "kubectl is not there")
        assert (report.exit_code, report.changed) == (3, False)


def test_a_member_that_fails_is_told_before_the_others_have_answered(world: World) -> None:
    """Not at the end of the run."""
    world.unreachable = {"member2"}
    world.federate()
    states = [(event.cluster, event.state) for event in world.events]
    assert states.index(("member2", "failed")) < states.index(("member1", "changed"))
    assert [event.error and event.error.machine for event in world.events if event.state == "failed"] == ["member2"]


def test_who_does_not_agree_changes_nothing_and_hides_no_failure(world: World) -> None:
    """The plan is asked about only where it takes something over; the exit code is that of the dry run."""
    world.federate("member2", adopt=True)
    assert world.asked == []
    member = world.members["member1"]
    member.objects["serviceaccount/member1"] = {"kind": "ServiceAccount", "metadata": {"name": "member1"}}
    world.unreachable = {"member3"}
    before, writes = dict(member.objects), world.host.writes
    report = world.federate("member1", "member3", adopt=True, agreed=False)
    (planned,) = world.asked
    assert planned.dry_run
    taken = [change.text for cluster in planned.clusters for change in cluster.plan if "taking over" in change.text]
    assert taken == ["grant access, taking over serviceaccount/member1"]
    assert (report.exit_code, report.changed, report.dry_run) == (3, False, False)
    assert report.summary == "Nothing was changed, 1 failed"
    assert (dict(member.objects), world.host.writes) == (before, writes)
    assert world.federate("member1", adopt=True).exit_code == 0
    assert world.asked
