"""What fedssh is to reach, and whether it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench import idle, real
from bench.measuring import spread
from bench.ways import ANSIBLE, FEDSSH, PYINFRA, SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.results import Results
    from bench.tables import Samples

MOST_MEBIBYTES: Final = 120
_RTT: Final = 50


@dataclass(frozen=True)
class Target:
    """A target: what it is about, the most that it allows, and what was measured; in seconds, MiB or as a ratio."""

    text: str
    most: float
    found: float

    @property
    def is_met(self) -> bool:
        """Whether it was reached."""
        return self.found <= self.most


def targets(results: Results) -> Iterator[Target]:
    """Yield the targets about which something was measured."""
    most = {SCRIPT: 0.2, ANSIBLE: 0.2}
    others = [way for way in results.real if way not in {FEDSSH, real.WHOLE}]
    yield from _shares(results.real, {way: most.get(way, 1) for way in others}, f"{real.MEMBERS} real members")
    at = {size: samples for (rtt, size), samples in results.members.items() if rtt == _RTT}
    yield from _shares(at.get(1, {}), {SCRIPT: 0.25}, f"one machine at {_RTT} ms")
    yield from _shares(at.get(50, {}), {PYINFRA: 0.5, ANSIBLE: 0.2}, f"50 machines at {_RTT} ms")
    one, fifty = at.get(1, {}).get(FEDSSH), at.get(50, {}).get(FEDSSH)
    if one and fifty:
        grown = spread(fifty).median - spread(one).median
        yield Target(f"members at {_RTT} ms: 50 take longer than one by seconds", 0.5, grown)
    if results.host.get(100, {}).get(FEDSSH):
        yield Target("host phase of 100 members, seconds", 3, spread(results.host[100][FEDSSH]).median)
    for size, samples in results.idle.items():
        if samples.get(idle.AGAIN):
            yield Target(
                f"nothing to do for {size} members at {_RTT} ms, seconds", 1.5, spread(samples[idle.AGAIN]).median
            )
    if results.start:
        found = [spread(results.start[way]).median for way in (idle.HELP, idle.LIST)]
        yield Target(f"{idle.HELP} as a share of {idle.LIST}", 1.1, found[0] / found[1])
    for size, peaks in results.memory.items():
        for what, peak in peaks.items():
            yield Target(f"memory for {size} members, {what}, MiB", MOST_MEBIBYTES, peak)


def _shares(samples: Samples, most: dict[str, float], what: str) -> Iterator[Target]:
    """Yield fedssh's share of the time of others."""
    for way, share in most.items():
        if samples.get(FEDSSH) and samples.get(way):
            found = spread(samples[FEDSSH]).median / spread(samples[way]).median
            yield Target(f"{what}: fedssh's share of {way}", share, found)
