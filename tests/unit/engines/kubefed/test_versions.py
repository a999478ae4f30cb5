from __future__ import annotations

from pathlib import Path

import pytest

from fedssh.engines.kubefed import kubefedctl
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.engines.kubefed.versions import lacks_ingresses, limits_of, untested, why_no_host, why_no_join
from fedssh.inventory import Inventory, parse_inventory
from fedssh.kubernetes.helm import Release

TOOL = kubefedctl.Tool(path="/usr/local/bin/kubefedctl", version="0.7.0")
OLD = Release(version="0.7.0", status="deployed", revision=1)


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
        ("0.7.0", "v1.21.14", "KubeFed's own project has tested 0.10.0 up to 1.24 (kubefed.version)"),
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


def test_a_host_that_cannot_have_what_is_asked_for_is_refused() -> None:
    """With the version that works there, and how an installed one comes to it."""
    (refusal,) = KubeFedState(machine="fedhost").refusals(asked_for("version: 0.7.0"), kubernetes="v1.33.13")
    assert "KubeFed 0.7.0 cannot be installed on Kubernetes v1.33.13" in refusal.message
    assert refusal.hint == "KubeFed 0.10.0 works there. Write: kubefed.version: 0.10.0."
    (refusal,) = KubeFedState(machine="fedhost").refusals(asked_for("version: 0.9.2"), kubernetes="v1.33.13")
    assert "a cluster of Kubernetes v1.33.13 cannot join KubeFed 0.9.2" in refusal.message
    (refusal,) = KubeFedState(machine="fedhost").refusals(asked_for(""), kubernetes="v1.15.0")
    assert refusal.hint == "No KubeFed that fedssh knows works there."


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
