from __future__ import annotations

import pytest

from fedssh.federation.host import HostState, probe_host
from fedssh.federation.member import MemberState
from fedssh.federation.members import clock_notice, view_notice
from tests.fakes.kubernetes import CA
from tests.fakes.shells import Answer, LocalShell, ScriptedShell
from tests.fakes.world import World, by_name


def state(server: str = "https://m1.example.com:6443", clock: float = 0) -> MemberState:
    """Return what a probe found."""
    return MemberState(
        name="member1", server=server, ca=CA, cluster_uid="u", clock=clock, present=frozenset(), token=None
    )


@pytest.mark.parametrize(
    ("member", "host", "words"),
    [
        (1_000_000, 1_000_000, ""),
        (1_000_300, 1_000_000, ""),
        (999_700, 1_000_000, ""),
        (1_000_301, 1_000_000, "5 minutes ahead of that of fedhost"),
        (999_699, 1_000_000, "5 minutes behind that of fedhost"),
        (1_003_600, 1_000_000, "60 minutes ahead of"),
        (0, 1_000_000, ""),
        (1_000_000, 0, ""),
    ],
)
def test_clocks_that_differ_are_told(member: float, host: float, words: str) -> None:
    """From five minutes on; an unknown one is not compared."""
    notice = clock_notice(state(clock=member), host="fedhost", host_clock=host)
    assert bool(notice) == bool(words)
    assert words in notice


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
    world.host.broken["read of /etc/hosts"] = Answer("127.0.0.1 localhost\n\n192.0.2.1\tM1.example.com  m1\nbroken\n")
    world.members["member1"].server = server
    notices = by_name(world.federate("member1"))["member1"].notices
    assert any("resolves it by DNS only" in one for one in notices) == told


def test_a_notice_names_the_host() -> None:
    """So that one knows whose /etc/hosts is meant."""
    notice = view_notice(state("https://m1"), host="fedhost", own_names=frozenset({"m1"}))
    assert notice.startswith("m1 stands in /etc/hosts of fedhost")


def looked_at(world: World) -> HostState:
    """Return what a probe finds on the host."""
    return probe_host(world.shells["fedhost"], world.inventory)


@pytest.mark.parametrize(
    ("printed", "proxy", "names"),
    [
        ("proxy\n192.0.2.1 m1 m2\n", True, {"m1", "m2"}),
        ("192.0.2.1 proxy\n", False, {"proxy"}),
        ("192.0.2.1 m1\nproxy\n", False, {"m1"}),
        ("", False, set()),
    ],
)
def test_a_proxy_is_told_from_a_name(world: World, printed: str, names: set[str], *, proxy: bool) -> None:
    """It is told at every run, of the host: KubeFed's controller does not go through it."""
    world.host.broken["read of /etc/hosts"] = Answer(printed)
    found = looked_at(world)
    assert found.has_proxy == proxy
    assert found.own_names == frozenset(names)
    for _ in range(2):
        notices = by_name(world.federate("member1"))["fedhost"].notices
        assert any("its tools go through HTTPS_PROXY" in one for one in notices) == proxy


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, False),
        ({"HTTPS_PROXY": "http://p"}, True),
        ({"https_proxy": "http://p"}, True),
        ({"HTTPS_PROXY": "", "https_proxy": ""}, False),
        ({"HTTP_PROXY": "http://p", "NO_PROXY": "*"}, False),
    ],
)
def test_the_real_machine_says_whether_there_is_a_proxy(
    local: LocalShell, world: World, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, proxy: bool
) -> None:
    """By either spelling; and the names in its /etc/hosts, without the comments there."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    answer = world.host.answer
    world.shells["fedhost"] = ScriptedShell(
        "fedhost", lambda one: Answer(local.run(one)[0].stdout) if one.title == "read of /etc/hosts" else answer(one)
    )
    found = looked_at(world)
    assert found.has_proxy == proxy
    assert "localhost" in found.own_names
    assert not any("#" in name for name in found.own_names)


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
    assert [f"could be read by others ({mode}); it is 0600 now" in one for one in notices] == [True] * told
    assert by_name(world.federate("member1"))["fedhost"].notices == ()


def test_a_kubeconfig_that_others_can_read_is_closed_without_another_reason(world: World) -> None:
    """It need not lack an entry."""
    world.federate("member1")
    world.host.mode = "-rw-r--r--"
    assert len(by_name(world.federate("member1"))["fedhost"].notices) == 1
    assert world.host.mode == "-rw-------"
