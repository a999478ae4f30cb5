"""Invoke's tasks, made from the table of the verbs."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from invoke.collection import Collection
from invoke.tasks import Task

from fedssh.cli.endings import run_to_the_end
from fedssh.cli.table import VERBS

if TYPE_CHECKING:
    from invoke.context import Context
    from invoke.parser.argument import Argument

    from fedssh.cli.table import Verb


class VerbTask(Task):  # type: ignore[type-arg]  # Invoke's generic parameter is the function's type
    """A verb for Invoke, with the short flags of the table and no others; Invoke's own choice would take ``-h``."""

    def __init__(self, verb: Verb) -> None:
        self.verb = verb
        flags = verb.all_flags
        super().__init__(
            _make_body(verb),
            positional=[],
            iterable=[flag.name for flag in flags if flag.default is None],
            incrementable=[flag.name for flag in flags if type(flag.default) is int],
            auto_shortflags=False,
            help={flag.name: flag.help for flag in flags},
        )

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments, so that a repeatable flag without a value is an error."""
        flags = {flag.name: flag for flag in self.verb.all_flags}
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            flag = flags[argument.name or ""]
            argument.names = tuple(spelling.lstrip("-") for spelling in flag.spellings)
            if argument.kind is list:
                argument.raw_value = None
            elif flag.takes_value:
                argument.default = None  # so that an empty text is not taken for nothing
        return arguments


def _make_body(verb: Verb) -> Any:
    """Return the function of a verb; its signature, from which Invoke makes flags, is the verb's flags."""

    def body(c: Context, **given: Any) -> None:
        run_to_the_end(verb, c, {name: value for name, value in given.items() if value is not None})

    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(flag.name, keyword, default=flag.default) for flag in verb.all_flags]
    body.__signature__ = inspect.Signature([inspect.Parameter("c", keyword), *parameters])  # type: ignore[attr-defined]  # see PEP 362
    body.__name__, body.__doc__ = verb.name, verb.help
    return body


TASKS: Final = {verb.name: VerbTask(verb) for verb in VERBS}

namespace: Final = Collection("fedssh", *[TASKS[verb.name] for verb in VERBS if verb.is_task])
