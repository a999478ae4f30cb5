from __future__ import annotations

import pytest

from fedssh.errors import RefusedError, StepError
from fedssh.shell import script
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import Member, error
from tests.fakes.shells import Answer
from tests.fakes.world import World, by_name


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("https://m1.example.com:6443", True),
        ("https://M1.Example.com", True),
        ("https://m1:6443", True),
        ("https://m2.example.com:6443", False),
        ("https://example.com", False),
        ("https://192.0.2.1:6443", False),
        ("https://commented.example.com", False),
    ],
)
def test_a_name_that_only_the_hosts_file_knows_is_told(world: World, server: str, *, told: bool) -> None:
    """KubeFed's controller runs in a pod, which does not read the machine's /etc/hosts; names have no case."""
    world.host.names = "127.0.0.1 localhost\n\n192.0.2.1\tM1.example.com  m1\nbroken\n"
    world.members["member1"].server = server
    notices = by_name(world.federate("member1"))["member1"].notices
    assert any("resolves it by DNS only" in notice for notice in notices) == told
    assert all("stands in /etc/hosts of fedhost" in notice for notice in notices)


@pytest.mark.parametrize(
    ("printed", "proxy"),
    [("proxy\n192.0.2.1 m1 m2\n", True), ("192.0.2.1 proxy\n", False), ("192.0.2.1 m1\nproxy\n", False), ("", False)],
)
def test_a_proxy_is_told_of_the_host(world: World, printed: str, *, proxy: bool) -> None:
    """At every run: KubeFed's controller does not go through it."""
    world.host.names = printed
    for _ in range(2):
        notices = by_name(world.federate("member1"))["fedhost"].notices
        assert any("its tools go through HTTPS_PROXY" in notice for notice in notices) == proxy


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("-rw-r--r--", True),
        ("-rw-r-----", True),
        ("-rw-------", False),
        ("-rw-----w-", True),
        ("-rw-------.", False),
        ("-rw-------+", False),
        ("-r--r--r--.", True),
        ("", False),
    ],
)
def test_a_kubeconfig_that_others_could_read_is_told(world: World, mode: str, *, told: bool) -> None:
    """Once, when it is written: it is 0600 then."""
    world.host.mode = mode
    notices = by_name(world.federate("member1"))["fedhost"].notices
    assert [f"could be read by others ({mode}); it becomes 0600" in notice for notice in notices] == [True] * told
    assert by_name(world.federate("member1"))["fedhost"].notices == ()


def test_a_kubeconfig_that_others_can_read_is_closed_without_another_reason(world: World) -> None:
    """It need not lack an entry."""
    world.federate("member1")
    world.host.mode = "-rw-r--r--"
    assert len(by_name(world.federate("member1"))["fedhost"].notices) == 1
    assert world.host.mode == "-rw-------"


@pytest.mark.parametrize("printed", ["", "nan", "9" * 100_000, "\u00b2", "date: unknown"])
def test_a_clock_that_says_nothing_is_none(world: World, printed: str) -> None:
    """Whatever it prints, all are federated; nothing is compared with it."""
    world.members["member1"].broken["date",] = Answer(printed)
    world.members["member2"].clock += 3600
    report = world.federate()
    assert report.exit_code == 0
    assert ["its clock is" in str(cluster.notices) for cluster in report.clusters] == [False, False, True, False]
    world.host.broken["date", "+%s"] = Answer(printed)
    report = world.federate()
    assert report.exit_code == 0
    assert not any("its clock is" in str(cluster.notices) for cluster in report.clusters)


def test_a_kubeconfig_that_logs_in_by_a_program_is_refused(world: World) -> None:
    """That member fails alone, with exit code 6, and its API is not asked; a kubectl that fails is another thing."""
    member = world.members["member1"]
    member.login = "map[command:evil]"
    report = world.federate("member1")
    assert isinstance(by_name(report)["member1"].error, RefusedError)
    assert report.exit_code == 6
    assert ("kubectl", "get") not in [call.key for call in member.calls]
    assert world.host.kubeconfig == HOST_KUBECONFIG
    member.login = ""
    member.broken["kubectl", "get"] = Answer(code=95)
    assert isinstance(by_name(world.federate("member1"))["member1"].error, StepError)


def test_a_cluster_that_has_joined_under_another_name_is_refused(world: World) -> None:
    """By the UID that KubeFed's own credential leads to, whatever the host's kubeconfig remembers or has forgotten."""
    joined_as(world, "other")
    world.host.kubeconfig = HOST_KUBECONFIG
    report = world.federate("member1")
    error = by_name(report)["member1"].error
    assert isinstance(error, RefusedError)
    assert error.message == "it is the same cluster as other"
    assert "One that has joined under another name keeps that name" in error.hint
    assert (report.exit_code, world.mutations) == (6, [])


@pytest.mark.parametrize("why", ["its Secret is missing", "not accepted"])
def test_a_cluster_that_nobody_can_tell_is_told_of_the_host(world: World, why: str) -> None:
    """KubeFed's credential for it does not answer, and fedssh has noted nothing of it: the others are federated."""
    joined_as(world, "other")
    world.host.kubeconfig = HOST_KUBECONFIG
    if why == "not accepted":
        world.members["member1"].api.delete("serviceaccount/other-fedhost")
        why = "Unauthorized"
    else:
        world.host.kubefed.secrets.clear()
    report = world.federate("member2")
    assert report.exit_code == 0
    (notice,) = by_name(report)["fedhost"].notices
    assert notice.startswith("nobody can tell whether other, which has joined, is one of these clusters under another")
    assert why in notice


def test_what_fedssh_has_noted_of_a_cluster_counts_where_its_credential_is_gone(world: World) -> None:
    """The entry that it has written says which cluster it was."""
    world.federate("member2")
    twin = Member("member1", server="https://elsewhere.example.com", uid=world.members["member2"].uid)
    world.members["member1"], world.shells["member1"].answer = twin, twin.answer
    world.host.kubefed.secrets.pop("member2.fedssh")
    report = world.federate("member1")
    assert "it is the same cluster as member2" in str(by_name(report)["member1"].error)
    assert by_name(report)["fedhost"].notices == ()


def joined_as(world: World, name: str) -> None:
    """Let member1's cluster join under another name, as somebody may have done by hand."""
    world.federate("member2")
    member = world.members["member1"]
    stanza = {"server": member.server, "certificate-authority-data": member.ca}
    world.host.kubefed.join(name, host="fedhost", secret=f"{name}-x", api=member.api, stanza=stanza)


def test_the_fakes_know_no_other_command() -> None:
    """A command that no fake understands is no success."""
    with pytest.raises(AssertionError):
        Member("member1").answer(script("rm -rf /", title="kubectl get"))
    assert error("x").code == 1
