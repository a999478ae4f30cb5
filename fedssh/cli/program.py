"""The program ``fedssh``: Invoke's, without its configuration and with a command line of its own."""

from __future__ import annotations

import os
import re
import sys
from ast import literal_eval
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.parser.parser import ParseResult
from invoke.program import Program
from invoke.terminals import pty_size

from fedssh.cli.endings import show_usage_error
from fedssh.cli.flags import BEFORE_THE_VERB, COMPLETE, LOG_FORMAT, OUTPUT, Flag, by_spelling
from fedssh.cli.help import render_help, render_verb_help
from fedssh.cli.tasks import TASKS
from fedssh.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDEST: Final = 100


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
    """``fedssh``: its own options and help, exit code 2 for what it does not know, and bytecode is cached."""

    def __init__(self) -> None:
        super().__init__(
            name="fedssh",
            binary="fedssh",
            namespace=Collection(*TASKS.values()),
            config_class=FedsshConfig,
        )

    def core_args(self) -> list[Argument]:
        """Return what may stand before the verb, and Invoke's own options, which nobody can give."""
        ours = _own_arguments()
        known = {argument.name for argument in ours}
        others: list[Argument] = [argument for argument in super().core_args() if argument.name not in known]
        for argument in others:
            argument.names = argument.names[:1]  # their letters are free for ours
        return [*ours, *others]

    @property
    def initial_context(self) -> ParserContext:
        """What the parser knows besides the verbs; ``Program`` itself reads Invoke's other options in it."""
        arguments, ours = self.core_args(), {argument.name for argument in _own_arguments()}
        context = ParserContext(args=arguments)
        context.flags = ParserContext(args=[argument for argument in arguments if argument.name in ours]).flags
        return context

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse what stands before the verb."""
        argv = list(sys.argv if argv is None else argv)
        if argv[1:2] == [COMPLETE]:
            from fedssh.cli.completion import complete  # noqa: PLC0415  (only needed here)

            _print("".join(f"{word}\n" for word in complete(argv[3:])))
            raise Exit
        if argv[1:2] == ["help"]:
            argv = [argv[0], *argv[2:3], "--help"]
        with self._usage():
            super().parse_core(argv)
        # Invoke switches bytecode off, for tasks.py's sake; every run would compile what is imported later.
        sys.dont_write_bytecode = False

    def parse_tasks(self) -> None:
        """Parse the verb and what stands behind it; what stands before the verb is as if it stood behind it."""
        self.core.unparsed = list(_with_flags(self.core.unparsed))
        with self._usage():
            if self.core.remainder:
                raise ParseError(f"'--' and what stands behind it mean nothing here: {self.core.remainder}")
            if not self.core.unparsed:  # Invoke would copy what it knows of all verbs, to find none
                self.tasks = ParseResult()
                return
            super().parse_tasks()
            for context in self.tasks:
                self._carry_over(context)
            if len(self.tasks) > 1:
                names = " and ".join(str(context.name) for context in self.tasks)
                raise ParseError(f"one command at a time, and these are {names}")

    def parse_cleanup(self) -> None:
        """Answer what is no work: the version, and help."""
        if self.args.version.value:
            self.print_version()
            raise Exit
        asked = self.args.help.value
        named = [str(context.name) for context in self.tasks]
        with self._usage():
            if isinstance(asked, str) and asked not in TASKS:
                raise ParseError(f"No idea what {asked!r} is!")
            if not (asked or named) and len(self.argv) > 1:
                raise ParseError(self._without_verb())
        if asked or not named:
            verb = asked if isinstance(asked, str) else "".join(named)
            width = min(_terminal_columns(), _WIDEST)
            _print(render_verb_help(TASKS[verb].verb, width) if verb else render_help(width))
            raise Exit

    def _update_core_context(self, context: ParserContext, new_args: dict[str, Any]) -> None:
        """Let what stands behind the verb count, where something stands there; Invoke takes what counts 0 for given."""
        super()._update_core_context(context, {name: one for name, one in new_args.items() if _is_given(one)})

    def _without_verb(self) -> str:
        """Return what is wrong with a command line that names no verb."""
        taken = [flag for flag in BEFORE_THE_VERB if self.args[flag.option.removeprefix("--")].value in TASKS]
        eaten = "".join(
            f": {flag.option} has taken {self.args[flag.option[2:]].value!r} for its value" for flag in taken
        )
        return f"no command is named{eaten} (fedssh --help)"

    def print_version(self) -> None:
        """Print the version."""
        from fedssh import __version__  # noqa: PLC0415  (slow, and only needed here)

        _print(f"fedssh {__version__}\n")

    def _carry_over(self, context: ParserContext) -> None:
        """Give a verb the values of the flags that stand before it."""
        for flag in BEFORE_THE_VERB:
            name = flag.option.removeprefix("--")
            before, behind = self.args[name], context.args.get(name)
            if not _is_given(before):
                continue
            if behind is None:
                raise ParseError(f"{context.name} has no {flag.option}", context)
            if not _is_given(behind):
                for _ in range(before.value if before.incrementable else 1):
                    behind.value = before.value

    @contextmanager
    def _usage(self) -> Iterator[None]:
        """End with what ``fedssh`` says of a command line that Invoke does not understand."""
        try:
            yield
        except ParseError as problem:
            verb = (problem.context.name if problem.context else "") or ""
            error = ConfigurationError(_explain(str(problem), verb, self.argv))
            show_usage_error(verb, error, _wanted_formats(self.argv))
            raise Exit(code=error.exit_code) from None


def _terminal_columns() -> int:
    """Return how wide the terminal is; shutil, which tells that, too, is slow to import."""
    said = os.environ.get("COLUMNS", "")
    return int(said) if said.isdecimal() and int(said) else pty_size()[0]


def _own_arguments() -> list[Argument]:
    """Return what stands before the verb and belongs to no verb, and the verbs' flags that may stand there."""
    return [
        Argument(names=("help", "h"), optional=True),
        Argument(names=("version", "V"), kind=bool, default=False),
        *map(_to_argument, BEFORE_THE_VERB),
    ]


def _to_argument(flag: Flag) -> Argument:
    names = tuple(spelling.lstrip("-") for spelling in flag.spellings)
    is_counted = type(flag.default) is int
    return Argument(
        names=names,
        kind=type(flag.default),
        default=flag.default,
        incrementable=is_counted,
        attr_name=flag.name if flag.name != names[0] else None,
    )


def _is_given(argument: Argument) -> bool:
    return argument.got_value and argument.value != 0  # what is counted begins with 0


def _with_flags(tokens: Sequence[str]) -> Iterator[str]:
    """Yield the verb and what stands behind it, each word that is a flag's value with its flag before it.

    Invoke's parser takes a fixed number of words; ``fedssh init`` takes any.
    """
    verb = TASKS[tokens[0]].verb if tokens and tokens[0] in TASKS else None
    words = next((flag for flag in verb.flags if flag.takes_words), None) if verb else None
    if verb is None or words is None:
        yield from tokens
        return
    flags = by_spelling((*verb.all_flags, *BEFORE_THE_VERB))
    yield tokens[0]
    is_value = False
    for token in tokens[1:]:
        if not (is_value or token.startswith("-")):
            yield words.option
        yield token
        is_value = not is_value and token in flags and flags[token].takes_value


def _explain(problem: str, verb: str, argv: Sequence[str]) -> str:
    """Return in a user's words what Invoke says of a command line that it does not understand."""
    from fedssh.documents import quoted  # noqa: PLC0415  (as below)
    from fedssh.inventory.hostsfile import did_you_mean  # noqa: PLC0415  (pydantic is slow to import)

    see = f"(fedssh {verb} --help)" if verb else "(fedssh --help)"
    flags = by_spelling(TASKS[verb].verb.all_flags if verb in TASKS else BEFORE_THE_VERB)
    if empty := re.search(r"Flag <Argument: ([\w-]+)", problem):
        return f"--{empty[1].replace('_', '-')} needs a value {see}"
    unknown = re.fullmatch(r"No idea what (.*) is!", problem, re.DOTALL)
    if not unknown:
        return problem
    word = str(literal_eval(unknown[1]))
    if twice := _given_twice(word, flags, argv):
        return f"{twice.option} is given twice {see}"
    if word.startswith("-"):
        known = [*(spelling for spelling in flags if spelling.startswith("--")), "--help", "--version"]
        nearest = did_you_mean(word.lstrip("-"), [spelling.removeprefix("--") for spelling in known])
        return f"{quoted(word)} is not known here{nearest.replace(chr(39), chr(39) + '--', 1)} {see}"
    if not verb:
        return f"there is no command {quoted(word)}{did_you_mean(word, list(TASKS))} {see}"
    otherwise = "; members are named by --member NAME" if "--member" in flags else ""
    return f"{verb} takes no word {quoted(word)}{otherwise} {see}"


def _given_twice(word: str, flags: Mapping[str, Flag], argv: Sequence[str]) -> Flag | None:
    """Return the flag whose second value an unknown word is: Invoke takes only the first."""
    for before, token in pairwise(argv):
        flag = flags.get(before)
        if token == word and flag and isinstance(flag.default, str):
            times = sum(other.partition("=")[0] in flag.spellings for other in argv)
            return flag if times > 1 else None
    return None


def _wanted_formats(argv: Sequence[str]) -> dict[str, Any]:
    """Return how the end of a run is to be shown whose command line was not understood as a whole."""
    line = " ".join(argv[1:])
    found = {
        OUTPUT.name: re.findall(r"(?:^| )(?:-o|--output)[ =]?(\w+)", line),
        LOG_FORMAT.name: re.findall(r"(?:^| )--log-format[ =](\w+)", line),
    }
    return {name: values[-1] for name, values in found.items() if values}


def _print(text: str) -> None:
    """Print to stdout, to whoever still reads it."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest at its end
        if not isinstance(error, BrokenPipeError):
            raise Exit(f"error: stdout cannot be written: {error.strerror}", code=1) from None
