"""How long fedssh takes to reach a machine and to run something there, by the length of the link.

``make bench`` prints the medians, and what they come to: so many round trips (R), and so many milliseconds besides.
Compare runs of one computer only, and with nothing else running on it.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from bench.sshd import machine, serve
from bench.wan import wan
from fedssh.inventory import Machine
from fedssh.shell import command
from fedssh.ssh import Connections

RTTS: Final = (0, 50, 100, 200)
ROUNDS: Final = 7
STEPS: Final = ("connect", "first run", "next run")

_MILLISECONDS: Final = 1000  # in a second

Value = TypeVar("Value")


def main() -> None:
    """Measure, and print a table."""
    if os.geteuid() != 0:
        sys.exit("the link between the ends takes root")
    with tempfile.TemporaryDirectory() as folder, wan(RTTS), serve(Path(folder), RTTS):
        found = {rtt: _measure(machine(Path(folder), rtt)) for rtt in RTTS}
    print(f"{'':10}" + "".join(f"{f'{rtt} ms':>9}" for rtt in RTTS) + "   is")
    for step in STEPS:
        medians = [found[rtt][step] for rtt in RTTS]
        fit = statistics.linear_regression(RTTS, medians)
        shown = "".join(f"{median:9.0f}" for median in medians)
        print(f"{step:10}{shown}   {fit.slope:.1f} R + {fit.intercept:.0f} ms")


def _measure(there: Machine) -> dict[str, float]:
    """Return the median of each step, in milliseconds; what is read once per run is read anew in each round."""
    rounds = [_round(there) for _ in range(ROUNDS)]
    return dict(zip(STEPS, map(statistics.median, zip(*rounds, strict=True)), strict=True))


def _round(there: Machine) -> tuple[float, float, float]:
    with Connections() as connections:
        taken, shell = _timed(lambda: connections.connect(there))
        first, _ = _timed(lambda: shell.run([command("true")] * 4))
        second, _ = _timed(lambda: shell.run([command("true")] * 4))
    return taken, first, second


def _timed(function: Callable[[], Value]) -> tuple[float, Value]:
    started = time.perf_counter()
    value = function()
    return (time.perf_counter() - started) * _MILLISECONDS, value


if __name__ == "__main__":
    main()
