"""How the program ends: exit codes, errors, bugs, and readers that leave."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.fakes.programs import CHANGE, DOORS, READY, REPORT, Done, Run, pretender
from tests.fakes.reports import read_document
from tests.warm import ROOT

if TYPE_CHECKING:
    from pathlib import Path


FIRST = r"hosts\.yaml: host fedhost, 2 members\n"
STORY = re.compile(FIRST + r"1 of 1 Ready, \d+ s\n")
ENDED = re.compile(FIRST + r"(.*)Ended early, nothing changed, \d+ s\n", re.DOTALL)


def told(done: Done) -> str:
    """Return what stands on stderr between the first line and the last."""
    found = ENDED.fullmatch(done.err)
    assert found, done.err
    return found[1]


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("code", [0, 6])
def test_a_report_gives_its_exit_code(run: Run, code: int) -> None:
    """On stdout as a table or as JSON, and nothing else."""
    program = pretender("return " + REPORT.format(clusters=READY, code=code))
    done = run(*program, "-o", "json")
    assert (done.code, STORY.fullmatch(done.err) is not None) == (code, True), done.err
    assert read_document(done.out)["exitCode"] == code
    table = run(*program)
    assert (table.code, STORY.fullmatch(table.err) is not None) == (code, True), table.err
    assert table.out.split()[:3] == ["CLUSTER", "ROLE", "STATE"]
    quiet = run(*program, "-q")
    assert quiet == (code, table.out, "")


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("error", "code"),
    [("StepError", 3), ("ConnectionLostError", 4), ("RefusedError", 6), ("BusyError", 75)],
)
def test_an_error_gives_its_exit_code(run: Run, error: str, code: int) -> None:
    """With its place, and its hint."""
    done = run(*pretender(f"from fedssh import errors; raise errors.{error}('no', machine='m', hint='do this')"))
    assert (done.code, done.out) == (code, "")
    assert told(done) == "error: m: no\n  next: do this\n"


@pytest.mark.usefixtures("hosts")
def test_a_bug_shows_no_exceptions_text(run: Run) -> None:
    """It may hold what nobody should see; FEDSSH_DEBUG is for whoever looks for it."""
    done = run(*pretender("raise ValueError('hidden')"))
    assert (done.code, done.out) == (1, "")
    assert told(done) == "error: a bug in fedssh (ValueError at <string>:7). FEDSSH_DEBUG=1 shows more.\n"


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("flags", ["", "-o json"])
@pytest.mark.parametrize("number", [1, 2000])
def test_fault_47_a_reader_that_leaves_early_is_no_error(tmp_path: Path, flags: str, number: int) -> None:
    """``fedssh status | head -1``: no traceback, no message, and the report's exit code."""
    process = subprocess.Popen(
        [*pretender("return " + REPORT.format(clusters=f"{READY} " * number, code=3)), "-q", *flags.split()],
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
def test_fault_47_nobody_reading_the_progress_does_not_end_the_work(tmp_path: Path) -> None:
    """A federation is not left half-way because of a closed stderr."""
    body = "import time; from fedssh.federation.report import Progress; time.sleep(0.3)"
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


@pytest.mark.usefixtures("hosts")
def test_a_full_disk_under_stderr_does_not_end_the_work(run: Run) -> None:
    """The report is what counts."""
    program = pretender(CHANGE + "return " + REPORT.format(clusters=READY, code=0))
    done = run("sh", "-c", 'exec "$@" 2>/dev/full', "sh", *program)
    assert (done.code, "fedhost" in done.out) == (0, True)


@pytest.mark.usefixtures("hosts")
def test_an_error_of_the_whole_run_stands_in_the_verbs_report(run: Run) -> None:
    """The verb returns it; it is shown as any other."""
    error = "errors.BusyError('no', machine='fedhost', hint='do this')"
    body = f"from fedssh import errors; return Report(verb='status', engine='kubefed', exit_code=75, error={error})"
    done = run(*pretender(body))
    assert (done.code, done.out, told(done)) == (75, "", "error: fedhost: no\n  next: do this\n")
    document = read_document(run(*pretender(body), "-o", "json").out)
    assert (document["clusters"], document["error"]["hint"]) == ([], "do this")


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("flags", [[], ["-o", "json"]])
def test_a_full_disk_under_stdout_is_told(run: Run, flags: list[str]) -> None:
    """The report could not be written, which is not the run's exit code."""
    program = [*pretender("return " + REPORT.format(clusters=READY, code=0)), *flags]
    done = run("sh", "-c", 'exec "$@" >/dev/full', "sh", *program)
    assert done.code != 0
    assert "\nerror: a bug in fedssh (OSError at " in done.err


@pytest.mark.parametrize("stream", ["0<&-", ">&-", "2>&-"])
@pytest.mark.usefixtures("hosts")
def test_a_stream_that_is_closed_is_one_that_nobody_reads(run: Run, stream: str) -> None:
    """No bug, and no traceback."""
    for flags in (["--help"], ["federate", "-m", "x", "-f", "-"]):
        done = run("sh", "-c", f'exec "$@" {stream}', "sh", *DOORS["fedssh"], *flags)
        assert done.code == (2 if "-f" in flags else 0)
        assert "bug" not in done.err


def test_a_full_disk_under_help_is_told(run: Run) -> None:
    """In a line."""
    done = run("sh", "-c", 'exec "$@" >/dev/full', "sh", *DOORS["fedssh"], "--help")
    assert (done.code, done.err.splitlines()[0]) == (1, "error: stdout cannot be written: No space left on device")
