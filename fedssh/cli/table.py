"""The verbs: a line here and a file in ``fedssh/verbs`` each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fedssh.cli.flags import ADOPT, ALL, COMMON, DRY_RUN, MEMBER, Flag


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb of the command line; ``run`` in ``fedssh.verbs.<name>`` does its work.

    Attributes:
        name: Its name.
        help: What it does, a sentence.
        own_flags: The flags that it has besides those that every verb has.
    """

    name: str
    help: str
    own_flags: tuple[Flag, ...] = ()

    @property
    def flags(self) -> tuple[Flag, ...]:
        """All flags of the verb."""
        return (*self.own_flags, *COMMON)


VERBS: Final = (
    Verb(
        "federate",
        "Federate members with the host: install what it takes, grant, prove, join. What is done stays as it is.",
        (MEMBER, ALL, ADOPT, DRY_RUN),
    ),
    Verb("prepare", "Install on the host what the federation needs, nothing else.", (DRY_RUN,)),
    Verb("status", "Show the federation as the host sees it; exit code 3 when a cluster is not Ready."),
)
