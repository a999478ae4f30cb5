"""Holding a plan against its deed: what a dry run tells, and what the run after it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.files import file_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run


def hold_against_deed(federation: Federation, fedssh: Callable[..., Run], *arguments: str) -> Run:
    """Do a dry run, which must change nothing, then the run; check that the one tells what the other does.

    Nothing is changed: no API server was asked for more than a review, and no file on a machine is another one.

    Returns:
        The run, with its report as JSON.
    """
    marks = federation.audit_marks()
    before = {machine.name: file_times(machine) for machine in federation.lab.machines}
    dry = fedssh(*arguments, "--dry-run", "-o", "json")
    assert federation.changes_since(marks) == []
    for machine in federation.lab.machines:
        after = file_times(machine)
        assert {path: time for path, time in after.items() if before[machine.name].get(path) != time} == {}
        assert before[machine.name].keys() - after.keys() == set()
    done = fedssh(*arguments, "-o", "json")
    planned, deed = dry.report, done.report
    assert (planned["dryRun"], planned["changed"], planned["exitCode"]) == (True, False, dry.code)
    assert dry.code == done.code, (dry.stderr, done.stderr)
    assert told(planned) == told(deed)
    return done


def told(report: dict[str, Any]) -> dict[str, Any]:
    """Return what a report says would be changed, or was; and what it refuses and has to say."""
    return {
        "error": report["error"],
        **{
            cluster["name"]: (
                [change["change"] for change in cluster["plan"]] or cluster["changes"],
                cluster["error"],
                cluster["notices"],
            )
            for cluster in report["clusters"]
        },
    }
