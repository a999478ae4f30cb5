"""The program ``fedssh``: Invoke's, without its configuration and without its flags that mean nothing here."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.program import Program
from invoke.util import enable_logging

from fedssh.cli.endings import show_usage_error
from fedssh.cli.flags import HOSTS
from fedssh.cli.table import VERBS
from fedssh.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_JSON_IS_WANTED: Final = re.compile(r" (-o|--output)[ =]?json( |$)")


class FedsshConfig(Config):
    """Invoke's defaults and nothing else.

    Invoke would read files in /etc, in the home folder, and those that the environment or ``-f`` names; the ones that
    end in ``.py`` it would execute. None of it says anything that fedssh wants to know.
    """

    prefix = "fedssh"

    def load_nothing(self, merge: bool = True) -> None:
        """Read no file."""
        del merge

    load_system = load_user = load_project = load_runtime = load_nothing

    def load_shell_env(self) -> None:
        """Take nothing from the environment."""


class FedsshProgram(Program):
    """``fedssh``: exit code 2 for what it does not know, ``-f`` for hosts.yaml, and bytecode is cached."""

    def core_args(self) -> list[Argument]:
        """Return the flags that are not a verb's, and Invoke's others, which nobody can give."""
        ours = _own_core_args()
        known = {argument.name for argument in ours}
        others: list[Argument] = [argument for argument in super().core_args() if argument.name not in known]
        for argument in others:
            argument.names = argument.names[:1]  # their letters are free for ours
        return [*ours, *others]

    @property
    def initial_context(self) -> ParserContext:
        """What the parser knows besides the verbs; the rest of ``Program`` reads Invoke's own flags' defaults in it."""
        arguments, ours = self.core_args(), {argument.name for argument in _own_core_args()}
        context = ParserContext(args=arguments)
        context.flags = ParserContext(args=[argument for argument in arguments if argument.name in ours]).flags
        return context

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse what stands before the verb."""
        with self._usage():
            super().parse_core(argv)
        # Invoke switches bytecode off, for tasks.py's sake; every run would compile what is imported later.
        sys.dont_write_bytecode = False

    def parse_tasks(self) -> None:
        """Parse the verb and what stands behind it."""
        with self._usage():
            super().parse_tasks()
        # Invoke looks at this flag before it knows what stands behind the verb.
        if self.args.debug.value:
            enable_logging()
        before = self.args[HOSTS.name]
        for context in self.tasks:
            behind = context.args[HOSTS.name]
            if before.got_value and not behind.got_value:
                behind.value = before.value

    def parse_cleanup(self) -> None:
        """Answer ``--help`` and the like."""
        with self._usage():
            super().parse_cleanup()

    @contextmanager
    def _usage(self) -> Iterator[None]:
        """End with what ``fedssh`` says of a command line that Invoke does not understand."""
        try:
            yield
        except ParseError as problem:
            verb = problem.context.name if problem.context else ""
            error = ConfigurationError(_explain(str(problem)))
            show_usage_error(verb or "", error, as_json=bool(_JSON_IS_WANTED.search(" ".join(self.argv))))
            raise Exit(code=error.exit_code) from None


def _own_core_args() -> list[Argument]:
    return [
        Argument(names=("complete",), kind=bool, default=False, help="Print what may come next, for a shell."),
        Argument(names=("debug", "d"), kind=bool, default=False, help="Show what every library logs."),
        Argument(names=("dry", "R"), kind=bool, default=False, help="The same as a verb's --dry-run."),
        Argument(names=("help", "h"), optional=True, help="Show this, or the flags of a verb."),
        Argument(names=(HOSTS.name, HOSTS.short), help=HOSTS.help),
        Argument(names=("list", "l"), kind=bool, default=False, help="List the verbs."),
        Argument(names=("print-completion-script",), default="", help="Print what makes bash, zsh or fish complete."),
        Argument(names=("version", "V"), kind=bool, default=False, help="Show the version."),
    ]


def _explain(problem: str) -> str:
    """Return in a user's words what Invoke says of a command line that it does not understand."""
    from fedssh.inventory.hostsfile import did_you_mean  # noqa: PLC0415  (pydantic is slow to import)

    if unknown := re.search(r"No idea what '(.*)' is!", problem):
        is_flag = unknown[1].startswith("-")
        nearest = did_you_mean(unknown[1], _flags() if is_flag else [verb.name for verb in VERBS])
        otherwise = "" if is_flag else "; members are named by --member NAME"
        return f"{unknown[1]!r} is not known here{nearest or otherwise} (fedssh --help)"
    if empty := re.search(r"Flag <Argument: (\w+)", problem):
        return f"--{empty[1]} needs a value"
    return problem


def _flags() -> Sequence[str]:
    return [f"--{flag.name.replace('_', '-')}" for verb in VERBS for flag in verb.flags]
