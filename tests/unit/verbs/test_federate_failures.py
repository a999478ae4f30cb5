from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from fedssh.errors import ConnectionLostError, FedsshError, RefusedError, UnreachableError
from tests.fakes.api import namespace
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import Member, account_token, base64_of, error, token_of
from tests.fakes.shells import Answer
from tests.fakes.world import GRANTED, NAMES, World, by_name

if TYPE_CHECKING:
    from tests.fakes.lines import Call

GONE_AGAIN = "What had been created on member1 is gone again."


def test_a_member_that_fails_is_alone(world: World) -> None:
    """Unreachable, or failing at the grant: the others are federated."""
    world.unreachable.add("member1")
    world.members["member2"].broken["kubectl", "apply"] = error("(Forbidden) no")
    report = world.federate()
    assert [cluster.state for cluster in report.clusters] == ["Ready", "Failed", "Failed", "Ready"]
    assert isinstance(by_name(report)["member1"].error, UnreachableError)
    assert "Forbidden" in str(by_name(report)["member2"].error)
    assert (report.exit_code, report.error) == (3, None)
    assert world.host.joined == ["fedhost", "member3"]


def test_a_member_that_fails_to_join_is_alone(world: World) -> None:
    """In kubefedctl's own words; the others are federated."""

    def weaken(call: Call) -> None:
        if call.key == ("kubefedctl", "join"):
            world.members["member1"].api.rights = False

    world.host.before = weaken
    report = world.federate()
    assert [cluster.state for cluster in report.clusters] == ["Ready", "Failed", "Ready", "Ready"]
    assert str(by_name(report)["member1"].error) == "member1: join: kubefedctl join failed: member1: Unauthorized"


@pytest.mark.parametrize("printed", ["[" * 100_000, '{"items": [5]}', "\x1b[31m", ""])
def test_a_hostile_member_is_alone(world: World, printed: str) -> None:
    """Whatever it prints, the others are federated."""
    world.members["member1"].broken["kubectl", "config"] = Answer(printed)
    world.members["member2"].broken["token", "wait"] = Answer(printed)
    report = world.federate()
    assert [cluster.state for cluster in report.clusters] == ["Ready", "Failed", "Failed", "Ready"]


def test_all_failing_for_one_reason_gives_its_code(world: World) -> None:
    """And the host is left as it was."""
    world.unreachable |= set(NAMES)
    report = world.federate()
    assert report.exit_code == 4
    assert world.host.kubeconfig == HOST_KUBECONFIG
    assert world.host.release == "[]"


@pytest.mark.parametrize("why", ["another cluster", "no rights", "not accepted"])
def test_a_refused_member_is_taken_back(world: World, why: str) -> None:
    """What this run created on it is deleted; the host does not know of it; the exit code is 6."""
    member = world.members["member1"]
    if why == "no rights":
        member.api.rights = False
    else:
        other = Member("elsewhere", server=member.server)
        if why == "not accepted":
            other.uid = member.uid
        else:
            other.known_tokens.add(account_token("member1"))
        world.host.clusters.insert(0, other)
    report = world.federate("member1")
    told = by_name(report)["member1"]
    assert isinstance(told.error, RefusedError)
    assert report.exit_code == 6
    assert member.applied == [*GRANTED, *(f"delete {reference}" for reference in reversed(GRANTED))]
    assert member.objects == {}
    assert (told.changes, told.aftermath) == ((), (GONE_AGAIN,))
    assert world.host.kubeconfig == HOST_KUBECONFIG
    assert world.host.joined == []


def test_only_what_this_run_created_is_taken_back(world: World) -> None:
    """An account that was there before stays."""
    member = world.members["member1"]
    world.federate("member1")
    del member.objects["secret/member1-fedssh-1"]
    member.api.rights = False
    member.applied.clear()
    world.federate("member1")
    assert member.applied == [*GRANTED[:-1], "secret/member1-fedssh-2", "delete secret/member1-fedssh-2"]


def test_what_was_taken_over_is_given_back(world: World) -> None:
    """A run with --adopt that comes to nothing leaves somebody else's objects as they were, and says so."""
    member = world.members["member1"]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    binding = {"kind": "ClusterRoleBinding", "metadata": {"name": "member1"}, "roleRef": role}
    member.objects["clusterrolebinding/member1"] = binding
    member.api.rights = False
    told = by_name(world.federate("member1", adopt=True))["member1"]
    assert "granted access, taking over clusterrolebinding/member1" in world.told("member1")
    assert member.objects == {"clusterrolebinding/member1": binding}
    assert told.changes == ()
    assert told.aftermath == (f"{GONE_AGAIN} What had been taken over on member1 is as it was.",)


def test_what_cannot_be_given_back_is_listed(world: World) -> None:
    """Nothing that has changed hands goes without a word."""
    member = world.members["member1"]
    account = {"kind": "ServiceAccount", "metadata": {"name": "member1"}}
    member.objects["serviceaccount/member1"] = account
    member.api.rights = False
    member.broken["kubectl", "replace"] = error("(Forbidden) no")
    told = by_name(world.federate("member1", adopt=True))["member1"]
    assert told.error
    assert "What was taken over there and is fedssh's now: serviceaccount/member1" in told.aftermath


def test_an_access_that_was_there_before_is_not_taken_back(world: World) -> None:
    """Even if it was only mended: there is nothing to delete, which is no failure."""
    member = world.members["member1"]
    world.federate("member1")
    member.objects["clusterrole/member1"]["rules"] = []
    member.api.rights = False
    member.applied.clear()
    report = world.federate("member1")
    assert member.applied == GRANTED
    assert "rights" in str(by_name(report)["member1"].error)
    assert by_name(report)["member1"].aftermath == ()
    assert world.told("member1").count("taking the access back") == 0


def test_what_could_not_be_taken_back_is_listed(world: World) -> None:
    """The refusal stays the reason; what is left on the member is told beside it."""
    world.members["member1"].api.rights = False
    world.members["member1"].broken["kubectl", "delete"] = error("gone")
    told = by_name(world.federate("member1"))["member1"]
    assert isinstance(told.error, RefusedError)
    failed, left = told.aftermath
    assert failed.startswith("member1: take the access back: kubectl delete failed")
    assert failed.endswith("gone")
    assert left == f"Delete it there: kubectl delete {' '.join(reversed(GRANTED))}"


def test_what_a_grant_has_begun_is_taken_back_when_it_fails(world: World) -> None:
    """Its token does not come: nobody has another use for what was made before."""
    member = world.members["member1"]
    member.broken["token", "wait"] = Answer()
    told = by_name(world.federate("member1"))["member1"]
    assert "no token came into the Secret" in str(told.error)
    assert (member.objects, told.changes, told.aftermath) == ({}, (), (GONE_AGAIN,))


@pytest.mark.parametrize("claimed", ["member1", "fedhost"])
def test_a_machine_that_says_it_is_another_cluster_harms_that_one_not(world: World, claimed: str) -> None:
    """The clusters are asked from the host then: who is what it says goes on, and only the other one is refused."""
    world.federate()
    liar = world.members["member2"]
    uid = {"member1": world.members["member1"].uid, "fedhost": world.host.own.uid}[claimed]
    objects = [*liar.objects.values(), namespace(uid)]
    liar.broken["kubectl", "get", "serviceaccount/member2"] = Answer(json.dumps({"kind": "List", "items": objects}))
    report = by_name(world.federate())
    assert {name: cluster.state for name, cluster in report.items()} == {
        "fedhost": "Ready", "member1": "Ready", "member2": "Failed", "member3": "Ready",
    }  # fmt: skip
    assert report["member2"].changes == ()


@pytest.mark.parametrize("twin", ["member2", "fedhost"])
def test_two_names_for_one_cluster_are_refused(world: World, twin: str) -> None:
    """Before anything is granted: both members, or the member that is the host."""
    world.members["member1"].uid = f"uid-of-{twin}"
    report = by_name(world.federate())
    assert f"the same cluster as {twin}" in str(report["member1"].error)
    assert world.members["member1"].applied == []
    assert report["member3"].state == "Ready"
    assert (report["member2"].error is None) == (twin == "fedhost")


def test_a_context_of_somebody_else_is_refused_before_anything_is_granted(world: World) -> None:
    """It is named with the host on which it stands."""
    config = yaml.safe_load(HOST_KUBECONFIG)
    config["contexts"].append({"name": "member1", "context": {"cluster": "mine"}})
    world.host.kubeconfig = yaml.safe_dump(config)
    report = by_name(world.federate())
    assert "has a context 'member1' that fedssh did not write" in str(report["member1"].error)
    assert world.members["member1"].applied == []
    assert report["member2"].state == "Ready"


def test_another_cluster_under_a_members_name_is_refused(world: World) -> None:
    """A working credential that leads elsewhere is somebody's federation."""
    world.federate("member1")
    old = world.members["member1"]
    new = Member("member1", server="https://new.example.com", uid="uid-of-new")
    world.members["member1"] = new
    world.host.clusters = [old, new, *world.host.clusters[1:]]
    world.shells["member1"].answer = new.answer
    report = world.federate("member1")
    assert "another cluster has joined fedhost under this name" in str(by_name(report)["member1"].error)
    assert new.objects == {}


def test_a_join_whose_credential_does_not_work_is_a_failure(world: World) -> None:
    """Whatever KubeFed says."""

    def forget(call: Call) -> None:
        if call.key == ("kubefed", "wait"):
            world.members["member1"].api.delete("serviceaccount/member1-fedhost")

    world.host.before = forget
    report = by_name(world.federate())
    assert "KubeFed's own credential does not work: error: You must be logged in to the server (Unauthorized)" in str(
        report["member1"].error
    )
    assert not report["member1"].proven
    assert report["member2"].state == "Ready"


def test_no_secret_is_told(world: World, canary: str) -> None:
    """Neither in events nor in the report, whoever failed."""
    world.members["member1"].api.rights = False
    told = repr(world.federate()) + repr(world.events)
    assert canary not in told


def test_a_token_of_another_account_is_refused_at_the_member(world: World) -> None:
    """It never reaches the host."""
    world.federate("member1")
    other = base64_of(token_of("system:serviceaccount:kube-system:admin"))
    world.members["member1"].objects["secret/member1-fedssh-1"]["data"]["token"] = other
    report = world.federate("member1")
    assert isinstance(by_name(report)["member1"].error, FedsshError)
    assert report.exit_code == 6
    assert other not in world.host.kubeconfig


def test_a_member_that_is_lost_while_advice_is_sought_is_alone(world: World) -> None:
    """Its own address does not work, and then it is gone: the others are federated."""
    member = world.members["member1"]
    member.server = "https://127.0.0.1:6443"

    def lose(call: Call) -> None:
        if call.key == ("hostname",):
            raise ConnectionLostError("gone", machine="member1")

    member.before = lose
    report = world.federate()
    assert [cluster.state for cluster in report.clusters] == ["Ready", "Failed", "Ready", "Ready"]
    assert "works on that machine only" in str(by_name(report)["member1"].error)


def test_an_address_that_cannot_work_is_refused_before_anything_is_granted(world: World) -> None:
    """With the addresses that were tried instead."""
    world.members["member1"].server = "https://127.0.0.1:6443"
    failed = by_name(world.federate())["member1"].error
    assert isinstance(failed, RefusedError)
    assert "https://member1.example.com:6443: Unable to connect" in failed.hint
    assert world.members["member1"].applied == []


def test_what_others_have_changed_of_fedsshs_own_is_mended(world: World) -> None:
    """To the API server it is theirs since: applying it again is a conflict, unless that is forced."""
    world.federate("member1")
    world.members["member1"].objects["clusterrole/member1"]["rules"] = []
    report = world.federate("member1")
    assert report.exit_code == 0
    assert by_name(report)["member1"].changes == ("granted access",)
    assert world.members["member1"].objects["clusterrole/member1"]["rules"] != []
