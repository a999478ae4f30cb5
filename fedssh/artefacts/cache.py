"""The laptop's cache: files under names that are made of where they come from, each with its checksum beside it."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

STEP: Final = "fetch"
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file on the laptop.

    Attributes:
        path: Where it lies.
        sha256: Its checksum.
    """

    path: Path
    sha256: str


def cache_folder() -> Path:
    """Return the folder of everything that was fetched."""
    return platformdirs.user_cache_path("fedssh", appauthor=False)


def cached(key: str, name: str, *, sha256: str = "") -> Fetched | None:
    """Return what was fetched for a key; None where nothing was, or the file has changed or is not the one wanted.

    Args:
        key: Where it comes from, as whole as that can be said.
        name: What the file is called.
        sha256: The checksum that is wanted, or "" for the one that it had.
    """
    path = _place(key, name)
    try:
        noted = _note(path).read_text(encoding="ascii")
        is_whole = noted == (sha256 or noted) and sha256_of(path) == noted
    except (OSError, ValueError):
        return None
    return Fetched(path=path, sha256=noted) if is_whole else None


def keep(key: str, name: str, write: Callable[[Path], None]) -> Fetched:
    """Have a file written, and keep it for a key; it lies there only when it is whole.

    Args:
        key: Where it comes from.
        name: What the file is called.
        write: Writes it to a path; when it raises, nothing is kept.

    Raises:
        StepError: The cache cannot be written (3).
    """
    path = _place(key, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
            new = Path(folder, "file")
            write(new)
            sha256 = sha256_of(new)
            # The checksum first: a file without one is no file.
            _note(path).write_text(sha256, encoding="ascii")
            new.replace(path)
    except OSError as error:
        raise StepError(f"{path.parent} cannot be written: {error.strerror}", step=STEP) from None
    return Fetched(path=path, sha256=sha256)


def sha256_of(path: Path) -> str:
    """Return a file's checksum."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(key: str, name: str) -> Path:
    safe = "".join(char if char.isalnum() or char in "-._" else "-" for char in name)[-_LONGEST_NAME:]
    return cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:16] / (safe.lstrip(".") or "file")


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")
