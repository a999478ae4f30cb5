"""How the program ends: exit codes, errors, interruptions, readers that leave, and what programs are told of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from fedssh.cli.interruption import parse_duration
from fedssh.errors import ConfigurationError
from tests.fakes.programs import DOORS, READY, REPORT, ROOT, Done, Run, pretender
from tests.fakes.reports import read_document

if TYPE_CHECKING:
    from pathlib import Path


FIRST = r"hosts\.yaml: host fedhost, 2 members\n"
STORY = re.compile(FIRST + r"1 of 1 Ready, \d\.\d s\n")
ENDED = re.compile(FIRST + r"(.*)Ended early, nothing changed, \d\.\d s\n", re.DOTALL)


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
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_has_its_exit_code(run: Run, number: int, code: int) -> None:
    """And says how to go on."""
    done = run(*pretender(f"import os; os.kill(os.getpid(), {number}); import time; time.sleep(9)"))
    assert (done.code, done.out) == (code, "")
    assert re.search(r"\nInterrupted after \d\.\d s\. Run the same command again: [^\n]+\n$", done.err)


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


CHANGED = "ClusterReport(name='m', role='member', state='Ready', changes=('x',)),"
CHANGE = (
    "from fedssh.federation.report import Progress; "
    "[report(Progress(cluster=name, text='granted access', state='changed')) for name in ('fedhost', 'member1')]; "
)


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("import os; os.kill(os.getpid(), 2); import time; time.sleep(9)", 130, "interrupted"),
        ("import os; os.kill(os.getpid(), 15); import time; time.sleep(9)", 143, "interrupted"),
        ("raise ValueError('hidden')", 1, "a bug in fedssh (ValueError at <string>:7). FEDSSH_DEBUG=1 shows more."),
        ("from fedssh import errors; raise errors.BusyError('later')", 75, "later"),
    ],
    ids=["Ctrl-C", "SIGTERM", "bug", "error"],
)
def test_a_run_that_is_cut_off_has_a_document_too(run: Run, body: str, code: int, message: str) -> None:
    """One, with the exit code, the error, and what had been changed until then; people are told as ever."""
    done = run(*pretender(body), "-o", "json")
    document = read_document(done.out)
    assert (done.code, document["exitCode"], document["error"]["exitCode"]) == (code, code, code)
    assert (document["verb"], document["error"]["message"], document["changed"], document["clusters"]) == (
        "status",
        message,
        False,
        [],
    )
    assert (done.err.count("error: "), done.err.count("Interrupted after ")) == (int(code < 130), int(code >= 130))
    done = run(*pretender(CHANGE + body), "-o", "json")
    document = read_document(done.out)
    assert document["changed"] is True
    assert [(cluster["name"], cluster["role"], cluster["changes"]) for cluster in document["clusters"]] == [
        ("fedhost", "host", ["granted access"]),
        ("member1", "member", ["granted access"]),
    ]
    assert {cluster["error"]["message"] for cluster in document["clusters"]} == {message}
    assert (done.err.count("error: "), done.err.count("Interrupted after ")) == (int(code < 130), int(code >= 130))


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("output", ["json", "yaml"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("return " + REPORT.format(clusters=CHANGED, code=0), 0),
        ("raise KeyError('x')", 1),
        ("raise errors.ConfigurationError('x')", 2),
        ("raise errors.StepError('x')", 3),
        ("raise errors.UnreachableError('x')", 4),
        ("raise errors.HostKeyError('x')", 5),
        ("raise errors.RefusedError('x')", 6),
        ("raise errors.BusyError('x')", 75),
        ("os.kill(os.getpid(), 2); time.sleep(9)", 130),
        ("os.kill(os.getpid(), 15); time.sleep(9)", 143),
        ("time.sleep(9)", 3),
    ],
)
def test_every_end_has_one_document(run: Run, body: str, code: int, output: str) -> None:
    """Of one shape, with what was changed until then; the last one ends with its time."""
    start = f"import os, time; from fedssh import errors; {CHANGE}"
    done = run(*pretender(start + body), "-o", output, *(["--timeout", "1s"] if "sleep" in body else []))
    document = read_document(done.out if output == "json" else json.dumps(yaml.safe_load(done.out)))
    assert (done.code, document["exitCode"], document["changed"]) == (code, code, True)
    assert done.err.splitlines()[0] == "hosts.yaml: host fedhost, 2 members"
    assert re.search(r"(Ready|Ended early, 2 changes made|Interrupted after).* \d\.\d s", done.err.splitlines()[-1])


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
    threading.Timer(0.6, os.kill, (os.getpid(), 2)).start()
    try: time.sleep(9)
    finally: time.sleep(1)
"""
    done = run(*pretender(body), "--timeout", "1s", "-o", "json")
    assert (done.code, read_document(done.out)["exitCode"]) == (130, 130)


@pytest.mark.usefixtures("hosts")
def test_what_had_failed_stands_in_the_report_of_a_run_that_is_cut_off(run: Run) -> None:
    """With its own error; and what was taken back again is no change."""
    body = """
    from fedssh import errors
    from fedssh.federation.report import Progress
    gone = errors.UnreachableError('no answer', machine='member2')
    for cluster, text, state, error in (
        ('member1', 'granted access', 'changed', None), ('member2', 'no answer', 'failed', gone),
        ('member1', 'granted access', 'undone', None), ('member1', 'It is gone again.', 'aftermath', None),
    ):
        report(Progress(cluster=cluster, text=text, state=state, error=error))
    raise errors.BusyError('later')
"""
    document = read_document(run(*pretender(body), "-o", "json").out)
    assert (document["exitCode"], document["changed"]) == (75, False)
    assert [(one["name"], one["error"]["exitCode"]) for one in document["clusters"]] == [("member2", 4)]


@pytest.mark.usefixtures("hosts")
def test_a_full_disk_under_stderr_does_not_end_the_work(run: Run) -> None:
    """The report is what counts."""
    program = pretender(CHANGE + "return " + REPORT.format(clusters=READY, code=0))
    done = run("sh", "-c", 'exec "$@" 2>/dev/full', "sh", *program)
    assert (done.code, "fedhost" in done.out) == (0, True)


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


@pytest.mark.usefixtures("hosts")
def test_an_error_of_the_whole_run_stands_in_the_verbs_report(run: Run) -> None:
    """The verb returns it; it is shown as any other."""
    error = "errors.BusyError('no', machine='fedhost', hint='do this')"
    body = f"from fedssh import errors; return Report(verb='status', engine='kubefed', exit_code=75, error={error})"
    done = run(*pretender(body))
    assert (done.code, done.out, told(done)) == (75, "", "error: fedhost: no\n  next: do this\n")
    document = read_document(run(*pretender(body), "-o", "json").out)
    assert (document["clusters"], document["error"]["hint"]) == ([], "do this")


@pytest.mark.parametrize(
    ("door", "flags", "words"),
    [
        ("fedssh", ["federate", "-m", "nobody", "-o", "json"], "no member 'nobody'"),
        ("invoke", ["federate", "-m", "nobody", "-o", "json"], "no member 'nobody'"),
        ("fedssh", ["federate", "-ojson"], "which members?"),
        ("fedssh", ["status", "--hosts", "gone.yaml", "--output", "json"], "gone.yaml"),
        ("fedssh", ["federate", "--membr", "x", "--output=json"], "did you mean '--member'?"),
        ("fedssh", ["fedrate", "-o", "json"], "did you mean 'federate'?"),
    ],
)
@pytest.mark.usefixtures("hosts")
def test_a_usage_error_has_a_document_too(run: Run, door: str, flags: list[str], words: str) -> None:
    """With the verb, where there is one; stderr says the same."""
    done = run(*DOORS[door], *flags)
    document = read_document(done.out)
    assert (done.code, document["exitCode"], document["clusters"]) == (2, 2, [])
    assert document["verb"] == (flags[0] if flags[0] != "fedrate" else "")
    assert words in document["error"]["message"]
    assert words in done.err


@pytest.mark.usefixtures("hosts")
def test_a_dry_run_that_fails_says_that_it_was_one(run: Run) -> None:
    """Whatever kept it from looking."""
    done = run(*DOORS["fedssh"], "-R", "federate", "-m", "nobody", "-o", "json")
    assert read_document(done.out)["dryRun"] is True


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("flags", [[], ["-o", "json"]])
def test_a_full_disk_under_stdout_is_told(run: Run, flags: list[str]) -> None:
    """The report could not be written, which is not the run's exit code."""
    program = [*pretender("return " + REPORT.format(clusters=READY, code=0)), *flags]
    done = run("sh", "-c", 'exec "$@" >/dev/full', "sh", *program)
    assert done.code != 0
    assert "\nerror: a bug in fedssh (OSError at " in done.err
