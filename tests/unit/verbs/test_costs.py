"""What a run costs, counted: connections, executions and tools, and fedssh's own work for a thousand members."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

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
A_MILLION_ADDITIONS = 0.06
"""How many seconds they take where that is meant: a computer that is shared with others may be several times slower."""


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


def slowness() -> float:
    """Return how many times as long as there this computer takes now; 1 on a quicker one, too."""
    began, total = time.process_time(), 0
    for number in range(1_000_000):
        total += number
    return max(1.0, (time.process_time() - began) / A_MILLION_ADDITIONS)


def test_a_thousand_members_are_little_work() -> None:
    """For the laptop's processor, at first and where nothing is to do; what the machines' fakes take is left out."""
    world, fakes = crowd(1000), [0.0]

    def without(answer: Callable[[Command], Answer]) -> Callable[[Command], Answer]:
        def timed(command: Command) -> Answer:
            began = time.thread_time()
            try:
                return answer(command)
            finally:
                fakes[0] += time.thread_time() - began

        return timed

    for shell in world.shells.values():
        shell.answer = without(shell.answer)
    for _ in range(2):
        before = slowness()
        fakes[0], began = 0.0, time.process_time()
        report = world.federate()
        spent = time.process_time() - began - fakes[0]
        assert report.exit_code == 0
        times = max(before, slowness())
        assert spent / times < CPU_SECONDS, f"{spent:.1f} s on a computer that takes {times:.1f} times as long"
    assert report.summary == "Nothing to do: 1001 of 1001 federated"
