"""Reading known_hosts files as OpenSSH does.

Paramiko's own reader gives up on the whole file at one ``@cert-authority`` or ``@revoked`` line and never matches a
wildcard, so that a key OpenSSH knows, or knows as stolen, would look unknown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Verdict = Literal["known", "revoked", "changed", "authority", "unknown"]

_DEFAULT_PORT = 22
_FEWEST_FIELDS = 3
_PATTERN = re.compile(r"[*?!|]")
"""What stands in the hosts of a line that are more than names: a wildcard, an exception, a hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """A public host key.

    Attributes:
        type: Its type as OpenSSH writes it, e.g. ``ssh-ed25519``.
        blob: Its bytes in SSH's own encoding.
    """

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ``ssh-keygen -l`` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")
        return f"SHA256:{digest}"

    @property
    def shown(self) -> str:
        """The key for a message: type and fingerprint."""
        return f"{self.type} {self.fingerprint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a known_hosts file.

    Attributes:
        marker: ``@revoked``, ``@cert-authority`` or "".
        hosts: The host patterns as they stand in the file.
        key: The key the line is about.
        place: ``file:line``, for messages.
    """

    marker: str
    hosts: str
    key: HostKey
    place: str

    def matches(self, name: str) -> bool:
        """Whether this line is about ``name``, a lower-case host or ``[host]:port``."""
        if self.hosts.startswith("|"):
            return _matches_hash(self.hosts, name)
        found = False
        for pattern in self.hosts.lower().split(","):
            if _matches_pattern(pattern.removeprefix("!"), name):
                if pattern.startswith("!"):
                    return False
                found = True
        return found


@dataclass(frozen=True, kw_only=True)
class KnownHosts:
    """What one or several known_hosts files say.

    Attributes:
        entries: Their lines, in order.
        unreadable: ``file:line`` of the lines that are not in known_hosts form.
    """

    entries: tuple[Entry, ...] = ()
    unreadable: tuple[str, ...] = ()

    def about(self, host: str, port: int) -> list[Entry]:
        """Return the lines about a machine.

        As in OpenSSH, a line for the bare name counts on another port where no line names that port.
        """
        entries = self._matching(host_name(host, port))
        if port != _DEFAULT_PORT:
            plain = self._matching(host.lower())
            revoked = [entry for entry in plain if entry.marker == "@revoked"]
            entries += revoked if any(not entry.marker for entry in entries) else plain
        return entries

    def _matching(self, name: str) -> list[Entry]:
        named, others = self._numbered
        found = {number for number, entry in others if entry.matches(name)} | named.get(name, set())
        return [self.entries[number] for number in sorted(found)]

    @cached_property
    def _numbered(self) -> tuple[dict[str, set[int]], list[tuple[int, Entry]]]:
        """The numbers of the lines by the names in them, and the lines of which each name has to be asked.

        With a line for each of hundreds of machines, to ask all lines for all machines would take longer than SSH does.
        """
        named: dict[str, set[int]] = {}
        others: list[tuple[int, Entry]] = []
        for number, entry in enumerate(self.entries):
            if _PATTERN.search(entry.hosts):
                others.append((number, entry))
            else:
                for name in entry.hosts.lower().split(","):
                    named.setdefault(name, set()).add(number)
        return named, others


def host_name(host: str, port: int) -> str:
    """Return the name under which known_hosts files keep a machine."""
    return host.lower() if port == _DEFAULT_PORT else f"[{host.lower()}]:{port}"


def judge(key: HostKey, entries: Iterable[Entry]) -> Verdict:
    """Say what the lines about a machine (``KnownHosts.about``) make of the key it presented."""
    entries = list(entries)
    if any(entry.marker == "@revoked" and entry.key == key for entry in entries):
        return "revoked"
    plain = [entry for entry in entries if not entry.marker]
    if any(entry.key == key for entry in plain):
        return "known"
    if plain:
        return "changed"
    return "authority" if any(entry.marker == "@cert-authority" for entry in entries) else "unknown"


def parse_known_hosts(text: str, *, source: Path) -> KnownHosts:
    """Return what a known_hosts file's text says; ``source`` is what places name."""
    entries: list[Entry] = []
    unreadable: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#"):
            continue
        place = f"{source}:{number}"
        entry = _parse_line(fields, place)
        if entry is None:
            unreadable.append(place)
        else:
            entries.append(entry)
    return KnownHosts(entries=tuple(entries), unreadable=tuple(unreadable))


def render_line(host: str, port: int, key: HostKey) -> str:
    """Return the known_hosts line that makes ``key`` known."""
    return f"{host_name(host, port)} {key.type} {base64.b64encode(key.blob).decode()}"


def _parse_line(fields: list[str], place: str) -> Entry | None:
    marker = fields[0] if fields[0].startswith("@") else ""
    fields = fields[1:] if marker else fields
    if marker not in {"", "@revoked", "@cert-authority"} or len(fields) < _FEWEST_FIELDS:
        return None
    hosts, key_type, encoded = fields[:_FEWEST_FIELDS]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not blob.startswith(len(key_type).to_bytes(4, "big") + key_type.encode()):
        return None
    return Entry(marker=marker, hosts=hosts, key=HostKey(type=key_type, blob=blob), place=place)


def _matches_pattern(pattern: str, name: str) -> bool:
    regex = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(regex, name) is not None


def _matches_hash(hashed: str, name: str) -> bool:
    try:
        _, version, salt, digest = hashed.split("|")
        expected = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
        return version == "1" and hmac.compare_digest(expected, base64.b64decode(digest))
    except (binascii.Error, ValueError):
        return False
