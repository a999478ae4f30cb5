"""Strict host keys: nothing is sent to a machine that cannot prove who it is."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

import paramiko

from fedssh.errors import ConfigurationError, HostKeyError
from fedssh.ssh.known_hosts import (
    HostKey,
    KnownHosts,
    host_name,
    judge,
    parse_known_hosts,
    render_line,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.ssh.known_hosts import Entry
    from fedssh.ssh.target import Target

_log = logging.getLogger(__name__)

_CERTIFICATES_HINT = (
    "Add the machine's own key beside the @cert-authority line. fedssh cannot check host certificates "
    "(Paramiko knows none): "
)


class HostKeys:
    """The known_hosts files of a run, each read once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[Path, KnownHosts] = {}

    def about(self, target: Target) -> list[Entry]:
        """Return the known_hosts lines about ``target``.

        Raises:
            ConfigurationError: a file is there but cannot be read.
        """
        return [entry for path in target.known_hosts for entry in self._read(path).about(*target.known_as)]

    def check(self, target: Target, presented: paramiko.PKey) -> None:
        """Return if ``presented`` is a key that ``target`` is known by, or that its policy lets through.

        Raises:
            HostKeyError: it is not.
        """
        key = HostKey(type=presented.get_name(), blob=presented.asbytes())
        entries = self.about(target)
        verdict = judge(key, entries)
        if verdict == "known":
            return
        if verdict == "unknown" and target.host_key_policy == "accept-new":
            self._add(target, key)
            return
        if verdict != "revoked" and target.host_key_policy == "off":
            _log.warning("%s: the host key was not checked (host_key_policy: off): %s", target.place, key.shown)
            return
        name = host_name(*target.known_as)
        add = f"echo '{render_line(*target.known_as, key)}' >> {target.known_hosts[0]}"
        if verdict == "revoked":
            places = ", ".join(e.place for e in entries if e.marker == "@revoked" and e.key == key)
            problem = f"the host key of {name} is revoked ({places}): {key.shown}"
            hint = "Somebody may be using a stolen key. Ask whoever runs the machine for its new key."
        elif verdict == "changed":
            known = "\n".join(f"  known:     {e.key.shown} ({e.place})" for e in entries if not e.marker)
            problem = f"the host key of {name} is not the known one\n  presented: {key.shown}\n{known}"
            hint = (
                "Somebody may be listening between, or the machine was set up anew. "
                f"{_verify(target, key)} Only if it is right, remove the line above, then: {add}"
            )
        else:
            files = ", ".join(f"{path}" + ("" if path.exists() else " (missing)") for path in target.known_hosts)
            problem = f"the host key of {name} is not known: {key.shown}\n  looked in: {files}"
            problem += self._unreadable(target)
            hint = f"{_verify(target, key)} Then: {add}"
            if verdict == "authority":
                problem += "\n  there is only a certificate authority for it (@cert-authority)"
                hint = _CERTIFICATES_HINT + hint
        raise HostKeyError(problem, hint=hint)

    def _add(self, target: Target, key: HostKey) -> None:
        path = target.known_hosts[0]
        line = f"{render_line(*target.known_as, key)}\n"
        with self._lock:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with open(path, "ab+", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                    file.seek(max(file.tell() - 1, 0))
                    between = "" if file.read(1) in {b"", b"\n"} else "\n"
                    file.write(f"{between}{line}".encode())
            except OSError as error:
                raise ConfigurationError(f"{path}: {error.strerror}") from None
            self._files.pop(path, None)
        _log.warning("%s: the host key was new and was added to %s: %s", target.place, path, key.shown)

    def _read(self, path: Path) -> KnownHosts:
        with self._lock:
            if path not in self._files:
                try:
                    text = path.read_bytes().decode("utf-8", errors="replace")
                except FileNotFoundError:
                    text = ""
                except OSError as error:
                    raise ConfigurationError(f"{path}: {error.strerror}") from None
                self._files[path] = parse_known_hosts(text, source=path)
            return self._files[path]

    def unreadable(self, target: Target) -> list[str]:
        """Return the lines, as ``file:line``, that are not in known_hosts form.

        Raises:
            ConfigurationError: a file is there but cannot be read.
        """
        return [place for path in target.known_hosts for place in self._read(path).unreadable]

    def _unreadable(self, target: Target) -> str:
        places = self.unreadable(target)
        return f"\n  not understood: {', '.join(places)}" if places else ""


class CheckingPolicy(paramiko.MissingHostKeyPolicy):
    """Has Paramiko, which is given no known keys at all, ask ``HostKeys`` about every key."""

    def __init__(self, keys: HostKeys, target: Target) -> None:
        self._keys = keys
        self._target = target

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raise HostKeyError unless the key is known; Paramiko lets it through."""
        del client, hostname
        self._keys.check(self._target, key)


def preferred_types(entries: list[Entry], offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the host key types to ask for: those that are known first, as OpenSSH does.

    A machine has keys of several types; asked for another one, it would look changed.
    """
    known: list[str] = []
    for entry in entries:
        if not entry.marker:
            rsa = ["rsa-sha2-512", "rsa-sha2-256"]
            known += rsa if entry.key.type == "ssh-rsa" else [entry.key.type]
    first = [kind for kind in dict.fromkeys(known) if kind in offered]
    return (*first, *(kind for kind in offered if kind not in first))


def _verify(target: Target, key: HostKey) -> str:
    kind = key.type.removeprefix("ssh-").split("-")[0]
    return (
        f"Compare the fingerprint with the machine's own: on its console, `ssh-keygen -lf "
        f"/etc/ssh/ssh_host_{kind}_key.pub`, or from a network you trust, "
        f"`ssh-keyscan -p {target.port} {target.host} | ssh-keygen -lf -`."
    )
