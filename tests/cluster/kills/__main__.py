"""Disturbs every verb at every remote execution, and prints how many there were and whether all converged.

``make test-kills``: each worker has a lab of its own and takes its share of the points. Progress is on stderr, the
table on stdout; the exit code is 1 where a run did not come to the end of an undisturbed one. At last, verbs for
different members are run at the same time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml

from lab.clusters import start_lab, stop_lab
from lab.errors import LabError
from lab.generations import NEW
from tests.cluster.kills.points import KINDS
from tests.cluster.kills.stand import Stand
from tests.cluster.kills.starts import THREE_AT_ONCE, VERBS
from tests.cluster.oracle import Federation, quick_inventory
from tests.cluster.records import furnish

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.cluster.kills.starts import Verb

PREFIX: Final = f"{os.environ.get('FEDSSH_TEST_PREFIX', 'fedssh-test')}-kills"
NAMES: Final = (*(verb.name for verb in VERBS), THREE_AT_ONCE.name)


@dataclass(slots=True)
class Results:
    """What a worker has found.

    Attributes:
        executions: By verb, how many an undisturbed run has.
        points: By verb and kind, how many runs were disturbed.
        failures: What did not converge: where, and how.
    """

    executions: dict[str, int] = field(default_factory=dict)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)


def main() -> int:
    """Sweep what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verb", action="append", choices=NAMES, metavar="VERB")
    arguments = parser.parse_args()
    verbs = [verb for verb in VERBS if not arguments.verb or verb.name in arguments.verb]
    started, workers = time.monotonic(), arguments.workers
    with ThreadPoolExecutor(max_workers=workers) as pool:
        shares = [pool.submit(_work, verbs, number, workers) for number in range(workers)]
        found = [share.result() for share in shares]
    failures = [failure for results in found for failure in results.failures]
    is_together = THREE_AT_ONCE.name in (arguments.verb or NAMES)
    failures += _at_once() if is_together else []
    for verb in verbs:
        counts = {results.executions[verb.name] for results in found}
        if len(counts) > 1:
            failures.append((verb.name, f"its runs differ in the number of executions, some were left out: {counts}"))
    _show(verbs, found)
    if is_together:
        print(f"\n{THREE_AT_ONCE.name}: {len(THREE_AT_ONCE.commands)} members, {len(THREE_AT_ONCE.commands)} processes")
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"\n{len(failures) or 'None'} did not converge; {minutes} min {seconds} s")
    for where, how in failures:
        print(f"\n{where}:\n{how}")
    return 1 if failures else 0


def _at_once() -> list[tuple[str, str]]:
    """Run several verbs for different members at the same time, in a lab of its own; return what was wrong."""
    with _stand(f"{PREFIX}-at-once", members=3) as stand:
        problem = stand.together(THREE_AT_ONCE.commands, THREE_AT_ONCE.start)
    print(f"{THREE_AT_ONCE.name}: {problem or 'ended as one after the other'}", file=sys.stderr, flush=True)
    return [(THREE_AT_ONCE.name, problem)] if problem else []


@contextmanager
def _stand(prefix: str, *, members: int) -> Iterator[Stand]:
    """Give a lab of its own, and remove it."""
    stop_lab(prefix)
    try:
        with tempfile.TemporaryDirectory() as folder:
            lab = start_lab(prefix, [NEW] * members, Path(folder, "lab"))
            furnish(lab)
            Path(folder, "hosts.yaml").write_text(yaml.safe_dump(quick_inventory(lab), sort_keys=False))
            yield Stand(federation=Federation(lab=lab), folder=Path(folder))
    finally:
        stop_lab(prefix)


def _work(verbs: Sequence[Verb], number: int, workers: int) -> Results:
    """Sweep a worker's share of every verb's points, in a lab of its own."""
    results = Results()
    if verbs:
        with _stand(f"{PREFIX}-{number}", members=2) as stand:
            for verb in verbs:
                _sweep(stand, verb, results, number, workers)
    return results


def _sweep(stand: Stand, verb: Verb, results: Results, number: int, workers: int) -> None:
    reference = stand.undisturbed(verb)
    results.executions[verb.name] = len(reference.executions)
    points = [(kind, execution) for execution in reference.executions for kind in verb.kinds]
    for kind, execution in points[number::workers]:
        began = time.monotonic()
        where = f"{verb.name}, {execution.shown}, {kind}"
        try:
            problem = stand.disturbed(verb, kind, execution, reference)
        except (AssertionError, LabError, subprocess.TimeoutExpired) as error:  # the others are swept nevertheless
            problem = f"{type(error).__name__}: {error}"
        results.points[verb.name, kind] += 1
        results.failures += [(where, problem)] if problem else []
        ended = f"did not converge:\n{problem}" if problem else "converged"
        print(f"{where}: {ended} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)


def _show(verbs: Sequence[Verb], found: Sequence[Results]) -> None:
    if not verbs:
        return
    width = max(len(verb.name) for verb in verbs)
    print(f"{'':{width}}  executions  {'  '.join(KINDS)}")
    for verb in verbs:
        counts = [f"{sum(results.points[verb.name, kind] for results in found):>{len(kind)}}" for kind in KINDS]
        print(f"{verb.name:{width}}  {found[0].executions[verb.name]:>10}  {'  '.join(counts)}")


if __name__ == "__main__":
    sys.exit(main())
