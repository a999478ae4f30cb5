"""Being root where one logs in as a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import paramiko

from fedssh.errors import AuthenticationError, StepError, UnreachableError
from fedssh.sensitive import Sensitive
from fedssh.shell import last_words
from fedssh.ssh.channels import ShellChannel, Start
from fedssh.ssh.prompting import keyring_advice

if TYPE_CHECKING:
    from fedssh.ssh.link import Link
    from fedssh.ssh.prompting import Prompting

SUDO_TIMEOUT_SECONDS = 15.0
"""How long sudo may take to say yes or no; it may ask a directory server."""

_NO_SUCH_COMMAND = 127
_WORDS_THAT_MEAN_A_PASSWORD = ("password is required", "terminal is required", "askpass")
_WORDS_THAT_MEAN_A_WRONG_ONE = ("incorrect password", "try again")


def become_root(link: Link, place: str, prompting: Prompting) -> Start:
    """Return how to start an sh that is root's; ``place`` is what messages call the machine.

    The password is asked for where there is somebody to ask. It travels over stdin only, and ``-k`` has sudo read it
    every time: a remembered login would leave it to the sh, as a command.

    Raises:
        AuthenticationError: sudo says no, or wants a password that nobody gives.
        StepError: there is no sudo, or it did not answer.
        UnreachableError: the connection is gone.
    """
    code, words = _try(link, Start(command="exec env LC_ALL=C sudo -n -H true"))
    if code == 0:
        return Start(command="exec sudo -n -H sh")
    if code == _NO_SUCH_COMMAND:
        raise StepError(f"there is no sudo on {place}", hint="Install it, or log in as root and leave sudo out.")
    if not any(known in words for known in _WORDS_THAT_MEAN_A_PASSWORD):
        raise _refusal(place, words)
    name = f"sudo {place}"
    for password in prompting.answers(f"sudo password for {place}", name=name):
        first = Sensitive(f"{password.reveal()}\n")
        code, words = _try(link, Start(command="exec env LC_ALL=C sudo -k -S -H -p '' true", first=first))
        if code == 0:
            prompting.remember(name, password)
            return Start(command="exec sudo -k -S -H -p '' sh", first=first)
        if not any(known in words for known in _WORDS_THAT_MEAN_A_WRONG_ONE):
            break
    raise _refusal(place, words)


def _try(link: Link, start: Start) -> tuple[int | None, str]:
    """Return a command's exit code and its last words on stderr."""
    try:
        channel = ShellChannel(link, start, timeout_seconds=SUDO_TIMEOUT_SECONDS)
        try:
            channel.send(b"")
            channel.end_input()
            while channel.read():
                pass
            return channel.wait_for_code(), last_words(channel.noise.decode(errors="replace"))
        finally:
            channel.close()
    except TimeoutError:
        raise StepError(f"sudo did not answer within {SUDO_TIMEOUT_SECONDS:.0f} s") from None
    except (paramiko.SSHException, OSError, EOFError):
        raise UnreachableError("the machine closed the connection; nothing was run") from None


def _refusal(place: str, words: str) -> AuthenticationError:
    return AuthenticationError(
        f"sudo on {place} does not let us be root: {words or 'it said nothing'}",
        hint="Give the user a rule with NOPASSWD (visudo; and !requiretty where that is set), run on a terminal and be "
        f"asked for the password, or {keyring_advice(f'sudo {place}')}.",
    )
