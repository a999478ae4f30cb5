from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import yaml

from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import Member, account_token
from tests.fakes.world import NAMES, World, by_name

if TYPE_CHECKING:
    from fedssh.shell import Command


def test_from_nothing_to_a_federation(world: World) -> None:
    """All Ready; the host first; every change is told."""
    report = world.federate()
    assert [(one.name, one.role, one.state, one.error) for one in report.clusters] == [
        ("fedhost", "host", "Ready", None),
        *((name, "member", "Ready", None) for name in NAMES),
    ]
    assert (report.exit_code, report.changed, report.kubefed_version) == (0, True, "0.10.0")
    assert by_name(report)["member1"].changes == ("granted access", "wrote context member1", "joined")
    assert by_name(report)["fedhost"].changes == (
        "installed kubefedctl 0.10.0",
        "installed KubeFed 0.10.0",
        "renamed the context kubernetes-admin@kubernetes to fedhost",
        "joined",
    )
    assert world.host.joined == ["fedhost", *NAMES]
    assert world.host.context("member2") == ("https://member2.example.com:6443", account_token("member2"))
    assert yaml.safe_load(world.host.kubeconfig)["current-context"] == "fedhost"


def test_the_beats_come_in_order(world: World) -> None:
    """Probe, grant and install, prove, one write, test, join, verify; two runs on a member."""
    world.federate()
    assert [len(one) for one in world.shells["member1"].runs] == [5, 2]
    titles = [title for run in world.shells["fedhost"].runs for title in run]
    firsts = [titles.index(one) for one in ("hold", "read of the kubeconfig", "helm install", "proof")]
    firsts += [titles.index(one) for one in ("write of /root/.kube/config", "kubefedctl join", "wait for Ready")]
    assert firsts == sorted(firsts)
    assert world.host.writes == 1
    assert titles[-3:] == ["proof"] * 3 + ["removal"] or titles[-1] == "removal of the temporary kubeconfig"


def test_the_hosts_runs_do_not_grow_with_the_members() -> None:
    """One member or nine."""
    counts = []
    for number in (1, 9):
        names = [f"m{one}" for one in range(number)]
        world = World(members={name: Member(name) for name in names})
        assert world.federate().exit_code == 0
        counts.append(len(world.shells["fedhost"].runs))
    assert counts[0] == counts[1]


def test_a_second_run_changes_nothing(world: World) -> None:
    """It probes and proves; nothing is written, applied or joined."""
    world.federate()
    kubeconfig, joined = world.host.kubeconfig, list(world.host.joined)
    applied = {name: list(one.applied) for name, one in world.members.items()}
    report = world.federate()
    assert (report.exit_code, report.changed) == (0, False)
    assert (world.host.kubeconfig, world.host.writes, world.host.joined) == (kubeconfig, 1, joined)
    assert {name: one.applied for name, one in world.members.items()} == applied
    assert [one.text for one in world.events if one.state == "changed"] == []
    titles = {title for run in world.shells["fedhost"].runs for title in run}
    assert not titles & {"helm install", "kubectl label", "kubefedctl join", "wait for Ready"}
    assert [len(world.shells[name].runs) for name in NAMES] == [1, 1, 1]


def test_a_member_is_added_to_a_federation(world: World) -> None:
    """The others are not touched."""
    world.federate("member1")
    assert world.host.joined == ["fedhost", "member1"]
    report = world.federate("member2")
    assert world.host.joined == ["fedhost", "member1", "member2"]
    assert [one.name for one in report.clusters] == ["fedhost", "member2"]
    assert world.shells["member1"].runs == []


def test_nothing_is_written_before_the_proof(world: World) -> None:
    """Until every access is proven, the kubeconfig is as it was and nothing has joined."""
    seen: list[str] = []

    def look(command: Command) -> None:
        if command.title == "proof" and not world.host.joined:
            seen.append(world.host.kubeconfig)

    world.host.before = look
    world.federate()
    assert seen == [HOST_KUBECONFIG] * len(NAMES)


def test_the_machines_are_looked_at_at_the_same_time(world: World) -> None:
    """Each waits here until all four have come."""
    world.meeting = threading.Barrier(4, timeout=5)
    assert world.federate().exit_code == 0


def test_a_credential_of_kubefeds_that_stopped_working_is_joined_again(world: World) -> None:
    """READY stays True without it, and is not believed."""
    world.federate()
    del world.members["member2"].objects["secret/kubefeds"]
    report = world.federate()
    assert world.host.joined[4:] == ["member2"]
    assert by_name(report)["member2"].changes == ("joined again",)
    assert report.exit_code == 0


def test_labels_are_set_where_they_differ(world: World) -> None:
    """On every member's KubeFedCluster; those that are there need no command."""
    world.labels = ", labels: {region: eu}"
    assert "labelled region=eu" in by_name(world.federate())["member1"].changes
    for one in world.host.federation.values():
        one["metadata"]["labels"] = {"region": "eu", "mine": "x"}
    assert not world.federate().changed


def test_a_kubeconfig_that_changes_meanwhile_is_read_again(world: World) -> None:
    """The other hand's change stays."""

    def change(command: Command) -> None:
        if command.title.startswith("write of /root") and "other-hand" not in world.host.kubeconfig:
            world.host.kubeconfig += "other-hand: true\n"

    world.host.before = change
    assert world.federate().exit_code == 0
    assert yaml.safe_load(world.host.kubeconfig)["other-hand"] is True
    assert world.host.context("member1")[0] == "https://member1.example.com:6443"
