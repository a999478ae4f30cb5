r"""Commands for one machine, and the batch program that runs many of them in one round trip.

``render_program`` turns stages of commands into one POSIX ``sh`` program, which travels over the exec channel's own
stdin: no command stands in the login shell's argv and nothing is written to the machine's disk. The program answers
with one frame per command, which ``parse_answer`` reads back. Frames look like this, ``S`` being a random word::

    S b 0        command 0 begins
    (its stdout)
    S e
    (its stderr)
    S r 0        its exit code
    S z          command 0 is complete

What the program has to get right, and what holds it there (tests/ssh runs it in dash, bash and busybox):

* The whole program stands in a function: a shell that received only half of it runs nothing of it.
* The commands of a stage run at the same time, as the parts of one pipeline; each part forwards the frames of the one
  before it through descriptor 8, so that the answer stays in order.
* The channel's stdin stays open on descriptor 9. When it ends, the connection is gone, and a watcher ends everything
  the program started: the process group, which sshd makes one per session.
* A command's own stdin is fed by the builtin ``printf``; a shell without that builtin would show it in argv, so the
  program then does nothing.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from fedssh.errors import StepError, UnknownOutcomeError, visible
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OUTPUT_LIMIT_BYTES = 4 * 1024 * 1024
"""What one command may print on each of its streams before it is stopped."""

RUN_TIMEOUT_SECONDS = 60.0
"""How long one run may take unless its caller says otherwise."""

NO_BUILTIN_PRINTF = 97
"""The exit code of a program whose shell would have shown secrets in argv."""

_FRAME_ROOM_BYTES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command line for a machine's ``sh``.

    Attributes:
        line: The command in shell syntax, every value in it quoted.
        title: What a message calls it, e.g. ``kubectl apply``.
        stdin: What it reads from its standard input; the only way for a secret into a command.
    """

    line: str
    title: str
    stdin: str | Sensitive = field(default="", repr=False)


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

        A stage is one command or several that run at the same time. Every command runs, whatever the ones before it
        answered. Results come in the order of the commands.

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

    def close(self) -> None:
        """Close the connection; whatever still runs on it is ended."""
        ...


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


def render_program(stages: Sequence[Command | Sequence[Command]], *, separator: str) -> str:
    """Return the program that runs ``stages``; ``separator`` is a random word no output can contain by chance."""
    limit = OUTPUT_LIMIT_BYTES
    lines = [
        *_prelude(separator),
        f"case $(type printf 2>&1) in *builtin*) ;; *) exit {NO_BUILTIN_PRINTF} ;; esac",
        "j(){",
        (
            'o=$({ e=$({ eval "$2" 2>&1 >&3 3>&-; printf "\\n%s r %s" "$S" "$?"; }'
            f" | head -c {limit + _FRAME_ROOM_BYTES})"
        ),
        f'printf "\\n%s e\\n%s" "$S" "$e"; }} 3>&1 </dev/null 8<&- 9<&- | head -c {2 * limit + 3 * _FRAME_ROOM_BYTES})',
        'cat <&8; printf "\\n%s b %s\\n%s\\n%s z\\n" "$S" "$1" "$o" "$S"',
        "}",
        "m(){",
        "exec 9<&0",
        "{ cat <&9; trap '' TERM; kill -TERM 0; } >/dev/null 2>&1 &",
        "w=$!",
    ]
    number = 0
    for stage in stages:
        parts: list[str] = []
        for one in [stage] if isinstance(stage, Command) else stage:
            source = "</dev/null" if not parts else "<&0"
            parts.append(f"{{ exec 8{source}; j {number} {shlex.quote(_line(one))}; }}")
            number += 1
        lines.append(" | ".join(parts))
    # The exit stands inside: the watcher would read away a line of the program that comes after the function.
    lines += ["kill $w 2>/dev/null", "exit 0", "}", "m", ""]
    return "\n".join(lines)


def render_hold(line: str, *, separator: str) -> str:
    """Return the program that runs ``line`` on the rest of its stdin; ``separator``, alone on a line, comes first."""
    return "\n".join([*_prelude(separator), "h(){", 'printf "\\n%s\\n" "$S"', line, "}", "h; exit $?", ""])


def parse_answer(
    answer: bytes, stages: Sequence[Command | Sequence[Command]], *, separator: str, machine: str
) -> list[Result]:
    """Return what the commands of ``stages`` answered, in order.

    Anything around the frames (a login shell's greetings) is ignored.

    Raises:
        UnknownOutcomeError: a frame is missing or damaged.
        StepError: a command printed more than ``OUTPUT_LIMIT_BYTES``.
    """
    text = answer.decode("utf-8", errors="replace")
    frames = {
        int(found["number"]): found["body"]
        for found in re.finditer(
            rf"^{separator} b (?P<number>\d+)\n(?P<body>.*?)\n{separator} z$", text, re.DOTALL | re.MULTILINE
        )
    }
    return [
        _parse_frame(frames.get(number), one, separator=separator, machine=machine)
        for number, one in enumerate(_flat(stages))
    ]


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
    """
    kept = [visible(line.rstrip()) for line in text.splitlines() if line.strip()]
    said = [line for line in kept if not re.match(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.", line)]
    return "\n".join((said or kept)[-lines:])


def _prelude(separator: str) -> list[str]:
    return [
        f"S={separator}",
        # Machines reached without a login shell often lack the places where kubectl and helm live.
        "PATH=${PATH:-/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin",
        "LC_ALL=C",
        "export PATH LC_ALL",
    ]


def _line(one: Command) -> str:
    content = one.stdin.reveal() if isinstance(one.stdin, Sensitive) else one.stdin
    if not content:
        return one.line
    if "\0" in content:
        raise ValueError("a shell cannot pass on a NUL byte")
    return f"printf %s {shlex.quote(content)} | {one.line}"


def _flat(stages: Sequence[Command | Sequence[Command]]) -> Iterator[Command]:
    for stage in stages:
        if isinstance(stage, Command):
            yield stage
        else:
            yield from stage


def _parse_frame(body: str | None, one: Command, *, separator: str, machine: str) -> Result:
    stdout, has_stderr, rest = (body or "").rpartition(f"\n{separator} e\n")
    stderr, has_code, code = rest.rpartition(f"\n{separator} r ")
    if body is not None and len(body) >= OUTPUT_LIMIT_BYTES and not (has_stderr and has_code):
        raise StepError(
            f"{one.title} printed more than {OUTPUT_LIMIT_BYTES // 2**20} MiB and was stopped",
            machine=machine,
        )
    if not has_stderr or not has_code or not code.isdecimal():
        raise UnknownOutcomeError(
            f"the answer to {one.title} was lost: it may or may not have run",
            machine=machine,
            hint="Run the same command again: fedssh looks first and does only what is missing.",
        )
    return Result(command=one, code=int(code), stdout=stdout, stderr=stderr)
