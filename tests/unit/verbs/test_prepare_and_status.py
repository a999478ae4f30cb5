from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fedssh.errors import StepError
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import error

if TYPE_CHECKING:
    from tests.fakes.world import World


def test_prepare_installs_and_does_no_more(world: World) -> None:
    """The second time there is nothing to do; no member is connected to."""
    first, second = world.prepare(), world.prepare()
    assert first.clusters[0].changes == ("installed kubefedctl 0.10.0", "installed KubeFed 0.10.0")
    assert (second.changed, second.exit_code) == (False, 0)
    assert first.summary == "KubeFed 0.10.0 and its tools are installed on fedhost"
    assert second.summary == f"Nothing to do: {first.summary}"
    assert world.connected == ["fedhost"] * 2
    assert world.host.kubeconfig == HOST_KUBECONFIG


@pytest.mark.parametrize("state", ["new", "without its tool", "not serving", "there"])
def test_what_prepare_would_do_is_what_it_does(world: World, state: str) -> None:
    """A dry run changes nothing and takes no lock; the run then makes the same changes."""
    if state != "new":
        world.prepare()
    if state == "without its tool":
        world.host.kubefedctl = ""
    if state == "not serving":
        world.host.serves = False
    shown = world.prepare(dry_run=True)
    assert (world.mutations, world.locks, shown.exit_code) == ([], 0, 0)
    done = world.prepare()
    assert [change.change for change in shown.clusters[0].plan] == list(done.clusters[0].changes)
    assert world.host.serves
    assert world.prepare(dry_run=True).clusters[0].plan == ()


def test_an_installation_that_fails_is_the_runs_error(world: World) -> None:
    """With its code; what was installed before it is told, and the version is none."""
    world.host.broken["helm", "install"] = error("no such chart")
    report = world.prepare()
    assert isinstance(report.error, StepError)
    assert (report.exit_code, report.engine_version, report.summary) == (3, "", "")
    assert report.clusters[0].changes == ("installed kubefedctl 0.10.0",)
    assert report.clusters[0].error is report.error


def test_status_looks_at_the_host_alone(world: World) -> None:
    """Without the lock, without KubeFed, and with a cluster that hosts.yaml does not name."""
    empty = world.status()
    assert (empty.engine_version, empty.exit_code) == ("", 3)
    assert {cluster.state for cluster in empty.clusters} == {"NotJoined"}
    assert empty.remark.startswith("KubeFed is not installed yet.")
    world.federate("member1")
    world.host.federation["foreign"] = {"metadata": {"name": "foreign"}, "spec": {"apiEndpoint": "https://f"}}
    world.host.kubefed.probe()
    world.connected.clear()
    report = world.status()
    states = [cluster.state for cluster in report.clusters]
    assert states == ["Ready", "Ready", "NotJoined", "NotJoined", "NotReady"]
    assert report.clusters[-1].name == "foreign"
    assert world.connected == ["fedhost"]
    assert (world.locks, world.mutations) == (0, [])


@pytest.mark.parametrize("why", ["unreachable", "no kubeconfig", "no answer"])
def test_status_of_a_host_that_cannot_be_asked_is_its_error(world: World, why: str) -> None:
    """Its code, and no table of clusters about which nothing is known."""
    if why == "unreachable":
        world.unreachable.add("fedhost")
    elif why == "no kubeconfig":
        world.host.kubeconfig = "[]"
    else:
        world.host.broken["kubectl", "get"] = error("Unable to connect to the server: x")
    report = world.status()
    assert report.error
    assert report.exit_code == report.error.exit_code == {"unreachable": 4, "no kubeconfig": 6, "no answer": 3}[why]
    assert (report.clusters, report.has_table) == ((), False)
