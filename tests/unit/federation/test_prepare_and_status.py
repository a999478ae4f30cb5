from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.federation.prepare import prepare
from fedssh.federation.status import status
from tests.fakes.hosts import HOST_KUBECONFIG

if TYPE_CHECKING:
    from tests.fakes.world import World


def test_prepare_installs_and_does_no_more(world: World) -> None:
    """The second time there is nothing to do; no member is connected to."""
    first, second = (prepare(world.inventory, connect=world.connect, report=world.events.append) for _ in range(2))
    assert first.clusters[0].changes == ("installed kubefedctl 0.10.0", "installed KubeFed 0.10.0")
    assert (second.changed, second.exit_code) == (False, 0)
    assert world.connected == ["fedhost"] * 2
    assert world.host.kubeconfig == HOST_KUBECONFIG


def test_status_looks_at_the_host_alone(world: World) -> None:
    """Without the lock, without KubeFed, and with a cluster that hosts.yaml does not name."""
    empty = status(world.inventory, connect=world.connect, report=world.events.append)
    assert (empty.kubefed_version, empty.exit_code) == ("", 3)
    assert {one.state for one in empty.clusters} == {"NotJoined"}
    world.federate("member1")
    world.host.federation["foreign"] = {"metadata": {"name": "foreign"}, "spec": {"apiEndpoint": "https://f"}}
    world.connected.clear()
    world.shells["fedhost"].runs.clear()
    report = status(world.inventory, connect=world.connect, report=world.events.append)
    states = [one.state for one in report.clusters]
    assert states == ["Ready", "Ready", "NotJoined", "NotJoined", "NotReady"]
    assert report.clusters[-1].name == "foreign"
    assert world.connected == ["fedhost"]
    assert ["hold"] not in world.shells["fedhost"].runs
