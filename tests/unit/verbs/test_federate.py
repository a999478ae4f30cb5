from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import yaml

from tests.fakes.hosts import HOST_KUBECONFIG, PATH
from tests.fakes.kubernetes import Member, account_token
from tests.fakes.lines import keys_of
from tests.fakes.world import NAMES, World, by_name

if TYPE_CHECKING:
    from tests.fakes.lines import Call


def test_from_nothing_to_a_federation(world: World) -> None:
    """All Ready; the host first; every change is told."""
    report = world.federate()
    assert [(cluster.name, cluster.role, cluster.state, cluster.error) for cluster in report.clusters] == [
        ("fedhost", "host", "Ready", None),
        *((name, "member", "Ready", None) for name in NAMES),
    ]
    assert (report.exit_code, report.changed, report.engine, report.engine_version) == (0, True, "kubefed", "0.10.0")
    assert report.summary == "4 of 4 federated"
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
    """Look, grant and install, prove, one write, test, join, verify; two runs on a member."""
    world.federate()
    assert [len(commands) for commands in world.shells["member1"].runs] == [1, 2]
    keys = keys_of(world.shells["fedhost"].runs)
    beats = [
        ("kubeconfig", "read"),
        ("helm", "install"),
        ("proof", "ask"),
        ("kubeconfig", "write"),
        ("kubefedctl", "join"),
        ("kubefed", "wait"),
    ]
    firsts = [keys.index(beat) for beat in beats]
    assert firsts == sorted(firsts)
    assert world.host.writes == 1
    assert world.locks == 1


def test_every_credential_of_kubefeds_is_proven_last(world: World) -> None:
    """The host's own too, after everything else; and its temporary file is removed then."""
    world.federate()
    *_, last = world.shells["fedhost"].runs
    assert keys_of([last]) == [("proof", "write"), *[("proof", "ask")] * 4, ("proof", "remove")]


def test_the_hosts_runs_do_not_grow_with_the_members() -> None:
    """One member or nine."""
    counts = []
    for number in (1, 9):
        names = [f"m{index}" for index in range(number)]
        world = World(members={name: Member(name) for name in names})
        assert world.federate().exit_code == 0
        counts.append(len(world.shells["fedhost"].runs))
    assert counts[0] == counts[1]


def test_a_second_run_changes_nothing(world: World) -> None:
    """It looks and proves; nothing is written, applied or joined."""
    world.federate()
    kubeconfig, joined = world.host.kubeconfig, list(world.host.joined)
    applied = {name: list(member.applied) for name, member in world.members.items()}
    report = world.federate()
    assert (report.exit_code, report.changed) == (0, False)
    assert report.summary == "Nothing to do: 4 of 4 federated"
    assert (world.host.kubeconfig, world.host.writes, world.host.joined) == (kubeconfig, 1, joined)
    assert {name: member.applied for name, member in world.members.items()} == applied
    assert [event.text for event in world.events if event.state == "changed"] == []
    assert world.mutations == []
    assert ("kubefed", "wait") not in keys_of(world.shells["fedhost"].runs)
    assert [len(world.shells[name].runs) for name in NAMES] == [1, 1, 1]


def test_a_member_is_added_to_a_federation(world: World) -> None:
    """The others are not touched."""
    world.federate("member1")
    assert world.host.joined == ["fedhost", "member1"]
    report = world.federate("member2")
    assert world.host.joined == ["fedhost", "member1", "member2"]
    assert [cluster.name for cluster in report.clusters] == ["fedhost", "member2"]
    assert world.shells["member1"].runs == []


def test_nothing_is_written_before_the_proof(world: World) -> None:
    """Until every access is proven, the kubeconfig is as it was and nothing has joined."""
    seen: list[str] = []

    def look(call: Call) -> None:
        if call.key == ("proof", "ask") and not world.host.joined:
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
    world.members["member2"].api.delete("serviceaccount/member2-fedhost")
    report = world.federate()
    assert world.host.joined[4:] == ["member2"]
    assert by_name(report)["member2"].changes == ("joined again",)
    assert report.exit_code == 0


def test_kubefed_connects_anew_to_what_has_joined_again(world: World) -> None:
    """It keeps its client, with the token that is gone, until a KubeFedCluster's annotations change."""
    world.federate()
    member = world.members["member2"]
    before = world.host.kubefed.secrets["member2.fedssh"]
    member.api.delete("serviceaccount/member2-fedhost")
    assert world.federate().exit_code == 0
    assert world.host.kubefed.secrets["member2.fedssh"] != before
    assert [call.names[0] for call in world.host.calls if call.key == ("kubectl", "annotate")] == [
        "kubefedclusters/member2"
    ]
    member.api.delete("serviceaccount/member2-fedhost")
    world.host.broken["kubectl", "annotate"] = world.host.kubefed.list()  # it seems to go well, and nothing comes of it
    assert by_name(world.federate())["member2"].state == "NotReady"


def test_labels_are_set_where_they_differ(world: World) -> None:
    """On every member's KubeFedCluster; those that are there need no command."""
    world.labels = ", labels: {region: eu}"
    assert "labelled region=eu" in by_name(world.federate())["member1"].changes
    for cluster in world.host.federation.values():
        cluster["metadata"]["labels"] = {"region": "eu", "mine": "x"}
    assert not world.federate().changed


def test_a_kubeconfig_that_changes_meanwhile_is_read_again(world: World) -> None:
    """The other hand's change stays."""

    def change(call: Call) -> None:
        if call.key == ("kubeconfig", "write") and "other-hand" not in world.host.kubeconfig:
            assert call.names[0] == PATH
            world.host.kubeconfig += "other-hand: true\n"

    world.host.before = change
    assert world.federate().exit_code == 0
    assert yaml.safe_load(world.host.kubeconfig)["other-hand"] is True
    assert world.host.context("member1")[0] == "https://member1.example.com:6443"


def test_ready_is_proven_only_where_this_run_has_seen_the_credential_work(world: World) -> None:
    """Neither by status, which proves nothing, nor where KubeFed says Ready and its credential has no rights."""
    assert {cluster.proven for cluster in world.federate().clusters} == {True}
    assert {cluster.proven for cluster in world.federate().clusters} == {True}
    assert {cluster.proven for cluster in world.federate(dry_run=True).clusters} == {True}
    assert [(cluster.state, cluster.proven) for cluster in world.status().clusters] == [("Ready", False)] * 4
    role = "clusterrole/kubefed-controller-manager:member2-fedhost"
    world.members["member2"].objects[role]["rules"] = []
    shown = by_name(world.federate(dry_run=True))
    assert (shown["member2"].state, shown["member2"].proven) == ("Ready", False)
    assert (shown["member1"].state, shown["member1"].proven) == ("Ready", True)
