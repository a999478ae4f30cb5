from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed import kubefedctl
from fedssh.engines.kubefed.look import parse_state, state_commands, tool_commands
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import RefusedError
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubectl import Target
from tests.fakes.hosts import DEPLOYMENTS, NO_SUCH_API, RELEASE
from tests.fakes.lines import argv_of, calls_in
from tests.fakes.shells import result

if TYPE_CHECKING:
    from fedssh.errors import FedsshError
    from fedssh.inventory import Inventory
    from fedssh.shell import Result

HOST = Target(kubeconfig="/root/.kube/config", context="fedhost")
VERSION = 'path /usr/local/bin/kubefedctl\nkubefedctl version: version.Info{Version:"v0.10.0", GitCommit:"x"}\n'
TOOLS = [result("v3.18.4"), result(VERSION), result("x86_64\n")]
NOBODY = [result(code=1, stderr=NO_SUCH_API), result()]
WANTED = Release(version="0.10.0", status="deployed", revision=1)


def asked_for(version: str = "0.10.0") -> Inventory:
    """Return a hosts.yaml that asks for a version of KubeFed."""
    text = f"host: {{name: fedhost, address: a}}\nkubefed: {{version: {version}}}\n"
    return parse_inventory(text, path=Path("hosts.yaml"))


def read(release: str = RELEASE, deployments: str = DEPLOYMENTS, tools: list[Result] = TOOLS) -> KubeFedState:
    """Read the answers of a host without clusters."""
    return parse_state(tools, [result(release), result(deployments), *NOBODY], machine="fedhost")


def missing(state: KubeFedState, version: str = "0.10.0") -> list[str]:
    """Return the names of the parts that are missing."""
    return [part.name for part in state.missing(asked_for(version))]


def refusal(state: KubeFedState, version: str = "0.10.0") -> FedsshError:
    """Return why KubeFed cannot be installed, or used as it is."""
    (error,) = state.refusals(asked_for(version), kubernetes="v1.21.14")
    return error


def test_a_complete_installation_needs_nothing() -> None:
    """Release, rollout and tool, all of the wanted version."""
    found = read()
    tool = kubefedctl.Tool(path="/usr/local/bin/kubefedctl", version="0.10.0")
    assert found == KubeFedState(
        machine="fedhost", release=WANTED, is_running=True, serves=True, processor="x86_64", tools=(tool,)
    )
    assert (found.version, found.missing(asked_for())) == ("0.10.0", [])
    assert found.refusals(asked_for(), kubernetes="v1.21.14") == []
    assert "0.10.0 is installed" in refusal(found, "0.9.2").message
    assert missing(found, "0.9.2") == ["tool"]


def test_an_empty_host_lacks_everything() -> None:
    """No release, nothing that serves, no tool: all is installed, in this order."""
    found = read("[]", "", [TOOLS[0], result(), result()])
    assert found == KubeFedState(machine="fedhost")
    assert (found.version, found.refusals(asked_for(), kubernetes="v1.21.14"), found.gaps) == ("", [], ())
    parts = {part.name: part.why for part in found.missing(asked_for())}
    assert parts == {
        "tool": "there is no kubefedctl",
        "chart": "it is not installed",
        "rollout": "it does not serve yet",
    }
    assert list(parts) == ["tool", "chart", "rollout"]


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
    """By its replicas and its generation; either of the two. It is waited for, and nothing is installed."""
    deployments = json.loads(DEPLOYMENTS)
    deployments["items"][number]["spec"]["replicas"] = 2
    assert not read(deployments=json.dumps(deployments)).serves
    deployments["items"][number]["spec"]["replicas"] = 1
    assert read(deployments=json.dumps(deployments)).serves
    deployments["items"][number]["spec"]["replicas"] = 2
    deployments["items"][number] |= change
    found = read(deployments=json.dumps(deployments))
    assert not found.serves
    assert missing(found) == ["rollout"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chart": "kubefed-0.9.2"}, "KubeFed 0.9.2 is installed, and hosts.yaml asks for 0.10.0"),
        ({"status": "failed", "revision": "2"}, "Helm calls the release kubefed 'failed'"),
        ({"status": "pending-upgrade", "revision": "2"}, "'pending-upgrade'"),
    ],
)
def test_what_only_a_person_can_judge_is_refused(change: dict[str, str], message: str) -> None:
    """Reading it refuses nothing: what is there can still be told."""
    found = read(json.dumps([{**json.loads(RELEASE)[0], **change}]))
    assert (found.gaps, bool(found.release), bool(found.version)) == ((), True, True)
    error = refusal(found)
    assert isinstance(error, RefusedError)
    assert message in error.message
    assert (error.machine, error.step) == ("fedhost", "prepare KubeFed")
    assert error.hint


@pytest.mark.parametrize("status", ["failed", "pending-install", "uninstalling"])
def test_an_interrupted_first_installation_is_done_again(status: str) -> None:
    """It does not count as installed, and is no reason to refuse, of whichever version it was."""
    release = json.dumps([{**json.loads(RELEASE)[0], "status": status}])
    found = read(release)
    assert (found.version, found.refusals(asked_for(), kubernetes="v1.21.14")) == ("", [])
    parts = {part.name: part.why for part in found.missing(asked_for())}
    assert parts == {"chart": "an earlier installation stopped half-way", "rollout": "it does not serve yet"}
    assert found.refusals(asked_for("0.9.2"), kubernetes="v1.21.14") == []


def test_a_kubefed_that_helm_has_not_installed_is_refused() -> None:
    """Unless it is just being deleted; reading it refuses nothing."""
    found = read("[]")
    assert found.release is None
    assert "but not by Helm" in refusal(found).message
    deployments = json.loads(DEPLOYMENTS)
    for item in deployments["items"]:
        item["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
    found = read("[]", json.dumps(deployments))
    assert (found.release, found.refusals(asked_for(), kubernetes="v1.21.14")) == (None, [])


@pytest.mark.parametrize(
    ("helm", "message", "code"),
    [
        (result("v4.0.1"), "needs Helm 3", 6),
        (result(code=127), "helm is not there", 3),
        (result(code=1, stderr="no memory"), "no memory", 3),
    ],
)
def test_a_helm_that_does_not_work_is_refused(helm: Result, message: str, code: int) -> None:
    """With its own error and its code, before what else is wrong."""
    found = read(tools=[helm, *TOOLS[1:]])
    error = refusal(found)
    assert message in error.message
    assert (error.exit_code, error.machine, error.step) == (code, "fedhost", "prepare KubeFed")
    first, second = found.refusals(asked_for("0.9.2"), kubernetes="v1.21.14")
    assert first is error
    assert "hosts.yaml asks for 0.9.2" in second.message


def test_what_could_not_be_asked_is_a_gap() -> None:
    """Each question on its own: the others' answers count. Without Helm, that is why its releases are unknown."""
    failed = result(code=1, stderr="connection refused")
    for number in range(4):
        state = [result(RELEASE), result(DEPLOYMENTS), result('{"items": []}'), result('{"items": []}')]
        state[number] = failed
        found = parse_state(TOOLS, state, machine="fedhost")
        (gap,) = found.gaps
        assert "connection refused" in str(gap)
        assert bool(found.release) is (number != 0)
        assert found.serves is (number != 1)
    without = [result(code=127), *TOOLS[1:]]
    found = parse_state(without, [result(code=127), result(), *NOBODY], machine="fedhost")
    assert [gap.message for gap in found.gaps] == ["helm is not there"]


def test_the_release_of_another_chart_is_a_gap() -> None:
    """Nobody knows what it is."""
    (gap,) = read(json.dumps([{**json.loads(RELEASE)[0], "chart": "other-0.10.0"}])).gaps
    assert "is of the chart 'other', not 'kubefed'" in gap.message


def test_looking_asks_and_changes_nothing() -> None:
    """Helm, the Deployments, the clusters and their Secrets; all of the host's context."""
    commands = [*tool_commands(), *state_commands(target=HOST)]
    assert not any(call.mutates for command in commands for call in calls_in(command))
    for command in state_commands(target=HOST):
        assert {"--kubeconfig=/root/.kube/config", "--namespace=kube-federation-system"} <= set(argv_of(command))
        assert {"--context=fedhost", "--kube-context=fedhost"} & set(argv_of(command))


def test_what_the_host_says_is_escaped() -> None:
    """What Helm says is shown to people. Where it says nothing that can be understood, that is the only problem."""
    found = read(json.dumps([{**json.loads(RELEASE)[0], "chart": "kubefed-\x1b[31m"}]))
    assert found.version.isprintable()
    assert [gap.message.isprintable() for gap in found.gaps] == [True]
    assert found.refusals(asked_for("0.10.0"), kubernetes="v1.21.14") == []
