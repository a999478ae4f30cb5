"""What can go wrong, one class per exit code.

Every error says what failed and why; ``machine`` and ``step`` say where, ``hint`` says what to do next. The exit
codes are part of the command line's interface (see docs/exit-codes.md). No message may hold a secret.
"""

from __future__ import annotations

from typing import ClassVar


class FedsshError(Exception):
    """Something a user can act on; never raised itself, always one of its subclasses.

    Attributes:
        message: What failed and why, one sentence or a few lines, already escaped for a terminal.
        machine: The cluster name of the machine concerned, or "".
        step: The step that was being done, or "".
        hint: What to do next, or "".
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, machine: str = "", step: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.machine = machine
        self.step = step
        self.hint = hint

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.machine, self.step) if part)
        return f"{where}: {self.message}" if where else self.message


class BugError(FedsshError):
    """A bug in fedssh, met while it was at work for one cluster; the others go on."""


class ConfigurationError(FedsshError):
    """The command line or hosts.yaml asks for something that cannot be: nothing was connected to."""

    exit_code = 2


class StepError(FedsshError):
    """A step failed on a machine: a tool is missing, or a command said no."""

    exit_code = 3


class UnknownOutcomeError(StepError):
    """A command's answer was lost: it may or may not have happened. Running fedssh again finds out."""


class UnreachableError(FedsshError):
    """A machine does not answer, or stopped answering."""

    exit_code = 4


class ConnectionLostError(UnreachableError, UnknownOutcomeError):
    """A machine stopped answering while a command ran: unreachable, and its outcome unknown."""


class AuthenticationError(FedsshError):
    """A machine did not let us in."""

    exit_code = 5


class HostKeyError(AuthenticationError):
    """A machine could not prove that it is the one meant; nothing was sent to it."""


class RefusedError(FedsshError):
    """Going on would be wrong: the host's kubeconfig and the federation are as they were."""

    exit_code = 6


class BusyError(FedsshError):
    """Another run holds the lock; trying again later is enough."""

    exit_code = 75


def visible(text: str) -> str:
    r"""Return ``text`` with control characters (but newlines and tabs) written out as ``\x1b``.

    What a machine says is shown to a person; escape sequences in it must not reach their terminal (CVE-2021-25743
    is kubectl's case).
    """
    if text.isprintable():
        return text
    # Looked at once per character that occurs, and not once per character: a machine may say megabytes.
    hidden = (char for char in set(text) if not char.isprintable() and char not in "\n\t")
    return text.translate({ord(char): char.encode("unicode_escape").decode() for char in hidden})
