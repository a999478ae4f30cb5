from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from typing import Any

import pytest

from fedssh.errors import RefusedError
from fedssh.federation.report import ClusterReport, Progress, Report
from fedssh.output import ProgressView, show_error, show_line, show_report

HOST = ClusterReport(
    name="fedhost", role="host", state="Ready", api_server="https://fedhost.example.com:6443", changes=("joined",)
)
LONG = "a-member-whose-name-is-as-long-as-names-get-to-be"
REFUSED = RefusedError("it is another cluster", machine="member2", step="prove", hint="Correct it.\nOr leave it.")
CLUSTERS = (
    HOST,
    ClusterReport(name=LONG, role="member", state="NotReady", labels={"zone": "a", "region": "eu"}, message="gone"),
    ClusterReport(name="member2", role="member", state="Failed", error=REFUSED),
)


BARE: dict[str, Any] = {
    "role": "member",
    "apiServer": "",
    "labels": {},
    "changes": [],
    "notices": [],
    "message": "",
    "error": None,
}


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch, *, columns: str = "80") -> Terminal:
    """Make both streams one terminal; for a fixture it is too early, since pytest captures again after it."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", columns)
    return stream


def report(*clusters: ClusterReport, **changes: Any) -> Report:
    """Return a report of status."""
    values = {"verb": "status", "kubefed_version": "0.10.0", "exit_code": 3}
    return Report(clusters=clusters, **{**values, **changes})


def plain(text: str) -> str:
    """Return a text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_fault_47_what_is_piped_has_no_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per cluster, nothing cut or folded; errors on stderr with what to do next."""
    show_report(report(*CLUSTERS), "table")
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    lines = [line.split() for line in out.splitlines()]
    assert lines == [
        ["CLUSTER", "ROLE", "STATE", "LABELS", "API", "SERVER"],
        ["fedhost", "host", "Ready", "-", "https://fedhost.example.com:6443"],
        [LONG, "member", "NotReady", "region=eu,zone=a", "-"],
        ["member2", "member", "Failed", "-", "-"],
    ]
    assert err == (
        f"{LONG} is not ready: gone\n"
        "error: member2: prove: it is another cluster\n"
        "  next: Correct it.\n        Or leave it.\n"
    )


def test_json_is_all_that_stdout_gets(capsys: pytest.CaptureFixture[str]) -> None:
    """With everything in it; errors are told on stderr as well."""
    show_report(report(*CLUSTERS), "json")
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told.pop("clusters")[1:] == [
        {
            **BARE,
            "name": LONG,
            "state": "NotReady",
            "labels": {"zone": "a", "region": "eu"},
            "message": "gone",
        },
        {
            **BARE,
            "name": "member2",
            "state": "Failed",
            "error": {
                "message": "it is another cluster",
                "machine": "member2",
                "step": "prove",
                "hint": "Correct it.\nOr leave it.",
                "exitCode": 6,
            },
        },
    ]
    assert told == {
        "apiVersion": "fedssh/v1",
        "kind": "Report",
        "verb": "status",
        "exitCode": 3,
        "changed": True,
        "kubefedVersion": "0.10.0",
    }
    assert "error: member2" in err


@pytest.mark.parametrize("text", ["[red]x[/]", "[/foo]", "[bold", ":smile:", '"quoted"', "\\", "\u00fc \u4e16"])
def test_text_of_machines_is_never_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """It is shown as it is, in every place; JSON holds it exactly."""
    bad = ClusterReport(name="m", role="member", state="NotReady", labels={"k": text}, message=text, api_server=text)
    show_report(report(bad), "json")
    told = json.loads(capsys.readouterr().out)["clusters"][0]
    assert (told["message"], told["apiServer"], told["labels"]) == (text, text, {"k": text})
    show_report(report(bad), "table")
    show_error(RefusedError(text, hint=text))
    show_line(text)
    with ProgressView(verbose=False) as view:
        view(Progress(cluster=text, text=text, state="running"))
    out, err = capsys.readouterr()
    assert (out.count(text), err.count(text)) == (2, 6)


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_fault_47_a_narrow_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """It wraps the lines itself, as it does kubectl's; the state above all is never cut."""
    terminal = open_terminal(monkeypatch, columns=columns)
    show_report(report(*CLUSTERS), "table")
    shown = plain(terminal.getvalue())
    for one in (LONG, "NotReady", "region=eu,zone=a", "https://fedhost.example.com:6443", "it is another cluster"):
        assert one in shown
    assert len(shown.splitlines()) == 8


def test_fault_47_a_terminal_gets_colours_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """https://no-color.org; TERM=dumb is no terminal for colours, either."""
    terminal = open_terminal(monkeypatch)
    show_report(report(HOST), "table")
    assert "\x1b[32mReady" in terminal.getvalue()
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        terminal.truncate(0)
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            show_report(report(HOST), "table")
            show_error(REFUSED)
        assert not re.search(r"\x1b\[[\d;]*3\d", terminal.getvalue())


def test_progress_on_a_terminal_is_one_line_per_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone at the end; what was done stays. No failure is told twice."""
    terminal = open_terminal(monkeypatch)
    with ProgressView(verbose=False) as view:
        for number in range(3):
            view(Progress(cluster="member1", text=f"step {number}", state="running"))
        view(Progress(cluster="member1", text="granted access", state="changed"))
        view(Progress(cluster="member2", text="first line\nsecond line", state="failed"))
    shown = plain(terminal.getvalue())
    assert "\u2713 member1 granted access" in shown
    assert "second line" not in shown
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is back


def test_progress_elsewhere_is_one_line_per_step(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr; failures come at the end, with what to do."""
    with ProgressView(verbose=False) as view:
        view(Progress(cluster="member1", text="granting access", state="running"))
        view(Progress(cluster="member1", text="granted access", state="changed"))
        view(Progress(cluster="member1", text="failed", state="failed"))
    assert capsys.readouterr() == ("", "member1: granting access\nmember1: granted access\n")


@pytest.mark.parametrize("verbose", [False, True])
def test_what_the_package_logs_is_told(capsys: pytest.CaptureFixture[str], *, verbose: bool) -> None:
    """Warnings always, harmless for a terminal; the rest for those who ask; nothing once the work is done."""
    log = logging.getLogger("fedssh.ssh")
    with ProgressView(verbose=verbose):
        log.info("attempt 1 of 4")
        log.warning("%s: not checked", "\x1b[2Jhost")
    log.warning("too late")
    expected = "warning: \\x1b[2Jhost: not checked\n"
    assert capsys.readouterr() == ("", "attempt 1 of 4\n" * verbose + expected)


@pytest.mark.parametrize("shown", [False, True])
def test_a_question_is_not_drawn_over(monkeypatch: pytest.MonkeyPatch, *, shown: bool) -> None:
    """While one waits for its answer the terminal is left alone; what happened meanwhile is told afterwards."""
    terminal = open_terminal(monkeypatch)
    view = ProgressView(verbose=False)
    if shown:
        view.__enter__()
    with view.paused():
        before = terminal.getvalue()
        view(Progress(cluster="member1", text="granted access", state="changed"))
        time.sleep(0.3)  # two pictures long
        assert terminal.getvalue() == before
    assert "granted access" in plain(terminal.getvalue())
    view.__exit__(None, None, None)
    assert terminal.getvalue().count("\x1b[?25l") == 2 * shown


@pytest.mark.parametrize(
    ("told", "summary"),
    [
        (report(HOST, exit_code=0), ""),
        (report(HOST, kubefed_version=""), "KubeFed is not installed yet. Next: federate --all, or --member NAME"),
        (report(HOST, *CLUSTERS[1:], verb="federate"), ""),
        (report(HOST, verb="federate", exit_code=0), "fedhost are federated."),
        (
            report(HOST, CLUSTERS[1], CLUSTERS[2], verb="federate", exit_code=0),
            f"fedhost, {LONG} and member2 are federated.",
        ),
        (
            report(ClusterReport(name="fedhost", role="host", state="Ready"), verb="prepare", exit_code=0),
            "Nothing to do: KubeFed 0.10.0 and kubefedctl are installed on fedhost.",
        ),
        (report(HOST, verb="prepare", exit_code=0), "KubeFed 0.10.0 and kubefedctl are installed on fedhost."),
    ],
)
def test_the_last_line_says_how_it_ended(capsys: pytest.CaptureFixture[str], told: Report, summary: str) -> None:
    """Only where all is well; errors speak for themselves. prepare has no table."""
    show_report(told, "table")
    out = capsys.readouterr().out
    assert ("CLUSTER" in out) == (told.verb != "prepare")
    last = out.splitlines()[-1]
    assert last == summary if summary else last.startswith(("CLUSTER", "fedhost", LONG, "member"))


def test_an_error_without_a_hint_has_no_next_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Just what failed, and where."""
    show_error(RefusedError("no", machine="m"))
    assert capsys.readouterr() == ("", "error: m: no\n")
