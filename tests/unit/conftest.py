"""Shells for tests of the modules that use one."""

from __future__ import annotations

import pytest

from tests.unit.shells import LocalShell


@pytest.fixture
def local() -> LocalShell:
    """A shell that runs the real programs on this machine."""
    return LocalShell()
