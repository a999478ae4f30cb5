"""What is said, and what is refused, of the versions of Kubernetes that a federation is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines import load_engine
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import RefusedError
from fedssh.federation.facts import Facts, Proof
from fedssh.federation.findings import refusals
from fedssh.federation.rules import check_members, check_versions
from fedssh.inventory.sources import SOURCES
from fedssh.kubernetes.helm import Release
from tests.fakes.facts import GOOD, facts, host, joined, member, wishes

if TYPE_CHECKING:
    from fedssh.engines.protocol import JoinedCluster
    from fedssh.federation.facts import HostFacts
    from fedssh.federation.wishes import Wishes

UNTESTED = "newer than Kubernetes 1.24, up to which its project tested KubeFed 0.10.0"
_TESTED = "the maintained fork has tested its 0.12.2 up to 1.35"
FORK = f"{UNTESTED}; {_TESTED}: kubefed.source: nutanix, kubefed.version: 0.12.2"


def asking_for(**said: Any) -> Wishes:
    """Return the wish for member1, with what hosts.yaml says of KubeFed."""
    known = wishes()
    return replace(known, inventory=replace(known.inventory, kubefed=replace(known.inventory.kubefed, **said)))


def having(version: str, *clusters: JoinedCluster, kubernetes: str = "v1.21.14") -> HostFacts:
    """Return a host on which a KubeFed is installed; none where that has no version."""
    at_host = host(kubernetes=kubernetes)
    release = Release(version=version, status="deployed", revision=1) if version else None
    engine = KubeFedState(machine="fedhost", release=release, clusters={one.name: one for one in clusters})
    return replace(at_host, state=replace(at_host.known, engine=engine))


def seen(at_host: HostFacts, **kubernetes: str) -> Facts:
    """Return members by name, each with the version of its Kubernetes, and a host."""
    members = {name: replace(member(), name=name, kubernetes=version) for name, version in kubernetes.items()}
    return Facts(host=at_host, members=members)


def told(found: Facts, wanted: Wishes | None = None) -> list[str]:
    """Return what is said of the versions; it is the host's, for everybody to know, and refuses nobody."""
    findings = check_versions(wanted or wishes(), found)
    assert {(one.cluster, one.state, one.topic, one.error) for one in findings} <= {
        ("fedhost", "notice", "engine", None)
    }
    return [finding.text for finding in findings]


@pytest.mark.parametrize("kubernetes", ["v1.24.17", "v1.24.17+k3s1", "v1.16.0", "", "who knows"])
def test_of_versions_that_were_tested_or_are_not_known_nothing_is_said(kubernetes: str) -> None:
    """Neither of the host nor of a member; nor where there is no member."""
    assert told(seen(host(kubernetes=kubernetes), member1=kubernetes)) == []
    assert told(seen(host(kubernetes=kubernetes))) == []


def test_a_newer_version_is_said_with_who_has_it() -> None:
    """As its cluster tells it."""
    assert told(seen(host(kubernetes="v1.24.17"), member1="v1.25.0+k3s1")) == [
        "Kubernetes v1.25.0+k3s1 (of member1) is " + FORK
    ]
    assert told(seen(host(kubernetes="v1.25.0"), member1="v1.24.17")) == ["Kubernetes v1.25.0 (of fedhost) is " + FORK]
    assert told(seen(host(kubernetes="v1.36.1"))) == ["Kubernetes v1.36.1 (of fedhost) is " + UNTESTED]


def test_the_same_is_said_once_for_all_of_them() -> None:
    """The host comes first; of what differs, each is said."""
    found = seen(host(kubernetes="v1.33.1"), member1="v1.36.0", member2="v1.25.0", member3="v1.24.0")
    assert told(found) == [
        f"Kubernetes v1.33.1, v1.25.0 (of fedhost, member2) is {FORK}",
        f"Kubernetes v1.36.0 (of member1) is {UNTESTED}",
    ]


@pytest.mark.parametrize(("others", "more"), [(5, ""), (6, ", …"), (400, ", …")])
def test_of_many_clusters_six_are_named(others: int, more: str) -> None:
    """The host is one of them."""
    found = seen(host(kubernetes="v1.33.1"), **{f"m{number}": "v1.33.0" for number in range(others)})
    named = ", ".join(f"m{number}" for number in range(5))
    assert told(found) == [f"Kubernetes v1.33.1, v1.33.0 (of fedhost, {named}{more}) is {FORK}"]


def test_of_clusters_that_have_joined_nothing_is_said() -> None:
    """It was said before they did; each for itself, and whether they are well or not."""
    new = {"member1": "v1.33.0", "member2": "v1.33.0"}
    at_host = host(joined("fedhost"), joined("member2", ready=False), kubernetes="v1.33.1")
    assert told(seen(at_host, **new)) == [f"Kubernetes v1.33.0 (of member1) is {FORK}"]
    at_host = host(joined("fedhost"), joined("member1"), joined("member2"), kubernetes="v1.33.1")
    assert told(seen(at_host, **new)) == []


def test_what_is_installed_counts_where_no_version_is_named() -> None:
    """Else the version that hosts.yaml names, or the last one of the source that it names."""
    older = "newer than Kubernetes 1.19, up to which its project tested KubeFed 0.7.0"
    (text,) = told(seen(having("0.7.0"), member1="v1.20.0"))
    assert text.startswith(f"Kubernetes v1.21.14, v1.20.0 (of fedhost, member1) is {older}; ")
    (text,) = told(seen(having(""), member1="v1.20.0"), asking_for(version="0.7.0"))
    assert text.startswith(f"Kubernetes v1.21.14, v1.20.0 (of fedhost, member1) is {older}; ")
    assert told(seen(having("", kubernetes="v1.24.0"), member1="v1.33.0")) == [
        f"Kubernetes v1.33.0 (of member1) is {FORK}"
    ]
    fork = asking_for(source=SOURCES["nutanix"])
    assert told(seen(having("", kubernetes="v1.35.0"), member1="v1.35.9"), fork) == []
    (text,) = told(seen(having("", kubernetes="v1.36.0")), fork)
    assert text.startswith("Kubernetes v1.36.0 (of fedhost) is newer than Kubernetes 1.35, up to which ")
    assert text.endswith("its project tested KubeFed 0.12.2")


def test_an_upgrade_counts_as_what_it_upgrades_to() -> None:
    """Of the version that goes, nothing has to be known any more."""
    at_host = having("0.7.0")
    state = replace(at_host.known, engine=at_host.known.engine.to_upgrade())
    assert told(seen(at_host))
    assert told(seen(replace(at_host, state=state))) == []


def test_that_ingresses_are_not_federated_comes_before_what_was_tested() -> None:
    """It is the more that somebody has to know; from Kubernetes 1.22 on."""
    found = seen(having("0.9.2"), member1="v1.22.0", member2="v1.21.0")
    words = "newer than Kubernetes 1.21, up to which KubeFed 0.9.2 federates Ingresses"
    assert told(found) == [f"Kubernetes v1.22.0 (of member1) is {words}"]


@pytest.mark.parametrize(
    ("kubernetes", "is_refused"),
    [("v1.23.17+k3s1", False), ("v1.24.0", True), ("v1.33.0+k3s1", True), ("", False), ("who knows", False)],
)
def test_a_member_that_this_kubefed_cannot_join_is_refused(kubernetes: str, *, is_refused: bool) -> None:
    """With the version that can; it is the member's own refusal, not the host's."""
    found = facts(member(kubernetes=kubernetes), having("0.9.2"), access=GOOD)
    refused = refusals(check_members(wishes(), found, load_engine()))
    assert set(refused) == ({"member1"} if is_refused else set())
    if is_refused:
        error = refused["member1"].error
        assert isinstance(error, RefusedError)
        assert error.message.startswith(f"a cluster of Kubernetes {kubernetes} cannot join KubeFed 0.9.2: ")
        assert (error.machine, error.step) == ("member1", "join")
        assert error.hint == (
            "KubeFed 0.10.0 works there. Write: kubefed.version: 0.10.0. Then: fedssh prepare --upgrade"
        )


@pytest.mark.parametrize(
    ("proof", "is_refused"),
    [(GOOD, False), (Proof(problem="Unauthorized"), True), (replace(GOOD, has_rights=False), True), (None, True)],
)
def test_a_member_that_has_joined_is_refused_only_where_it_has_to_join_again(
    proof: Proof | None, *, is_refused: bool
) -> None:
    """It may have joined before its Kubernetes was upgraded: KubeFed works with it."""
    engine = {"member1": proof} if proof else {}
    found = facts(member(kubernetes="v1.33.0"), having("0.9.2", joined()), access=GOOD, engine=engine)
    refused = refusals(check_members(wishes(), found, load_engine()))
    assert set(refused) == ({"member1"} if is_refused else set())
    assert all("cannot join KubeFed 0.9.2" in finding.text for finding in refused.values())
