"""What ~/.ssh/config and /etc/ssh/ssh_config say about a host.

Paramiko reads the format but for ``Include``, which Debian's own /etc/ssh/ssh_config begins with.
"""

from __future__ import annotations

import glob
import re
import shlex
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from fedssh.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

USER_FILE = Path("~/.ssh/config")
SYSTEM_FILE = Path("/etc/ssh/ssh_config")

_DEEPEST_INCLUDE = 16
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*")


class SshConfig:
    """The ssh_config files of a run, read once; for several threads."""

    def __init__(self) -> None:
        # By what stands above the files: most often the same user and port for all machines.
        self._parsed: dict[tuple[str | None, int | None], paramiko.SSHConfig] = {}

    @cached_property
    def _text(self) -> str:
        user = USER_FILE.expanduser()
        # A Host line ends with its file: "Host *" begins what holds for all again.
        return "\n".join(["Host *", *_read(user, user.parent), "Host *", *_read(SYSTEM_FILE, SYSTEM_FILE.parent)])

    def about(self, host: str, *, user: str | None = None, port: int | None = None) -> Mapping[str, str | list[str]]:
        """Return the settings for ``host``, names in lower case, ``~`` and ``%`` expanded where OpenSSH does.

        Args:
            host: A name, address or alias.
            user: Stands above what the files say, as on ssh's command line.
            port: The same.

        Raises:
            ConfigurationError: a file cannot be read or understood.
        """
        try:
            return dict(self._above(user, port).lookup(host))
        except (paramiko.ConfigParseError, paramiko.CouldNotCanonicalize, ValueError) as error:
            raise ConfigurationError(f"ssh_config: {error}", hint=f"See {USER_FILE} and {SYSTEM_FILE}.") from None

    def _above(self, user: str | None, port: int | None) -> paramiko.SSHConfig:
        """Return the files with what stands above them."""
        if (user, port) not in self._parsed:
            above = ["Host *", *([f"User {user}"] if user else []), *([f"Port {port}"] if port else [])]
            self._parsed[user, port] = paramiko.SSHConfig.from_text("\n".join([*above, self._text]))
        return self._parsed[user, port]


def split_values(value: str | list[str] | None) -> list[str]:
    """Return a setting's values: a list's items, or the words of a text, quotes respected."""
    if value is None:
        return []
    return shlex.split(value) if isinstance(value, str) else value


def _read(path: Path, folder: Path, depth: int = 0) -> Iterator[str]:
    """Yield a file's lines with those of included files in their place; relative ones are in ``folder``."""
    if depth > _DEEPEST_INCLUDE:
        raise ConfigurationError(f"{path}: too many levels of Include")
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    block = "Host *"
    for line in text.splitlines():
        setting = _LINE.fullmatch(line)
        word = setting[1].lower() if setting else ""
        if setting and word == "include":
            for pattern in shlex.split(setting[2]):
                for name in sorted(glob.glob(str(folder / Path(pattern).expanduser()))):  # noqa: PTH207 - absolute ones
                    yield from _read(Path(name), folder, depth + 1)
            yield block
            continue
        if word in {"host", "match"}:
            block = line
        yield line
