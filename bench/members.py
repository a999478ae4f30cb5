"""Part 2: what each tool's work on the members takes, by their number and by the length of the links.

The work is the same for all: apply the account's manifest, read its token, the API server's address and the CA. fedssh
looks at what is there before, as it always does. Every tool's user gets the four values of each member; that they were
asked for, and the account made, is checked after each run.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from bench.measuring import FailedError, in_turns
from bench.ways import (
    ANSIBLE,
    FEDSSH,
    PYINFRA,
    SCRIPT,
    Way,
    ansible,
    fabric,
    fedssh_members,
    new_folder,
    pyinfra,
    run_way,
    script,
    xargs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bench.fleet import Fleet
    from bench.measuring import Sample
    from bench.site import Site

MOST_BY_SCRIPT: Final = 10
"""For more members than that, the script is not run: it does one after the other."""


def measure(fleet: Fleet, rtt: int, size: int, *, rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of each way for so many members, ``rtt`` milliseconds away."""
    fleet.choose(rtt, size)
    ways = {name: partial(_measure, fleet, make) for name, make in WAYS.items()}
    if size > MOST_BY_SCRIPT:
        del ways[SCRIPT]
    return in_turns(ways, rounds=rounds, title=f"{size} members at {rtt} ms")


def _measure(fleet: Fleet, make: Callable[[Site, Path], Way]) -> Sample:
    fleet.reset()
    folder = new_folder(fleet.site)
    sample = run_way(make(fleet.site, folder), fleet.site, folder)
    members = {one.name for one in fleet.site.members}
    missing = members - fleet.federation.granted()
    if missing or fleet.federation.strange:
        raise FailedError(f"no account on {sorted(missing)[:5]}; not understood: {fleet.federation.strange[:3]}")
    return sample


WAYS: Final[Mapping[str, Callable[[Site, Path], Way]]] = {
    FEDSSH: fedssh_members,
    "ssh under xargs": xargs,
    "Fabric's ThreadingGroup": fabric,
    PYINFRA: partial(pyinfra, "members.py"),
    "Ansible, raw": partial(ansible, "members_raw.yaml"),
    ANSIBLE: partial(ansible, "members.yaml"),
    SCRIPT: partial(script, "members"),
}
