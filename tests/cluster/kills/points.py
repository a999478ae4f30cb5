"""The points at which a run is disturbed: its remote executions, and what is done to it there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KILLED_BEFORE: Final = "killed before it is sent"
KILLED_DURING: Final = "killed half-way"
CUT_DURING: Final = "cut half-way"
CUT_AFTER: Final = "cut before its answer"
INTERRUPTED: Final = "interrupted half-way"

# Killed when an answer has come is killed before the next execution; and after the last answer, nothing is left to do.
KINDS: Final = (KILLED_BEFORE, KILLED_DURING, CUT_DURING, CUT_AFTER, INTERRUPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A program that fedssh had a machine run. Several machines work at the same time: the order is each one's own.

    Attributes:
        machine: The cluster's name.
        number: Which of that machine's it is, from 1.
        titles: What its commands are called; none for a command that stays.
        seconds: How long it took from the moment when it was sent.
    """

    machine: str
    number: int
    titles: tuple[str, ...]
    seconds: float

    @property
    def shown(self) -> str:
        """What a person calls it."""
        more = f" and {len(self.titles) - 1} more" if len(self.titles) > 1 else ""
        return f"{self.machine} {self.number} ({self.titles[0] if self.titles else 'lock'}{more})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is done to a run.

    Attributes:
        kind: One of ``KINDS``.
        machine: Whose execution it is.
        number: Which of that machine's.
        seconds: How long after it was sent, where it is half-way.
    """

    kind: str
    machine: str
    number: int
    seconds: float


def halfway(kind: str, execution: Execution) -> Disturbance:
    """Return what is done at an execution; half-way is half of the time that it takes undisturbed."""
    return Disturbance(kind=kind, machine=execution.machine, number=execution.number, seconds=execution.seconds / 2)


def render(disturbance: Disturbance | None) -> str:
    """Return a disturbance as a word for a command line."""
    return json.dumps(asdict(disturbance)) if disturbance else ""


def parse(word: str) -> Disturbance | None:
    """Return the disturbance from that word."""
    return Disturbance(**json.loads(word)) if word else None


def note(execution: Execution, path: Path) -> None:
    """Add an execution that has been answered to a file."""
    with path.open("a") as file:
        file.write(json.dumps(asdict(execution)) + "\n")


def load(path: Path) -> list[Execution]:
    """Return the executions of a file, in the order of their answers."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [Execution(**{**one, "titles": tuple(one["titles"])}) for one in found]
