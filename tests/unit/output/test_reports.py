from __future__ import annotations

import re
from dataclasses import replace

import pytest

from fedssh.errors import RefusedError, StepError
from fedssh.federation.report import ClusterReport, Progress
from fedssh.output import Messages, ProgressView, closing_lines
from tests.fakes.reports import (
    FAILED,
    GRANT,
    HOST,
    INSTALL,
    LONG,
    NOT_READY,
    REFUSED,
    read_document,
    report,
    show_report,
)
from tests.fakes.terminals import open_terminal, plain

CLUSTERS = (HOST, NOT_READY, FAILED)


def test_fault_47_what_is_piped_has_no_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per cluster, nothing cut or folded; errors on stderr with what to do, and what it has come to."""
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
        f"warning: {LONG}: it is not ready: gone\n"
        "error: member2: prove: it is another cluster\n"
        "  next: Correct it.\n        Or leave it.\n"
        "1 of 3 Ready, 2 s\n"
    )


@pytest.mark.parametrize("text", ["[red]x[/]", "[/foo]", "[bold", ":smile:", '"quoted"', "\\", "\u00fc \u4e16"])
def test_text_of_machines_is_never_markup(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """It is shown as it is, in every place; JSON holds it exactly."""
    bad = ClusterReport(name="m", role="member", state="NotReady", labels={"k": text}, message=text, api_server=text)
    show_report(report(bad), "json")
    told = read_document(capsys.readouterr().out)["clusters"][0]
    assert (told["message"], told["apiServer"], told["labels"]) == (text, text, {"k": text})
    show_report(report(bad, summary=text), "table")
    Messages().error(RefusedError(text, hint=text))
    Messages().say(text)
    with ProgressView(Messages()) as view:
        view(Progress(cluster=text, text=text, state="running"))
    out, err = capsys.readouterr()
    assert (out.count(text), err.count(text)) == (2, 7)


def test_what_would_drive_a_terminal_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where whoever took it from a machine forgot to."""
    evil = "\x1b]0;x\x07\x1b[2J"
    terminal = open_terminal(monkeypatch)
    bad = ClusterReport(name=evil, role="member", state="NotReady", message=evil, notices=(evil,), labels={"k": evil})
    show_report(report(bad, summary=evil, error=StepError(evil, hint=evil)), "table")
    with ProgressView(Messages(verbosity=1)) as view:
        for state in ("running", "changed", "checked"):
            view(Progress(cluster=evil, text=evil, state=state))
    assert "\x1b]0" not in terminal.getvalue()
    assert "\x1b[2J" not in terminal.getvalue()
    assert r"\x1b]0;x\x07\x1b[2J: it is not ready" in plain(terminal.getvalue())


@pytest.mark.parametrize("columns", ["20", "60", "200"])
def test_fault_47_a_narrow_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """It wraps the lines itself, as it does kubectl's; the state above all is never cut."""
    terminal = open_terminal(monkeypatch, columns=columns)
    show_report(report(*CLUSTERS), "table")
    shown = plain(terminal.getvalue())
    for text in (LONG, "NotReady", "region=eu,zone=a", "https://fedhost.example.com:6443", "it is another cluster"):
        assert text in shown
    assert len(shown.splitlines()) == 9


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
            Messages().error(REFUSED)
        assert not re.search(r"\x1b\[[\d;]*3\d", terminal.getvalue())


@pytest.mark.parametrize("has_table", [False, True])
def test_a_report_says_itself_what_people_are_shown(capsys: pytest.CaptureFixture[str], *, has_table: bool) -> None:
    """Whether there is a table, and the last lines; the verb is of no interest here."""
    show_report(report(HOST, has_table=has_table, summary="All is well", remark="Look again.", exit_code=0), "table")
    out, err = capsys.readouterr()
    assert ("CLUSTER" in out, err) == (has_table, "Look again.\nAll is well, 2 s\n")


def test_a_run_that_ended_as_a_whole_has_no_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is nothing to tell of any cluster, stdout stays empty."""
    show_report(report(error=StepError("no", machine="fedhost", hint="Do this.")), "table")
    expected = "error: fedhost: no\n  next: Do this.\nEnded early, nothing changed, 2 s\n"
    assert capsys.readouterr() == ("", expected)


def test_what_ended_the_run_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Though it is the error of several clusters, too; what had been changed is counted."""
    clusters = [
        ClusterReport(name=name, role="member", state="Failed", error=REFUSED, changes=("granted access",))
        for name in ("member1", "member2")
    ]
    show_report(report(*clusters, error=REFUSED, has_table=False), "table")
    out, err = capsys.readouterr()
    assert (out, err.count("error: "), err.count("next: ")) == ("", 1, 1)
    assert err.endswith("Ended early, 2 changes made, 2 s\n")


def test_all_that_is_wrong_with_a_cluster_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """What was found first, and what else."""
    further = (StepError("helm is not there", machine="m"), StepError("curl is not there", machine="m"))
    show_report(report(replace(FAILED, further=further)), "table")
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert told == [
        "error: member2: prove: it is another cluster",
        "error: m: helm is not there",
        "error: m: curl is not there",
    ]


@pytest.mark.parametrize(("seconds", "told"), [(0.04, "1 s"), (2.44, "2 s"), (21.6, "22 s"), (301, "301 s")])
def test_the_closing_line_says_how_long_it_took(seconds: float, told: str) -> None:
    """In whole seconds, of which it is at least one."""
    assert closing_lines(report(), seconds=seconds) == [f"1 of 3 Ready, {told}"]


def test_wide_has_what_fits_into_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A message of several lines becomes one, so that every cluster is a line."""
    many = replace(FAILED, error=StepError("first\nsecond"), changes=("a", "b"))
    show_report(report(replace(HOST, proven=True), NOT_READY, many), "wide")
    header, host, not_ready, failed = capsys.readouterr().out.splitlines()
    assert header.split()[-3:] == ["PROVEN", "CHANGES", "MESSAGE"]
    assert (host.split()[-3:], not_ready.split()[-3:]) == (["yes", "1", "-"], ["no", "0", "gone"])
    assert failed.split()[-4:] == ["no", "2", "first", "second"]


def test_name_is_the_clusters_names(capsys: pytest.CaptureFixture[str]) -> None:
    """A line each, for a shell's loop; of a dry run, too."""
    for dry_run in (False, True):
        show_report(report(HOST, FAILED, dry_run=dry_run), "name")
        assert capsys.readouterr().out == "fedhost\nmember2\n"


def test_notices_are_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with the cluster's name, whether all is well or not."""
    show_report(report(ClusterReport(name="m", role="member", state="Ready", notices=("a", "b"))), "table")
    assert capsys.readouterr().err.startswith("warning: m: a\nwarning: m: b\n")


def test_an_error_without_a_hint_has_no_next_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Just what failed, and where."""
    Messages().error(RefusedError("no", machine="m"))
    assert capsys.readouterr() == ("", "error: m: no\n")


def test_a_dry_run_shows_the_plan_instead_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Refusals and warnings look as in a run."""
    host = ClusterReport(name="fedhost", role="host", state="NotJoined", plan=(INSTALL,), notices=("old",))
    member = ClusterReport(name="member1", role="member", state="NotJoined", plan=(GRANT,))
    show_report(report(host, member, FAILED, verb="federate", dry_run=True, exit_code=6), "table")
    out, err = capsys.readouterr()
    assert "CLUSTER" not in out
    assert out.startswith("On fedhost, federate would\n")
    assert err.startswith("warning: fedhost: old\nerror: member2: prove: it is another cluster\n")
