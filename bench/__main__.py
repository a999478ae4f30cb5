"""``python -m bench``: measure all parts, or some, and tell the results; as root.

All parts together are written to ``bench/RESULTS.md`` and ``bench/RESULTS.svg``; a part alone is only printed, unless a
folder is named.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import computer, plot, report
from bench.parts import PARTS, QUICK, RTT, Sizes, measure
from bench.results import Results

_HERE: Final = Path(__file__).parent


def main() -> None:
    """Measure what the command line asks for."""
    arguments = _parser().parse_args()
    if os.geteuid() != 0:
        sys.exit("the links between the ends take root")
    sizes = QUICK if arguments.quick else Sizes()
    given = {name: getattr(arguments, name) for name in ("rtts", "members", "rounds") if getattr(arguments, name)}
    sizes = replace(sizes, **given)
    wanted = [part for part in PARTS if part in arguments.only]
    is_all = not (arguments.quick or arguments.rtts or arguments.members or len(wanted) < len(PARTS))
    output = arguments.output or (_HERE if is_all else None)
    results = Results(computer=computer.describe(), rounds=sizes.rounds, rtt=RTT)
    for done in measure(results, sizes, wanted, keep=arguments.keep):
        print(f"done: {done}", file=sys.stderr)
        results.times.append(done)
        if output:  # what is measured stays, whatever comes after it
            output.mkdir(exist_ok=True)
            (output / "RESULTS.md").write_text(report.render(results))
            (output / "RESULTS.svg").write_text(plot.draw(results))
    print(report.render(results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure fedssh beside other ways.")
    add = parser.add_argument
    add("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}")
    add("--rounds", type=int, help="how often each way is run (default: 5; with --quick: 1)")
    add("--rtts", nargs="+", type=int, metavar="MS", help="round trips for the part members")
    add("--members", nargs="+", type=int, metavar="N", help="numbers of members for the part members")
    add("--quick", action="store_true", help="few members, one distance: to see whether it works")
    add("--keep", action="store_true", help="leave the real clusters running, for the next run")
    add("--output", type=Path, metavar="FOLDER", help="where RESULTS.md and RESULTS.svg are written")
    return parser


if __name__ == "__main__":
    main()
