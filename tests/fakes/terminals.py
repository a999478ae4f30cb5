"""A terminal that is a text."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch, *, columns: str = "80") -> Terminal:
    """Make both streams one terminal; for a fixture it is too early, since pytest captures again after it."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", columns)
    return stream


def plain(text: str) -> str:
    """Return a text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)
