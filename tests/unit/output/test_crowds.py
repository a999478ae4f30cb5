"""More clusters than a terminal has rows: a summary is drawn, and what is the same for many is told once."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from docs.record import screen
from fedssh.errors import FedsshError, StepError, UnreachableError
from fedssh.federation.outcomes import sum_up
from fedssh.federation.report import ClusterReport, Progress
from fedssh.output import Messages, ProgressView, closing_lines, show_troubles
from fedssh.output.alike import step_of
from tests.fakes.reports import read_document, report, show_report
from tests.fakes.terminals import Terminal, open_terminal, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MEMBERS = [f"member{number}" for number in range(1, 31)]


def event(cluster: str, text: str, state: Any = "running") -> Progress:
    """Return an event that is no failure."""
    return Progress(cluster=cluster, text=text, state=state)


def failure(error: FedsshError) -> Progress:
    """Return that an error ended a cluster's part."""
    return Progress(cluster=error.machine, text=str(error), state="failed", error=error)


def unreachable(number: int) -> FedsshError:
    """Return that a member does not answer, at an address of its own."""
    text = f"192.0.2.{number} port 22 did not answer within 10 s"
    return UnreachableError(text, machine=f"member{number}", step="connect", hint="Is the machine running?")


def refused(number: int) -> FedsshError:
    """Return that a member says no, with advice that names it."""
    name = f"member{number}"
    return StepError("it said no", machine=name, step="grant", hint=f"Look at members.{name}.\nOr at {name}.")


@contextmanager
def watched(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int] = (80, 12), **how: Any
) -> Iterator[tuple[ProgressView, Terminal, Messages]]:
    """Open a view on a terminal; it is drawn only when a test says so."""
    columns, lines = size
    monkeypatch.setenv("LINES", str(lines))
    terminal = open_terminal(monkeypatch, columns=str(columns))
    messages = Messages(**how)
    view = ProgressView(messages)
    view._live.auto_refresh = False
    with view:
        yield view, terminal, messages


def drawn(view: ProgressView, terminal: Terminal) -> list[str]:
    """Return the picture that is drawn now."""
    start = len(terminal.getvalue())
    view._live.refresh()
    return [plain(line) for line in screen(terminal.getvalue()[start:])]


def told(terminal: Terminal) -> list[str]:
    """Return the lines that stand there when all pictures are erased."""
    return [plain(line) for line in screen(terminal.getvalue())]


def tell_crowd(view: ProgressView, events: Sequence[Progress] = ()) -> None:
    """Tell that 30 members are looked at, and what else."""
    for member in MEMBERS:
        view(event(member, "looking at the member"))
    for one in events:
        view(one)


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (40, 6), (20, 3), (10, 2), (3, 1)])
@pytest.mark.parametrize("number", [1, 5, 100, 1000])
def test_a_picture_stays_within_the_terminal(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], number: int
) -> None:
    """Each cluster has a row as long as there are rows for all; the last line is the cursor's. Else all are counted."""
    columns, lines = size
    with watched(monkeypatch, size) as (view, terminal, _):
        for n in range(number):
            view(event(f"member{n}", "looking\tat the " + "\u4e16" * 40 * (n % 2)))
            if n % 7 == 3:
                view(failure(unreachable(n)))
            elif n % 7 == 5:
                view(event(f"member{n}", f"labelled host=member{n}", "changed"))
        shown = drawn(view, terminal)
        assert 1 <= len(shown) <= max(1, lines - 1)
        assert max(map(cell_len, shown)) <= columns
        if number < lines:
            assert len({row.split()[1] for row in shown}) == len(shown) == number
        elif columns >= 80:
            counted = " ".join(shown[:3]).partition(": ")[2]
            assert sum(map(int, re.findall(r"(?:^| )(\d+) (?=looking|failed|labelled)", counted))) == number
            assert shown[-1] == f"  and {number - 10} more"


def test_a_picture_fits_a_terminal_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the next drawing on: as rows or as a summary."""
    with watched(monkeypatch, (100, 40)) as (view, terminal, messages):
        tell_crowd(view)
        assert len(drawn(view, terminal)) == 30
        for columns, lines in ((40, 6), (20, 31), (30, 30)):
            messages.console.size = (columns, lines)
            shown = drawn(view, terminal)
            assert len(shown) == {6: 5, 31: 30, 30: 13}[lines]
            assert max(map(len, shown)) <= columns


def test_a_summary_counts_steps_and_names_those_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """By step, in the order of the run; the latest failures, the steps that run longest, and how many more."""
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with watched(monkeypatch, (60, 9)) as (view, terminal, messages):
        for number, member in enumerate(MEMBERS, 1):
            clock[0] += 1
            view(event(member, "looking at the member"))
            if number in {2, 9, 11}:
                view(failure(unreachable(number)))
            elif number % 2:
                view(event(member, "waiting for the others", "waiting"))
        for member in MEMBERS[20:]:
            view(event(member, f"wrote context {member}", "changed"))
        view(event(MEMBERS[29], "is Ready", "confirmed"))
        assert drawn(view, terminal) == [
            "30 clusters: 3 failed, 9 looking at the member,",
            "  8 waiting for the others, 9 wrote context, 1 done",
            "✗ member11  192.0.2.11 port 22 did not answer within 10 s",
            "✗ member9  192.0.2.9 port 22 did not answer within 10 s",
            "⠋ member4  looking at the member 26 s",
            "⠋ member6  looking at the member 24 s",
            "⠋ member8  looking at the member 22 s",
            "  and 25 more",
        ]
        assert "\x1b[31m3 failed" in terminal.getvalue()
        messages.console.size = (40, 5)
        assert drawn(view, terminal) == [
            "30 clusters: 3 failed,",
            "  9 looking at the member, 8 waiting fo…",
            "⠋ member4  looking at the member 26 s",
            "  and 29 more",
        ]


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("joined", "joined"),
        ("waiting for KubeFed's health check", "waiting for KubeFed's health check"),
        ("wrote context east", "wrote context"),
        ("removed the access to it, 3 objects", "removed the access to it"),
        ("labelled region=eu,zone=a", "labelled"),
        ("east is gone", "east is gone"),
    ],
)
def test_a_step_is_what_clusters_have_in_common(text: str, step: str) -> None:
    """Up to the first name, number or label; what begins with one is whole."""
    assert step_of(text, "east") == step


def test_steps_of_a_crowd_are_counted_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each, in the order in which they began; not what was taken back; what is one cluster's alone is whole."""
    with watched(monkeypatch) as (view, terminal, _):
        tell_crowd(view, [event(member, "granted access", "changed") for member in MEMBERS])
        view(event("fedhost", "wrote /root/.kube/config", "changed"))
        for member in MEMBERS[3:]:
            view(event(member, f"labelled host={member}", "changed"))
            view(event(member, "is Ready", "confirmed"))
        view(event("member1", "granted access", "undone"))
        drawn(view, terminal)
        view(event("member2", "the clocks agree", "checked"))
    assert told(terminal) == [
        "✓ 29 clusters: granted access",
        "✓ fedhost wrote /root/.kube/config",
        "✓ 27 clusters: labelled …",
        "✓ 27 clusters: is Ready",
    ]


def test_what_fits_the_terminal_is_no_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then each step of each cluster is told as it is done, and each error when it happens."""
    with watched(monkeypatch, (80, 31)) as (view, terminal, _):
        tell_crowd(view, [event(member, "granted access", "changed") for member in MEMBERS])
        for number in (4, 7):
            view(failure(refused(number)))
        lines = told(terminal)
    assert lines == told(terminal)
    assert [line for line in lines if "granted" in line] == [f"✓ {member} granted access" for member in MEMBERS]
    assert sum("next: Look at members." in line for line in lines) == 2


def test_the_same_failure_of_many_is_told_at_once_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """First when it happens, then once with all names; names and addresses make no difference, anything else does."""
    errors = [unreachable(number) for number in range(2, 15)] + [refused(20), refused(10)]
    other = StepError("it said no", machine="member21", step="grant", hint="Do something else.")
    with watched(monkeypatch, (60, 12)) as (view, terminal, messages):
        tell_crowd(view, [failure(error) for error in (*errors, other)])
        for number in (20, 10):
            view(event(f"member{number}", f"What was on member{number} is gone again.", "aftermath"))
        at_once = [
            "error: member2: connect: 192.0.2.2 port 22 did not answer within 10 s",
            "  next: Is the machine running?",
            "error: member20: grant: it said no",
            "  next: Look at members.member20.",
            "        Or at member20.",
            "error: member21: grant: it said no",
            "  next: Do something else.",
            "member20: What was on member20 is gone again.",
        ]
        assert told(terminal) == at_once
    assert told(terminal)[len(at_once) :] == [
        *at_once[:2],
        "  13 clusters:",
        "    member2, member3, member4, member5, member6, member7,",
        "    member8, member9, member10, member11, member12,",
        "    member13, member14",
        *at_once[2:5],
        "  2 clusters:",
        "    member10, member20",
        at_once[-1],
        "  2 clusters:",
        "    member10, member20",
    ]
    before = terminal.getvalue()
    clusters = [ClusterReport(name=e.machine, role="member", state="Failed", error=e) for e in (*errors, other)]
    show_troubles(report(*clusters), messages)
    assert terminal.getvalue() == before


def test_a_failure_that_all_share_names_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has the others, too."""
    with watched(monkeypatch, quiet=True) as (view, terminal, _):
        tell_crowd(view, [failure(unreachable(number)) for number in range(1, 251)])
    assert terminal.getvalue().count("did not answer") == 2
    assert "  250 clusters:\n    member1, member2, " in plain(terminal.getvalue())
    assert told(terminal)[-1] == "    member100 and 150 more"


@pytest.mark.parametrize(
    ("how", "steps", "errors"),
    [({"quiet": True}, 0, 2), ({"verbosity": 1}, 31, 29), ({"style": "text"}, 31, 29), ({"style": "json"}, 31, 29)],
)
def test_quiet_tells_no_steps_and_verbose_each(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], steps: int, errors: int
) -> None:
    """Errors alone, summed up on a terminal; every line for those who asked for every check, and in logs."""
    with watched(monkeypatch, **how) as (view, terminal, _):
        tell_crowd(view, [event(member, "granted access", "changed") for member in (*MEMBERS, "fedhost")])
        for number in range(2, 31):
            view(failure(unreachable(number)))
    lines = "\n".join(told(terminal))
    assert (lines.count("granted access"), lines.count("did not answer")) == (steps, errors)


def test_elsewhere_it_is_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    """However many there are: logs are searched by name."""
    with ProgressView(Messages()) as view:
        tell_crowd(view, [event(member, "granted access", "changed") for member in MEMBERS])
        for number in range(1, 31):
            view(failure(refused(number)))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:60] == [
        f"{member}: {done}" for done in ("looking at the member", "granted access") for member in MEMBERS
    ]
    assert lines[60:63] == [
        "error: member1: grant: it said no",
        "  next: Look at members.member1.",
        "        Or at member1.",
    ]
    assert len(lines) == 150


@pytest.mark.parametrize(("lines", "warnings"), [("12", 5), ("40", 33)])
def test_a_warning_that_many_share_is_told_once(monkeypatch: pytest.MonkeyPatch, lines: str, warnings: int) -> None:
    """Where they are a crowd, with their names; another one is told beside it."""
    monkeypatch.setenv("LINES", lines)
    terminal = open_terminal(monkeypatch)
    clusters = [
        ClusterReport(name=name, role="member", state="Ready", notices=(f"nobody verifies https://{name}:6443",))
        for name in MEMBERS[:-2]
    ]
    clusters += [ClusterReport(name=name, role="member", state="NotReady", message="gone") for name in MEMBERS[-2:]]
    clusters += [ClusterReport(name="last", role="member", state="NotReady", message="token refused", notices=("x",))]
    clusters += [ClusterReport(name="host", role="host", state="Ready", notices=("x and y",))]
    show_troubles(report(*clusters), Messages())
    told = plain(terminal.getvalue())
    assert told.count("warning: ") == warnings
    assert told.startswith("warning: member1: nobody verifies https://member1:6443\n")
    if lines == "12":
        assert told.splitlines()[1:3] == [
            "  28 clusters:",
            "    member1, member2, member3, member4, member5, member6, member7, member8,",
        ]
        assert told.endswith(
            "warning: member29: it is not ready: gone\n  2 clusters:\n    member29, member30\n"
            "warning: last: x\nwarning: last: it is not ready: token refused\nwarning: host: x and y\n"
        )


def test_many_threads_are_counted_while_pictures_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost, nobody waits for ever, and what comes after the end is told as it comes."""
    monkeypatch.setenv("LINES", "12")
    terminal = open_terminal(monkeypatch)
    with ProgressView(Messages()) as view:
        tell_crowd(view)

        def work(member: str) -> None:
            for step in range(40):
                view(event(member, "joining"))
                view(event(member, f"did {chr(97 + step % 4)}", "changed"))
                if step % 10 == 0:
                    time.sleep(0.05)
            view(failure(StepError("no", machine=member)))

        threads = [threading.Thread(target=work, args=(member,), daemon=True) for member in MEMBERS]
        for thread in threads:
            thread.start()
        with view.paused():
            before = terminal.getvalue()
            time.sleep(0.3)
            assert terminal.getvalue() == before
        for thread in threads:
            thread.join(timeout=20)
        assert not any(thread.is_alive() for thread in threads)
    view(event("member1", "too late", "changed"))
    first, *lines, late = told(terminal)
    assert re.fullmatch(r"error: member\d+: no", first)
    assert lines[:6] == [*(f"✓ 30 clusters: did {letter}" for letter in "abcd"), first, "  30 clusters:"]
    assert " ".join(lines[6:]).split() == [*(f"{member}," for member in MEMBERS[:-1]), MEMBERS[-1]]
    assert late == "✓ member1 too late"


@pytest.mark.parametrize("output", ["table", "wide", "json", "name"])
def test_results_list_every_member(monkeypatch: pytest.MonkeyPatch, output: Any) -> None:
    """Also on a terminal that has no room for them; the last line counts them all."""
    terminal = open_terminal(monkeypatch)
    errors = {number: unreachable(number) for number in range(3, 500, 5)}
    clusters = [
        ClusterReport(
            name=f"member{number}",
            role="member",
            state="Failed" if number in errors else "Ready",
            error=errors.get(number),
        )
        for number in range(500)
    ]
    told_end = sum_up(clusters, "federated")
    made = report(*clusters, summary=told_end)
    show_report(made, output)
    lines = plain(terminal.getvalue()).splitlines()
    if output == "json":
        text = terminal.getvalue().partition("\n}\n")[0] + "\n}\n"
        assert [cluster["name"] for cluster in read_document(text)["clusters"]] == [c.name for c in clusters]
    else:
        rows = [line for line in lines if line.startswith("member")]
        assert [row.split()[0] for row in rows] == [cluster.name for cluster in clusters]
    assert lines[-1] == closing_lines(made, seconds=2.44)[0] == "400 of 500 federated, 100 failed, 2 s"
