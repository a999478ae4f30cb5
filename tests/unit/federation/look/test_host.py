from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fedssh.engines import load_engine
from fedssh.errors import RefusedError, StepError
from fedssh.federation.look.host import look_at_host
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER
from tests.fakes.kubernetes import error
from tests.fakes.lines import key_of
from tests.fakes.shells import Answer, LocalShell, ScriptedShell

if TYPE_CHECKING:
    from fedssh.federation.facts import HostFacts
    from fedssh.shell import Command
    from tests.fakes.lines import Call
    from tests.fakes.world import World


def look(world: World) -> HostFacts:
    """Look at the host."""
    return look_at_host(world.shells["fedhost"], world.inventory, load_engine())


def test_a_fresh_host_is_looked_at_in_two_runs(world: World) -> None:
    """Its kubeconfig first, since that says whom to ask; nothing is changed."""
    found = look(world)
    assert (found.server, found.cluster_uid, found.clock, found.gaps) == (HOST_SERVER, "uid-of-fedhost", 1_000_000, ())
    assert found.known.target.context == "kubernetes-admin@kubernetes"
    assert (found.known.engine.version, dict(found.clusters)) == ("", {})
    assert len(world.shells["fedhost"].runs) == 2
    assert not any(call.mutates for call in world.host.calls)


def test_the_context_of_the_hosts_name_comes_before_the_current_one(world: World) -> None:
    """What an administrator chooses later does not lead fedssh to another cluster."""
    world.federate("member1")
    text = world.host.kubeconfig.replace("current-context: fedhost", "current-context: member1")
    assert text != world.host.kubeconfig
    world.host.kubeconfig = text
    found = look(world)
    assert (found.known.target.context, found.server) == ("fedhost", HOST_SERVER)
    assert sorted(found.clusters) == ["fedhost", "member1"]


@pytest.mark.parametrize(
    ("printed", "proxy", "names"),
    [
        ("proxy\n192.0.2.1 m1 M2\n", True, {"m1", "m2"}),
        ("192.0.2.1 proxy\n", False, {"proxy"}),
        ("192.0.2.1 m1\nproxy\n", False, {"m1"}),
        ("", False, set()),
    ],
)
def test_a_proxy_is_told_from_a_name(world: World, printed: str, names: set[str], *, proxy: bool) -> None:
    """It is in the first line; names are in lower case."""
    world.host.names = printed
    found = look(world)
    assert (found.has_proxy, found.own_names) == (proxy, frozenset(names))


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

    def answer(command: Command) -> Answer:
        is_real = key_of(command) == ("names", "read")
        return Answer(local.run(command)[0].stdout) if is_real else world.host.answer(command)

    world.shells["fedhost"] = ScriptedShell("fedhost", answer)
    found = look(world)
    assert found.has_proxy == proxy
    assert "localhost" in found.own_names
    assert not any("#" in name for name in found.own_names)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "current-context: gone\n", HOST_KUBECONFIG.replace("current-context", "x")]
)
def test_a_kubeconfig_that_is_none_is_the_only_gap(world: World, text: str) -> None:
    """Nothing is asked by it."""
    world.host.kubeconfig = text
    found = look(world)
    (gap,) = found.gaps
    assert isinstance(gap, RefusedError)
    assert (gap.machine, found.state) == ("fedhost", None)
    assert [key_of(run[0]) for run in world.shells["fedhost"].runs] == [
        ("kubeconfig", "read"),
        ("distribution", "find"),
    ]


@pytest.mark.parametrize("names", [("kubeconfig", "read"), ("cat",), ("kubectl", "get"), ("helm", "list")])
def test_what_could_not_be_asked_is_a_gap(world: World, names: tuple[str, ...]) -> None:
    """In the tool's words."""
    world.host.broken[names] = error("no such luck")
    gaps = look(world).gaps
    assert gaps
    assert all(isinstance(gap, StepError) and "no such luck" in gap.message for gap in gaps)


def test_a_kubeconfig_that_is_half_written_is_read_again(world: World) -> None:
    """A kubectl config was at it; once is enough."""
    told: list[str] = []

    def lose(call: Call) -> None:
        if call.key == ("kubectl", "get") and not told:
            told.append("lost")
            world.host.kubeconfig = HOST_KUBECONFIG.replace("- name: kubernetes-admin@kubernetes", "- name: other")
        elif told:
            world.host.kubeconfig = HOST_KUBECONFIG

    world.host.before = lose
    assert look(world).gaps == ()
    assert told == ["lost"]
