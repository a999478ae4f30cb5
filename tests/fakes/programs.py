"""fedssh as a program: its two front doors, and one whose work is made up."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tests.warm import ROOT, run_python

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.conftest import Leaks

DOORS = {
    "fedssh": [sys.executable, "-P", "-c", "import sys; sys.argv[0] = 'fedssh'; from fedssh.cli import main; main()"],
    "invoke": [sys.executable, "-m", "invoke", "--search-root", str(ROOT)],
}
# A fedssh one of whose verbs is made up: what is behind it is not of interest.
PRETENDER = """
import sys
from fedssh import cli, ssh
from fedssh.federation.report import ClusterReport, Report
from fedssh.verbs import {verb} as verb
def pretend(wishes, *, connect, report, agree=None):
    {body}
verb.run = pretend
sys.argv = ["fedssh", "{verb}", *sys.argv[1:]]
cli.main()
"""
REPORT = (
    "Report(verb='status', clusters=({clusters}), engine='kubefed', engine_version='0.10.0', exit_code={code}, "
    "summary='1 of 1 Ready')"
)
READY = "ClusterReport(name='fedhost', role='host', state='Ready'),"
# Two changes that the made-up verb reports before it goes on.
CHANGE = (
    "from fedssh.federation.report import Progress; "
    "[report(Progress(cluster=name, text='granted access', state='changed')) for name in ('fedhost', 'member1')]; "
)


@dataclass(frozen=True)
class Run:
    """Runs programs in the test's folder."""

    folder: Path
    leaks: Leaks

    def __call__(self, *argv: str, **environment: str) -> Done:
        """Run one; none may end with a traceback."""
        if argv[0] != sys.executable:
            return self.anew(*argv, **environment)
        return self._checked(run_python(argv[1:], cwd=self.folder, env=self._environment(environment), timeout=30))

    def anew(self, *argv: str, **environment: str) -> Done:
        """Run one that is started, imports and all."""
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return self._checked(done)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(ROOT), **more}

    def _checked(self, done: subprocess.CompletedProcess[str]) -> Done:
        self.leaks.look(done.stdout + done.stderr, "the program's output")
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)


class Done(NamedTuple):
    """What a program answered."""

    code: int
    out: str
    err: str


def pretender(body: str, verb: str = "status") -> list[str]:
    """Return the program whose verb does that."""
    return [sys.executable, "-c", PRETENDER.format(body=body, verb=verb)]
