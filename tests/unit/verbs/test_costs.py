"""What a run costs, counted: connections, executions and tools, and fedssh's own work for a thousand members."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from fedssh.kubernetes.kubeconfig import Kubeconfig
from tests.fakes.kubernetes import Member
from tests.fakes.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.shell import Command
    from tests.fakes.shells import Answer

# What starts a process of kubectl, helm or kubefedctl: by itself, or in a script of fedssh's.
_TOOLS = {"helm", "kubectl", "kubefedctl"}
_SCRIPTS = {("proof", "ask"), ("proof", "reach"), ("token", "wait"), ("kubefed", "wait")}
CPU_SECONDS = 5.0
TRIES = 3
"""How often that is measured at most: processors that are shared may be several times slower for a while."""


def crowd(number: int) -> World:
    """Return a world of so many members, on a host that is prepared."""
    names = [f"m{index}" for index in range(1, number + 1)]
    world = World(members={name: Member(name) for name in names})
    world.prepare()
    return world


def costs(world: World, name: str) -> tuple[int, int, int]:
    """Return a machine's connections, executions and tool processes in the last run."""
    calls = [call.key for call in world.called(name) if call.key[0] in _TOOLS or call.key in _SCRIPTS]
    return world.connected.count(name), len(world.shells[name].runs), len(calls) - calls.count(("kubectl", "find"))


@pytest.mark.parametrize("number", [1, 5, 20])
def test_what_is_done_costs_each_member_the_same(number: int) -> None:
    """At first and where nothing is to do; the host's part grows by as many tools for each, and nothing else does."""
    world = crowd(number)
    for on_member, on_host, own, runs in (((1, 2, 4), 4, 16, 8), ((1, 1, 3), 2, 11, 3)):
        world.connected.clear()
        assert world.federate().exit_code == 0
        assert {costs(world, name) for name in world.members} == {on_member}
        connections, executions, tools = costs(world, "fedhost")
        assert (connections, executions) == (1, runs)
        assert tools - on_host * number <= own


def test_the_hosts_kubeconfig_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very text in which the accesses were proven is written; made anew where one does not hold."""
    rendered: list[str] = []
    render = Kubeconfig.render

    def noted(document: Kubeconfig) -> str:
        rendered.append(render(document))
        return rendered[-1]

    monkeypatch.setattr(Kubeconfig, "render", noted)
    for powerless in ((), ("m2",)):
        world = crowd(3)
        for name in powerless:
            world.members[name].api.rights = False
        rendered.clear()
        world.federate()
        assert len(rendered) == 1 + len(powerless)
        assert world.host.kubeconfig == rendered[-1]
        assert [name for name in world.members if name not in world.host.joined] == [*powerless]


def test_a_thousand_members_are_little_work() -> None:
    """For the laptop's processor, at first and where nothing is to do; what the machines' fakes take is left out."""
    spent: list[float] = []
    for _ in range(TRIES):
        world, fakes = crowd(1000), [0.0]
        for shell in world.shells.values():
            shell.answer = timed(shell.answer, fakes)
        work = []
        for _ in range(2):
            fakes[0], began = 0.0, time.process_time()
            report = world.federate()
            work.append(time.process_time() - began - fakes[0])
            assert report.exit_code == 0
        assert report.summary == "Nothing to do: 1001 of 1001 federated"
        spent.append(max(work))
        if spent[-1] < CPU_SECONDS:
            break
    assert spent[-1] < CPU_SECONDS, f"each took {spent} s"


def timed(answer: Callable[[Command], Answer], spent: list[float]) -> Callable[[Command], Answer]:
    """Return an answer that adds the processor time that it takes, in seconds."""

    def answered(command: Command) -> Answer:
        began = time.thread_time()
        try:
            return answer(command)
        finally:
            spent[0] += time.thread_time() - began

    return answered
