"""What programs are told: one document for every way to end."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.fakes.programs import CHANGE, DOORS, REPORT, Run, pretender
from tests.fakes.reports import read_document

CHANGED = "ClusterReport(name='m', role='member', state='Ready', changes=('x',)),"


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
    assert re.search(r"(Ready|Ended early, 2 changes made|Interrupted after).* \d+ s", done.err.splitlines()[-1])


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
