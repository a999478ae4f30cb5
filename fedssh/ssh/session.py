"""The Shell over one SSH connection: one sh on the machine for all runs, read within limits of size and time.

An sh that waits for the next run saves that run two round trips (the channel's opening, and sshd's word that it takes
the program), and the machine a session with its login shell.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import paramiko

from fedssh.errors import ConnectionLostError, StepError, UnknownOutcomeError, UnreachableError
from fedssh.shell import OUTPUT_LIMIT_BYTES, RUN_TIMEOUT_SECONDS, commands_of, last_words
from fedssh.shell.program import NO_BUILTIN_PRINTF, is_complete, parse_answer, render_hold, render_program
from fedssh.ssh.channels import ShellChannel, read_first_line
from fedssh.ssh.link import SILENCE_SECONDS
from fedssh.ssh.uploading import UPLOAD_STALL_SECONDS, UploadFailedError, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fedssh.errors import FedsshError
    from fedssh.shell import Command, Result
    from fedssh.ssh.channels import Start
    from fedssh.ssh.link import Link

RELEASE_TIMEOUT_SECONDS = 10.0
"""How long a held command may take to end once its stdin has ended."""

_log = logging.getLogger(__name__)

_ENDING_SECONDS = 0.5
_NOISE_LIMIT_BYTES = 1024 * 1024
_UPLOAD = "upload"
_FRAME_BYTES = 1024
_AGAIN = "Run the same command again: fedssh looks first and does only what is missing."


class Session:
    """A ``fedssh.shell.Shell`` on one machine; its runs may come from several threads."""

    def __init__(self, name: str, link: Link, start: Start) -> None:
        self._name = name
        self._link = link
        self._start = start
        # A channel that nobody refers to any more is closed, and what runs on it ends.
        self._held: list[HeldCommand] = []
        self._idle: list[ShellChannel] = []

    @property
    def name(self) -> str:
        """The name of the cluster whose machine this is."""
        return self._name

    @property
    def alive(self) -> bool:
        """Whether the connection still stands, as far as one knows."""
        return self._link.transport.is_active()

    def run(self, *stages: Command | Sequence[Command], timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> list[Result]:
        """Run all stages by one program; see ``fedssh.shell.Shell``."""
        commands = commands_of(stages)
        titles = [command.title for command in commands]
        if not titles:
            return []
        separator = secrets.token_hex(16)
        channel = self._take(titles[0], timeout_seconds)
        answer, is_whole, code = bytearray(), False, None
        self._log_commands(commands)
        try:
            sent = channel.send(render_program(stages, separator=separator).encode())
            is_whole = self._read(channel, answer, separator, titles)
            code = None if is_whole else channel.wait_for_code()
        except TimeoutError:
            raise StepError(
                f"it did not end within {timeout_seconds:.0f} s and was stopped",
                machine=self._name,
                step=_unanswered(answer, separator, titles),
                hint=_AGAIN,
            ) from None
        finally:
            if is_whole:
                self._idle.append(channel)
            else:
                channel.close()
        if code == NO_BUILTIN_PRINTF:
            raise StepError(
                "its sh has no builtin printf; without one, secrets would show in the process list",
                machine=self._name,
                hint="Make dash, bash or busybox its sh.",
            )
        try:
            results = parse_answer(answer, stages, separator=separator, machine=self._name)
        except UnknownOutcomeError as error:
            if code is None:
                self._link.transport.join(_ENDING_SECONDS)  # its thread may be about to find the connection gone
            error.step = _unanswered(answer, separator, titles)
            raise self._explained(error, channel, answer, separator, sent=sent) from None
        self._log_results(results)
        return results

    def hold(self, line: str, *, timeout_seconds: float = RUN_TIMEOUT_SECONDS) -> HeldCommand:
        """Start a command that stays; see ``fedssh.shell.Shell``."""
        separator = secrets.token_hex(16)
        channel = self._take("", timeout_seconds)
        try:
            channel.send(render_hold(line, separator=separator).encode())
            first_line = read_first_line(channel, separator)
            code = None if first_line is not None else channel.wait_for_code()
        except TimeoutError:
            channel.close()
            raise StepError(f"no answer came within {timeout_seconds:.0f} s", machine=self._name) from None
        except BaseException:
            channel.close()
            raise
        if first_line is None and code is None:
            self._link.transport.join(_ENDING_SECONDS)
        if not self.alive:
            raise self._gone("")
        held = HeldCommand(channel, first_line or "", code)
        self._held.append(held)
        return held

    def upload(self, file: Path, *, sha256: str, sent: Callable[[int], None]) -> str:
        """Copy a file into fedssh's own folder on the machine; see ``fedssh.shell.Shell``."""
        channel = self._take(_UPLOAD, UPLOAD_STALL_SECONDS)
        _log.debug("%s: upload of %s (%d bytes)", self._name, file, file.stat().st_size)
        try:
            return upload(channel, file, sha256=sha256, sent=sent)
        except UploadFailedError as error:
            if error.is_cut:
                self._link.transport.join(_ENDING_SECONDS)
            if not self.alive:
                why = f"was silent for {SILENCE_SECONDS:.0f} s" if self._link.silent else "closed the connection"
                words = f"the machine {why} during an upload"
                hint = "Run the same command again: the upload goes on from where it was cut."
                raise UnreachableError(words, machine=self._name, step=_UPLOAD, hint=hint) from None
            raise StepError(str(error), machine=self._name, step=_UPLOAD) from None
        finally:
            channel.close()

    def close(self) -> None:
        """Close the connection; whatever still runs on it is ended."""
        self._link.transport.close()

    def _log_commands(self, commands: Sequence[Command]) -> None:
        """Log what is run: command lines hold no secret, and what travels by stdin is not told."""
        for command in commands:
            condition = f'[ -n "$({command.unless})" ] || ' if command.unless else ""
            _log.debug("%s$ %s%s%s", self._name, condition, command.line, " <(not shown)" if command.stdin else "")

    def _log_results(self, results: Sequence[Result]) -> None:
        for result in results:
            _log.debug(
                "%s: %s: exit code %d, %d characters on stdout, %d on stderr",
                self._name,
                result.command.title,
                result.code,
                len(result.stdout),
                len(result.stderr),
            )

    def _take(self, step: str, timeout_seconds: float) -> ShellChannel:
        """Return an sh that waits for a program: one whose last answer is complete, or a new one."""
        with suppress(IndexError):
            while not (channel := self._idle.pop()).is_open:
                channel.close()
            channel.reuse(timeout_seconds)
            return channel
        try:
            return ShellChannel(self._link, self._start, timeout_seconds=timeout_seconds)
        except paramiko.ChannelException as error:
            raise StepError(
                f"sshd opens no further session: {error.text}",
                machine=self._name,
                step=step,
                hint="Raise MaxSessions in the machine's sshd_config.",
            ) from None
        except (paramiko.SSHException, OSError, EOFError):
            raise self._gone(step) from None

    def _read(self, channel: ShellChannel, answer: bytearray, separator: str, titles: list[str]) -> bool:
        """Read an answer; return whether it is whole, so that the sh waits for the next program."""
        limit = len(titles) * 2 * (OUTPUT_LIMIT_BYTES + _FRAME_BYTES) + _NOISE_LIMIT_BYTES
        while chunk := channel.read():
            answer += chunk
            if is_complete(answer, separator=separator, unread=len(chunk)):
                return True
            if len(answer) > limit:
                raise StepError(
                    f"more than {limit // 2**20} MiB came that are no answer; stopped",
                    machine=self._name,
                    step=titles[0],
                    hint="Look at what the user's login scripts print.",
                )
        return False

    def _explained(
        self, error: UnknownOutcomeError, channel: ShellChannel, answer: bytearray, separator: str, *, sent: bool
    ) -> FedsshError:
        """Return why an answer is not whole: the connection's end, no sh, or what the machine said instead."""
        if not self.alive:
            return self._lost(error.step) if sent else self._gone(error.step)
        words = last_words((answer[-_FRAME_BYTES:] + channel.noise).decode(errors="replace"))
        if not sent:
            return StepError(f"no sh was started: {words}", machine=self._name, step=error.step)
        if words and separator.encode() not in answer:
            error.message += f"; the machine said: {words}"
        return error

    def _gone(self, step: str) -> UnreachableError:
        why = f"was silent for {SILENCE_SECONDS:.0f} s" if self._link.silent else "closed the connection"
        return UnreachableError(f"the machine {why}; nothing was run", machine=self._name, step=step, hint=_AGAIN)

    def _lost(self, step: str) -> ConnectionLostError:
        why = f"was silent for {SILENCE_SECONDS:.0f} s" if self._link.silent else "closed the connection"
        return ConnectionLostError(
            f"the machine {why}; the outcome is unknown", machine=self._name, step=step, hint=_AGAIN
        )


class HeldCommand:
    """A command that stays until it is released; see ``fedssh.shell.Held``."""

    def __init__(self, channel: ShellChannel, first_line: str, code: int | None) -> None:
        self._channel = channel
        self._first_line = first_line
        self._code = code
        self._released = False

    @property
    def first_line(self) -> str:
        """The first line it printed, "" if it ended without one."""
        return self._first_line

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs or where there is none."""
        return self._code

    def release(self) -> None:
        """End its stdin and wait until it has ended, or else close its channel."""
        if self._released:
            return
        self._released = True
        self._channel.allow(RELEASE_TIMEOUT_SECONDS)
        try:
            self._channel.end_input()
            while self._channel.read():
                pass
            self._code = self._channel.wait_for_code()
        except OSError:
            pass  # it took too long, or the connection is gone and the command with it
        finally:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def _unanswered(answer: bytearray, separator: str, titles: list[str]) -> str:
    """Return the title of the first command that has not answered: the one that was running."""
    complete = answer.count(f"\n{separator} z\n".encode())
    return titles[min(complete, len(titles) - 1)]
