"""What ends a run early: Ctrl-C, SIGTERM, the time that it may take."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from fedssh.cli.interruption import parse_duration
from fedssh.errors import ConfigurationError
from tests.fakes.programs import READY, REPORT, Run, pretender
from tests.fakes.reports import read_document
from tests.warm import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_has_its_exit_code(run: Run, number: int, code: int) -> None:
    """And says how to go on."""
    done = run(*pretender(f"import os; os.kill(os.getpid(), {number}); import time; time.sleep(9)"))
    assert (done.code, done.out) == (code, "")
    assert re.search(r"\nInterrupted after \d+ s\. Run the same command again: [^\n]+\n$", done.err)


@pytest.mark.usefixtures("hosts")
def test_fault_11_the_second_interruption_is_hard(tmp_path: Path) -> None:
    """Whoever does not want to wait for the clean-up presses again."""
    slow = """import time
    try: print(flush=True); time.sleep(30)
    finally: print(flush=True); time.sleep(30)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(pretender(slow), cwd=tmp_path, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(2):
            assert process.stdout.readline()
            process.send_signal(signal.SIGINT)
        assert process.wait(2) == -signal.SIGINT


@pytest.mark.usefixtures("hosts")
def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """A script's background job is not ended by a Ctrl-C that is meant for something else."""
    body = "import os; os.kill(os.getpid(), 2); return " + REPORT.format(clusters=READY, code=0)
    done = subprocess.run(
        ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *pretender(body)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0


@pytest.mark.usefixtures("hosts")
def test_the_time_that_a_run_may_take(run: Run) -> None:
    """When it is over, the run ends as by Ctrl-C, and says how to go on."""
    done = run(*pretender("import time; time.sleep(20)"), "--timeout", "300ms")
    assert (done.code, "it can be a time such as 90s, 10m or 1h30m" in done.err) == (2, True)
    done = run(*pretender("import time; time.sleep(20)"), "--timeout", "0.5s")
    assert (done.code, done.out) == (3, "")
    assert "error: the run took longer than --timeout allows\n  next: Run the same command again" in done.err


@pytest.mark.usefixtures("hosts")
def test_the_time_does_not_cut_the_clean_up_short(run: Run) -> None:
    """Ctrl-C comes first, and what is left of the time is no second interruption."""
    body = """
    import os, threading, time
    threading.Timer(0.3, os.kill, (os.getpid(), 2)).start()
    try: time.sleep(9)
    finally: time.sleep(3.5)
"""
    done = run(*pretender(body), "--timeout", "3s", "-o", "json")
    assert (done.code, read_document(done.out)["exitCode"]) == (130, 130)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("2h0m5s", 7205), ("0.25s", 0.25)]
)
def test_a_duration_is_as_go_writes_it(text: str, seconds: float) -> None:
    """As kubectl and Helm take it."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "5x", "m", "-5s", "5 m", "0s", "1e3s", "9999h", "5m5", "\u0665s", "1..5s", "s5"]
)
def test_what_is_no_duration_is_a_mistake(text: str) -> None:
    """Nor is nothing, and what nobody waits for."""
    with pytest.raises(ConfigurationError, match="--timeout is"):
        parse_duration(text)
