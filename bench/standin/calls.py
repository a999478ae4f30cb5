"""A call of a stand-in tool: its words, taken apart as kubectl takes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

_HEAD: Final = 3

# Flags whose value may be the next word. Those that are not here and have no "=" are switches.
_VALUED: Final = {
    "-f", "-l", "-n", "-o", "-p", "--cluster-context", "--context", "--field-selector", "--filename", "--for",
    "--host-cluster-context", "--host-cluster-name", "--kube-context", "--kubeconfig", "--kubefed-namespace",
    "--namespace", "--output", "--patch", "--request-timeout", "--secret-name", "--selector", "--timeout", "--type",
}  # fmt: skip
_LONG: Final = {
    "-A": "--all-namespaces", "-f": "--filename", "-l": "--selector", "-n": "--namespace", "-o": "--output",
    "-p": "--patch", "-w": "--watch",
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call of a tool.

    Attributes:
        tool: Its name, as in ``kubectl``.
        address: At which address SSH was reached on the machine.
        argv: What follows the tool's name.
        stdin: What it was given to read, where it has said that it does.
    """

    tool: str
    address: str
    argv: tuple[str, ...]
    stdin: str = ""

    @cached_property
    def _parsed(self) -> tuple[list[str], dict[str, str]]:
        words: list[str] = []
        flags: dict[str, str] = {}
        rest = list(self.argv)
        while rest:
            word = rest.pop(0)
            if not word.startswith("-") or word == "-":
                words.append(word)
                continue
            name, has_value, value = word.partition("=")
            if not has_value and not name.startswith("--") and name[:2] in _VALUED and name[2:]:  # as in -ojson
                name, has_value, value = name[:2], "=", name[2:]
            if not has_value and name in _VALUED and rest:
                value = rest.pop(0)
            flags[_LONG.get(name, name)] = value
        return words, flags

    @property
    def verb(self) -> str:
        """The first word, as in ``get``, or ""."""
        return next(iter(self._parsed[0]), "")

    @property
    def names(self) -> list[str]:
        """The words behind the verb that are no flags."""
        return self._parsed[0][1:]

    @property
    def flags(self) -> dict[str, str]:
        """The flags by their long names, as in ``--output``; a switch's value is ""."""
        return self._parsed[1]


@dataclass(frozen=True)
class Answer:
    """What a stand-in tool says.

    Attributes:
        stdout: What it prints.
        stderr: What it complains of.
        code: Its exit code.
        stays: For how many milliseconds it stays after that: a watch does not end by itself.
    """

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    stays: int = 0


def parse_call(message: bytes) -> Call:
    """Return the call that tool.c has sent."""
    tool, address, count, rest = message.split(b"\0", _HEAD)
    *argv, stdin = rest.split(b"\0", int(count))
    words = [word.decode(errors="replace") for word in argv]
    return Call(tool=tool.decode(), address=address.decode(), argv=tuple(words), stdin=stdin.decode(errors="replace"))


def render_answer(answer: Answer, *, milliseconds: int) -> bytes:
    """Return an answer as tool.c reads it; ``milliseconds`` is how long the call takes."""
    out = answer.stdout.encode()
    return f"{answer.code}\n{len(out)}\n{milliseconds}\n{answer.stays}\n".encode() + out + answer.stderr.encode()
