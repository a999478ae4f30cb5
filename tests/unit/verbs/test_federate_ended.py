from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fedssh.errors import BusyError, ConnectionLostError, RefusedError, StepError, UnreachableError
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER
from tests.fakes.kubernetes import error
from tests.fakes.world import GRANTED, NAMES, World, by_name

if TYPE_CHECKING:
    from fedssh.shell import Command
    from tests.fakes.lines import Call
    from tests.fakes.shells import Answer

GONE_AGAIN = "What had been created on member1 is gone again."


def test_where_nothing_was_installed_no_version_is_told(world: World) -> None:
    """Not the one that hosts.yaml asks for."""
    world.unreachable |= set(NAMES)
    assert world.federate().engine_version == ""
    world.unreachable.clear()
    world.host.broken["helm", "install"] = error("no such chart")
    assert world.federate().engine_version == ""


def test_a_kubeconfig_that_is_never_left_alone_is_given_up(world: World) -> None:
    """Nothing has joined then."""

    def change(call: Call) -> None:
        if call.key == ("kubeconfig", "write"):
            world.host.kubeconfig += "# x\n"

    world.host.before = change
    report = world.federate()
    assert isinstance(report.error, StepError)
    assert "was changed by somebody else 5 times" in report.error.message
    assert report.exit_code == 3
    assert world.host.joined == []


def test_a_host_that_fails_to_install_takes_everything_back(world: World) -> None:
    """The members are as they were, and the host's error is the run's."""
    world.host.broken["helm", "install"] = error("no such chart")
    report = world.federate()
    assert isinstance(report.error, StepError)
    assert str(report.error).startswith("fedhost: prepare KubeFed: helm install failed with exit code 1: no such")
    assert (report.exit_code, report.has_table) == (3, False)
    assert [member.objects for member in world.members.values()] == [{}, {}, {}]
    assert by_name(report)["member1"].aftermath == (GONE_AGAIN,)
    assert by_name(report)["member1"].changes == ()
    assert world.host.kubeconfig == HOST_KUBECONFIG


@pytest.mark.parametrize("why", ["unreachable", "busy"])
def test_without_the_host_nothing_is_done(world: World, why: str) -> None:
    """Unreachable, or another run holds its lock: the members are looked at, no more."""
    world.shells["fedhost"].held.first_line = ""
    world.shells["fedhost"].held.code = 75
    world.unreachable |= {"fedhost"} if why == "unreachable" else set()
    report = world.federate()
    assert isinstance(report.error, UnreachableError if why == "unreachable" else BusyError)
    assert report.exit_code == (4 if why == "unreachable" else 75)
    assert [member.applied for member in world.members.values()] == [[], [], []]


def test_what_is_left_when_the_host_fails_is_told_of_its_member(world: World) -> None:
    """The host's error is the run's, and stays as it is."""
    world.host.broken["helm", "install"] = error("no such chart")
    world.members["member2"].broken["kubectl", "delete"] = error("gone")
    report = world.federate()
    assert isinstance(report.error, StepError)
    failed, left = by_name(report)["member2"].aftermath
    assert failed.startswith("member2: take the access back: kubectl delete failed")
    assert "kubectl delete secret/member2-fedssh-1" in left
    assert by_name(report)["member1"].aftermath == (GONE_AGAIN,)


def test_where_nobody_knows_what_the_host_has_done_nothing_is_taken_back(world: World) -> None:
    """The answer was lost while it installed: the next run looks, and goes on from there."""
    answer = world.host.answer

    def lose(command: Command) -> Answer:
        if "helm install" in command.line:
            raise ConnectionLostError("gone", machine="fedhost")
        return answer(command)

    world.shells["fedhost"].answer = lose
    report = world.federate()
    assert report.exit_code == 4
    assert all(len(member.objects) == len(GRANTED) for member in world.members.values())
    assert by_name(report)["member1"].aftermath == ()


def test_a_host_that_pods_cannot_reach_ends_the_run(world: World) -> None:
    """Nothing is granted and nothing installed for a host cluster that could never become Ready."""
    world.host.kubeconfig = world.host.kubeconfig.replace(HOST_SERVER, "https://127.0.0.1:6443")
    world.host.own.server = "https://127.0.0.1:6443"
    report = world.federate()
    assert isinstance(report.error, RefusedError)
    assert "KubeFed's controller runs in a pod" in report.error.message
    assert report.error.machine == "fedhost"
    assert report.error.hint == "Name one that pods reach, in hosts.yaml: host.api_server: https://…"
    assert [member.applied for member in world.members.values()] == [[], [], []]
    assert world.host.release == "[]"


def test_what_the_hosts_kubeconfig_holds_is_not_taken_back(world: World) -> None:
    """Once it is written, a host that fails leaves half-done what the next run finishes."""

    def lose(call: Call) -> None:
        if call.key == ("kubefedctl", "join"):
            world.host.broken["kubectl", "get", "kubefedclusters.core.kubefed.io"] = error("no such luck")

    world.host.before = lose
    report = world.federate()
    assert isinstance(report.error, StepError)
    assert all(len(member.objects) >= len(GRANTED) for member in world.members.values())
    assert by_name(report)["member1"].aftermath == ()
    assert by_name(report)["member1"].changes == ("granted access", "wrote context member1", "joined")
    world.host.before = lambda _: None
    world.host.broken.clear()
    assert world.federate().exit_code == 0
