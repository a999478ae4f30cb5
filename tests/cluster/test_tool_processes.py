"""How many processes of tools a run starts on the machines, counted by the recorder: they are what takes its time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.cluster.records import record_copy, take_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .oracle import Federation, Run

MEMBER_AT_FIRST: Final = 4
"""Its kubeconfig and its objects are read, its access is granted, and the token is waited for."""
HOST_AT_FIRST: Final = 4
"""For each member: the way is tried, the access is proven, it joins, and the engine's credential is proven."""
HOST_ITSELF: Final = 16
"""Whatever the number of members is."""
INSTALLATION: Final = 13
"""What an installation adds to that: Helm's, and those that make and await what Helm's hooks would."""
MEMBER_IDLE: Final = 3
HOST_IDLE: Final = 2


@pytest.fixture
def calls(federation: Federation) -> Iterator[Callable[[], dict[str, list[str]]]]:
    """What was called on each machine since the last time, kubefedctl on the host among it."""
    with record_copy(federation.host, "kubefedctl"):
        yield lambda: {machine.name: take_calls(machine) for machine in federation.lab.machines}


def test_tool_processes_of_a_first_federate(
    unjoined: Federation, fedssh: Callable[..., Run], calls: Callable[[], dict[str, list[str]]]
) -> None:
    """Of one member and of two at once: the host's own ones do not grow with them."""
    for names in (["member1"], ["member1", "member2"]):
        unjoined.forget("fedhost", "member1", "member2")
        calls()
        done = fedssh("federate", *[word for name in names for word in ("--member", name)])
        assert done.code == 0, done.stderr
        counted = calls()
        for name in names:
            assert len(counted[name]) <= MEMBER_AT_FIRST, "\n".join(counted[name])
        own = len(counted["fedhost"]) - HOST_AT_FIRST * len(names)
        assert own <= HOST_ITSELF, "\n".join(counted["fedhost"])


def test_tool_processes_of_a_run_with_nothing_to_do(
    joined: Federation, fedssh: Callable[..., Run], calls: Callable[[], dict[str, list[str]]]
) -> None:
    """The same with a member more: what the host does besides stays the same."""
    own = set()
    for names in (["member1"], ["member1", "member2"]):
        arguments = ["federate", *[word for name in names for word in ("--member", name)]]
        assert fedssh(*arguments).code == 0
        calls()
        done = fedssh(*arguments)
        assert "Nothing to do" in done.stderr
        counted = calls()
        for name in names:
            assert len(counted[name]) <= MEMBER_IDLE, "\n".join(counted[name])
        own.add(len(counted["fedhost"]) - HOST_IDLE * len(names))
    assert len(own) == 1
    assert own <= set(range(HOST_ITSELF)), "\n".join(counted["fedhost"])
    assert joined.ready() == {"fedhost": "True", "member1": "True", "member2": "True"}


def test_tool_processes_of_a_first_federate_with_an_installation(
    bare: Federation, fedssh: Callable[..., Run], calls: Callable[[], dict[str, list[str]]]
) -> None:
    """Where KubeFed is installed first."""
    calls()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    counted = calls()
    assert len(counted["member1"]) <= MEMBER_AT_FIRST
    assert len(counted["fedhost"]) <= HOST_AT_FIRST + HOST_ITSELF + INSTALLATION, "\n".join(counted["fedhost"])
    assert bare.ready() == {"fedhost": "True", "member1": "True"}
