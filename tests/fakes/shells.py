"""Shells without SSH: one that runs the real programs on this machine, and one that only answers."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fedssh.shell import Command, Result, commands_of
from fedssh.shell.program import is_complete, parse_answer, render_hold, render_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run_program(interpreter: Sequence[str], program: bytes, *, separator: str) -> bytes:
    """Feed a program to a shell as sshd would: a session of its own, and a stdin that stays open until it is done."""
    process = subprocess.Popen(interpreter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin
    assert process.stdout
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    with process:
        process.stdin.write(program)
        process.stdin.flush()
        answer = b""
        while chunk := os.read(process.stdout.fileno(), 65_536):
            answer += chunk
            if is_complete(answer, separator=separator, unread=len(chunk)):
                break
        process.stdin.close()
    watchdog.cancel()
    return answer


class LocalHeld:
    """A command that stays, on this machine."""

    def __init__(self, line: str) -> None:
        word = secrets.token_hex(16)
        self._process = subprocess.Popen(
            ["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(render_hold(line, separator=word))
        self._process.stdin.flush()
        for read in iter(self._process.stdout.readline, ""):
            if read.rstrip("\n") == word:
                break
        self._first = self._process.stdout.readline().rstrip("\n")
        if not self._first:
            self._process.wait(5)

    @property
    def first_line(self) -> str:
        """The first line it printed."""
        return self._first

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def release(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(5)
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


@dataclass
class LocalShell:
    """Runs what it is given on this machine; HOME is the test's."""

    name: str = "fedhost"
    interpreter: tuple[str, ...] = ("sh",)
    ran: list[Command] = field(default_factory=list)
    held: list[LocalHeld] = field(default_factory=list)

    def run(self, *stages: Command | Sequence[Command], timeout_seconds: float = 60) -> list[Result]:
        """Run the real program."""
        assert timeout_seconds > 0
        self.ran += commands_of(stages)
        word = secrets.token_hex(16)
        answer = run_program(self.interpreter, render_program(stages, separator=word).encode(), separator=word)
        return parse_answer(answer, stages, separator=word, machine=self.name)

    def hold(self, line: str, *, timeout_seconds: float = 60) -> LocalHeld:
        """Hold a real command."""
        assert timeout_seconds > 0
        self.held.append(LocalHeld(line))
        return self.held[-1]

    def upload(self, file: Path, *, sha256: str, sent: Callable[[int], None]) -> str:
        """Copy a file to where a machine keeps uploads."""
        folder = Path(os.environ["HOME"]) / ".cache" / "fedssh"
        folder.mkdir(parents=True, exist_ok=True)
        sent(0)
        return str(shutil.copyfile(file, folder / sha256))

    def close(self) -> None:
        """End what is held."""
        for held in self.held:
            held.release()


def install_tool(folder: Path, name: str, text: str) -> Path:
    """Put a script into a folder that is to stand in PATH."""
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)
    return tool


def make_clock(folder: Path) -> None:
    """Put a clock into a folder that is to stand in PATH: it goes on by what is slept, and takes no time."""
    clock = folder / "clock"
    clock.write_text("1000000")
    install_tool(folder, "sleep", f"echo $(( $(cat {clock}) + $1 )) >{clock}")
    install_tool(folder, "date", f'[ "$*" != +%s ] || exec cat {clock}; exec /bin/date "$@"')


@dataclass
class Answer:
    """What a scripted machine answers to a command."""

    stdout: str = ""
    code: int = 0
    stderr: str = ""


@dataclass
class ScriptedHeld:
    """A command that stays, for show."""

    first_line: str = "locked"
    code: int | None = None
    released: bool = False

    def release(self) -> None:
        """Note that it was released."""
        self.released = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


@dataclass
class ScriptedShell:
    """Answers each command by a function; keeps what it was asked, one list of commands per run, and what it held."""

    name: str
    answer: Callable[[Command], Answer]
    held: ScriptedHeld = field(default_factory=ScriptedHeld)
    runs: list[list[Command]] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)

    def run(self, *stages: Command | Sequence[Command], timeout_seconds: float = 60) -> list[Result]:
        """Answer every command."""
        assert timeout_seconds > 0
        commands = commands_of(stages)
        self.runs.append(commands)
        # What cannot be rendered could not be run either.
        assert render_program(stages, separator="x")
        answers = [self.answer(command) for command in commands]
        return [
            Result(command=command, code=said.code, stdout=said.stdout, stderr=said.stderr)
            for command, said in zip(commands, answers, strict=True)
        ]

    def hold(self, line: str, *, timeout_seconds: float = 60) -> ScriptedHeld:
        """Take the lock, if there is one."""
        assert line
        assert timeout_seconds > 0
        self.holds.append(line)
        return self.held

    def upload(self, file: Path, *, sha256: str, sent: Callable[[int], None]) -> str:
        """Note what was uploaded."""
        sent(file.stat().st_size)
        self.uploads.append(file.name)
        return f"/root/.cache/fedssh/{sha256}"

    def close(self) -> None:
        """There is nothing to close."""


def result(stdout: str = "", *, code: int = 0, stderr: str = "", title: str = "kubectl get") -> Result:
    """Return a command's answer, the command being of no interest."""
    return Result(command=Command(line=":", title=title), code=code, stdout=stdout, stderr=stderr)


def path_with(*folders: Path) -> str:
    """Return a PATH in which these folders come first."""
    return os.pathsep.join([*map(str, folders), os.environ["PATH"]])
