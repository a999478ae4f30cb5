"""What is told on stderr: for people as plain lines, or as log lines with time and level."""

from __future__ import annotations

import json
import logging
import re
import sys
import textwrap
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from rich.text import Text

from fedssh.output.alike import step_of
from fedssh.output.console import console_for, room_of, styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from fedssh.errors import FedsshError
    from fedssh.federation.report import Progress, Residue

Style = Literal["plain", "text", "json"]

CHECKED: Final = 15
"""The level of what was found in order; ``logging`` knows none between DEBUG and INFO."""

_THRESHOLDS: Final = (logging.INFO, CHECKED, logging.DEBUG)
_DEBUG, _INFO, _WARNING, _ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR

_MOST_NAMED: Final = 100
"""How many clusters are named to which the same has happened; the report tells it of each."""


class Messages:
    """Tells what happens, from any thread.

    Attributes:
        console: Where it is told, and rows may be drawn.
        threshold: The level below which nothing is told.
        is_live: Whether people watch on a terminal, where a picture may be drawn again and again.
    """

    def __init__(self, *, style: Style = "plain", quiet: bool = False, verbosity: int = 0) -> None:
        """Take how to tell it.

        Args:
            style: As plain lines, or as log lines with time and level: as text or as JSON.
            quiet: Whether nothing but warnings and errors is told.
            verbosity: 1 tells what was checked, 2 the SSH dialogue, too.
        """
        self._style = style
        self.threshold = _WARNING if quiet else _THRESHOLDS[min(verbosity, len(_THRESHOLDS) - 1)]
        self.console: Console = console_for(sys.stderr, live=True)
        is_watched = style == "plain" and self.console.is_terminal and not self.console.is_dumb_terminal
        self.is_live = is_watched and not quiet
        self._sums_up = is_watched and not verbosity
        self._lock = threading.Lock()
        self._kept: list[Text] | None = None
        self._told: list[FedsshError] = []

    def is_crowd(self, clusters: int) -> bool:
        """Return whether so many clusters are told of together where they are alike.

        People watch on a terminal that has no row for each of them, and have not asked for every check.
        """
        return self._sums_up and clusters > room_of(self.console.height)

    def say(self, text: str, *, always: bool = False) -> None:
        """Tell how it goes: a line, which is told also to those who want quiet where it is ``always`` needed."""
        self._tell(_WARNING if always else _INFO, text, styled(text))

    def show(self, what: Text) -> None:
        """Tell what somebody has to see who is going to be asked something: a line."""
        self._tell(_WARNING, what.plain, what)

    def detail(self, text: str) -> None:
        """Tell what those want to know who want to know every check."""
        self._tell(CHECKED, text, styled(text))

    def debug(self, text: str) -> None:
        """Tell whoever looks for a mistake."""
        self._tell(_DEBUG, text, styled((text, "dim")))

    def warn(self, text: str, *, cluster: str = "", alike: Iterable[str] = ()) -> None:
        """Warn of what does not keep the run from going on; where it is the same for several clusters: ``alike``."""
        where = f"{cluster}: " if cluster else ""
        rendered = styled(("warning: ", "bold yellow"), where + text, *self._names(alike))
        self._tell(_WARNING, text, rendered, cluster=cluster)

    def left(self, residue: Residue, *, cluster: str) -> None:
        """Tell what is left of a cluster, and how it is removed."""
        where = f" on {residue.where}" if residue.where else ""
        text = f"left{where}: {residue.what}"
        parts: list[str | tuple[str, str]] = [("warning: ", "bold yellow"), f"{cluster}: {text}"]
        for command in residue.commands:
            parts += ["\n", ("  next: ", "bold"), command]
        self._tell(_WARNING, text, styled(*parts), cluster=cluster, hint="\n".join(residue.commands))

    def error(self, error: FedsshError) -> None:
        """Tell an error and what to do next; once, however often it is met."""
        with self._lock:
            if any(error is told for told in self._told):
                return
            self._told.append(error)
        self._tell_error(error)

    def _tell_error(self, error: FedsshError, *, alike: Iterable[str] = ()) -> None:
        parts: list[str | tuple[str, str]] = [("error: ", "bold red"), str(error)]
        if error.hint:
            parts += ["\n", ("  next: ", "bold"), error.hint.replace("\n", "\n        ")]
        parts += self._names(alike)
        about = {"cluster": error.machine, "step": error.step, "hint": error.hint, "exitCode": error.exit_code}
        text = str(error) if self._style == "text" else error.message
        self._tell(_ERROR, text, styled(*parts), **about)

    def step(self, event: Progress) -> None:
        """Tell an event of a run."""
        if event.error:
            self.error(event.error)
            return
        if event.state in {"waiting", "undone"}:
            return  # rows and reports say so
        said = f"checked: {event.text}" if event.state == "checked" else event.text
        rendered = styled(f"{event.cluster}: {said}")
        if self.is_live and event.state in {"changed", "confirmed"}:
            rendered = styled(("✓ ", "green"), (event.cluster, "bold"), f" {event.text}")
        level = CHECKED if event.state == "checked" else _INFO
        self._tell(level, event.text, rendered, cluster=event.cluster, state=event.state)

    def alike(self, events: Sequence[Progress]) -> None:
        """Tell events of several clusters that are alike: a step with their number, a failure with their names."""
        first, clusters = events[0], {event.cluster: event for event in events}
        errors = [event.error for event in events if event.error]
        if errors:
            with self._lock:
                self._told += errors
            self._tell_error(errors[0], alike=clusters)
        elif first.state == "aftermath":
            self._tell(_INFO, first.text, styled(f"{first.cluster}: {first.text}", *self._names(clusters)))
        elif len(clusters) == 1:
            for event in events:
                self.step(event)
        else:
            is_same = all(event.text == first.text for event in events)
            text = first.text if is_same else f"{step_of(first.text, first.cluster)} …"
            self._tell(_INFO, text, styled(("✓ ", "green"), (f"{len(clusters)} clusters", "bold"), f": {text}"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Tell nothing while somebody is asked a question; what there is to tell is told afterwards."""
        with self._lock:
            kept: list[Text] = []
            self._kept = kept
        try:
            yield
        finally:
            with self._lock:
                self._kept = None
            for what in kept:
                self._print(what)

    def _names(self, clusters: Iterable[str]) -> list[str | tuple[str, str]]:
        """Return the end of what is told of several clusters: how many they are, and their names."""
        names = sorted(set(clusters), key=_by_numbers)
        if len(names) <= 1:
            return []
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        indent = " " * 4
        listed = textwrap.wrap(
            ", ".join(names[:_MOST_NAMED]) + more,
            width=max(self.console.width, 2 * len(indent)),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [("\n".join(["", f"  {len(names)} clusters:", ""]), "bold"), "\n".join(listed)]

    def _tell(self, level: int, text: str, rendered: Text, **about: Any) -> None:
        if level < self.threshold:
            return
        if self._style == "plain":
            self._print(rendered)
        elif self._style == "json":
            record = {"time": _now(), "level": _name(level)} | {key: value for key, value in about.items() if value}
            self._print(Text(json.dumps({**record, "message": text})))
        else:
            # The cluster of an error stands in its text.
            cluster = "" if level == _ERROR else about.get("cluster", "")
            lines = [text, *(f"next: {line}" for line in about.get("hint", "").splitlines())]
            start = f"{_now()} {_name(level).upper()} " + (f"{cluster}: " if cluster else "")
            for line in "\n".join(lines).splitlines():
                self._print(styled(start + line))

    def _print(self, what: Text) -> None:
        with self._lock:
            if self._kept is not None:
                self._kept.append(what)
                return
        try:
            self.console.print(what, soft_wrap=True)
        except OSError:
            self.console.on_broken_pipe()  # a full disk under stderr must not end the work


def _by_numbers(name: str) -> list[str | int]:
    """Return by what a name is sorted: member2 stands before member10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _name(level: int) -> str:
    return "debug" if level < _INFO else logging.getLevelName(level).lower()
