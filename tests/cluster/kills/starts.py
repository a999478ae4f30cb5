"""The states in which runs begin, and the verbs whose runs are disturbed: a new verb is a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from lab.clusters import each
from tests.cluster.kills.points import CUT_AFTER, CUT_DURING, KILLED_DURING, KINDS
from tests.cluster.oracle import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.machine import Machine
    from tests.cluster.kills.stand import Stand

# The accounts of KubeFed's joins, which `Federation.forget` leaves; the namespace that they are in stays.
_DROP_JOINS: Final = f"""
    kubectl() {{ /opt/recorded/kubectl "$@"; }}
    kubectl get clusterroles,clusterrolebindings -o name | grep '/kubefed-controller-manager:' | xargs -r \\
        /opt/recorded/kubectl delete --ignore-not-found &
    kubectl -n {NAMESPACE} get serviceaccounts,secrets -o name | grep -E '/[a-z0-9]+[-.](fedhost|fedssh)$' | xargs -r \\
        /opt/recorded/kubectl -n {NAMESPACE} delete --ignore-not-found &
    wait
"""
_DROP_TOOLS: Final = "rm -rf /usr/local/bin/kubefedctl /usr/local/bin/.kubefedctl* /root/.cache/helm /root/.config/helm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command whose run is disturbed at every execution.

    Attributes:
        name: What the results call it.
        argv: The command line; what goes on after the disturbance is the same again.
        start: Sets up the state in which it begins.
        kinds: What is done to it; less than all where most of its executions are other verbs', too.
        gets_around: Whether a machine whose connection is cut is got around, so that the run may succeed.
        forgets: Whether nobody knows the member any more when all is done, so that a run after that ends with 2.
    """

    name: str
    argv: tuple[str, ...]
    start: Callable[[Stand], None]
    kinds: tuple[str, ...] = KINDS
    gets_around: bool = False
    forgets: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Commands for different members that are run at the same time.

    Attributes:
        name: What they are called together.
        start: Sets up the state in which they begin.
        commands: The command lines.
    """

    name: str
    start: Callable[[Stand], None]
    commands: tuple[tuple[str, ...], ...]


def nothing(stand: Stand) -> None:
    """Set up the state before anything: no federation, no KubeFed, no tools of it."""
    unjoined(stand)
    stand.federation.uninstall()
    stand.federation.host.check("sh", "-c", _DROP_TOOLS)


def installed(stand: Stand) -> None:
    """Set up the state after ``prepare``: KubeFed is there, and nothing has joined or been granted."""
    unjoined(stand)
    if stand.run("prepare").code != 0:
        nothing(stand)
        stand.must("prepare")


def joined(*members: str) -> Callable[[Stand], None]:
    """Return what sets up the state after a ``federate`` of these members alone."""

    def start(stand: Stand) -> None:
        installed(stand)
        stand.must("federate", *(word for member in members for word in ("--member", member)))

    return start


def unjoined(stand: Stand) -> None:
    """Take all members out of the federation, if there is one, and what was granted from them."""
    names = [machine.name for machine in stand.federation.lab.machines]
    stand.federation.forget(*names)
    each(_drop_joins, stand.federation.lab.machines)


def _drop_joins(machine: Machine) -> None:
    machine.check("sh", "-c", _DROP_JOINS)


def ephemeral(start: Callable[[Stand], None]) -> Callable[[Stand], None]:
    """Return what sets up a state, and a second hosts.yaml that keeps no token of fedssh's."""

    def begin(stand: Stand) -> None:
        start(stand)
        _write(stand, EPHEMERAL, defaults={"credentials": "ephemeral"})

    return begin


def stranger(stand: Stand) -> None:
    """Set up a member that has joined without a stored token and was rotated; a hosts.yaml does not name it."""
    ephemeral(installed)(stand)
    stand.must(*FEDERATE, "--hosts", EPHEMERAL)
    stand.must("rotate", "--member", "member1", "--hosts", EPHEMERAL)
    _write(stand, WITHOUT, members={})


def _write(stand: Stand, name: str, **changes: Any) -> None:
    hosts = yaml.safe_load((stand.folder / "hosts.yaml").read_text())
    changed = {key: {**hosts[key], **value} if value else value for key, value in changes.items()}
    (stand.folder / name).write_text(yaml.safe_dump({**hosts, **changed}, sort_keys=False))


EPHEMERAL: Final = "ephemeral.yaml"
WITHOUT: Final = "without.yaml"
# Killed before an execution is cut before the answer of the one before; a Ctrl-C takes the way of a lost connection.
FEWER: Final = (KILLED_DURING, CUT_DURING, CUT_AFTER)
FEWEST: Final = (KILLED_DURING, CUT_DURING)
FEDERATE: Final = ("federate", "--member", "member1")
UNFEDERATE: Final = ("unfederate", "--member", "member1", "--yes")
VERBS: Final = (
    Verb(name="prepare", argv=("prepare",), start=nothing),
    Verb(name="federate", argv=FEDERATE, start=installed),
    Verb(name="federate, everything new", argv=FEDERATE, start=nothing, kinds=FEWEST),
    Verb(
        name="federate, ephemeral",
        argv=(*FEDERATE, "--hosts", EPHEMERAL),
        start=ephemeral(installed),
        kinds=FEWEST,
    ),
    Verb(
        name="federate, from stored to ephemeral",
        argv=(*FEDERATE, "--hosts", EPHEMERAL),
        start=ephemeral(joined("member1")),
        kinds=FEWEST,
    ),
    Verb(name="rotate", argv=("rotate", "--member", "member1"), start=joined("member1"), kinds=FEWER),
    Verb(name="unfederate", argv=UNFEDERATE, start=joined("member1"), kinds=FEWER, gets_around=True),
    Verb(
        name="unfederate, not in hosts.yaml",
        argv=(*UNFEDERATE, "--hosts", WITHOUT),
        start=stranger,
        kinds=FEWEST,
        forgets=True,
    ),
    Verb(
        name="unfederate --all --uninstall",
        argv=("unfederate", "--all", "--uninstall", "--yes"),
        start=joined("member1", "member2"),
        kinds=FEWEST,
        gets_around=True,
    ),
)
TWO_AT_ONCE: Final = Together(
    name="federate and unfederate at once",
    start=joined("member1"),
    commands=(("federate", "--member", "member2"), UNFEDERATE),
)
THREE_AT_ONCE: Final = Together(
    name="federate, rotate and unfederate at once",
    start=joined("member1", "member2"),
    commands=(("federate", "--member", "member3"), ("rotate", "--member", "member2"), UNFEDERATE),
)
