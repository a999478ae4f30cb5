"""Five members at once: what each costs, and what becomes of the others when some of them do not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.crowd.conftest import MEMBERS
from tests.cluster.records import record_copy, take_calls
from tests.cluster.test_tool_processes import (
    HOST_AT_FIRST,
    HOST_IDLE,
    HOST_ITSELF,
    MEMBER_AT_FIRST,
    MEMBER_IDLE,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.oracle import Federation, Run


def test_tool_processes_of_five_members(
    prepared: Federation, fedssh: Callable[..., Run], logins: Callable[[], dict[str, tuple[int, int]]]
) -> None:
    """As many for each as for one alone; a connection to each machine, and a session on it."""
    machines = prepared.lab.machines
    with record_copy(prepared.host, "kubefedctl"):
        counted, connected = [], []
        for _ in range(2):
            logins()
            for machine in machines:
                take_calls(machine)
            done = fedssh("federate", "--all")
            assert done.code == 0, done.stderr
            counted.append({machine.name: take_calls(machine) for machine in machines})
            connected.append(logins())
    assert prepared.ready() == dict.fromkeys(["fedhost", *MEMBERS], "True")
    first, idle = counted
    assert max(len(first[name]) for name in MEMBERS) <= MEMBER_AT_FIRST
    assert len(first["fedhost"]) <= HOST_AT_FIRST * len(MEMBERS) + HOST_ITSELF, "\n".join(first["fedhost"])
    assert max(len(idle[name]) for name in MEMBERS) <= MEMBER_IDLE
    assert len(idle["fedhost"]) <= HOST_IDLE * len(MEMBERS) + HOST_ITSELF, "\n".join(idle["fedhost"])
    assert [{found[name] for name in MEMBERS} for found in connected] == [{(1, 1)}, {(1, 1)}]
    assert [found["fedhost"] for found in connected] == [(1, 2), (1, 2)]  # one holds the lock


def test_one_that_hangs_and_one_that_is_off(prepared: Federation, fedssh: Callable[..., Run]) -> None:
    """Each fails alone, in its own words; the others are federated, and who comes back is federated by the next run."""
    hanging, off = prepared.member("member4"), prepared.member("member5")
    hanging.check("pkill", "-STOP", "kube-apiserver")
    off.stop()
    try:
        done = fedssh("federate", "--all", "--output", "json")
    finally:
        hanging.check("pkill", "-CONT", "kube-apiserver")
        off.start()
    states = {one["name"]: one["state"] for one in done.report["clusters"]}
    assert states == {**dict.fromkeys(["fedhost", *MEMBERS[:3]], "Ready"), **dict.fromkeys(MEMBERS[3:], "Failed")}
    assert done.code == 3
    errors = {one["name"]: one["error"] for one in done.report["clusters"] if one["error"]}
    assert "got no answer from the API server in time" in errors["member4"]["message"], errors
    assert errors["member5"]["exitCode"] == 4, errors
    assert prepared.objects("member4") == []
    again = fedssh("federate", "--all")
    assert again.code == 0, again.stderr
    assert prepared.ready() == dict.fromkeys(["fedhost", *MEMBERS], "True")
