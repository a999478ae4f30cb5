"""What ``--help`` says, of the program and of each verb: made from the table, for a terminal of any width."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from fedssh.cli.flags import COMMON, Flag
from fedssh.cli.table import VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fedssh.cli.table import Verb

SENTENCE: Final = "fedssh federates Kubernetes clusters over nothing but SSH."
EXIT_CODES: Final = "Exit codes: 0 done, 2 usage, 3 failed, 4 unreachable, 5 not let in, 6 refused."
OWN: Final = (("-h, --help", "this, or a command's options; -V, --version: the version"),)
_EXAMPLE: Final = "Example: fedssh federate --member member1"
_INDENT: Final = "  "
_GAP: Final = "  "
_NARROWEST: Final = 24


def render_help(width: int) -> str:
    """Return the program's help, wrapped to a terminal's width."""
    lines = [SENTENCE, "Usage: fedssh COMMAND [OPTIONS]", "Commands:"]
    lines += _columns([(verb.name, verb.help) for verb in VERBS], width)
    lines += ["", "Options, before or behind the command:"]
    lines += _columns([*((spell(flag), flag.help) for flag in COMMON), *OWN], width)
    return _wrapped([*lines, "", _EXAMPLE, EXIT_CODES], width)


def render_verb_help(verb: Verb, width: int) -> str:
    """Return a verb's help, wrapped to a terminal's width."""
    words = ["|".join(flag.choices) or f"[{flag.metavar} ...]" for flag in verb.flags if flag.takes_words]
    lines = [verb.help, " ".join([f"Usage: fedssh {verb.name}", *words, "[OPTIONS]"]), "", "Options:"]
    lines += _columns([(spell(flag), flag.help) for flag in (*verb.flags, *verb.common)], width)
    lines += ["", "Examples:", *(_INDENT + example for example in verb.examples)]
    return _wrapped([*lines, EXIT_CODES], width)


def spell(flag: Flag) -> str:
    """Return how a flag is given, as in ``-f, --hosts FILE``."""
    short = f"-{flag.short}, " if flag.short else ""
    return f"{short}{flag.option}" + (f" {flag.metavar}" if flag.metavar else "")


def _columns(pairs: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Return two columns, and what does not fit beside its name below it."""
    first = max(len(name) for name, _ in pairs)
    indent = len(_INDENT) + first + len(_GAP)
    if width - indent < _NARROWEST:
        for name, text in pairs:
            yield _INDENT + name
            yield from textwrap.wrap(text, width, initial_indent=_INDENT * 3, subsequent_indent=_INDENT * 3)
        return
    for name, text in pairs:
        start = f"{_INDENT}{name:{first}}{_GAP}"
        yield from textwrap.wrap(text, width, initial_indent=start, subsequent_indent=" " * indent)


def _wrapped(lines: Sequence[str], width: int) -> str:
    wrapped = []
    for line in lines:
        # A command line is to be copied: the terminal may fold it, but it stays a line.
        is_made = not line or line.startswith(_INDENT)
        wrapped += [line] if is_made else textwrap.wrap(line, width)
    return "\n".join(wrapped) + "\n"
