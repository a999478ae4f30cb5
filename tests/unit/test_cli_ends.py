"""How the program ends: exit codes, errors, interruptions, readers that leave."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.programs import READY, REPORT, ROOT, Run, pretender

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("code", [0, 6])
def test_a_report_gives_its_exit_code(run: Run, code: int) -> None:
    """On stdout as a table or as JSON, and nothing else."""
    program = pretender("return " + REPORT.format(clusters=READY, code=code))
    done = run(*program, "-o", "json")
    assert (done.code, done.err) == (code, "")
    assert json.loads(done.out)["exitCode"] == code
    table = run(*program)
    assert (table.code, table.err) == (code, "")
    assert table.out.split()[:3] == ["CLUSTER", "ROLE", "STATE"]


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("error", "code"),
    [("StepError", 3), ("ConnectionLostError", 4), ("RefusedError", 6), ("BusyError", 75)],
)
def test_an_error_gives_its_exit_code(run: Run, error: str, code: int) -> None:
    """With its place, and its hint."""
    done = run(*pretender(f"from fedssh import errors; raise errors.{error}('no', machine='m', hint='do this')"))
    assert (done.code, done.out) == (code, "")
    assert done.err == "error: m: no\n  next: do this\n"


@pytest.mark.usefixtures("hosts")
def test_a_bug_shows_no_exceptions_text(run: Run) -> None:
    """It may hold what nobody should see; FEDSSH_DEBUG is for whoever looks for it."""
    done = run(*pretender("raise ValueError('hidden')"))
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: a bug in fedssh (ValueError at <string>:7). FEDSSH_DEBUG=1 shows more.\n"


@pytest.mark.usefixtures("hosts")
def test_an_interruption_ends_with_130(run: Run) -> None:
    """And says how to go on."""
    done = run(*pretender("raise KeyboardInterrupt"))
    assert (done.code, done.out) == (130, "")
    assert done.err.startswith("Interrupted. Run the same command again")


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("flags", ["", "-o json"])
@pytest.mark.parametrize("number", [1, 2000])
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, flags: str, number: int) -> None:
    """``fedssh status | head -1``: no traceback, no message, and the report's exit code."""
    process = subprocess.Popen(
        [*pretender("return " + REPORT.format(clusters=f"{READY} " * number, code=3)), *flags.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    with process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 3


@pytest.mark.usefixtures("hosts")
def test_nobody_reading_the_progress_does_not_end_the_work(tmp_path: Path) -> None:
    """A federation is not left half-way because of a closed stderr."""
    body = "import time; from fedssh.events import Progress; time.sleep(0.3)"
    body += "; [report(Progress(cluster='m', text='x', state='running')) for _ in range(3)]"
    done = subprocess.run(
        [
            "sh",
            "-c",
            '"$@" 2>&1 >report | :',
            "sh",
            *pretender(f"{body}; return " + REPORT.format(clusters=READY, code=0)),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert "fedhost" in (tmp_path / "report").read_text()
