"""The parts of a run of the bench, and how much each measures."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import host, idle, latency, members, real, real_lab, uploads
from bench.fleet import fleet
from bench.measuring import FailedError
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.fleet import Fleet
    from bench.results import Results

RTT: Final = 50
"""The round trip, in milliseconds, of all parts but those by its length."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured: round trips in milliseconds, numbers of members, and rounds."""

    rtts: Sequence[int] = (0, RTT, 200)
    members: Sequence[int] = (1, 10, 50, 200)
    host: Sequence[int] = (1, 20, 100, 500)
    idle: Sequence[int] = (200,)
    memory: Sequence[int] = (500,)
    rounds: int = 5
    start_rounds: int = 21


QUICK: Final = Sizes(rtts=(RTT,), members=(1, 10), host=(1, 20), idle=(10,), memory=(20,), rounds=1, start_rounds=5)


def measure(results: Results, sizes: Sizes, wanted: Iterable[str], *, keep: bool) -> Iterator[str]:
    """Measure one part after the other into ``results``, and yield its name and its time when it is over.

    A part that fails is told of, and the others go on. With ``keep``, the real clusters go on running.
    """
    for part in wanted:
        started = time.monotonic()
        try:
            PARTS[part](results, sizes, keep)
        except (FailedError, LabError, OSError, subprocess.CalledProcessError) as error:
            print(f"{part} failed: {error}", file=sys.stderr)
        yield f"{part} in {(time.monotonic() - started) / 60:.1f} minutes"


def _start(results: Results, sizes: Sizes, keep: bool) -> None:
    del keep
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results.start = idle.measure_start(Path(folder), rounds=sizes.start_rounds)


def _members(results: Results, sizes: Sizes, keep: bool) -> None:
    del keep
    with _fleet(sizes.rtts, sizes.members) as there:
        for rtt in sizes.rtts:
            for size in sizes.members:
                results.members[rtt, size] = members.measure(there, rtt, size, rounds=results.rounds)


def _host(results: Results, sizes: Sizes, keep: bool) -> None:
    del keep
    with _fleet((RTT,), sizes.host) as there:
        for size in sizes.host:
            results.host[size] = host.measure(there, RTT, size, rounds=results.rounds)


def _idle(results: Results, sizes: Sizes, keep: bool) -> None:
    del keep
    with _fleet((RTT,), sizes.idle) as there:
        for size in sizes.idle:
            results.idle[size] = idle.measure(there, RTT, size, rounds=results.rounds)


def _memory(results: Results, sizes: Sizes, keep: bool) -> None:
    del keep
    with _fleet((RTT,), sizes.memory) as there:
        for size in sizes.memory:
            results.memory[size] = idle.measure_memory(there, RTT, size)


def _real(results: Results, sizes: Sizes, keep: bool) -> None:
    del sizes
    try:
        lab = real_lab.start(real.MEMBERS)
        site = real_lab.describe(lab)
        real.prepare(lab, site)
        results.real = real.measure(lab, site, rounds=results.rounds)
        real_lab.reset(lab)
        results.real_idle = idle.measure_real(site, rounds=results.rounds)
    finally:
        if not keep:
            real_lab.stop()


def _ssh(results: Results, sizes: Sizes, keep: bool) -> None:
    del sizes, keep
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        latency.main()
        uploads.main()
    results.ssh = said.getvalue()


@contextlib.contextmanager
def _fleet(rtts: Sequence[int], sizes: Sequence[int]) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, fleet(Path(folder), rtts, max(sizes)) as there:
        yield there


PARTS: Final = {
    "start": _start,
    "real": _real,
    "ssh": _ssh,
    "idle": _idle,
    "memory": _memory,
    "host": _host,
    "members": _members,
}
"""In the order in which they run, the longest last; "idle" and "memory" are on stand-ins, "real" has its own."""
