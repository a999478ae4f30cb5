r"""The batch program: one ``sh`` program that runs many commands in one round trip, and its answer.

``render_program`` turns stages of commands into one POSIX ``sh`` program, which travels over the exec channel's own
stdin: no command stands in the login shell's argv and nothing is written to the machine's disk. The program answers
with one frame per command, which ``parse_answer`` reads back. Frames look like this, ``S`` being a random word::

    S b 0        command 0 begins
    (its stdout)
    S e
    (its stderr)
    S r 0        its exit code
    S z          command 0 is complete
    ...
    S q          all of them are: the shell waits for the next program

What the program has to get right, and what holds it there (tests/ssh runs it in dash, bash and busybox):

* The whole program stands in a function: a shell that received only half of it runs nothing of it.
* The commands of a stage run at the same time, as the parts of one pipeline; each part forwards the frames of the one
  before it through descriptor 8, so that no two of them write at the same time.
* Of more than ``AT_ONCE`` commands, so many run at the same time as the machine's cores and memory bear: the parts of
  the pipeline are lanes then, and each takes the next command's number from descriptor 7, until there is none left. A
  number is as long as one read, and ends on no page's border: it is read whole, whoever else reads.
* What keeps commands from running (``Command.unless``) is asked once before their stage, and kept in a variable.
* The channel's stdin stays open on descriptor 9. When it ends, the connection is gone, and a watcher ends everything
  the program started: the process group, which sshd makes one per session.
* A shell runs one program after the other. So the next one is sent only when the answer to the last one is complete:
  the watcher has ended by then, and reads nothing of it. It waits by the builtin ``read``: a process of its own would
  not end with it.
* A command's own stdin is fed by the builtin ``printf``; a shell without that builtin would show it in argv, so the
  program then does nothing.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from fedssh.errors import StepError, UnknownOutcomeError
from fedssh.sensitive import Sensitive
from fedssh.shell import AT_ONCE, NOT_RUN, OUTPUT_LIMIT_BYTES, Command, Result, commands_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_BUILTIN_PRINTF: Final = 97
"""The exit code of a program whose shell would have shown secrets in argv."""

# Machines reached without a login shell often lack the places where kubectl and helm live.
_PLACES: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/var/lib/rancher/rke2/bin"
# kubectl, Helm and engines' tools are Go's: with its own 100, who lives for a tenth of a second spends a third of his
# processor time on collecting garbage (kubectl 1.33, get of two objects: 88 ms, now 55, of 44 MB as before).
_GARBAGE_PERCENT: Final = 400
_FRAME_ROOM_BYTES: Final = 256
_LARGEST_CODE: Final = 255
_LONGEST_BEGIN: Final = len("b 9999999\n")
_AT_MOST: Final = 64
_A_CORE: Final = 8
"""How many commands a core bears: most of their time they wait for clusters that are far away."""
_KILOBYTES: Final = 50 * 1024
"""What one of them takes: a kubectl's memory."""

# Sets p to how many commands run at the same time.
_POOL: Final = f"""p=$(nproc 2>/dev/null) || p=1
p=$((p * {_A_CORE}))
while read -r k v _; do
if [ "$k" = MemAvailable: ] && [ $((v / {_KILOBYTES})) -lt "$p" ]; then p=$((v / {_KILOBYTES})); fi
done 2>/dev/null </proc/meminfo
[ "$p" -le {_AT_MOST} ] || p={_AT_MOST}
[ "$p" -ge {AT_ONCE} ] || p={AT_ONCE}"""

# A lane does commands as long as there are any, and writes what they answered when the lanes before it have; there
# are as many as $1 says. What a stage's commands are, its function c knows by their numbers.
_LANES: Final = """t(){ a=
while q=$(dd bs=8 count=1 2>/dev/null <&7) && [ -n "$q" ]; do c "$q"; a=$a$n$S' b '$q$n$o$n$S' z'; done
cat <&8; printf '%s\\n' "$a"
}
l(){ if [ "$1" -gt 1 ]; then l $(($1 - 1)) | { exec 8<&0; t; }; else exec 8</dev/null; t; fi; }"""


def render_program(stages: Sequence[Command | Sequence[Command]], *, separator: str) -> str:
    """Return the program that runs ``stages``; ``separator`` is a random word no output can contain by chance."""
    limit = OUTPUT_LIMIT_BYTES
    lines = [
        *_prelude(separator),
        f"case $(type printf 2>&1) in *builtin*) ;; *) exit {NO_BUILTIN_PRINTF} ;; esac",
        "n='\n'",
        "j(){",
        (
            'o=$({ e=$({ eval "$1" 2>&1 >&3 3>&-; printf "\\n%s r %s" "$S" "$?"; }'
            f" | head -c {limit + _FRAME_ROOM_BYTES})"
        ),
        (
            'printf "\\n%s e\\n%s" "$S" "$e"; } 3>&1 </dev/null 7<&- 8<&- 9<&-'
            f" | head -c {2 * limit + 3 * _FRAME_ROOM_BYTES})"
        ),
        "}",
        'f(){ [ "$2" = first ] || cat <&8; printf "\\n%s b %s\\n%s\\n%s z\\n" "$S" "$1" "$o" "$S"; }',
        _LANES,
        "m(){",
        "exec 9<&0",
        "{ read -r _ <&9; trap '' TERM; kill -TERM 0; } >/dev/null 2>&1 &",
        "w=$!",
    ]
    number = 0
    for stage in stages:
        commands = [stage] if isinstance(stage, Command) else stage
        lines += _render_stage(commands, number)
        number += len(commands)
    lines += ["{ kill $w; wait $w; } 2>/dev/null", "exec 9<&-", 'printf "\\n%s q\\n" "$S"', "}", "m", ""]
    return "\n".join(lines)


def _render_stage(commands: Sequence[Command], first: int) -> list[str]:
    """Return the lines that run the commands of a stage, which are numbered from ``first``."""
    conditions = {asked.unless: f"u{place}" for place, asked in enumerate(commands) if asked.unless}
    lines = [
        f"{name}=$(eval {shlex.quote(line)} </dev/null 2>/dev/null 9<&- | head -c 1)"
        for line, name in conditions.items()
    ]
    runs: dict[int, str] = {}
    for number, asked in enumerate(commands, first):
        line = _line(asked)
        if asked.unless:
            line = f'if [ -n "${conditions[asked.unless]}" ]; then (exit {NOT_RUN}); else {line}; fi'
        runs[number] = f"j {shlex.quote(line)}"
    if len(commands) <= AT_ONCE:
        parts = [
            f"{{ {run}; f {number} first; }}" if number == first else f"{{ exec 8<&0; {run}; f {number}; }}"
            for number, run in runs.items()
        ]
        return [*lines, " | ".join(parts)]
    cases = [f"{number:07}) {run} ;;" for number, run in runs.items()]
    numbers = " ".join(f"{number:07}" for number in runs)
    lanes = f"printf '%s\\n' {numbers} | {{ exec 7<&0; l \"$p\"; }}"
    return [*lines, "c(){ case $1 in", *cases, "esac; }", _POOL, lanes]


def render_hold(line: str, *, separator: str) -> str:
    """Return the program that runs ``line`` on the rest of its stdin; ``separator``, alone on a line, comes first."""
    return "\n".join([*_prelude(separator), "h(){", 'printf "\\n%s\\n" "$S"', line, "}", "h; exit $?", ""])


def is_complete(answer: bytes | bytearray, *, separator: str, unread: int) -> bool:
    """Return whether the end of an answer has come, in its last ``unread`` bytes or into them."""
    end = f"\n{separator} q\n".encode()
    return answer.find(end, max(len(answer) - unread - len(end), 0)) >= 0


def parse_answer(
    answer: bytes | bytearray, stages: Sequence[Command | Sequence[Command]], *, separator: str, machine: str
) -> list[Result]:
    """Return what the commands of ``stages`` answered, in order.

    Anything around the frames (a login shell's greetings) is ignored. Whatever a machine sends takes a time that grows
    with its length only.

    Raises:
        UnknownOutcomeError: a frame is missing or damaged.
        StepError: a command printed more than ``OUTPUT_LIMIT_BYTES``.
    """
    word = separator.encode()
    bodies = dict(_frames(answer, word))
    return [
        _parse_frame(bodies.pop(number, None), asked, word=word, machine=machine)
        for number, asked in enumerate(commands_of(stages))
    ]


def _prelude(separator: str) -> list[str]:
    return [
        f"S={separator}",
        f"case $PATH in *:{_PLACES}) ;; *) PATH=${{PATH:-/bin}}:{_PLACES} ;; esac",
        "LC_ALL=C",
        f"GOGC=${{GOGC:-{_GARBAGE_PERCENT}}}",
        "export PATH LC_ALL GOGC",
        "unset TMOUT",  # bash's read, by which the watcher waits, would end by it
    ]


def _line(asked: Command) -> str:
    content = asked.stdin.reveal() if isinstance(asked.stdin, Sensitive) else asked.stdin
    if not content:
        return asked.line
    if "\0" in content:
        raise ValueError("a shell cannot pass on a NUL byte")
    return f"printf %s {shlex.quote(content)} | {asked.line}"


def _frames(answer: bytes | bytearray, word: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the number and the body of every complete frame; one in which another begins was never completed.

    The search goes from one line that begins with the word to the next, and never back.
    """
    mark = b"\n" + word + b" "
    number, start = None, 0
    found = answer.find(mark)
    while found >= 0:
        after = found + len(mark)
        # A begin is "b 12\n"; the end is "z", a whole line.
        said, complete, _ = answer[after : after + _LONGEST_BEGIN].partition(b"\n")
        if said.startswith(b"b ") and complete and said[2:].isdigit():
            number, start = int(said[2:]), after + len(said) + 1
        elif said == b"z" and number is not None:
            yield number, bytes(answer[start:found])
            number = None
        found = answer.find(mark, after)


def _parse_frame(body: bytes | None, asked: Command, *, word: bytes, machine: str) -> Result:
    stdout, has_stderr, rest = (body or b"").rpartition(b"\n" + word + b" e\n")
    stderr, has_code, code = rest.rpartition(b"\n" + word + b" r ")
    if body is not None and len(body) >= OUTPUT_LIMIT_BYTES and not (has_stderr and has_code):
        raise StepError(
            f"{asked.title} printed more than {OUTPUT_LIMIT_BYTES // 2**20} MiB and was stopped",
            machine=machine,
        )
    if not has_stderr or not has_code or not re.fullmatch(rb"[0-9]{1,3}", code) or int(code) > _LARGEST_CODE:
        raise UnknownOutcomeError(
            f"the answer to {asked.title} was lost: it may or may not have run",
            machine=machine,
            hint="Run the same command again: fedssh looks first and does only what is missing.",
        )
    return Result(
        command=asked,
        code=int(code),
        stdout=stdout.decode(errors="replace"),
        stderr=stderr.decode(errors="replace"),
    )
