from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fedssh.engines.kubefed import kubefedctl, versions
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.engines.kubefed.versions import (
    LIMITS,
    lacks_ingresses,
    limits_of,
    untested,
    version_that_works,
    why_no_host,
    why_no_join,
)
from fedssh.inventory import Inventory, parse_inventory
from fedssh.inventory.sources import SOURCES, UPSTREAM
from fedssh.kubernetes.helm import Release
from tests.fakes.facts import joined

TOOL = kubefedctl.Tool(path="/usr/local/bin/kubefedctl", version="0.7.0")
OLD = Release(version="0.7.0", status="deployed", revision=1)
OWN = "; KubeFed's own project has tested its 0.10.0 up to 1.24: kubefed.version: 0.10.0"
FORK = "; the maintained fork has tested its 0.12.2 up to 1.35: kubefed.source: nutanix, kubefed.version: 0.12.2"
UNLIMITED = 999
QUESTIONS = (why_no_host, why_no_join, lacks_ingresses, untested)


def asked_for(said: str) -> Inventory:
    """Return a hosts.yaml that says that of KubeFed."""
    return parse_inventory(f"kubefed: {{{said}}}\nhost: {{name: fedhost, address: a}}\n", path=Path("hosts.yaml"))


@pytest.mark.parametrize(
    ("version", "kubernetes", "words"),
    [
        ("0.7.0", "v1.21.14", ""),
        ("0.7.0", "v1.22.0", "v1beta1"),
        ("0.6.1", "v1.33.13", "v1beta1"),
        ("0.7.0", "v1.15.12", "since 1.16"),
        ("0.8.1", "v1.22.0", ""),
        ("0.10.0", "v1.16.1", ""),
        ("0.10.0", "v1.33.13+k3s1", ""),
        ("0.12.2", "v1.36.0", ""),
        ("0.10.0", "v1.15.0", "since 1.16"),
        ("0.7.0", "", ""),
        ("0.7.0", "soon", ""),
    ],
)
def test_where_a_kubefed_can_be_installed(version: str, kubernetes: str, words: str) -> None:
    """By the APIs that its chart is made of; what is not known forbids nothing."""
    why = why_no_host(version, kubernetes)
    assert words in why
    assert bool(why) == bool(words)


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        ("0.0.0", (21, 23, 21, 19)),
        ("0.7.0", (21, 23, 21, 19)),
        ("0.7.99", (21, 23, 21, 19)),
        ("v0.7.0-rc.1", (21, 23, 21, 19)),
        ("0.8.0", (UNLIMITED, 23, 21, 21)),
        ("0.9.99", (UNLIMITED, 23, 21, 21)),
        ("0.10.0", (UNLIMITED, UNLIMITED, UNLIMITED, 24)),
        ("0.10.1", (UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED)),
        ("0.11.2", (UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED)),
        ("0.11.3", (UNLIMITED, UNLIMITED, UNLIMITED, 35)),
        ("1.0.0", (UNLIMITED, UNLIMITED, UNLIMITED, 35)),
        ("latest", (UNLIMITED, UNLIMITED, UNLIMITED, 35)),
        ("", (UNLIMITED, UNLIMITED, UNLIMITED, 35)),
    ],
)
def test_each_limit_holds_up_to_its_last_patch(version: str, newest: tuple[int, ...]) -> None:
    """From the next minor version on there is something to say. A KubeFed that is no version is taken for the newest.

    In order: the host's Kubernetes, that of a cluster that joins, that of its Ingresses, and that of its tests.
    """
    for question, minor in zip(QUESTIONS, newest, strict=True):
        assert not question(version, f"v1.{minor}.99")
        assert bool(question(version, f"v1.{minor + 1}.0")) == (minor != UNLIMITED)


@pytest.mark.parametrize("version", ["0.0.0", "0.7.0", "0.8.0", "0.10.0", "0.10.1", "0.12.2", ""])
def test_no_kubefed_can_be_installed_below_kubernetes_1_16(version: str) -> None:
    """Versions are compared by their numbers, and not as texts."""
    assert why_no_host(version, "v1.16.0") == ""
    for older in ("v1.15.99", "v1.9.11", "v0.99.0"):
        assert "which Kubernetes has since 1.16" in why_no_host(version, older)


@pytest.mark.parametrize(
    "form", ["v1.{}.0", "1.{}", "v1.{}.17+k3s1", "v1.{}.0-eks-ba74326", "v1.{}.0-rc.1+rke2r1", "v1.{}+", " v1.{}.0\n"]
)
def test_a_kubernetes_is_known_by_its_minor_version_however_it_is_written(form: str) -> None:
    """As its distributions write it."""
    for question, newest in zip(QUESTIONS, (21, 23, 21, 19), strict=True):
        assert not question("0.7.0", form.format(newest))
        assert question("0.7.0", form.format(newest + 1))


@pytest.mark.parametrize(
    "kubernetes", ["", " ", "v", "v1", "1.x", "soon", "v1.99.0.1", "v1.99.0 k3s", "v1." + "9" * 200]
)
def test_of_a_kubernetes_that_nobody_knows_nothing_is_said(kubernetes: str) -> None:
    """It forbids nothing, and needs no word."""
    for limits in LIMITS:
        version = ".".join(map(str, limits.since))
        assert [bool(question(version, kubernetes)) for question in QUESTIONS] == [False] * len(QUESTIONS)
    assert version_that_works(host=kubernetes) == version_that_works(host=kubernetes, joining=kubernetes) == "0.10.0"
    state = KubeFedState(machine="fedhost")
    assert state.refusals(asked_for("version: 0.7.0"), kubernetes=kubernetes) == []
    assert state.why_no_join("member1", asked_for("version: 0.7.0"), kubernetes=kubernetes) is None
    assert state.version_notice(asked_for("version: 0.7.0"), kubernetes=kubernetes) == ""


def test_limits_stand_in_the_order_of_their_versions() -> None:
    """Each is found by its own version, and there is one for every version; each refusal has its reason."""
    assert [limits_of(".".join(map(str, limits.since))) for limits in LIMITS] == list(LIMITS)
    assert LIMITS[0].since == (0, 0, 0)
    for limits in LIMITS:
        assert (bool(limits.newest_host), bool(limits.newest_join)) == (bool(limits.why_host), bool(limits.why_join))


@pytest.mark.parametrize(
    ("host", "joining", "works"),
    [
        ("v1.16.0", "", True),
        ("v1.33.13+k3s1", "", True),
        ("v1.15.12", "", False),
        ("v1.15.12", "v1.33.0", False),
        ("v1.21.14", "v1.33.0", True),
        ("", "v1.33.0", True),
    ],
)
def test_the_release_that_works_is_the_projects_own(host: str, joining: str, *, works: bool) -> None:
    """Where the host can have it; the fork is nobody's advice."""
    assert version_that_works(host=host, joining=joining) == (UPSTREAM.version if works else "")


@pytest.mark.parametrize(
    ("host", "joining", "works"),
    [
        ("v1.23.17", "", True),
        ("v1.24.0", "", False),
        ("v1.33.0", "v1.23.17", True),
        ("v1.21.14", "v1.24.0", False),
        ("", "v1.24.0", False),
    ],
)
def test_a_release_that_the_cluster_cannot_join_does_not_work(
    monkeypatch: pytest.MonkeyPatch, host: str, joining: str, *, works: bool
) -> None:
    """The host joins, too, where no other cluster is meant. As it was while the project's last release was 0.9.2."""
    monkeypatch.setattr(versions, "UPSTREAM", replace(UPSTREAM, version="0.9.2"))
    assert version_that_works(host=host, joining=joining) == ("0.9.2" if works else "")


@pytest.mark.parametrize(
    ("version", "newest", "too_new"),
    [
        ("0.7.0", "v1.23.17", "v1.24.0"),
        ("0.9.2", "v1.23.17", "v1.24.0"),
        ("0.10.0", "v1.99.0", ""),
        ("1.0.0", "v2.0.0", ""),
    ],
)
def test_which_clusters_can_join(version: str, newest: str, too_new: str) -> None:
    """Before 0.10.0 a join needs the token Secret that Kubernetes made by itself before 1.24."""
    assert why_no_join(version, newest) == ""
    assert bool(why_no_join(version, too_new)) == bool(too_new)


@pytest.mark.parametrize(("version", "reuses"), [("0.7.0", False), ("0.8.0", True), ("0.10.0", True)])
def test_which_joins_use_a_secret_that_is_there(version: str, *, reuses: bool) -> None:
    """Since 0.8.0 (kubefed#1332)."""
    assert limits_of(version).reuses_secret == reuses


@pytest.mark.parametrize(
    ("version", "kubernetes", "words"),
    [
        ("0.10.0", "v1.24.17", ""),
        ("0.10.0", "v1.25.0", "kubefed.source: nutanix"),
        ("0.10.0", "v1.36.0", "up to which its project tested KubeFed 0.10.0"),
        ("0.7.0", "v1.19.16", ""),
        ("0.7.0", "v1.21.14", "KubeFed's own project has tested its 0.10.0 up to 1.24: kubefed.version: 0.10.0"),
        ("0.12.2", "v1.35.1", ""),
        ("0.12.2", "v1.36.0", "newer than Kubernetes 1.35"),
        ("0.10.0", "", ""),
    ],
)
def test_what_was_never_tested_is_said_with_what_was(version: str, kubernetes: str, words: str) -> None:
    """The nearest release that was tested with that Kubernetes, where there is one."""
    said = untested(version, kubernetes)
    assert words in said
    assert bool(said) == bool(words)


@pytest.mark.parametrize(
    ("version", "kubernetes", "tested", "named"),
    [
        ("0.7.0", "v1.24.17", "1.19", OWN),
        ("0.7.0", "v1.25.0", "1.19", FORK),
        ("0.10.0", "v1.35.9+k3s1", "1.24", FORK),
        ("0.10.0", "v1.36.0", "1.24", ""),
        ("0.11.3", "v1.36.0", "1.35", ""),
    ],
)
def test_the_first_release_that_was_tested_with_a_kubernetes_is_named(
    version: str, kubernetes: str, tested: str, named: str
) -> None:
    """With the keys of hosts.yaml that ask for it; no release where none was."""
    begin = f"newer than Kubernetes {tested}, up to which its project tested KubeFed {version}"
    assert untested(version, kubernetes) == begin + named


def test_the_sources_releases_are_known_to_bear_what_is_advised() -> None:
    """A release without a known test would never be named."""
    assert [limits_of(source.version).tested for source in SOURCES.values()] == [(1, 24), (1, 35)]


def test_a_host_that_cannot_have_what_is_asked_for_is_refused() -> None:
    """With the version that works there, and how an installed one comes to it."""
    (refusal,) = KubeFedState(machine="fedhost").refusals(asked_for("version: 0.7.0"), kubernetes="v1.33.13")
    assert "KubeFed 0.7.0 cannot be installed on Kubernetes v1.33.13" in refusal.message
    assert refusal.hint == "KubeFed 0.10.0 works there. Write: kubefed.version: 0.10.0."
    (refusal,) = KubeFedState(machine="fedhost").refusals(asked_for("version: 0.9.2"), kubernetes="v1.33.13")
    assert "a cluster of Kubernetes v1.33.13 cannot join KubeFed 0.9.2" in refusal.message
    (refusal,) = KubeFedState(machine="fedhost").refusals(asked_for(""), kubernetes="v1.15.0")
    assert refusal.hint == "No KubeFed that fedssh knows works there."


def test_what_is_installed_is_not_refused_by_the_kubernetes_below_it() -> None:
    """The host may have been upgraded after it joined; only a join, or another installation, is in question."""
    state = KubeFedState(machine="fedhost", release=OLD, is_running=True, serves=True, tools=(TOOL,))
    (refusal,) = state.refusals(asked_for(""), kubernetes="v1.24.0")
    assert "a cluster of Kubernetes v1.24.0 cannot join KubeFed 0.7.0: its join waits for a token" in refusal.message
    assert (refusal.exit_code, refusal.machine, refusal.step) == (6, "fedhost", "join")
    assert refusal.hint.endswith("Write: kubefed.version: 0.10.0. Then: fedssh prepare --upgrade")
    assert state.refusals(asked_for(""), kubernetes="v1.23.17") == []
    assert replace(state, clusters={"fedhost": joined("fedhost")}).refusals(asked_for(""), kubernetes="v1.33.0") == []


def test_an_upgrade_to_what_the_host_cannot_have_is_refused() -> None:
    """As an installation is; whatever has joined."""
    older = replace(OLD, version="0.6.1")
    state = KubeFedState(machine="fedhost", release=older, clusters={"fedhost": joined("fedhost")}, tools=(TOOL,))
    (refusal,) = state.to_upgrade().refusals(asked_for("version: 0.7.0"), kubernetes="v1.22.0")
    assert refusal.message.startswith("KubeFed 0.7.0 cannot be installed on Kubernetes v1.22.0: its webhooks are of")
    assert refusal.exit_code == 6
    assert state.to_upgrade().refusals(asked_for("version: 0.7.0"), kubernetes="v1.21.14") == []
    assert state.to_upgrade().refusals(asked_for("version: 0.8.1"), kubernetes="v1.22.0") == []


def test_a_member_that_cannot_join_is_refused() -> None:
    """What is installed has to be upgraded first."""
    state = KubeFedState(machine="fedhost", release=OLD, tools=(TOOL,))
    refusal = state.why_no_join("member1", asked_for(""), kubernetes="v1.33.13")
    assert refusal
    assert refusal.machine == "member1"
    assert refusal.hint.endswith("Write: kubefed.version: 0.10.0. Then: fedssh prepare --upgrade")
    assert state.why_no_join("member1", asked_for(""), kubernetes="v1.23.1") is None


def test_what_is_installed_stays_where_no_version_is_named() -> None:
    """Then its kubefedctl is wanted, too; a version that hosts.yaml names and the host has not is refused."""
    state = KubeFedState(machine="fedhost", release=OLD, is_running=True, serves=True, tools=(TOOL,))
    assert state.wanted_version(asked_for("")) == "0.7.0"
    assert state.refusals(asked_for(""), kubernetes="v1.21.14") == []
    assert state.missing(asked_for("")) == []
    (refusal,) = state.refusals(asked_for("version: 0.10.0"), kubernetes="v1.21.14")
    assert "KubeFed 0.7.0 is installed, and hosts.yaml asks for 0.10.0" in refusal.message
    assert "prepare --upgrade" in refusal.hint


@pytest.mark.parametrize(
    ("said", "processor", "words"),
    [
        ("", "x86_64", ""),
        ("", "aarch64", "releases kubefedctl for amd64 only, and the machine is aarch64"),
        ("source: nutanix", "aarch64", ""),
        ("source: nutanix", "riscv64", "for amd64, arm64, ppc64le, s390x only"),
        ("kubefedctl_url: 'http://mirror/k.tgz'", "aarch64", ""),
        ("", "", ""),
    ],
)
def test_a_machine_for_which_no_kubefedctl_is_released_is_refused(said: str, processor: str, words: str) -> None:
    """Before anything is changed; unless hosts.yaml names one, or one is there."""
    state = KubeFedState(machine="fedhost", processor=processor)
    found = state.refusals(asked_for(said), kubernetes="v1.24.0")
    assert [words in error.message for error in found] == [True] * bool(words)
    if processor == "aarch64" and found:
        assert "kubefed.source: nutanix" in found[0].hint
    there = KubeFedState(machine="fedhost", processor=processor, tools=(kubefedctl.Tool(path="/k", version="0.10.0"),))
    assert there.refusals(asked_for("version: 0.10.0"), kubernetes="v1.24.0") == []


def test_kubespheres_kubefed_is_left_alone() -> None:
    """Whoever has installed it by Helm."""
    state = KubeFedState(machine="fedhost", release=OLD, is_running=True, is_kubespheres=True, tools=(TOOL,))
    (refusal,) = state.refusals(asked_for(""), kubernetes="v1.21.14")
    assert "KubeSphere" in refusal.message


def test_ingresses_that_are_not_federated_are_told() -> None:
    """Those of extensions/v1beta1, which newer clusters do not have."""
    assert lacks_ingresses("0.9.2", "v1.22.0")
    assert not lacks_ingresses("0.9.2", "v1.21.0")
    assert not lacks_ingresses("0.10.0", "v1.33.0")
    notice = KubeFedState(machine="fedhost").version_notice(asked_for("version: 0.9.2"), kubernetes="v1.23.0")
    assert "Ingresses" in notice
    told = KubeFedState(machine="fedhost").version_notice(asked_for("version: 0.7.0"), kubernetes="v1.20.0")
    assert told == untested("0.7.0", "v1.20.0")
    assert "Ingresses" not in told
