"""A lab on which runs are disturbed: how one is run, disturbed, finished, and held against an undisturbed one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lab.clusters import each
from lab.versions import CHECKOUT
from tests.cluster.kills.ends import differences_to, read_end
from tests.cluster.kills.points import INTERRUPTED, KILLED_BEFORE, KILLED_DURING, halfway, load, render
from tests.cluster.oracle import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lab.machine import Machine
    from tests.cluster.kills.points import Disturbance, Execution
    from tests.cluster.kills.starts import Verb
    from tests.cluster.oracle import Federation

SECONDS: Final = 240
CUT_CODES: Final = frozenset({3, 4})
"""How a run may end whose connection is cut: the member, or the host, has failed or is unreachable."""

BUSY: Final = 75
UNKNOWN: Final = 2
"""How a run ends for a member that neither hosts.yaml nor the host knows: when nothing is left of it."""

_QUIET_SECONDS: Final = 15
# A JWT, and the base64 of one.
_TOKEN: Final = re.compile(r"eyJ[\w-]{20}|ZXlK[\w+/]{20}")
_LEFT_BEHIND: Final = """
    for one in $(grep -lzs '^SSH_CONNECTION=' /proc/[0-9]*/environ); do
        tr '\\0' ' ' <"${one%environ}cmdline"; echo
    done 2>/dev/null
    ls -A /root/.kube | grep -E '^[.]fedssh-proof|^config[.].{6}$|^config[.]lock$'
    [ ! -e /root/.kube/config.fedssh.lock ] || flock -n /root/.kube/config.fedssh.lock true || echo locked
    ls -d /tmp/tmp.* /usr/local/bin/.kubefedctl.new 2>/dev/null
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An undisturbed run: its executions, and the state in which it left the lab."""

    executions: tuple[Execution, ...]
    end: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A lab, and how fedssh is run on it.

    Attributes:
        federation: The oracle.
        folder: Where its hosts.yaml lies, and where the runs' executions are noted.
        runs: All runs so far.
    """

    federation: Federation
    folder: Path
    runs: list[Run] = field(default_factory=list)

    def run(self, *argv: str, disturbance: Disturbance | None = None, noted: str = "executions") -> Run:
        """Run fedssh, disturbed or not.

        Args:
            *argv: Its command line.
            disturbance: What is done to it.
            noted: The file, in the folder, in which its executions are noted.
        """
        path = self.folder / noted
        path.write_text("")
        done = subprocess.run(
            [sys.executable, "-m", "tests.cluster.kills.driver", render(disturbance), str(path), *argv],
            check=False, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "FEDSSH_DEBUG": "1"},
        )  # fmt: skip
        ended = Run(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
        self.runs.append(ended)
        return ended

    def must(self, *argv: str) -> Run:
        """Run fedssh undisturbed, which has to succeed."""
        done = self.run(*argv)
        assert done.code == 0, done.stderr
        return done

    def at_once(self, commands: Sequence[tuple[str, ...]]) -> list[list[int]]:
        """Run several commands at the same time, each again while another run holds the lock; return their codes."""

        def until_done(numbered: tuple[int, tuple[str, ...]]) -> list[int]:
            number, argv = numbered
            codes, deadline = list[int](), time.monotonic() + SECONDS
            while not codes or (codes[-1] == BUSY and time.monotonic() < deadline):
                codes.append(self.run(*argv, noted=f"executions-{number}").code)
            return codes

        return each(until_done, enumerate(commands))

    def end(self) -> tuple[str, ...]:
        """Return the state of the lab, once nothing of a run is left, and nothing changes any more."""
        self.wait_until_quiet()
        return read_end(self.federation.lab)

    def differences_to(self, end: tuple[str, ...]) -> list[str]:
        """Return what is different from such a state."""
        return differences_to(end, self.federation.lab)

    def undisturbed(self, verb: Verb) -> Reference:
        """Run a verb from its start to its end, and note how."""
        verb.start(self)
        self.must(*verb.argv)
        return Reference(executions=tuple(load(self.folder / "executions")), end=self.end())

    def disturbed(self, verb: Verb, kind: str, execution: Execution, reference: Reference) -> str:
        """Disturb a run of a verb at an execution, and run it again; return what is wrong then, "" if nothing is."""
        verb.start(self)
        disturbed = self.run(*verb.argv, disturbance=halfway(kind, execution))
        problem = _problem_of(disturbed, kind, gets_around=verb.gets_around)
        if problem:
            return f"{problem}\n{disturbed.stderr}"
        try:
            self.wait_until_quiet()
        except AssertionError as error:
            return f"it has left: {error}"
        finished = self.run(*verb.argv)
        is_unknown = verb.forgets and finished.code == UNKNOWN
        if finished.code != 0 and not is_unknown:
            return f"the next run ended with {finished.code}:\n{finished.stderr}\nbefore it:\n{disturbed.stderr}"
        different = self.differences_to(reference.end)
        return "\n".join([*different, "the next run:", finished.stderr]) if different else ""

    def together(self, commands: Sequence[tuple[str, ...]], start: Callable[[Stand], None]) -> str:
        """Run commands one after the other, then, from the same start, at the same time.

        Returns:
            What is wrong: how one ended, or what is different then; "" if nothing is.
        """
        start(self)
        for argv in commands:
            self.must(*argv)
        end = self.end()
        start(self)
        codes = self.at_once(commands)
        if {code for ended in codes for code in ended[:-1]} - {BUSY} or any(ended[-1] for ended in codes):
            return f"they ended with {codes}"
        return "\n".join(self.differences_to(end))

    def wait_until_quiet(self) -> None:
        """Wait until the machines have nothing of a run: no process that came by SSH, no temporary file, no held lock.

        Raises:
            AssertionError: Something stays.
        """
        each(_wait_until_quiet, self.federation.lab.machines)


def _wait_until_quiet(machine: Machine) -> None:
    deadline = time.monotonic() + _QUIET_SECONDS
    while left := machine.exec("sh", "-c", _LEFT_BEHIND).stdout:
        assert time.monotonic() < deadline, f"{machine.name}: {left}"
        time.sleep(0.2)


def _problem_of(run: Run, kind: str, *, gets_around: bool) -> str:
    """Return what is wrong with how a disturbed run ended."""
    if "Traceback" in run.stderr:
        return "it ended with a traceback"
    if _TOKEN.search(run.stderr + run.stdout):
        return "it has shown a token"
    codes = {KILLED_BEFORE: {-signal.SIGKILL}, KILLED_DURING: {-signal.SIGKILL}, INTERRUPTED: {130}}
    wanted = codes.get(kind, CUT_CODES | ({0} if gets_around else set()))
    return "" if run.code in wanted else f"it ended with {run.code}"
