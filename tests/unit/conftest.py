"""Shells for tests of the modules that use one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.unit.shells import LocalShell
from tests.unit.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def local() -> Iterator[LocalShell]:
    """A shell that runs the real programs on this machine."""
    with closing(LocalShell()) as shell:
        yield shell


@pytest.fixture
def world() -> World:
    """Three members that know nothing, and a host without KubeFed."""
    return World()
