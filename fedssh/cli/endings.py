"""The end of a run: every one has a report and an exit code, also one that fails, is interrupted or meets a bug.

What is imported at the top here is imported by ``fedssh --help``, too; so the rest is imported when a verb runs.
"""

from __future__ import annotations

import importlib
import os
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit

from fedssh import engines
from fedssh.cli.doors import check_door
from fedssh.cli.flags import DRY_RUN, LOG_FORMAT, OUTPUT, QUIET, TIMEOUT, VERBOSE, YES
from fedssh.cli.interruption import AGAIN, Interrupted, InterruptionError, interruptible, parse_duration
from fedssh.errors import ConfigurationError, FedsshError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoke.context import Context

    from fedssh.cli.table import Verb
    from fedssh.federation.report import Progress, Report
    from fedssh.output import Format


def run_to_the_end(verb: Verb, c: Context, given: Mapping[str, Any]) -> None:
    """Run a verb and show its report.

    Args:
        verb: The verb.
        c: Invoke's context.
        given: The values of those of the verb's flags that were given.

    Raises:
        Exit: The exit code is not 0.
    """
    defaults: dict[str, Any] = {flag.name: [] if flag.default is None else flag.default for flag in verb.all_flags}
    values = {**defaults, **given}
    dry_run = DRY_RUN in verb.flags and bool(values[DRY_RUN.name] or c.config.run.dry)
    end = _End(values, _SoFar(verb.name, dry_run=dry_run))
    try:
        _check_values(verb, given)
        timeout, work = values.get(TIMEOUT.name), _run if verb.has_report else _run_on_laptop
        with interruptible(parse_duration(timeout) if timeout else 0):
            try:
                check_door(c)
                _check_dry(verb, c)
                end.show(work(verb, {**values, DRY_RUN.name: dry_run}, end))
            except Interrupted as interrupted:
                # What stays on the laptop leaves nothing to go on from.
                hint = AGAIN if verb.has_report else ""
                end.show(end.so_far.report(interrupted.as_error(hint)))
    except FedsshError as error:
        end.show(end.so_far.report(error))
    except Exception as bug:  # noqa: BLE001  (the last line of defence)
        if os.environ.get("FEDSSH_DEBUG"):
            traceback.print_exc()
        end.show(end.so_far.report(_without_its_text(bug)))
    if end.exit_code:
        raise Exit(code=end.exit_code)


def _check_values(verb: Verb, given: Mapping[str, Any]) -> None:
    """Refuse what a verb's flags cannot have as values.

    Args:
        verb: The verb.
        given: The values of those of its flags that were given.

    Raises:
        ConfigurationError: One has such a value, or two exclude each other (2).
    """
    for flag in verb.all_flags:
        value = given.get(flag.name)
        # Of a shell's variable that is not set; with it, what was found would be taken for what is meant.
        if value == "" and flag.takes_value:
            raise ConfigurationError(f"{flag.option} has an empty value")
        if isinstance(value, str) and flag.choices and value not in flag.choices:
            listed = f"{', '.join(flag.choices[:-1])} or {flag.choices[-1]}"
            raise ConfigurationError(f"{flag.option} is {value!r}; it can be {listed}")
    if given.get(QUIET.name) and given.get(VERBOSE.name):
        raise ConfigurationError(f"{QUIET.option} and {VERBOSE.option} exclude each other")


def show_usage_error(verb: str, error: FedsshError, given: Mapping[str, Any]) -> None:
    """Show the end of a run that did not begin: its command line was not understood.

    Args:
        verb: The verb, as far as it is known.
        error: What is wrong.
        given: How the end is to be shown, as far as that was understood.
    """
    end = _End(given, _SoFar(verb, dry_run=False))
    end.show(end.so_far.report(error))


class _SoFar:
    """What a run has changed until now, for the report of a run that does not come to an end of its own."""

    def __init__(self, verb: str, *, dry_run: bool) -> None:
        self._verb = verb
        self._dry_run = dry_run
        self._changes: dict[str, list[str]] = {}
        self._errors: dict[str, FedsshError] = {}
        self.host = ""

    def note(self, event: Progress) -> None:
        """Note a change that is made or taken back, or a failure; from any thread."""
        changes = self._changes.setdefault(event.cluster, [])
        if event.state == "changed":
            changes.append(event.text)
        elif event.state == "undone" and event.text in changes:
            changes.remove(event.text)
        elif event.error:
            self._errors.setdefault(event.cluster, event.error)

    def report(self, error: FedsshError) -> Report:
        """Return the report: why it ended, and what is done nevertheless."""
        from fedssh.federation.report import ClusterReport, Report  # noqa: PLC0415  (it brings the engines' protocol)

        clusters = [
            ClusterReport(
                name=name,
                role="host" if name == self.host else "member",
                state="Failed",
                changes=tuple(changes),
                error=self._errors.get(name, error),
            )
            for name, changes in list(self._changes.items())
            if changes or name in self._errors
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
    """Shows how a run ended. Only the first report gets stdout, whatever happens while it is printed.

    Attributes:
        so_far: What the run has changed.
        messages: Where the run tells what happens.
        exit_code: The program's.
        has_begun: Whether there was a run, whose end is told, or only a command line.
    """

    def __init__(self, given: Mapping[str, Any], so_far: _SoFar) -> None:
        from fedssh.output import Messages  # noqa: PLC0415  (rich is slow to import)

        style, output = given.get(LOG_FORMAT.name), given.get(OUTPUT.name)
        self._verbose = bool(given.get(VERBOSE.name, 0))
        self._output: Format = output if output in OUTPUT.choices else "table"
        self.so_far = so_far
        self.messages = Messages(
            style=style if style in LOG_FORMAT.choices else "plain",
            quiet=given.get(QUIET.name, False),
            verbosity=given.get(VERBOSE.name, 0),
        )
        self._started = time.monotonic()
        self._is_shown = False
        self.has_begun = False
        self.exit_code = 0

    def show(self, report: Report) -> None:
        """Show a report; its exit code is that of the program."""
        from fedssh.output import closing_lines, show_result, show_troubles, spent  # noqa: PLC0415  (as above)

        self.exit_code = report.exit_code
        seconds = time.monotonic() - self._started
        if not self._is_shown:
            self._is_shown = True
            show_result(report, self._output, verbose=self._verbose)
        if isinstance(report.error, InterruptionError):
            self.messages.say(f"Interrupted after {spent(seconds)}. {report.error.hint}".strip(), always=True)
            return
        show_troubles(report, self.messages)
        if self.has_begun:
            for line in closing_lines(report, seconds=seconds):
                self.messages.say(line)


def _run(verb: Verb, given: Mapping[str, Any], end: _End) -> Report:
    from fedssh.cli.running import load_wishes, run_verb  # noqa: PLC0415  (SSH is slow to import)

    wishes = load_wishes(verb, given, end.messages)
    end.so_far.host = wishes.inventory.host.name
    end.has_begun = True
    yes = given.get(YES.name, False)
    return run_verb(verb, wishes, messages=end.messages, also_tell=end.so_far.note, yes=yes)


def _run_on_laptop(verb: Verb, given: Mapping[str, Any], end: _End) -> Report:
    """Run a verb that has a text to print instead of a report."""
    from fedssh.federation.report import Report  # noqa: PLC0415  (as above)
    from fedssh.output import write_result  # noqa: PLC0415  (as above)

    write_result(importlib.import_module(f"fedssh.cli.{verb.name}").run(given, end.messages))
    return Report(verb=verb.name, has_table=False)


def _check_dry(verb: Verb, c: Context) -> None:
    """Refuse Invoke's ``-R`` where it would not keep a verb from writing; one that only looks is the same with it."""
    if c.config.run.dry and not verb.has_report:
        raise ConfigurationError(f"{verb.name} has no dry run", hint="Without -O it writes to stdout alone.")


def _without_its_text(bug: Exception) -> FedsshError:
    """Return what may be shown of a bug; an exception's text may hold a secret."""
    place = traceback.extract_tb(bug.__traceback__)[-1]
    where = f"{type(bug).__name__} at {Path(place.filename).name}:{place.lineno}"
    return FedsshError(f"a bug in fedssh ({where}). FEDSSH_DEBUG=1 shows more.")
