"""Sending a file to a machine, over a channel of its own; ``fedssh.shell.receiving`` is the other side."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from fedssh.errors import visible
from fedssh.shell import last_words
from fedssh.shell.program import render_hold
from fedssh.shell.receiving import CUT, WRONG, parse_received, render_receive
from fedssh.ssh.channels import ShellChannel, read_first_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UPLOAD_STALL_SECONDS: Final = 60.0
"""How long an upload may stand still; also, how long the machine may take to compare a checksum."""

# Two of Paramiko's packets: so little that a slow link, too, takes it before the machine counts as silent.
_CHUNK_BYTES: Final = 64 * 1024
_TOLD_EVERY_BYTES: Final = 1024 * 1024


class UploadFailedError(Exception):
    """An upload failed; ``is_cut`` tells whether the connection may be the reason."""

    def __init__(self, words: str, *, is_cut: bool) -> None:
        super().__init__(words)
        self.is_cut = is_cut


def upload(channel: ShellChannel, file: Path, *, sha256: str, sent: Callable[[int], None]) -> str:
    """Send a file, or what the machine lacks of it; return its path there.

    Raises:
        UploadFailedError: It is not there, or not whole.
    """
    size, separator = file.stat().st_size, secrets.token_hex(16)
    try:
        channel.send(render_hold(render_receive(sha256, size), separator=separator).encode())
        first = read_first_line(channel, separator)
        if first is None:
            raise _failure(channel, channel.wait_for_code())
        place, there = parse_received(first)
        if place:
            return place
        _send_rest(channel, file, there, sent)
        answer = b""
        while chunk := channel.read():
            answer += chunk
        code = channel.wait_for_code()
        if code != 0:
            raise _failure(channel, code)
        return parse_received(answer.decode(errors="replace").strip())[0]
    except TimeoutError:
        raise UploadFailedError(f"it stood still for {UPLOAD_STALL_SECONDS:.0f} s", is_cut=False) from None
    except ValueError as error:
        raise UploadFailedError(f"the machine said: {visible(str(error))[:200]}", is_cut=False) from None


def _send_rest(channel: ShellChannel, file: Path, there: int, sent: Callable[[int], None]) -> None:
    told = there
    sent(there)
    with file.open("rb") as source:
        source.seek(there)
        while chunk := source.read(_CHUNK_BYTES):
            channel.allow(UPLOAD_STALL_SECONDS)
            if not channel.pass_on(chunk):
                return  # what is said on the other side tells why
            there += len(chunk)
            if there - told >= _TOLD_EVERY_BYTES:
                told = there
                sent(there)
    channel.allow(UPLOAD_STALL_SECONDS)
    channel.end_input()


def _failure(channel: ShellChannel, code: int | None) -> UploadFailedError:
    words = last_words(channel.noise.decode(errors="replace"), lines=2)
    if code == WRONG:
        return UploadFailedError("what came has another checksum; nothing of it stays there", is_cut=False)
    if code == CUT:
        return UploadFailedError(words or "not all of it was taken", is_cut=True)
    return UploadFailedError(words or f"it ended with exit code {code}", is_cut=code is None)
