"""Files that lie at an address, with a checksum that is known or lies beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fedssh.artefacts.cache import STEP, Fetched, cached, keep, sha256_of
from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LARGEST_TEXT: Final = 32 * 1024 * 1024
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file at an address.

    Attributes:
        title: What a message calls it.
        url: The address.
        sha256: Its checksum; "" where it lies elsewhere, or is not known.
        whose: Who says that it is.
        checksum_url: Where its checksum lies, in its first word; "" where it does not.
        key: By which the cache knows it; "" is its address.
    """

    title: str
    url: str
    sha256: str = ""
    whose: str = "hosts.yaml"
    checksum_url: str = ""
    key: str = ""


def find_download(wanted: Download) -> Fetched | None:
    """Return the file from the cache, or None."""
    return cached(_key(wanted), _name(wanted), sha256=wanted.sha256)


def fetch_download(wanted: Download, told: Callable[[str], None]) -> Fetched:
    """Download a file into the cache, and check it.

    Raises:
        StepError: It could not be downloaded, or its checksum is another one (3); nothing of it is kept.
    """
    from fedssh.artefacts.http import stream  # noqa: PLC0415  (slow to import, and most runs fetch nothing)

    expected, whose = wanted.sha256, wanted.whose
    if not expected and wanted.checksum_url:
        words = fetch_text(wanted.checksum_url).split()
        expected, whose = (words or [""])[0].lower(), wanted.checksum_url
        if not _SHA256.fullmatch(expected):
            raise StepError(f"{wanted.checksum_url} does not begin with a SHA-256 checksum", step=STEP)

    def write(path: Path) -> None:
        with path.open("wb") as file:
            stream(wanted.url, file.write, told)
        found = sha256_of(path)
        if expected and found != expected:
            words = f"{wanted.url} has the SHA-256 checksum {found}, but {whose} says {expected}"
            raise StepError(words, step=STEP)

    return keep(_key(wanted), _name(wanted), write)


def fetch_text(url: str) -> str:
    """Return the text at an address.

    Raises:
        StepError: It could not be had, or is larger than such a text is (3).
    """
    from fedssh.artefacts.http import stream  # noqa: PLC0415  (as above)

    parts: list[bytes] = []

    def take(part: bytes) -> int:
        parts.append(part)
        if sum(map(len, parts)) > _LARGEST_TEXT:
            raise StepError(f"{url} is larger than {_LARGEST_TEXT // 2**20} MiB", step=STEP)
        return len(part)

    stream(url, take, lambda _: None)
    return b"".join(parts).decode(errors="replace")


def _key(wanted: Download) -> str:
    return wanted.key or wanted.url


def _name(wanted: Download) -> str:
    return urlsplit(_key(wanted)).path.rpartition("/")[2]
