from __future__ import annotations

import json
from typing import Any

import pytest

from fedssh.engines.kubefed.install import (
    Installation,
    check_rollout,
    gate_commands,
    install_commands,
    is_leftover,
    parse_probe,
    rollout_commands,
)
from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubectl import Target
from tests.fakes.hosts import DEPLOYMENTS, RELEASE
from tests.fakes.kubernetes import argv_of, stdin_of
from tests.fakes.shells import result

HOST = Target(kubeconfig="/root/.kube/config", context="fedhost")
VERSION = 'kubefedctl version: version.Info{Version:"v0.10.0", GitCommit:"x"}\n'
TOOLS = [result("v3.18.4"), result(VERSION)]


def probe(release: str = RELEASE, deployments: str = DEPLOYMENTS, **how: Any) -> Installation:
    """Read the answers of a host."""
    answers = [result(release), result(deployments)]
    return parse_probe(how.pop("tools", TOOLS), answers, version="0.10.0", machine="fedhost", **how)


def test_a_complete_installation_needs_nothing() -> None:
    """Release, rollout and tool, all of the wanted version."""
    found = probe()
    assert found == Installation(
        release=Release(version="0.10.0", status="deployed", revision=1), rolled_out=True, kubefedctl="0.10.0"
    )
    assert found.is_complete("0.10.0")
    assert not found.is_complete("0.9.2")


def test_an_empty_host_has_nothing() -> None:
    """No release, nothing that serves, no tool."""
    found = probe("[]", "", tools=[TOOLS[0], result(code=127)])
    assert found == Installation(release=None, rolled_out=False, kubefedctl="")


@pytest.mark.parametrize(
    "change",
    [
        {"status": {}},
        {"status": {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 1}},
        {"status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 2}},
        {"status": {"observedGeneration": 0, "updatedReplicas": 2, "availableReplicas": 2}},
        {"metadata": {"name": "another", "generation": 1}},
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_a_deployment_that_is_not_complete_does_not_serve(number: int, change: dict[str, Any]) -> None:
    """By its replicas and its generation; either of the two."""
    deployments = json.loads(DEPLOYMENTS)
    deployments["items"][number]["spec"]["replicas"] = 2
    assert not probe(deployments=json.dumps(deployments)).rolled_out
    deployments["items"][number]["spec"]["replicas"] = 1
    assert probe(deployments=json.dumps(deployments)).rolled_out
    deployments["items"][number]["spec"]["replicas"] = 2
    deployments["items"][number] |= change
    assert not probe(deployments=json.dumps(deployments)).rolled_out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chart": "kubefed-0.9.2"}, "KubeFed 0.9.2 is installed, and hosts.yaml asks for 0.10.0"),
        ({"status": "failed", "revision": "2"}, "Helm calls the release kubefed 'failed'"),
        ({"status": "pending-upgrade", "revision": "2"}, "'pending-upgrade'"),
    ],
)
def test_what_only_a_person_can_judge_is_refused(change: dict[str, str], message: str) -> None:
    """Unless one only looks."""
    release = json.dumps([{**json.loads(RELEASE)[0], **change}])
    with pytest.raises(RefusedError) as caught:
        probe(release)
    assert message in caught.value.message
    assert caught.value.hint
    assert probe(release, only_look=True).release


@pytest.mark.parametrize("status", ["failed", "pending-install", "uninstalling"])
def test_an_interrupted_first_installation_is_done_again(status: str) -> None:
    """What it left is uninstalled before."""
    release = probe(json.dumps([{**json.loads(RELEASE)[0], "status": status}])).release
    assert is_leftover(release)
    commands = install_commands(release=release, version="0.10.0", repository="https://r", values={}, target=HOST)
    assert [one.title for one in commands] == ["helm uninstall", "helm repo", "helm template", "helm install"]


def test_the_chart_is_installed_without_its_hooks() -> None:
    """Of the wanted version, into its own namespace, with the inventory's values from stdin."""
    values = {"controllermanager": {"replicaCount": 1}}
    commands = install_commands(release=None, version="0.10.0", repository="https://charts", values=values, target=HOST)
    add, _, install = [argv_of(one) for one in commands]
    assert add == ["helm", "repo", "add", "kubefed-charts", "https://charts", "--force-update"]
    assert install[1:4] == ["install", "kubefed", "kubefed-charts/kubefed"]
    assert {
        *("--no-hooks", "--version=0.10.0", "--namespace=kube-federation-system"),
        *("--values=-", "--kubeconfig=/root/.kube/config", "--kube-context=fedhost"),
    } <= set(install)
    assert [json.loads(stdin_of(one)) for one in commands[1:]] == [values, values]
    (*_, empty) = install_commands(release=None, version="0.10.0", repository="r", values={}, target=HOST)
    assert stdin_of(empty) == "{}"


def test_a_kubefed_that_helm_has_not_installed_is_refused() -> None:
    """Unless one only looks, or it is just being deleted."""
    with pytest.raises(RefusedError, match="but not by Helm"):
        probe("[]")
    assert probe("[]", only_look=True).release is None
    deployments = json.loads(DEPLOYMENTS)
    for one in deployments["items"]:
        one["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    assert probe("[]", json.dumps(deployments)).release is None


@pytest.mark.parametrize("values", [{}, {"controllermanager": None}, {"controllermanager": {"featureGates": {}}}])
def test_without_feature_gates_nothing_is_patched(values: dict[str, Any]) -> None:
    """The chart's defaults hold."""
    assert gate_commands(values, target=HOST) == []


def test_feature_gates_are_patched_as_the_hook_would() -> None:
    """Those that are not named keep their default; the controller reads them at its start."""
    values = {"controllermanager": {"featureGates": {"RawResourceStatusCollection": "Enabled"}}}
    patch, restart = gate_commands(values, target=HOST)
    (text,) = [one.removeprefix("--patch=") for one in argv_of(patch) if one.startswith("--patch=")]
    gates = {one["name"]: one["configuration"] for one in json.loads(text)["spec"]["featureGates"]}
    assert gates == {
        "PushReconciler": "Enabled",
        "RawResourceStatusCollection": "Enabled",
        "SchedulerPreferences": "Enabled",
    }
    assert "deployment/kubefed-controller-manager" in argv_of(restart)


def test_the_rollout_is_waited_for() -> None:
    """Of both Deployments; one that does not come up says where to look."""
    assert [argv_of(one)[5] for one in rollout_commands(target=HOST)] == [
        "deployment/kubefed-admission-webhook",
        "deployment/kubefed-controller-manager",
    ]
    check_rollout([result(), result()], machine="fedhost")
    with pytest.raises(StepError, match="timed out") as caught:
        check_rollout([result(), result(code=1, stderr="error: timed out waiting")], machine="fedhost")
    assert "describe pods" in caught.value.hint
