"""What is said of the host, and why it is refused: its engine, its API's address, its kubeconfig."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fedssh.engines import load_engine
from fedssh.errors import RefusedError, StepError
from fedssh.federation.facts import Facts, HostFacts, Proof
from fedssh.federation.findings import refusals
from fedssh.federation.rules import check_file, check_host, check_host_address
from tests.fakes.facts import SERVER, facts, host, member, wishes

if TYPE_CHECKING:
    from fedssh.federation.wishes import Wishes


def reached_at(server: str) -> Wishes:
    """Return that hosts.yaml says where the host's own API is reached."""
    known = wishes()
    own = replace(known.inventory.host, api_server=server)
    return replace(known, inventory=replace(known.inventory, host=own))


def having(path: str, mode: str = "-rw-------") -> HostFacts:
    """Return a host with its kubeconfig there."""
    at_host = host(mode=mode)
    state = at_host.known
    return replace(at_host, state=replace(state, file=replace(state.file, path=path)))


def test_what_the_host_lacks_is_refused_and_what_it_has_is_told() -> None:
    """Its gaps, its kubectl, its KubeFed; and its proxy, at every run."""
    fine = check_host(wishes(), host(has_proxy=True), load_engine())
    assert [(finding.cluster, finding.state) for finding in fine] == [("fedhost", "notice")]
    broken = HostFacts(name="fedhost", gaps=(StepError("gone"),), old_kubectl=StepError("old"))
    assert [finding.text for finding in check_host(wishes(), broken, load_engine())] == ["gone", "old"]
    other = replace(wishes().inventory.kubefed, version="0.9.0")
    asked = replace(wishes(), inventory=replace(wishes().inventory, kubefed=other))
    (refused,) = check_host(asked, host(), load_engine())
    assert refused.text == "KubeFed 0.10.0 is installed, and hosts.yaml asks for 0.9.0"


@pytest.mark.parametrize(
    ("server", "is_refused"),
    [("https://127.0.0.1:6443", True), ("http://fedhost:8080", True), (SERVER, False), ("", False)],
)
def test_a_host_address_that_pods_do_not_reach_is_refused(server: str, *, is_refused: bool) -> None:
    """With the key that names another one."""
    found = check_host_address(wishes(), facts(member(), host(server=server)), load_engine())
    assert bool(refusals(found)) == is_refused
    if is_refused:
        assert found[0].error
        assert "host.api_server: https://…" in found[0].error.hint


def test_hosts_yamls_address_of_the_host_comes_before_its_kubeconfigs() -> None:
    """It is the one that the engine's controller is given."""
    local, other = facts(member(), host(server="https://127.0.0.1:6443")), facts(member(), host())
    assert check_host_address(reached_at(SERVER), local, load_engine()) == []
    (finding,) = check_host_address(reached_at("https://localhost"), other, load_engine())
    assert finding.cluster == "fedhost"
    assert isinstance(finding.error, RefusedError)
    words = "its API server's address https://localhost works on that machine only"
    assert finding.error.message == f"{words}, and KubeFed's controller runs in a pod"
    assert (finding.error.machine, finding.error.step) == ("fedhost", "look at the host")


@pytest.mark.parametrize(
    ("proof", "problem"),
    [
        (None, ""),
        (Proof(), ""),
        (Proof(problem="no route to host"), f"fedhost does not get through to {SERVER}: no route to host"),
        (Proof(problem="x509: unknown"), f"fedhost does not get through to {SERVER}: x509: unknown"),
    ],
)
def test_hosts_yamls_address_of_the_host_is_tried(proof: Proof | None, problem: str) -> None:
    """Why it is not reached is told."""
    found = replace(facts(member(), host()), host_access=proof)
    refused = check_host_address(reached_at(SERVER), found, load_engine())
    assert [finding.text for finding in refused] == [problem] * bool(problem)
    for finding in refused:
        assert finding.error
        assert (finding.cluster, finding.error.exit_code) == ("fedhost", 6)
        assert finding.error.hint == "Name one that pods reach, in hosts.yaml: host.api_server: https://…"


def test_of_a_host_that_could_not_be_looked_at_no_address_is_judged() -> None:
    """Why that is is told, and not this."""
    broken = HostFacts(name="fedhost", server="https://127.0.0.1", gaps=(StepError("gone"),))
    assert check_host_address(wishes(), Facts(host=broken), load_engine()) == []


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/etc/rancher/k3s/k3s.yaml", "k3s"),
        ("/etc/rancher/rke2/rke2.yaml", "RKE2"),
        ("/var/snap/microk8s/current/credentials/client.config", "MicroK8s"),
        ("/var/snap/microk8s/7964/credentials/client.config", "MicroK8s"),  # what current is a link to
        ("/etc/kubernetes/admin.conf", ""),
        ("/root/.kube/config", ""),
        ("/root/k3s.yaml", ""),
    ],
)
def test_a_kubeconfig_that_is_written_anew_is_told(path: str, title: str) -> None:
    """With what to do; it is no reason to refuse."""
    found = check_file(having(path))
    lost = "what fedssh writes there is gone then: name a copy of it (host.kubeconfig)"
    words = f"{title} writes {path} anew whenever it starts; {lost}"
    assert [finding.text for finding in found] == [words] * bool(title)
    assert {(finding.cluster, finding.state) for finding in found} <= {("fedhost", "notice")}


def test_a_kubeconfig_that_others_can_read_is_told() -> None:
    """It is going to be closed; whoever writes it anew is told besides."""
    (told,) = check_file(having("/root/.kube/config", "-rw-r--r--"))
    assert told.text == "/root/.kube/config could be read by others (-rw-r--r--); it becomes 0600"
    assert len(check_file(having("/etc/rancher/k3s/k3s.yaml", "-rw-r--r--"))) == 2
