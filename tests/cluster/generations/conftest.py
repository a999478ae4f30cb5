"""Clusters of two generations: fedhost and member1 of Kubernetes 1.21, as the seed's, and member2 of 1.33.

Each of them can be the host: hosts.yaml says which. The tests of this folder share one lab, on one worker; what the
fixtures of the folder above have for another lab is made anew here, and so is the state that a test begins in.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from lab.clusters import each, start_lab, stop_lab
from lab.generations import NEW, OLD
from tests.cluster.conftest import PREFIX
from tests.cluster.oracle import NAMESPACE, Federation, quick_inventory
from tests.cluster.records import Records, furnish
from tests.cluster.states import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.clusters import Lab
    from tests.cluster.oracle import Run

NEWER: Final = "0.10.0"
"""The version of KubeFed that both generations bear."""


_PREFIX: Final = f"{PREFIX}-old"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop the lab after the folder's last test: idle clusters take processor time from the tests that follow."""
    yield
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        stop_lab(_PREFIX)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A lab of both generations; what an interrupted session left is removed first."""
    stop_lab(_PREFIX)
    started = start_lab(_PREFIX, [OLD, NEW], tmp_path_factory.mktemp("lab"), host=OLD)
    furnish(started)
    return started


@pytest.fixture(scope="session")
def federation(lab: Lab) -> Federation:
    """The oracle, for the federation of fedhost."""
    return Federation(lab=lab)


@pytest.fixture(scope="session")
def newer(lab: Lab) -> Federation:
    """The oracle, for a federation of member2, the newer cluster."""
    member1, member2 = lab.members
    return Federation(lab=replace(lab, host=member2, members=(member1, lab.host), kubefed=NEWER))


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
    """The hosts.yaml of fedhost's federation as data."""
    return quick_inventory(lab)


@pytest.fixture
def of_the_newer(inventory: dict[str, Any]) -> dict[str, Any]:
    """The same, turned round: member2 is the host, with KubeFed 0.10.0, and the others are its members."""
    found, host = copy.deepcopy(inventory), inventory["host"]
    inventory["host"] = {"name": "member2", **found["members"]["member2"]}
    inventory["members"] = {"member1": found["members"]["member1"]}
    inventory["members"]["fedhost"] = {key: value for key, value in host.items() if key != "name"}
    ask_for(inventory, NEWER)
    return inventory


def ask_for(inventory: dict[str, Any], version: str) -> None:
    """Let a hosts.yaml ask for a version of KubeFed."""
    kubefed = inventory["kubefed"]
    kubefed["kubefedctl_url"] = kubefed["kubefedctl_url"].replace(kubefed["version"], version)
    kubefed["version"] = version


@pytest.fixture
def empty(federation: Federation, newer: Federation, known: Known) -> Federation:
    """Nothing on any machine: no KubeFed, nothing granted, kubeconfigs as kubeadm wrote them."""
    if known.is_empty(federation):
        return federation
    # Each is a member of the other: whose KubeFed is still there must not lose its namespace to that.
    each(Federation.uninstall_on_host, (federation, newer))
    for one in (federation, newer):
        one.sweep()
    known.learn_empty(federation)
    return federation


@pytest.fixture
def seeded(federation: Federation, newer: Federation, fedssh: Callable[..., Run]) -> Federation:
    """member1 has joined fedhost, with the seed's versions of KubeFed and Kubernetes; nothing else."""
    listed = federation.host.exec("helm", "-n", NAMESPACE, "list").stdout
    if "kubefed-0.10.0" in listed:
        federation.uninstall_on_host()
    if federation.ready() != {"fedhost": "True", "member1": "True"}:
        newer.uninstall_on_host()
        federation.forget("fedhost", "member1", "member2")
        done = fedssh("federate", "--member", "member1")
        assert done.code == 0, done.stderr
    return federation
