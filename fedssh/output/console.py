"""The two streams: text in which nothing is markup, lines that are never cut, readers that may leave early."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fedssh.errors import visible

_UNLIMITED = 10_000


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a text of words, each with a style or without; control characters in it are written out.

    Names and messages come from machines: here they can be neither rich's markup nor the terminal's commands.
    """
    return Text.assemble(*[visible(part) if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts])


class _Console(Console):
    """A console that falls silent when nobody reads it any more; rich's own would end the program half-way."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _drop(self.file)


def console_for(stream: Any, *, live: bool = False) -> Console:
    """Return a console on a stream; ``live`` when the same place of a terminal is drawn again and again."""
    # Lines are as long as they are, and a narrow terminal wraps them, as it does kubectl's; rich would cut a table's
    # columns down to nothing. Only what is drawn again and again has to know the width.
    console = _Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    if not (live and console.is_terminal):
        console = _Console(file=stream, highlight=False, markup=False, emoji=False, width=_UNLIMITED)
    return console


def room_of(height: int) -> int:
    """Return how many rows may be drawn on a terminal again and again: the last line is the cursor's at the end."""
    return max(1, height - 1)


def write_result(what: str | Text | Table) -> None:
    """Write to stdout: a document as it is, a line, or a table."""
    if isinstance(what, Text):
        console_for(sys.stdout).print(what, soft_wrap=True)
        return
    if isinstance(what, Table):
        console = console_for(sys.stdout)
        with console.capture() as captured:
            console.print(what)
        # rich fills the last column with blanks, which may stand before the end of a colour.
        what = re.sub(r" +((?:\x1b\[[\d;]*m)*)$", r"\1", captured.get(), flags=re.MULTILINE)
    try:
        sys.stdout.write(what)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)


def write_message(what: Text) -> None:
    """Write a line, or a few, to stderr."""
    console_for(sys.stderr).print(what, soft_wrap=True)


def _drop(stream: Any) -> None:
    """Let nothing more be written to a stream that nobody reads (``fedssh status | head -1``)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
