# ruff: noqa: INP001 - a script beside the documentation, no package
"""Writes the man page from the table of verbs: ``.venv/bin/python docs/manual.py`` makes ``docs/fedssh.1``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fedssh.cli.flags import COMMON
from fedssh.cli.help import OWN, SENTENCE, spell
from fedssh.cli.table import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).with_name("fedssh.1")
CODES = Path(__file__).with_name("exit-codes.md")


def main() -> None:
    """Write the page."""
    PAGE.write_text(render_manual())


def render_manual() -> str:
    """Return the page, as man(7) has it."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield '.TH FEDSSH 1 "" fedssh "User commands"'
    yield from (".SH NAME", f"fedssh \\- {_escaped(SENTENCE.removeprefix('fedssh ').removesuffix('.'))}")
    yield from (".SH SYNOPSIS", ".B fedssh", ".I COMMAND", "[\\fIOPTIONS\\fR]")
    yield ".SH COMMANDS"
    for verb in VERBS:
        yield from (f".SS {verb.name}", _escaped(verb.help))
        yield from (line for flag in verb.flags for line in _entry(spell(flag), flag.help))
        yield from (".PP", "Examples:")
        yield from (line for example in verb.examples for line in (".PP", ".RS", f".B {_escaped(example)}", ".RE"))
    yield from (".SH OPTIONS", "These stand before or behind the command.")
    yield from (line for flag in COMMON for line in _entry(spell(flag), flag.help))
    yield from (line for spelled, text in OWN for line in _entry(spelled, text))
    yield ".SH EXIT STATUS"
    yield from (line for code, text in _exit_codes() for line in _entry(code, text))
    yield ".SH ENVIRONMENT"
    yield from _entry("FEDSSH_HOSTS", "the inventory, where --hosts does not name one")
    yield from _entry("FEDSSH_DEBUG", "shows more of a bug; what it shows may hold a secret")
    yield from _entry("NO_COLOR", "no colours on a terminal")
    yield from (".SH FILES", *_entry("hosts.yaml", "the clusters, in the working directory or in one above it"))
    yield from (".SH SEE ALSO", ".BR ssh_config (5)")


def _exit_codes() -> list[tuple[str, str]]:
    """Return the exit codes and what they mean, from the first table of their document."""
    rows = re.findall(r"^\| \[(\d+)\]\([^)]*\) \| (.*) \|$", CODES.read_text(), re.MULTILINE)
    return [(code, text.replace("`", "")) for code, text in rows]


def _entry(term: str, text: str) -> tuple[str, ...]:
    return (".TP", f".B {_escaped(term)}", _escaped(text))


def _escaped(text: str) -> str:
    """Write out what man(7) would take for something else."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    main()
