"""A forked program is what a started one is."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.warm import ROOT, run_python

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = {
    "exit code": "import sys; print('out'); print('err', file=sys.stderr); sys.exit(75)",
    "last words": "import sys; sys.exit('it cannot be')",
    "signal": "import os; os.kill(os.getpid(), 9)",
    "clean-up": "import atexit, sys; atexit.register(print, 'bye'); sys.exit(3)",
    "thread": "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "surroundings": "import os, sys; print(os.getcwd(), sys.argv, sorted(os.environ), sys.stdin.read())",
    "handlers": "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGCHLD))",
    "verb": "import sys; sys.argv[0] = 'fedssh'; from fedssh.cli import main; main()",
}


@pytest.mark.parametrize("code", PROGRAMS.values(), ids=PROGRAMS)
def test_it_ends_as_one_that_was_started(code: str, tmp_path: Path) -> None:
    """With the same exit code and the same words."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "SAID": "yes"}
    argv = ["-c", code, "status", "--hosts", "nowhere.yaml"]
    forked = run_python(argv, cwd=tmp_path, env=env, timeout=30)
    started = subprocess.run(
        [sys.executable, *argv], cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)


def test_a_program_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """As ``subprocess.run`` does it."""
    with pytest.raises(subprocess.TimeoutExpired):
        run_python(["-c", "import time; time.sleep(60)"], cwd=tmp_path, env=os.environ, timeout=0.2)
