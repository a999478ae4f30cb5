"""What a command is: its line, taken apart as ``sh`` would, so that no fake depends on the words shown to users."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed import kubefedctl
from fedssh.federation.look import federation, host, members, proof
from fedssh.kubernetes import distributions
from fedssh.kubernetes.kubeconfig import file
from fedssh.sensitive import Sensitive
from fedssh.shell import NOT_RUN
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fedssh.shell import Command

Key = tuple[str, ...]
"""A call's tool, its verb, and as many of its names as tell it from others, as in ``("kubectl", "apply")``."""

NOW: Final = "2026-11-23T10:00:00Z"

_SCRIPTS: Final[dict[str, Key]] = {
    file._READ: ("kubeconfig", "read"),
    file._WRITE: ("kubeconfig", "write"),
    file._LOCK: ("kubeconfig", "lock"),
    file._HOLD: ("kubeconfig", "hold"),
    file._REMOVE_COPIES: ("kubeconfig", "uncopy"),
    proof._WRITE: ("proof", "write"),
    'rm -f "$1"': ("proof", "remove"),
    proof._ASK: ("proof", "ask"),
    proof._REACH: ("proof", "reach"),
    proof._REFUSED: ("proof", "refused"),
    members._LOOK: ("look", "member"),
    host._READ_NAMES: ("names", "read"),
    host._FIND_KUBECTL: ("kubectl", "find"),
    federation._READ_STORE: ("store", "read"),
    kubefedctl._FIND: ("kubefedctl", "find"),
    shlex.split(distributions.find_command().line)[2]: ("distribution", "find"),
}
# Scripts that are put together anew every time, by what they are for.
_PARTS: Final[dict[str, Key]] = {
    '"$tool" join': ("kubefedctl", "join"),
    ".lastProbeTime": ("kubefed", "wait"),
    "{.data.token}": ("token", "wait"),
    "kubefedconfig.yaml": ("kubefed", "configure"),
    "deletionTimestamp)]": ("kubefed", "let go"),
    '"$1.sha"': ("kubefedctl", "install"),
    "helm install": ("helm", "install"),
    "helm get values": ("helm", "values"),
    "helm get manifest": ("helm", "manifest"),
    members._PRESENTED: ("openssl", "s_client"),
    "hostname -f": ("hostname",),
    "place=/subjects/": ("binding", "remove"),
}
_MUTATING: Final = {
    *(("kubectl", verb) for verb in ("annotate", "apply", "create", "delete", "label", "patch", "replace")),
    *(("helm", verb) for verb in ("install", "repo", "uninstall", "upgrade")),
    ("binding", "remove"),
    ("kubeconfig", "uncopy"),
    ("kubeconfig", "write"),
    ("kubefed", "configure"),
    ("kubefed", "let go"),
    ("kubefedctl", "install"),
    ("kubefedctl", "join"),
}
_TAKES_A_VALUE: Final = {"-o", "-f", "-n", "-connect", "-servername"}
_THEN: Final = re.compile(r"(?P<first>.*) >/dev/null && (?P<then>date .*)", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One call of a tool, or of a script of fedssh's.

    Attributes:
        key: The tool and its verb, or what the script is called here.
        names: The words after the verb that are no flags; a script's arguments.
        flags: The flags with their values.
        stdin: What it reads.
        argv: All its words.
    """

    key: Key
    names: tuple[str, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    argv: tuple[str, ...] = ()

    @property
    def mutates(self) -> bool:
        """Whether it changes something on its machine or cluster that lasts."""
        return self.key in _MUTATING

    def is_one_of(self, *keys: Key) -> bool:
        """Whether one of the keys means this call."""
        words = (*self.key, *self.names)
        return any(words[: len(key)] == key for key in keys)

    def broken(self, answers: Mapping[Key, Answer]) -> Answer | None:
        """Return the answer that a test has in mind for this call, or None."""
        return next((answer for key, answer in answers.items() if self.is_one_of(key)), None)


def stdin_of(command: Command) -> str:
    """Return what a command reads."""
    return command.stdin.reveal() if isinstance(command.stdin, Sensitive) else command.stdin


def argv_of(command: Command) -> list[str]:
    """Return a command's words; of a script, ``sh`` and its arguments."""
    words = _words(command.line)
    return ["sh", *words[4:]] if words[:2] == ("sh", "-c") else list(words)


def run_line(command: Command, do: Callable[[Call], Answer]) -> Answer:
    """Run a command's line by ``do``, which answers each call in it.

    Understood are a plain call, a script of fedssh's, a call only where another one prints nothing, a call that is
    followed by the time, and one with the time in its words.
    """
    if command.unless and _run(command.unless, "", do).stdout:
        return Answer(code=NOT_RUN)
    return _run(command.line, stdin_of(command), do)


def calls_in(command: Command) -> list[Call]:
    """Return the calls in a command's line, all of which succeed here; where one guards another, both."""
    found: list[Call] = []

    def note(call: Call) -> Answer:
        found.append(call)
        return Answer(NOW if call.key[0] == "date" else "")

    run_line(command, note)
    return found


def key_of(command: Command) -> Key:
    """Return what a command is for: its last call, unless that only tells the time."""
    keys = [call.key for call in calls_in(command)]
    return next((key for key in reversed(keys) if key[0] != "date"), keys[-1])


def keys_of(runs: Sequence[Sequence[Command]]) -> list[Key]:
    """Return what all commands of several runs are for."""
    return [key_of(command) for run in runs for command in run]


def _run(line: str, stdin: str, do: Callable[[Call], Answer]) -> Answer:
    if line.startswith("sh -c "):
        return do(_script(_words(line), stdin))
    if found := _THEN.fullmatch(line):
        first = _run(found["first"], stdin, do)
        return _run(found["then"], "", do) if first.code == 0 else Answer(code=first.code, stderr=first.stderr)
    line = re.sub(r"\$\((date [^)]*)\)", lambda inner: _run(inner[1], "", do).stdout.strip(), line)
    return do(_call(_words(line), stdin))


def _script(words: Sequence[str], stdin: str) -> Call:
    text, arguments = words[2], tuple(words[4:])
    key = _SCRIPTS.get(text) or next((key for part, key in _PARTS.items() if part in text), None)
    assert key, f"no fake knows this script: {text}"
    return Call(key=key, names=arguments, flags=dict(_flags(arguments)), stdin=stdin, argv=("sh", *arguments))


def _call(words: Sequence[str], stdin: str) -> Call:
    argv = tuple(words[2:] if words[0] == "timeout" else words)
    names = []
    rest = iter(argv[1:])
    for word in rest:
        if word in _TAKES_A_VALUE:
            next(rest)
        elif not word.startswith("-"):
            names.append(word)
    verb, *others = names or [""]
    return Call(key=(argv[0], verb), names=tuple(others), flags=dict(_flags(argv)), stdin=stdin, argv=argv)


def _flags(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word, following in zip(argv, [*argv[1:], ""], strict=False):
        if word in _TAKES_A_VALUE:
            yield word, following
        elif word.startswith("-"):
            name, _, value = word.partition("=")
            yield name, value


@cache
def _words(line: str) -> tuple[str, ...]:
    return tuple(shlex.split(line))
