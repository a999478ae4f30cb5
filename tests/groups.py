"""Which tests stay together, and in what order: for workers that share a session, and for one alone.

A group goes as a whole to whichever worker is free (`pytest -n 3 --dist loadgroup`). A file is a group; of the tests on
real clusters, those of a file that begin in the same state are, since it is the way from state to state that costs
there. Each worker has a lab of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

# tests/ssh measures deadlines: it is first, while no cluster keeps the processors busy.
_FOLDERS: Final = ("tests/ssh/", "tests/unit/", "tests/cluster/generations/", "tests/cluster/crowd/", "tests/cluster/")
# The tests of each of these folders share a lab of their own.
_LABS: Final = ("tests/cluster/generations/", "tests/cluster/crowd/")
# The fixtures of tests/cluster that set a state up, from that of a new lab to the one from which no way is cheap. The
# tests with none of them set up what they need: they are the longest, and begin where a federation mostly stands.
_STATES: Final = ("bare", "joined", "none of these", "unwritten", "standing", "unjoined")


def arrange(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Give every test its group, and return them by folder, state and size of their groups, the largest first.

    Small ones come last, so that all workers end at about the same time.
    """
    groups: dict[tuple[int, int, str], list[pytest.Item]] = {}
    for item in items:
        file = item.nodeid.split("::")[0]
        folder = _find(file, _FOLDERS, len(_FOLDERS))
        state = _find(getattr(item, "fixturenames", ()), _STATES, _STATES.index("none of these"))
        groups.setdefault((folder, state, file), []).append(item)
        group = next((folder for folder in _LABS if file.startswith(folder)), f"{file} {state}")
        item.add_marker(pytest.mark.xdist_group(group))
    return [item for _, group in sorted(groups.items(), key=lambda one: (one[0][:2], -len(one[1]))) for item in group]


def _find(place: str | Iterable[str], names: tuple[str, ...], other: int) -> int:
    """Return which of the names is in there; the other number if none is."""
    return next((number for number, name in enumerate(names) if name in place), other)
