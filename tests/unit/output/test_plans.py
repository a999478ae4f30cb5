from __future__ import annotations

from dataclasses import replace

import pytest

from fedssh.federation.report import ClusterReport
from tests.fakes.reports import FAILED, GRANT, INSTALL, report, show_report
from tests.fakes.terminals import open_terminal, plain

NEW_HOST = ClusterReport(name="fedhost", role="host", state="NotJoined", plan=(INSTALL,))
NEW_MEMBER = ClusterReport(name="member1", role="member", state="NotJoined", plan=(GRANT,))
DONE = ClusterReport(name="member3", role="member", state="Ready")


def test_a_plan_says_what_why_and_on_what_it_depends(capsys: pytest.CaptureFixture[str]) -> None:
    """For each cluster, also for those where nothing would be done; the sum comes last, on stderr."""
    clusters = (NEW_HOST, replace(NEW_MEMBER, plan=(GRANT, INSTALL)), FAILED, DONE)
    show_report(report(*clusters, verb="federate", dry_run=True, exit_code=6), "table")
    out, err = capsys.readouterr()
    assert err.splitlines()[-1] == "Nothing was changed. federate would make 3 changes to 2 clusters, 2 s"
    assert out == (
        "On fedhost, federate would\n"
        "  install the tools   because they are not there\n"
        "On member1, federate would\n"
        "  grant access        because there is no ServiceAccount member1\n"
        "                      provided that the new token is proven first\n"
        "  install the tools   because they are not there\n"
        "On member2, federate would do nothing, because of its error.\n"
        "On member3 there is nothing to do.\n"
    )


@pytest.mark.parametrize(
    ("clusters", "exit_code", "last"),
    [
        ((DONE,), 0, "Nothing was changed, and there is nothing to do, 2 s"),
        ((DONE, FAILED), 3, "Nothing was changed, 2 s"),
        ((DONE, NEW_HOST), 0, "Nothing was changed. prepare would make 1 change to 1 cluster, 2 s"),
        ((NEW_MEMBER, NEW_HOST), 0, "Nothing was changed. prepare would make 2 changes to 2 clusters, 2 s"),
    ],
)
def test_the_last_line_is_the_sum(
    capsys: pytest.CaptureFixture[str], clusters: tuple[ClusterReport, ...], exit_code: int, last: str
) -> None:
    """That nothing was changed is said in every case."""
    show_report(report(*clusters, verb="prepare", dry_run=True, exit_code=exit_code), "table")
    assert capsys.readouterr().err.splitlines()[-1] == last


def test_a_long_change_does_not_push_all_reasons_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    """The others' stay where they are."""
    long = replace(INSTALL, text="install " + "the tools " * 9)
    show_report(report(replace(NEW_HOST, plan=(INSTALL, long)), dry_run=True), "table")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  install the tools   because they are not there"
    assert lines[2] == f"  {long.text}   because they are not there"


@pytest.mark.parametrize("columns", ["10", "80"])
def test_a_plan_loses_nothing_on_a_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """The terminal wraps the lines; nothing in them is markup."""
    terminal = open_terminal(monkeypatch, columns=columns)
    odd = replace(GRANT, text="[red]grant[/]", why="[/x] \x1b[2J", needs="[bold]")
    show_report(report(replace(NEW_MEMBER, plan=(odd,)), dry_run=True), "table")
    lines = plain(terminal.getvalue()).splitlines()
    assert lines[1] == r"  [red]grant[/]   because [/x] \x1b[2J"
    assert lines[2].strip() == "provided that [bold]"
    assert "\x1b[2J" not in terminal.getvalue()
