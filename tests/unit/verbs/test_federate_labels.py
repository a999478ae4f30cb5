from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.world import by_name

if TYPE_CHECKING:
    from tests.fakes.world import World


def test_a_label_that_fails_is_its_members_failure(world: World) -> None:
    """The others are labelled."""
    world.federate()
    world.host.kubefed.forbidden.add(("label", "member1"))
    world.labels = ", labels: {region: eu}"
    report = by_name(world.federate())
    assert "forbidden" in str(report["member1"].error)
    assert report["member1"].changes == ()
    assert (report["member2"].changes, report["member2"].state) == (("labelled region=eu",), "Ready")


def test_labels_are_added_to_what_is_there(world: World) -> None:
    """Only those that differ are set, and those of others stay; the report shows all."""
    world.federate()
    for cluster in world.host.federation.values():
        cluster["metadata"]["labels"] = {"region": "eu", "mine": "x", "tier": "1"}
    world.labels = ", labels: {region: us, tier: '1'}"
    report = by_name(world.federate("member1"))
    asked = [call.names for call in world.host.calls if call.key == ("kubectl", "label")]
    assert asked == [("kubefedclusters/member1", "region=us")]
    assert report["member1"].changes == ("labelled region=us",)
    assert report["fedhost"].changes == ()
    assert report["member1"].labels == {"region": "us", "mine": "x", "tier": "1"}


def test_the_labels_that_were_set_are_told(world: World) -> None:
    """By the run that has set them, too."""
    world.labels = ", labels: {region: us}"
    assert by_name(world.federate("member1"))["member1"].labels == {"region": "us"}
    world.labels = ", labels: {region: eu}"
    assert by_name(world.federate("member1"))["member1"].labels == {"region": "eu"}
