"""Keys to log in with: from files, read once per run, and from an agent."""

from __future__ import annotations

import base64
import copy
import re
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko
from paramiko.agent import AgentSSH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fedssh.sensitive import Sensitive
    from fedssh.ssh.closing import Closing
    from fedssh.ssh.prompting import Prompting

AGENT_TIMEOUT_SECONDS = 30.0
"""How long an agent may take to answer; some ask their user."""

_KINDS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_CONTAINER = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*)-----END OPENSSH PRIVATE KEY-----", re.DOTALL)
_MAGIC = b"openssh-key-v1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A key to try, or why a file gave none.

    Attributes:
        source: Where it comes from, for messages: a path or ``agent key …``.
        key: The private key; None where it could not be read.
        public: The public key's bytes; None where they are not known.
        problem: Why there is no key.
        locked: The file, where a passphrase is all that is missing.
    """

    source: str
    key: paramiko.PKey | None
    public: bytes | None
    problem: str = ""
    locked: Path | None = None


class IdentityFiles:
    """The private keys of a run; loading an RSA key takes 100 ms, so each is read once."""

    def __init__(self, prompting: Prompting) -> None:
        self._prompting = prompting
        self._lock = threading.Lock()
        self._unlocking = threading.Lock()
        self._asked: set[Path] = set()
        self._loaded: dict[Path, Identity] = {}

    def load(self, path: Path) -> Identity:
        """Return the key in the file at ``path``."""
        with self._lock:
            if path not in self._loaded:
                self._loaded[path] = _load(path)
            return self._loaded[path]

    def certified(self, path: Path) -> Identity | None:
        """Return the key in the file at ``path`` with the certificate beside it, None where there is none."""
        identity = self.load(path)
        certificate = path.with_name(f"{path.name}-cert.pub")
        if identity.key is None or not certificate.exists():
            return None
        key = copy.copy(identity.key)
        try:
            key.load_certificate(str(certificate))
        except (paramiko.SSHException, OSError, ValueError) as error:
            return Identity(source=str(certificate), key=None, public=None, problem=str(error))
        return Identity(source=str(certificate), key=key, public=None)

    def unlock(self, path: Path) -> Identity:
        """Return the key in the file at ``path``, its passphrase asked for; without an answer, it stays locked."""
        with self._unlocking:
            if path not in self._asked:
                self._asked.add(path)
                identity = self._ask(path)
                with self._lock:
                    self._loaded[path] = identity
            return self.load(path)

    def _ask(self, path: Path) -> Identity:
        for passphrase in self._prompting.answers(f"Passphrase for {path}", name=str(path)):
            identity = _load(path, passphrase)
            if not identity.locked:
                return identity
        return self.load(path)


class Agent(AgentSSH):
    """An SSH agent at a socket of one's choice; Paramiko's own knows only ``SSH_AUTH_SOCK``."""

    def __init__(self, path: str, closing: Closing) -> None:
        """Connect to the agent and ask for its keys.

        Raises:
            OSError: it does not answer.
            paramiko.SSHException: it is no agent.
        """
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(AGENT_TIMEOUT_SECONDS)
            closing.add(lambda: connection.shutdown(socket.SHUT_RDWR))
            connection.connect(path)
            self._connect(connection)  # type: ignore[attr-defined]  # the stubs lack it
        except BaseException:
            connection.close()
            raise

    def identities(self) -> list[Identity]:
        """Return the agent's keys; they sign through it."""
        return [Identity(source=f"agent key {key.comment}", key=key, public=key.asbytes()) for key in self.get_keys()]

    def close(self) -> None:
        """Close the connection to the agent."""
        self._close()  # type: ignore[attr-defined]  # the stubs lack it


def order(files: Sequence[Identity], agent: Sequence[Identity], *, files_only: bool) -> list[Identity]:
    """Return the identities in the order in which to try them, OpenSSH's.

    First the agent's keys that are in ``files``, too, then, unless ``files_only``, its other keys, then the files'.
    Every wrong key costs two round trips, and a server ends the connection after about six.
    """
    wanted = {identity.public for identity in files if identity.public}
    first = [identity for identity in agent if identity.public in wanted]
    other = [] if files_only else [identity for identity in agent if identity.public not in wanted]
    in_agent = {identity.public for identity in agent}
    return [*first, *other, *(one for one in files if one.public is None or one.public not in in_agent)]


def _load(path: Path, passphrase: Sensitive | None = None) -> Identity:
    source = str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        return Identity(source=source, key=None, public=None, problem=error.strerror or str(error))
    for kind in _KINDS:
        try:
            key = kind.from_private_key_file(source, passphrase.reveal() if passphrase else None)
        except paramiko.PasswordRequiredException:
            return _locked(path, content)
        except (paramiko.SSHException, ValueError):
            continue  # another kind
        return Identity(source=source, key=key, public=key.asbytes())
    if passphrase:
        return _locked(path, content)
    return Identity(source=source, key=None, public=_public(path, content), problem="it is no key Paramiko can read")


def _locked(path: Path, content: bytes) -> Identity:
    return Identity(
        source=str(path), key=None, public=_public(path, content), problem="it has a passphrase", locked=path
    )


def _public(path: Path, content: bytes) -> bytes | None:
    """Return the public half of a private key that cannot be read itself."""
    container = _CONTAINER.search(content)
    if container:
        message = paramiko.Message(base64.b64decode(container[1]).removeprefix(_MAGIC))
        for _ in ("cipher", "derivation", "its options"):
            message.get_string()
        message.get_int()
        return message.get_string()
    try:
        return base64.b64decode(path.with_name(f"{path.name}.pub").read_bytes().split()[1])
    except (OSError, ValueError, IndexError):
        return None
