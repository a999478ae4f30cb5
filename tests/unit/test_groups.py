"""The groups of tests/groups.py, as the workers of a session take them."""

from __future__ import annotations

import pytest


def test_workers_take_groups_as_a_whole(request: pytest.FixtureRequest) -> None:
    """Behind its name stands its group; where xdist does not note it, each test goes to any worker, and is slow."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("nobody has asked for groups")
    assert request.node.nodeid.partition("@")[2].startswith("tests/unit/test_groups.py")
