"""Things built once: each lies under a name that holds the hash of everything it was made from."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.versions import STATE

CACHE: Final = STATE / "cache"


def digest_of(*inputs: str | Path) -> str:
    """Hash texts, files and whole directories; equal inputs give equal names."""
    total = hashlib.sha256()
    for item in inputs:
        for part in _parts(item):
            total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:16]


def cached(name: str, digest: str, make: Callable[[Path], None]) -> Path:
    """Return the directory `name`-`digest`, filled by `make` if it is not there yet.

    What is interrupted half-way never gets that name, and what it replaces is removed.
    """
    wanted = CACHE / f"{name}-{digest}"
    if wanted.is_dir():
        return wanted
    partial = CACHE / f"{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    make(partial)
    for old in CACHE.glob(f"{name}-{'?' * len(digest)}"):
        shutil.rmtree(old)
    partial.rename(wanted)
    return wanted


@contextmanager
def one_builder() -> Iterator[None]:
    """Let one process build at a time: the others wait, and find everything built."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _parts(item: str | Path) -> Iterator[bytes]:
    if isinstance(item, str):
        yield item.encode()
    elif item.is_dir():
        for path in sorted(item.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(item)).encode()
                yield path.read_bytes()
    else:
        yield item.read_bytes()
