"""A host and five members, all of them federated at once; the tests of this folder share the lab, on one worker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lab.clusters import start_lab, stop_lab
from lab.generations import NEW
from tests.cluster.conftest import PREFIX
from tests.cluster.oracle import Federation, quick_inventory
from tests.cluster.records import Records, furnish
from tests.cluster.states import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.clusters import Lab
    from tests.cluster.oracle import Run

MEMBERS: Final = tuple(f"member{number}" for number in range(1, 6))


_PREFIX: Final = f"{PREFIX}-five"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop the lab after the folder's last test: idle clusters take processor time from the tests that follow."""
    yield
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        stop_lab(_PREFIX)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab of a host and five members; what an interrupted session left is removed first."""
    stop_lab(_PREFIX)
    started = start_lab(_PREFIX, [NEW] * len(MEMBERS), tmp_path_factory.mktemp("lab"))
    furnish(started)
    return started


@pytest.fixture(scope="session")
def federation(lab: Lab) -> Federation:
    """The oracle."""
    return Federation(lab=lab)


@pytest.fixture(scope="session")
def records(lab: Lab) -> Records:
    """What the machines' tools were called with."""
    return Records(lab)


@pytest.fixture(scope="session")
def known() -> Known:
    """The last state that was known to be good."""
    return Known()


@pytest.fixture
def inventory(lab: Lab) -> dict[str, Any]:
    """The lab's hosts.yaml as data."""
    return quick_inventory(lab)


@pytest.fixture
def prepared(federation: Federation, fedssh: Callable[..., Run]) -> Federation:
    """KubeFed is installed, nothing has joined, and nothing is granted."""
    federation.forget("fedhost", *MEMBERS)
    done = fedssh("prepare")
    assert done.code == 0, done.stderr
    return federation
