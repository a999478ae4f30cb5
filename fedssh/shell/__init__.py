"""Commands for one machine, and what it answers. How they travel is said in ``fedssh.shell.program``."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self

from fedssh.errors import StepError, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fedssh.sensitive import Sensitive

OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024
"""What one command may print on each of its streams before it is stopped."""

RUN_TIMEOUT_SECONDS = 60.0
"""How long one run may take unless its caller says otherwise."""

AT_ONCE: Final = 8
"""How many commands of a stage run at the same time on any machine, if there are as many; on a large one, more."""

NOT_RUN: Final = 96
"""The exit code of a command that was not run, since its ``unless`` had something to say."""

_TAIL_CHARACTERS: Final = 64 * 1024
_LONGEST_LINE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command line for a machine's ``sh``.

    Attributes:
        line: The command in shell syntax, every value in it quoted.
        title: What a message calls it, e.g. ``kubectl apply``.
        stdin: What it reads from its standard input; the only way for a secret into a command.
        unless: Another command line, or "": where it prints anything, this one does not run and answers ``NOT_RUN``.
            Commands of a stage that have the same one share its answer.
    """

    line: str
    title: str
    stdin: str | Sensitive = field(default="", repr=False)
    unless: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command answered.

    Attributes:
        command: The command that ran.
        code: Its exit code.
        stdout: Its output, exactly; bytes that are no UTF-8 are replaced. May hold a secret, so it is never shown.
        stderr: Its error output, the same way.
    """

    command: Command
    code: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether the command succeeded."""
        return self.code == 0


class Held(Protocol):
    """A command that lasts until it is released, or until the connection ends; a context manager."""

    @property
    def first_line(self) -> str:
        """The first line it printed, "" if it ended without one."""
        ...

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs or where the connection took it along."""
        ...

    def release(self) -> None:
        """End its stdin and wait until it has ended; the second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class Shell(Protocol):
    """An open connection to one machine."""

    @property
    def name(self) -> str:
        """The name of the cluster whose machine this is."""
        ...

    def run(self, *stages: Command | Sequence[Command], timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> list[Result]:
        """Run all stages, one after the other, in one round trip.

        A stage is one command or several that run at the same time, as many of them as the machine bears
        (``AT_ONCE`` or more); who ends makes room for the next. Every command runs, whatever the ones before it
        answered, unless it says otherwise (``Command.unless``). Results come in the order of the commands.

        Raises:
            UnknownOutcomeError: the answer was lost, so that nobody knows what ran (``ConnectionLostError`` where
                the connection was lost with it).
            UnreachableError: the connection was gone before anything ran.
            StepError: a command printed more than ``OUTPUT_LIMIT_BYTES``, or took too long and was ended.
        """
        ...

    def hold(self, line: str, *, timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> Held:
        """Start a command that stays: ``line``, in shell syntax, prints one line and waits for its stdin to end.

        Returns once the first line has come, or the command has ended without one.

        Raises:
            UnreachableError: the connection is gone.
            StepError: neither came within ``timeout_seconds``; the command was ended.
        """
        ...

    def upload(self, file: Path, *, sha256: str, sent: Callable[[int], None]) -> str:
        """Copy a file into fedssh's own folder on the machine; return its path there.

        One that is there already is not sent again, and what an upload that was cut has left is gone on with.

        Args:
            file: The file, on the laptop.
            sha256: Its checksum, by which the machine knows it.
            sent: Told every now and then how many bytes of it are there.

        Raises:
            StepError: It could not be written there, or came with another checksum.
            UnreachableError: The connection was lost; the next upload goes on from there.
        """
        ...

    def close(self) -> None:
        """Close the connection; whatever still runs on it is ended."""
        ...


def commands_of(stages: Sequence[Command | Sequence[Command]]) -> list[Command]:
    """Return the commands of all stages, in the order in which their results come."""
    return [one for stage in stages for one in ([stage] if isinstance(stage, Command) else stage)]


def patience(commands: int, *, each: float, besides: float = RUN_TIMEOUT_SECONDS) -> float:
    """Return how long a run may take.

    Args:
        commands: How many commands its largest stage has.
        each: How long each of them may take, in seconds.
        besides: How long everything else in it may take, in seconds.
    """
    return besides + each * math.ceil(commands / AT_ONCE)


def command(*argv: str, stdin: str | Sensitive = "", title: str = "") -> Command:
    """Return the command that runs ``argv`` as it is, without any expansion."""
    return Command(line=shlex.join(argv), title=title or " ".join(argv[:2]), stdin=stdin)


def script(text: str, *arguments: str, title: str, stdin: str | Sensitive = "") -> Command:
    """Return the command that runs a shell script with ``arguments`` as $1, $2, …; no secret may be in either."""
    return Command(line=shlex.join(("sh", "-c", text, "sh", *arguments)), title=title, stdin=stdin)


def clean_up(*paths: str) -> str:
    """Return the lines with which a script begins that leaves nothing behind, however it ends.

    Args:
        *paths: What is removed, in shell syntax: ``"$new"``. Its variables may be set later.
    """
    return f"""
    umask 077
    trap 'rm -rf {" ".join(paths)}' EXIT
    trap 'exit 1' HUP INT TERM
    trap '' PIPE  # a shell says whom a signal has ended; nobody may be there to read it
"""


def failure(result: Result, *, machine: str, step: str, hint: str = "") -> StepError:
    """Return the error for a command that failed: its title, its exit code and its last words on stderr.

    Its stdout is not quoted: a kubectl that was killed half-way has left a Secret's token there.
    """
    words = last_words(result.stderr) or "it said nothing"
    return StepError(
        f"{result.command.title} failed with exit code {result.code}: {words}",
        machine=machine,
        step=step,
        hint=hint,
    )


def last_words(text: str, *, lines: int = 5) -> str:
    """Return the last non-empty ``lines`` of a tool's output, safe to show; log lines only where there is nothing else.

    Kubernetes's tools log by klog (``E1123 07:19:38.693503 5025 memcache.go:265] …``) around what they have to say.
    A machine may say megabytes: only their end is looked at, and a long line is cut.
    """
    end = text[-_TAIL_CHARACTERS:]
    if len(text) > len(end):  # it begins in the middle of a line
        end = end.partition("\n")[2] or end
    kept = [line.rstrip() for line in end.splitlines() if line.strip()]
    said = [line for line in kept if not re.match(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.", line)]
    return "\n".join(_shorten(line) for line in (said or kept)[-lines:])


def _shorten(line: str) -> str:
    shown = visible(line[: _LONGEST_LINE + 1])
    return shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}…"
