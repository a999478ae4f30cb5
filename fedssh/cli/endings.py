"""The end of a run: every one has a report and an exit code, also one that fails, is interrupted or meets a bug.

What is imported at the top here is imported by ``fedssh --help``, too; so the rest is imported when a verb runs.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit

from fedssh import engines
from fedssh.cli.flags import DRY_RUN
from fedssh.cli.interruption import Interrupted, InterruptionError, catch_signals
from fedssh.errors import FedsshError
from fedssh.federation.report import ClusterReport, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoke.context import Context

    from fedssh.cli.table import Verb
    from fedssh.federation.report import Progress


def run_to_the_end(verb: Verb, c: Context, given: Mapping[str, Any]) -> None:
    """Run a verb and show its report.

    Args:
        verb: The verb.
        c: Invoke's context.
        given: The values of the verb's flags.

    Raises:
        Exit: The exit code is not 0.
    """
    # A verb that changes nothing is the same with Invoke's -R and without.
    dry_run = DRY_RUN in verb.flags and bool(given[DRY_RUN.name] or c.config.run.dry)
    so_far = _SoFar(verb.name, dry_run=dry_run)
    end = _End(as_json=given["output"] == "json")
    try:
        catch_signals()
        end.show(_run(verb, c, {**given, DRY_RUN.name: dry_run}, so_far))
    except Interrupted as interrupted:
        end.show(so_far.report(interrupted.as_error()))
    except Exception as bug:  # noqa: BLE001  (the last line of defence)
        if os.environ.get("FEDSSH_DEBUG"):
            traceback.print_exc()
        end.show(so_far.report(_without_its_text(bug)))
    if end.exit_code:
        raise Exit(code=end.exit_code)


def show_usage_error(verb: str, error: FedsshError, *, as_json: bool) -> None:
    """Show the end of a run that did not begin: its command line was not understood."""
    _End(as_json=as_json).show(_SoFar(verb, dry_run=False).report(error))


class _SoFar:
    """What a run has changed until now, for the report of a run that does not come to an end of its own."""

    def __init__(self, verb: str, *, dry_run: bool) -> None:
        self._verb = verb
        self._dry_run = dry_run
        self._changes: dict[str, list[str]] = {}
        self.host = ""

    def note(self, event: Progress) -> None:
        """Note a change that is reported; from any thread."""
        if event.state == "changed":
            self._changes.setdefault(event.cluster, []).append(event.text)

    def report(self, error: FedsshError) -> Report:
        """Return the report: why it ended, and what is done nevertheless."""
        clusters = [
            ClusterReport(
                name=name,
                role="host" if name == self.host else "member",
                state="Failed",
                changes=tuple(changes),
                error=error,
            )
            for name, changes in list(self._changes.items())
        ]
        return Report(
            verb=self._verb,
            clusters=tuple(clusters),
            engine=engines.DEFAULT,
            exit_code=error.exit_code,
            dry_run=self._dry_run,
            has_table=False,
            error=error,
        )


class _End:
    """Shows how a run ended. Only the first report gets stdout, whatever happens while it is printed."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._has_begun = False
        self.exit_code = 0

    def show(self, report: Report) -> None:
        """Show a report; its exit code is that of the program."""
        from fedssh.output import show_line, show_result, show_troubles  # noqa: PLC0415  (rich is slow to import)

        self.exit_code = report.exit_code
        if not self._has_begun:
            self._has_begun = True
            show_result(report, "json" if self._as_json else "table")
        if isinstance(report.error, InterruptionError):
            show_line(f"Interrupted. {report.error.hint}")
        else:
            show_troubles(report)


def _run(verb: Verb, c: Context, given: Mapping[str, Any], so_far: _SoFar) -> Report:
    from fedssh.cli.running import check_door, load_wishes, run_verb  # noqa: PLC0415  (SSH is slow to import)

    try:
        check_door(c)
        wishes = load_wishes(verb, given)
        so_far.host = wishes.inventory.host.name
        return run_verb(verb, wishes, verbose=given["verbose"], also_tell=so_far.note)
    except FedsshError as error:
        return so_far.report(error)


def _without_its_text(bug: Exception) -> FedsshError:
    """Return what may be shown of a bug; an exception's text may hold a secret."""
    place = traceback.extract_tb(bug.__traceback__)[-1]
    where = f"{type(bug).__name__} at {Path(place.filename).name}:{place.lineno}"
    return FedsshError(f"a bug in fedssh ({where}). FEDSSH_DEBUG=1 shows more.")
