"""Part 4: nothing to do, the start of the program, and memory."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measuring import FailedError, Sample, in_turns, run
from bench.ways import PROGRAM, federate

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.fleet import Fleet
    from bench.site import Site

AGAIN: Final = "fedssh federate --all"
STATUS: Final = "fedssh status"
HELP: Final = "fedssh --help"
MISTAKE: Final = "fedssh federate, a mistake in hosts.yaml"
LIST: Final = "invoke --list, an empty tasks.py"
FIRST: Final = "the first federate"

_INVOKE: Final = PROGRAM.with_name("invoke")
_KIBI: Final = 1024  # of them in a mebi
_NOTHING: Final = "Nothing to do"
_USAGE: Final = 2  # the exit code of a mistake
_CHECKOUT: Final = Path(__file__).parents[1]


def measure_real(site: Site, *, rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of runs on real clusters that have all joined."""
    folder = site.folder
    run(federate(site, folder).argv, log=folder / "log", cwd=folder)
    return _measure(site, folder, rounds=rounds, title=f"{len(site.members)} real members that have joined")


def measure(fleet: Fleet, rtt: int, members: int, *, rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of runs on so many stand-ins, ``rtt`` milliseconds away, that have all joined."""
    fleet.choose(rtt, members)
    run(federate(fleet.site, fleet.folder).argv, log=fleet.folder / "log", cwd=fleet.folder)
    found = _measure(fleet.site, fleet.folder, rounds=rounds, title=f"{members} members that have joined, at {rtt} ms")
    if fleet.federation.strange:
        raise FailedError(f"not understood: {fleet.federation.strange[:3]}")
    return found


def measure_start(folder: Path, *, rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of what fedssh does without a machine, and of Invoke with nothing to load.

    Args:
        folder: Where files can be written.
        rounds: How often each is run.
    """
    (folder / "tasks.py").write_text("")
    (folder / "hosts.yaml").write_text("host: { name: fedhost, adress: fedhost.example.com }\n")
    hosts = folder / "hosts.yaml"
    ways: dict[str, Callable[[], Sample]] = {
        # With nothing in it, Invoke lists nothing, and says so by its exit code.
        LIST: partial(run, [_INVOKE, "--list"], log=folder / "log", cwd=folder, expect=(0, 1)),
        HELP: partial(run, [PROGRAM, "--help"], log=folder / "log", cwd=folder),
        MISTAKE: partial(
            run, [PROGRAM, "federate", "--all", "-f", hosts], log=folder / "log", cwd=folder, expect=(_USAGE,)
        ),
    }
    return in_turns(ways, rounds=rounds, title="start")


def measure_memory(fleet: Fleet, rtt: int, members: int) -> dict[str, float]:
    """Return the most MiB that the first run and the second one hold, with so many stand-ins; no run that fails."""
    fleet.choose(rtt, members)
    peaks = {}
    for name in (FIRST, AGAIN):
        file = fleet.folder / "peak"
        arguments = ["federate", "--all", "-f", fleet.site.folder / "hosts.yaml"]
        try:
            run([sys.executable, "-m", "bench.peak", file, *arguments], log=fleet.folder / "log", cwd=_CHECKOUT)
        except FailedError as error:
            print(f"memory, {name}: {error}", file=sys.stderr)
            continue
        peaks[name] = int(file.read_text()) / _KIBI
    return peaks


def _measure(site: Site, folder: Path, *, rounds: int, title: str) -> dict[str, list[Sample]]:
    def again() -> Sample:
        sample = run(federate(site, folder).argv, log=folder / "log", cwd=folder)
        if _NOTHING not in (folder / "log").read_text():
            raise FailedError("there was something to do")
        return sample

    status = [PROGRAM, "status", "-f", site.folder / "hosts.yaml"]
    return in_turns(
        {AGAIN: again, STATUS: partial(run, status, log=folder / "log", cwd=folder)}, rounds=rounds, title=title
    )
