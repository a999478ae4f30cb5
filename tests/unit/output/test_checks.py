"""Findings for people: grouped, the worst first; nothing in them drives the terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from fedssh.federation.report import CheckFinding, ClusterReport, Report
from fedssh.output.checks import render_findings
from fedssh.output.documents import render_json
from tests.fakes.reports import read_document

if TYPE_CHECKING:
    import pytest

OK = CheckFinding(cluster="fedhost", topic="ssh", state="ok", text="logged in")
NOTICE = CheckFinding(cluster="fedhost", topic="clocks", state="notice", text="skewed", hint="Set it.")
PROBLEM = CheckFinding(
    cluster="fedhost", topic="engine", state="problem", text="crashes\n\x1b[31m", since="2026-11-29T01:00:00Z",
    leads_to="nothing works", hint="See why.\nThen again.",
)  # fmt: skip


def lines(*findings: CheckFinding, whole: bool = False) -> list[str]:
    """Return what is shown of findings."""
    return [line.plain for line in render_findings(report(*findings), whole=whole)]


def report(*findings: CheckFinding) -> Report:
    """Return a report of them."""
    cluster = ClusterReport(name="fedhost", role="host", state="Unknown", findings=findings)
    return Report(verb="check", clusters=(cluster,), engine="kubefed", exit_code=3)


def test_the_worst_comes_first() -> None:
    """Problems, then notices, then what is in order, of which there is only a number."""
    told = "\n".join(lines(OK, NOTICE, OK, PROBLEM)).splitlines()
    assert told == [
        "✗ The engine on the host",
        "  ✗ fedhost: crashes",
        "      \\x1b[31m (since 2026-11-29T01:00:00Z)",
        "      leads to: nothing works",
        "      next: See why.",
        "            Then again.",
        "! Clocks",
        "  ! fedhost: skewed",
        "      next: Set it.",
        "✓ SSH: settings, host keys, logins   2 in order",
    ]


def test_everything_can_be_listed() -> None:
    """With -v, what is in order is told as well."""
    assert lines(OK, whole=True) == ["✓ SSH: settings, host keys, logins   1 in order", "  ✓ fedhost: logged in"]


def test_a_terminal_without_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the encoding has none of the signs, others stand for them."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert [line[0] for line in lines(OK, NOTICE, PROBLEM) if line[0] != " "] == ["x", "!", "-"]


def test_programs_get_every_field() -> None:
    """In the document, as the schema has it."""
    [cluster] = read_document(render_json(report(OK, PROBLEM)))["clusters"]
    assert cluster["findings"][1] == {
        "topic": "engine",
        "state": "problem",
        "text": "crashes\n\x1b[31m",
        "since": "2026-11-29T01:00:00Z",
        "leadsTo": "nothing works",
        "hint": "See why.\nThen again.",
    }
