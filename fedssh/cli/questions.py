"""The questions of ``fedssh init``: on a terminal, whoever names no clusters is asked for them."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from fedssh.documents import quoted
from fedssh.errors import ConfigurationError
from fedssh.inventory.draft import DraftedCluster, local_path, make_draft, parse_words
from fedssh.inventory.forms import LocalPath, fits, nearest_name
from fedssh.ssh import ask_on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.output import ProgressView
    from fedssh.sensitive import Sensitive

    Ask = Callable[[str], str | None]
    """Puts a question; returns the answer, or None if there is nobody to ask (any more)."""

T = TypeVar("T")

NOBODY_HINT: Final = (
    "Name them, the host first: fedssh init fedhost=root@192.0.2.1 member1=root@192.0.2.2\n"
    "Or name an inventory of Ansible's: fedssh init --from-ansible inventory.ini"
)


def ask_beside(progress: ProgressView) -> Callable[[str, threading.Event], Sensitive | None]:
    """Return how passwords are asked for while progress is shown: the terminal is left alone meanwhile."""

    def ask(question: str, cancelled: threading.Event) -> Sensitive | None:
        with progress.paused():
            return ask_on_terminal(question, cancelled)

    return ask


def ask_openly(question: str) -> str | None:
    """Ask on the terminal, which shows the answer; without a terminal, and at its end (Ctrl-D), return None."""
    answer = ask_on_terminal(question, threading.Event(), is_shown=True, takes_early=True)
    return None if answer is None else answer.reveal()


def ask_for_clusters(ask: Ask, tell: Callable[[str], object]) -> list[DraftedCluster]:
    """Return the clusters that somebody names when asked, the host first.

    Args:
        ask: Puts a question.
        tell: Told what is wrong with an answer, before the question is put again.

    Raises:
        ConfigurationError: There is nobody to ask (2).
    """

    def until_right(question: str, read: Callable[[str], T]) -> T:
        while True:
            answer = ask(question)
            if answer is None:
                raise ConfigurationError("no clusters are named, and nobody answers", hint=NOBODY_HINT)
            try:
                return read(answer.strip())
            except ConfigurationError as error:
                tell("\n".join(filter(None, (error.message, error.hint))))

    name = until_right("Name of the host cluster, which runs the federation: ", _read_name)
    host = until_right(
        "SSH address of its master (USER@ADDRESS:PORT, or an alias from ~/.ssh/config): ",
        lambda answer: replace(parse_words([answer])[0], name=name),
    )
    members = until_right(
        "Members (NAME=USER@ADDRESS:PORT, with blanks between them): ",
        lambda answer: _read_members(host, answer),
    )
    key = until_right("Private key file (nothing for what ssh uses): ", _read_key)
    return [replace(cluster, identity_file=key) for cluster in (host, *members)]


def _read_name(answer: str) -> str:
    if not nearest_name(answer):
        raise ConfigurationError(f"{quoted(answer)}: a name has letters, digits and '-', such as fedhost")
    return answer


def _read_members(host: DraftedCluster, answer: str) -> list[DraftedCluster]:
    members = parse_words(answer.split())
    make_draft([host, *members])
    return members


def _read_key(answer: str) -> str | None:
    if not answer:
        return None
    path = local_path(answer, Path.cwd())
    if not fits(path, LocalPath) or not Path(path).expanduser().is_file():
        raise ConfigurationError(f"{quoted(answer)}: there is no such file")
    return path
