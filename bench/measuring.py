"""Running a program, and what that took; several ways to do the same in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CELL_SECONDS: Final = 60.0
"""A way that has taken so long in all takes no part in further rounds of the same cell."""

_TIMEOUT: Final = ("timeout", "--signal=KILL", "900")
_LINES_SHOWN: Final = 15


class FailedError(Exception):
    """What was to be measured did not do its work."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one run took.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of the program and all that it has waited for, on this computer's side.
        more: Other times that were taken, in seconds, by what they are of.
    """

    seconds: float
    cpu_seconds: float = 0
    more: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Spread:
    """Several runs of the same."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The largest."""
        return max(self.values)


def spread(samples: Sequence[Sample], what: str = "seconds") -> Spread:
    """Return the spread of an attribute of samples, or of what is in their ``more``."""
    values = [dict(one.more).get(what, getattr(one, what, None)) for one in samples]
    return Spread(tuple(value for value in values if value is not None))


def run(
    argv: Sequence[object],
    *,
    log: Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    expect: tuple[int, ...] = (0,),
) -> Sample:
    """Run a program, with what it says in ``log``; raise FailedError unless its exit code is one of ``expect``."""
    with log.open("wb") as out:
        started = time.perf_counter()
        process = subprocess.Popen(
            [*_TIMEOUT, *map(str, argv)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = code = os.waitstatus_to_exitcode(status)
    if code not in expect:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:])
        raise FailedError(f"{Path(str(argv[0])).name} ended with {code}:\n{end}")
    return Sample(seconds=seconds, cpu_seconds=usage.ru_utime + usage.ru_stime)


def in_turns(
    ways: Mapping[str, Callable[[], Sample]], *, rounds: int, title: str, cell_seconds: float = CELL_SECONDS
) -> dict[str, list[Sample]]:
    """Run each way once, then each once more, and so on; return their samples.

    A way that fails is told of, and has no samples: the others go on.
    """
    samples: dict[str, list[Sample]] = {way: [] for way in ways}
    failed: set[str] = set()
    for number in range(1, rounds + 1):
        for way, measure in ways.items():
            if way in failed or sum(one.seconds for one in samples[way]) > cell_seconds:
                continue
            try:
                taken = measure()
            except FailedError as error:
                failed.add(way)
                samples[way].clear()
                print(f"{title}: {way} failed: {error}", file=sys.stderr)
                continue
            samples[way].append(taken)
            print(f"{title}, round {number}: {way} {taken.seconds:.2f} s", file=sys.stderr)
    return samples
