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
        self._short = {flag.name: flag.short for flag in verb.flags if flag.short}
        super().__init__(
            _make_body(verb),
            positional=[],
            iterable=[flag.name for flag in verb.flags if flag.default is None],
            auto_shortflags=False,
            help={flag.name: flag.help for flag in verb.flags},
        )

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments, so that a repeatable flag without a value is an error."""
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if short := self._short.get(argument.name or ""):
                argument.names += (short,)
            if argument.kind is list:
                argument.raw_value = None
        return arguments


def _make_body(verb: Verb) -> Any:
    """Return the function of a verb; its signature, from which Invoke makes flags, is the verb's flags."""

    def body(c: Context, **given: Any) -> None:
        run_to_the_end(verb, c, given)

    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(flag.name, keyword, default=flag.default) for flag in verb.flags]
    body.__signature__ = inspect.Signature([inspect.Parameter("c", keyword), *parameters])  # type: ignore[attr-defined]  # see PEP 362
    body.__name__, body.__doc__ = verb.name, verb.help
    return body


namespace: Final = Collection(*[VerbTask(verb) for verb in VERBS])
