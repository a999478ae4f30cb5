"""What is read from a server: over HTTP, by requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from fedssh.artefacts.cache import STEP
from fedssh.errors import StepError, visible

if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_SECONDS: Final = (15, 60)
"""How long a server may take to accept a connection, and to send anything on it."""

_CHUNK_BYTES: Final = 256 * 1024
_MEGA: Final = 1_000_000
# How urllib3 begins what it says of a connection; the address is told before.
_CONNECTION: Final = re.compile(r"^<?[\w.]*HTTPS?Connection.*?[)>]: ")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_LONGEST_WORDS: Final = 300


def stream(url: str, take: Callable[[bytes], int], told: Callable[[str], None]) -> None:
    """Read what lies at an address.

    Args:
        url: The address.
        take: Given each part, it returns how many bytes of it were taken.
        told: Told every now and then how much is there.

    Raises:
        StepError: It could not be had, or not all of it (3).
    """
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
