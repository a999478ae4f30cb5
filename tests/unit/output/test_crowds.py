"""More clusters than a terminal has rows: a summary is drawn."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from docs.record import screen
from fedssh.errors import FedsshError, UnreachableError
from fedssh.federation.outcomes import sum_up
from fedssh.federation.report import ClusterReport, Progress
from fedssh.output import Messages, ProgressView, closing_lines
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
