from __future__ import annotations

import itertools
import json
import logging
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import StepError
from fedssh.federation.report import Progress
from fedssh.output import Messages, ProgressView
from tests.fakes.terminals import open_terminal, plain

if TYPE_CHECKING:
    from fedssh.output.messages import Style

FAILURE = StepError("it said no", machine="member2", step="join", hint="Do this.")
STORY = [
    Progress(cluster="member1", text="granting access", state="running"),
    Progress(cluster="member1", text="the clocks agree", state="checked"),
    Progress(cluster="member1", text="granted access", state="changed"),
    Progress(cluster="member2", text=str(FAILURE), state="failed", error=FAILURE),
    Progress(cluster="member2", text="It is as it was.", state="aftermath"),
]


def tell(messages: Messages) -> None:
    """Tell the story."""
    with ProgressView(messages) as view:
        for event in STORY:
            view(event)


def share(cluster: str, megabytes: int) -> Progress:
    """Return that so much of 15 MB is uploaded."""
    return Progress(cluster=cluster, text=f"uploading, {megabytes} of 15 MB", state="progressing")


def rows(monkeypatch: pytest.MonkeyPatch, *events: Progress, columns: str = "80", lines: str = "25") -> list[str]:
    """Return the rows that stand on a terminal after some events."""
    monkeypatch.setenv("LINES", lines)
    terminal = open_terminal(monkeypatch, columns=columns)
    messages = Messages()
    view = ProgressView(messages)
    for event in events:
        view(event)
    terminal.truncate(0)
    terminal.seek(0)
    messages.console.print(view._picture(), soft_wrap=False)
    return plain(terminal.getvalue()).splitlines()


def test_progress_on_a_terminal_is_a_row_for_each_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are gone at the end; what was done and what failed stays, in the order in which it happened."""
    terminal = open_terminal(monkeypatch)
    tell(Messages())
    shown = plain(terminal.getvalue())
    assert "\u2713 member1 granted access" in shown
    assert shown.index("granted access") < shown.index("error: member2: join: it said no")
    assert shown.count("it said no") == 1 + shown.count("\u2717 member2")
    assert "the clocks agree" not in shown
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is back


def test_a_row_stays_and_says_how_long_a_step_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each cluster, whatever happens to it; a failure is not hidden by what follows it."""
    now = itertools.count(100, 3)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    running = Progress(cluster="member3", text="joining", state="running")
    failed, busy, done = rows(monkeypatch, *STORY, running)
    assert failed.split() == ["\u2717", "member2", "it", "said", "no"]
    assert busy.split()[1:3] + busy.split()[-1:] == ["member3", "joining", "s"]
    assert int(busy.split()[-2]) >= 3
    assert done.split() == ["\u2713", "member1", "granted", "access"]


def test_a_row_says_how_far_its_step_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind what the step is, as long as that lasts; of what has not begun, or has failed, nothing is said."""
    begun = Progress(cluster="member1", text="importing images on member1", state="running")
    (row,) = rows(monkeypatch, begun, share("member1", 3), share("member1", 14))
    assert "member1  importing images on member1: uploading, 14 of 15 MB " in row
    (row,) = rows(monkeypatch, begun, share("member1", 3), Progress(cluster="member1", text="joining", state="running"))
    assert "member1  joining " in row
    assert "15 MB" not in row
    (row,) = rows(monkeypatch, begun, share("member1", 3), Progress(cluster="member1", text="joined", state="changed"))
    assert row.split() == ["\u2713", "member1", "joined"]
    (row,) = rows(monkeypatch, begun, Progress(cluster="member1", text="no", state="failed"), share("member1", 3))
    assert "15 MB" not in row
    assert rows(monkeypatch, share("member1", 3)) == []


def test_on_a_terminal_how_far_a_step_is_is_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row says it; however long the step lasts."""
    now = itertools.count(100, 30)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    terminal = open_terminal(monkeypatch)
    view = ProgressView(Messages())
    for event in (STORY[0], share("member1", 3), share("member1", 4)):
        view(event)
    assert terminal.getvalue() == ""


def test_elsewhere_it_is_a_line_now_and_then_how_far_a_step_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every 10 s at most, whichever clusters it is about, and not before a step has lasted as long."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = ProgressView(Messages())
    begun = [Progress(cluster=name, text="installing", state="running") for name in ("fedhost", "member1")]
    story = [
        (1000.0, begun[0], "fedhost: installing"),
        (1009.9, share("fedhost", 1), ""),
        (1010.0, share("fedhost", 2), "fedhost: uploading, 2 of 15 MB"),
        (1010.0, share("fedhost", 3), ""),
        (1011.0, begun[1], "member1: installing"),
        (1019.9, share("fedhost", 4), ""),
        (1020.0, share("member1", 5), ""),
        (1020.5, share("fedhost", 6), "fedhost: uploading, 6 of 15 MB"),
        (1021.0, share("member1", 7), ""),
        (1030.5, share("member1", 8), "member1: uploading, 8 of 15 MB"),
        (1035.0, begun[0], "fedhost: installing"),
        (1044.9, share("fedhost", 9), ""),
        (1045.0, share("fedhost", 10), "fedhost: uploading, 10 of 15 MB"),
    ]
    for at, event, told in story:
        clock[0] = at
        view(event)
        assert capsys.readouterr() == ("", f"{told}\n" * bool(told)), at


@pytest.mark.parametrize("columns", ["20", "40", "120"])
def test_rows_stay_within_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    """However much there is to say of each cluster; those that failed come first, and each has its row."""
    events = [Progress(cluster=f"m{n}", text="waiting\t" * 20 + "\nmore", state="running") for n in range(9)]
    failed = Progress(cluster="m8", text="no", state="failed", error=FAILURE)
    shown = rows(monkeypatch, *events, failed, columns=columns, lines="10")
    assert max(map(len, shown)) <= int(columns)
    assert [row.split()[1] for row in shown] == ["m8", *(f"m{n}" for n in range(8))]
    assert all(row.endswith("… 0 s") for row in shown[1:])


def test_progress_elsewhere_is_one_line_per_step(capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr; a failure is told when it happens, with what to do, and what became of things after it."""
    tell(Messages())
    expected = ["member1: granting access", "member1: granted access"]
    expected += ["error: member2: join: it said no", "  next: Do this.", "member2: It is as it was."]
    assert capsys.readouterr() == (
        "",
        "\n".join([*expected, ""]),
    )


def test_an_error_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever meets it again at the end."""
    messages = Messages()
    tell(messages)
    messages.error(FAILURE)
    assert capsys.readouterr().err.count("it said no") == 1


@pytest.mark.parametrize(("quiet", "verbosity", "expected"), [(True, 0, 2), (False, 0, 5), (False, 1, 6)])
def test_quiet_tells_errors_alone_and_verbose_every_check(
    capsys: pytest.CaptureFixture[str], *, quiet: bool, verbosity: int, expected: int
) -> None:
    """In plain lines."""
    tell(Messages(quiet=quiet, verbosity=verbosity))
    told = capsys.readouterr().err
    assert len(told.splitlines()) == expected
    assert ("checked: the clocks agree" in told) == (verbosity > 0)
    assert "error: member2: join: it said no\n  next: Do this.\n" in told


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_log_has_time_and_level_in_every_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, style: Style
) -> None:
    """Also on a terminal, where nothing is drawn then; warnings and what libraries log among them."""
    terminal = open_terminal(monkeypatch) if style == "text" else None
    messages = Messages(style=style, verbosity=2)
    with ProgressView(messages) as view:
        for event in STORY:
            view(event)
        logging.getLogger("fedssh.ssh").warning("not checked")
        logging.getLogger("paramiko.m").debug("kex engine")
    messages.warn("old", cluster="member1")
    told = plain(terminal.getvalue()) if terminal else capsys.readouterr().err
    if style == "json":
        lines = [json.loads(line) for line in told.splitlines()]
        assert all(datetime.fromisoformat(line.pop("time")).tzinfo for line in lines)
        assert lines[3] == {
            "level": "error",
            "cluster": "member2",
            "step": "join",
            "hint": "Do this.",
            "exitCode": 3,
            "message": "it said no",
        }
        assert lines[-1] == {"level": "warning", "cluster": "member1", "message": "old"}
        assert lines[-2]["message"] == "m: kex engine"
        levels = " ".join(line["level"] for line in lines)
        assert levels == "info debug info error info warning debug warning"
        return
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "
    lines = told.splitlines()
    assert [re.sub(stamp, "", line) for line in lines] == [
        "INFO member1: granting access",
        "DEBUG member1: the clocks agree",
        "INFO member1: granted access",
        "ERROR member2: join: it said no",
        "ERROR next: Do this.",
        "INFO member2: It is as it was.",
        "WARNING not checked",
        "DEBUG m: kex engine",
        "WARNING member1: old",
    ]
    assert all(re.match(stamp, line) for line in lines)


@pytest.mark.parametrize("verbose", [False, True])
def test_what_the_package_logs_is_told(capsys: pytest.CaptureFixture[str], *, verbose: bool) -> None:
    """Warnings always, harmless for a terminal; the rest for those who ask; nothing once the work is done."""
    log = logging.getLogger("fedssh.ssh")
    with ProgressView(Messages(verbosity=int(verbose))):
        log.info("attempt 1 of 4")
        log.debug("member1$ kubectl get nodes")
        log.warning("%s: not checked", "\x1b[2Jhost")
        logging.getLogger("paramiko.transport").error("it ended")
    log.warning("too late")
    expected = "warning: \\x1b[2Jhost: not checked\n"
    assert capsys.readouterr() == ("", "attempt 1 of 4\n" * verbose + expected)


@pytest.mark.parametrize("shown", [False, True])
def test_a_question_is_not_drawn_over(monkeypatch: pytest.MonkeyPatch, *, shown: bool) -> None:
    """While one waits for its answer the terminal is left alone; what happened meanwhile is told afterwards."""
    terminal = open_terminal(monkeypatch)
    view = ProgressView(Messages())
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
