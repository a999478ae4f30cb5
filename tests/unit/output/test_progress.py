from __future__ import annotations

import logging
import time

import pytest

from fedssh.federation.report import Progress
from fedssh.output import ProgressView
from tests.fakes.terminals import open_terminal, plain


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
