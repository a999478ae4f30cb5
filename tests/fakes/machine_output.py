"""What a broken or hostile machine may send: strategies for Hypothesis, and answers that are long."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONG: Final = 2_000_000
MANY_DIGITS: Final = "9" * 5000
"""Python makes no number of more than 4300 digits: int() of it is a ValueError."""

_PIECES: Final = (
    *(b"", b"\0", b"\xff", b"\n", b'"', b"-1", b"NaN", b"1e999", b"\x1b[31m", b"\xe2\x80\xae"),
    *(b"[" * 2000, b'{"a":' * 200, MANY_DIGITS.encode()),
)
_KEYS: Final = ("metadata", "name", "items", "kind", "data", "spec", "status", "chart", "revision")


@contextmanager
def soon(seconds: float = 1) -> Iterator[None]:
    """Check that what stands in it takes less than that of this thread's own time, however busy the machine is."""
    started = time.thread_time()
    yield
    assert time.thread_time() - started < seconds


def repeated(piece: str, size: int = LONG) -> str:
    """Return a piece so often that all of it has some size."""
    return piece * (size // len(piece))


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """Give bytes with some pieces cut out, doubled, or replaced by others that somebody may stumble over."""
    found = valid
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(found)))
        end = draw(st.integers(start, min(len(found), start + 60)))
        doubled = st.just(found[start:end] * 2)
        piece = draw(st.one_of(doubled, st.binary(max_size=4), st.sampled_from(_PIECES)))
        found = found[:start] + piece + found[end:]
    return found


def damaged_text(valid: str) -> st.SearchStrategy[str]:
    """Give a text as ``damaged`` bytes of it are read."""
    return damaged(valid.encode()).map(lambda found: found.decode(errors="replace"))


def mixed(*pieces: bytes) -> st.SearchStrategy[bytes]:
    """Give these pieces in any order and number, and noise between them."""
    return st.lists(st.one_of(st.sampled_from(pieces), st.binary(max_size=4))).map(b"".join)


def json_values() -> st.SearchStrategy[Any]:
    """Give whatever JSON can say, under keys that mean something too; NaN, and what Python alone takes for JSON."""
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
    keys = st.one_of(st.sampled_from(_KEYS), st.text(max_size=3))
    return st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4))
    )


def answers(*examples: Any) -> st.SearchStrategy[str]:
    """Give JSON that a tool might print instead of these documents: other values, or damaged ones of them."""
    texts: Sequence[str] = [json.dumps(example) for example in examples]
    return st.one_of(json_values().map(json.dumps), st.text(max_size=20), *map(damaged_text, texts))


def clocks() -> st.SearchStrategy[str]:
    """Give what ``date +%s`` might print."""
    return st.one_of(damaged_text("1764000000\n"), st.floats().map(str), st.text(max_size=12))


def versions() -> st.SearchStrategy[str]:
    """Give what a tool might call its version."""
    return st.one_of(damaged_text("v1.33.9+k3s1"), damaged_text("v3.18.4\n"), st.text(max_size=12))
