"""Files that lie at an address, with a checksum that is known or lies beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from fedssh.artefacts.cache import STEP, Fetched, cached, keep, sha256_of
from fedssh.errors import StepError, visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIMEOUT_SECONDS: Final = (15, 60)
"""How long a server may take to accept a connection, and to send anything on it."""

_CHUNK_BYTES: Final = 256 * 1024
_LARGEST_TEXT: Final = 32 * 1024 * 1024
_MEGA: Final = 1_000_000
# How urllib3 begins what it says of a connection; the address is told before.
_CONNECTION: Final = re.compile(r"^<?[\w.]*HTTPS?Connection.*?[)>]: ")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_LONGEST_WORDS: Final = 300
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
    expected, whose = wanted.sha256, wanted.whose
    if not expected and wanted.checksum_url:
        words = fetch_text(wanted.checksum_url).split()
        expected, whose = (words or [""])[0].lower(), wanted.checksum_url
        if not _SHA256.fullmatch(expected):
            raise StepError(f"{wanted.checksum_url} does not begin with a SHA-256 checksum", step=STEP)

    def write(path: Path) -> None:
        with path.open("wb") as file:
            _stream(wanted.url, file.write, told)
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
    parts: list[bytes] = []

    def take(part: bytes) -> int:
        parts.append(part)
        if sum(map(len, parts)) > _LARGEST_TEXT:
            raise StepError(f"{url} is larger than {_LARGEST_TEXT // 2**20} MiB", step=STEP)
        return len(part)

    _stream(url, take, lambda _: None)
    return b"".join(parts).decode(errors="replace")


def _stream(url: str, take: Callable[[bytes], int], told: Callable[[str], None]) -> None:
    patient = Retry(2, backoff_factor=0.5, status_forcelist=(502, 503), respect_retry_after_header=False)
    try:
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=patient))
            session.mount("https://", HTTPAdapter(max_retries=patient))
            # As it is: an archive must not be packed once more, or unpacked, on the way.
            plain = {"Accept-Encoding": "identity"}
            with session.get(url, headers=plain, stream=True, timeout=TIMEOUT_SECONDS) as answer:
                answer.raise_for_status()
                said, there = answer.headers.get("content-length", ""), 0
                size = f" of {int(said) // _MEGA}" if _LENGTH.fullmatch(said) else ""
                while part := answer.raw.read(_CHUNK_BYTES, decode_content=False):
                    there += take(part)
                    told(f"{there // _MEGA}{size} MB")
                if size and there != int(said):
                    raise StepError(f"cannot download {url}: it broke off after {there} of {said} bytes", step=STEP)
    except (requests.RequestException, HTTPError, ValueError) as error:
        raise StepError(f"cannot download {url}: {say_why(error)}", step=STEP) from None


def say_why(error: Exception) -> str:
    """Return what has gone wrong, escaped and without the libraries' own nesting."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {visible(error.response.reason)}"
    inner: object = error
    while isinstance(inner, requests.RequestException | HTTPError):
        inner = getattr(inner, "reason", None) or (inner.args[0] if inner.args else type(inner).__name__)
    words = _CONNECTION.sub("", str(inner).strip())
    return visible(words or type(error).__name__)[:_LONGEST_WORDS]


def _key(wanted: Download) -> str:
    return wanted.key or wanted.url


def _name(wanted: Download) -> str:
    return urlsplit(_key(wanted)).path.rpartition("/")[2]
