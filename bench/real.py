"""Part 1: federating real clusters, from KubeFed installed and nothing joined to everything joined.

KubeFed's own health check, which fedssh waits for and the others do not, is told apart: fedssh's time ends with its
last join, as the others' does, and its whole time stands beside it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from bench import events, real_lab
from bench.measuring import FailedError, Sample, in_turns, run
from bench.ways import (
    ANSIBLE,
    FEDSSH,
    PROGRAM,
    PYINFRA,
    SCRIPT,
    SHARED_SCRIPT,
    Way,
    ansible,
    federate,
    new_folder,
    pyinfra,
    run_way,
    script,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.site import Site
    from lab.clusters import Lab

MEMBERS: Final = 5
WHOLE: Final = "fedssh, with KubeFed's health check"
CELL_SECONDS: Final = 600.0


def measure(lab: Lab, site: Site, *, rounds: int) -> dict[str, list[Sample]]:
    """Return the samples of each way; fedssh's whole time is one."""
    ways = {name: partial(_measure, lab, site, make) for name, make in WAYS.items()}
    title = f"{len(site.members)} real members"
    found = in_turns(ways, rounds=rounds, title=title, cell_seconds=CELL_SECONDS)
    whole = [Sample(seconds=dict(one.more)["whole"], cpu_seconds=one.cpu_seconds) for one in found[FEDSSH]]
    return {FEDSSH: found[FEDSSH], WHOLE: whole, **found}


def prepare(lab: Lab, site: Site) -> None:
    """Install KubeFed on the host."""
    argv = [PROGRAM, "prepare", "-f", site.folder / "hosts.yaml"]
    run(argv, log=site.folder / "log", cwd=site.folder)
    real_lab.reset(lab)


def _measure(lab: Lab, site: Site, make: Callable[[Site, Path], Way]) -> Sample:
    real_lab.reset(lab)
    folder = new_folder(site)
    way = make(site, folder)
    started = time.time()
    sample = run_way(way, site, folder)
    real_lab.check(lab)
    if make is not federate:
        return sample
    joined = events.last((site.folder / "log").read_text(), events.JOINED)
    if joined is None:
        raise FailedError("fedssh has told of no join")
    return Sample(seconds=joined - started, cpu_seconds=sample.cpu_seconds, more=(("whole", sample.seconds),))


WAYS: Final[dict[str, Callable[[Site, Path], Way]]] = {
    FEDSSH: federate,
    SCRIPT: partial(script, "all"),
    SHARED_SCRIPT: partial(script, "all", shared=True),
    ANSIBLE: partial(ansible, "federate.yaml"),
    "Ansible with mitogen": partial(ansible, "federate.yaml", mitogen=True),
    PYINFRA: partial(pyinfra, "federate.py", with_host=True),
}
