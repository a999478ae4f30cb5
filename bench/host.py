"""Part 3: what the work on the host takes, by the number of members, with tools that take a fixed time each.

fedssh federates from nothing joined, with members in memory (``bench.fedssh_host``). Its host phase is the time from
the last member's grant to the last join. The scripts carry made-up values over, and run the manual procedure's commands
on the host for each member.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from bench import events
from bench.measuring import FailedError, Sample, in_turns
from bench.ways import FEDSSH, SCRIPT, SHARED_SCRIPT, fedssh_host, new_folder, run_way, script

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.fleet import Fleet
    from bench.ways import Way

MOST_BY_SCRIPT: Final = 20
"""For more members than that, the scripts are not run: they do one after the other."""


def measure(fleet: Fleet, rtt: int, size: int, *, rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of each way for so many members; ``rtt`` is how far the host is, in milliseconds.

    fedssh's whole time is in its samples' ``more``.
    """
    fleet.choose(rtt, size)
    ways: dict[str, Callable[[], Sample]] = {FEDSSH: partial(_by_fedssh, fleet)}
    if size <= MOST_BY_SCRIPT:
        ways[SHARED_SCRIPT] = partial(_by_script, fleet, shared=True)
        ways[SCRIPT] = partial(_by_script, fleet, shared=False)
    return in_turns(ways, rounds=rounds, title=f"host phase of {size} members at {rtt} ms")


def _by_fedssh(fleet: Fleet) -> Sample:
    sample = _run(fleet, fedssh_host)
    log = (fleet.site.folder / "log").read_text()
    granted, joined = events.last(log, events.GRANTED), events.last(log, events.JOINED)
    if granted is None or joined is None:
        raise FailedError("fedssh has told of no grant, or of no join")
    return Sample(seconds=joined - granted, cpu_seconds=sample.cpu_seconds, more=(("whole", sample.seconds),))


def _by_script(fleet: Fleet, *, shared: bool) -> Sample:
    return _run(fleet, partial(script, "host", shared=shared))


def _run(fleet: Fleet, make: Callable[..., Way]) -> Sample:
    fleet.reset()
    folder = new_folder(fleet.site)
    sample = run_way(make(fleet.site, folder), fleet.site, folder)
    missing = set(fleet.federation.clusters) - fleet.federation.joined
    if missing or fleet.federation.strange:
        raise FailedError(f"not joined: {sorted(missing)[:5]}; not understood: {fleet.federation.strange[:3]}")
    return sample
