"""The front doors that are not fedssh's own: what ``invoke`` and ``fab`` take and fedssh cannot do is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import ConfigurationError

if TYPE_CHECKING:
    from invoke.context import Context

_OPTIONS: Final = {
    ("run", "echo"): "-e",
    ("run", "hide"): "--hide",
    ("run", "pty"): "-p",
    ("run", "warn"): "-w",
    ("timeouts", "command"): "-T",
    ("sudo", "password"): "--prompt-for-sudo-password",
    ("connect_kwargs", "key_filename"): "-i",
    ("connect_kwargs", "passphrase"): "--prompt-for-passphrase",
    ("connect_kwargs", "password"): "--prompt-for-login-password",
    ("connect_kwargs", "timeout"): "-t",
}
"""The options of Invoke's and Fabric's that would change how a task runs commands, by what they set."""


def check_door(c: Context) -> None:
    """Refuse options of ``invoke`` and ``fab`` that somebody may take for fedssh's.

    By the time that a task runs they have been read, and cannot be taken back. ``fedssh`` knows none of them.

    Args:
        c: What the task was given.

    Raises:
        ConfigurationError: One was given (2).
    """
    named = c.config._runtime_path  # noqa: SLF001  (Invoke tells it nowhere else)
    if named is not None and named != os.environ.get("INVOKE_RUNTIME_CONFIG"):
        raise ConfigurationError(
            "-f before the verb is Invoke's and names a file with Invoke's configuration: nothing was done",
            hint=f"Name the inventory behind the verb: --hosts {named}, or -f {named}",
        )
    if type(c).__module__.startswith("fabric"):
        raise ConfigurationError(
            "--hosts or -H before the verb is Fabric's and names machines: nothing was done",
            hint="Name the inventory behind the verb: --inventory FILE",
        )
    overrides: dict[str, Any] = c.config._overrides  # noqa: SLF001  (what the command line has set)
    misleading = [option for (part, key), option in _OPTIONS.items() if dict(overrides.get(part) or {}).get(key)]
    if misleading:
        raise ConfigurationError(
            f"{', '.join(misleading)} would change nothing here: nothing was done",
            hint="What fedssh takes stands behind the verb: --help VERB lists it.",
        )
