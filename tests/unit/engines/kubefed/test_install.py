from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed.charts import chart_place
from fedssh.engines.kubefed.install import (
    chart_part,
    check_part,
    check_rollout,
    gate_commands,
    install_commands,
    is_leftover,
    rollout_commands,
    rollout_part,
    tool_part,
)
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import StepError
from fedssh.inventory import Inventory, parse_inventory
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubectl import Target
from tests.fakes.lines import argv_of, key_of, stdin_of
from tests.fakes.shells import LocalShell, install_tool, path_with, result

if TYPE_CHECKING:
    from fedssh.engines.protocol import Part, Uploaded
    from fedssh.shell import Command

HOST = Target(kubeconfig="/root/.kube/config", context="fedhost")
GATES = "{controllermanager: {featureGates: {PushReconciler: Disabled}}}"
INVENTORY = parse_inventory(
    f"host: {{name: fedhost, address: a}}\nkubefed: {{values: {GATES}}}\n", path=Path("hosts.yaml")
)
TOOL, CHART, ROLLOUT = (
    tool_part("0.10.0", why="x"),
    chart_part("0.10.0", why="x"),
    rollout_part(why="x"),
)


# A kubectl that has something else to say of a new definition, as often as it should, before the definition is served.
KUBECTL = """
case "$*" in
    *" wait "*)
        echo waited >>"$LOG"
        [ "$(wc -l <"$LOG")" -gt "$TIMES" ] || { echo "error: $SAYS" >&2; exit 1; } ;;
    *" --local "*) cat ;;
    *" apply "*) cat >>"$LOG.applied" ;;
esac
"""
ADDED = chart_place(INVENTORY.kubefed, "0.10.0", None)
NOTHING_SAID = ".status.conditions accessor error: <nil> is of the type <nil>, expected []interface{}"


@pytest.mark.parametrize("status", ["failed", "pending-install", "uninstalling"])
def test_an_interrupted_first_installation_is_done_again(status: str) -> None:
    """What it left is uninstalled before."""
    left = Release(version="0.10.0", status=status, revision=1)
    assert is_leftover(left)
    commands = install_commands(ADDED, release=left, values={}, target=HOST)
    assert [key_of(command)[:2] for command in commands] == [
        ("helm", "uninstall"),
        ("kubefed", "let go"),
        ("kubefed", "configure"),
        ("helm", "install"),
    ]
    for kept in (None, replace(left, status="deployed"), replace(left, revision=2)):
        assert not is_leftover(kept)
        commands = install_commands(ADDED, release=kept, values={}, target=HOST)
        assert ("helm", "uninstall") not in [key_of(command)[:2] for command in commands]


GOING = r"""
printf '%s\n' "$*" >>"$LOG"
case $* in
    *" get "*) [ -z "$NONE" ] || { echo "the server doesn't have a resource type" >&2; exit 1; }
        printf 'namespaces\nsecrets\n' ;;
    *namespaces*) echo "not found" >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize("none", ["", "yes"])
def test_what_an_uninstalled_kubefed_would_never_let_go_is_let_go(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, none: str
) -> None:
    """Each type that is being deleted; one that has just gone is no failure, nor is a cluster without the kind."""
    install_tool(tmp_path / "bin", "kubectl", GOING)
    for name, value in {"LOG": str(tmp_path / "log"), "NONE": none, "PATH": path_with(tmp_path / "bin")}.items():
        monkeypatch.setenv(name, value)
    left = Release(version="0.10.0", status="failed", revision=1)
    let_go = install_commands(ADDED, release=left, values={}, target=HOST)[1]
    (done,) = local.run(let_go)
    assert (done.ok, done.stdout) == (True, "")
    listed, *patched = (tmp_path / "log").read_text().splitlines()
    assert "?(@.metadata.deletionTimestamp)" in listed
    assert [line.rpartition(" ")[2] for line in patched] == ([] if none else ["namespaces", "secrets"])
    assert all('--patch={"metadata":{"finalizers":null}}' in line for line in patched)


def test_the_chart_is_installed_without_its_hooks(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the wanted version, into its own namespace, with the inventory's values from stdin."""
    values = {"controllermanager": {"replicaCount": 1}}
    commands = install_commands(ADDED, release=None, values=values, target=HOST)
    for name in ("kubectl", "helm"):
        install_tool(tmp_path / "bin", name, f'echo "{name} $*" >>{tmp_path}/log; cat >>{tmp_path}/stdin')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    assert local.run(commands[-1])[0].ok
    words = (tmp_path / "log").read_text().split()
    assert words[:3] == ["helm", "install", "kubefed"]
    assert {
        *("--no-hooks", "--version=0.10.0", "--namespace=kube-federation-system", "kubefed-charts/kubefed"),
        *("--values=-", "--kubeconfig=/root/.kube/config", "--kube-context=fedhost"),
    } <= set(words)
    assert json.loads((tmp_path / "stdin").read_text()) == values
    assert [json.loads(stdin_of(command)) for command in commands] == [values, values]
    (*_, empty) = install_commands(ADDED, release=None, values={}, target=HOST)
    assert stdin_of(empty) == "{}"


@pytest.mark.parametrize(
    ("says", "times", "code"), [("", 0, 0), (NOTHING_SAID, 2, 0), ("timed out waiting for the condition", 2, 1)]
)
def test_a_new_definition_of_which_nothing_is_said_yet_is_waited_for(
    *, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, times: int, code: int
) -> None:
    """The real program; any other failure of kubectl's wait is one, in its words."""
    install_tool(tmp_path / "bin", "kubectl", KUBECTL)
    install_tool(tmp_path / "bin", "helm", 'cat >/dev/null; echo "$1"')
    for name, value in {"LOG": str(tmp_path / "log"), "TIMES": str(times), "SAYS": says}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    configure, _ = install_commands(ADDED, release=None, values={}, target=HOST)
    (done,) = local.run(configure)
    assert (done.code, says in done.stderr) == (code, bool(code) or not says)
    assert (tmp_path / "log.applied").read_text().split() == (["show"] if code else ["show", "template"])
    assert len((tmp_path / "log").read_text().split()) == (1 if code else times + 1)


@pytest.mark.parametrize("values", [{}, {"controllermanager": None}, {"controllermanager": {"featureGates": {}}}])
def test_without_feature_gates_nothing_is_patched(values: dict[str, Any]) -> None:
    """The chart's defaults hold."""
    assert gate_commands(values, target=HOST) == []


def test_feature_gates_are_patched_as_the_hook_would() -> None:
    """Those that are not named keep their default; the controller reads them at its start."""
    values = {"controllermanager": {"featureGates": {"RawResourceStatusCollection": "Enabled"}}}
    patch, restart = gate_commands(values, target=HOST)
    (text,) = [word.removeprefix("--patch=") for word in argv_of(patch) if word.startswith("--patch=")]
    gates = {gate["name"]: gate["configuration"] for gate in json.loads(text)["spec"]["featureGates"]}
    assert gates == {
        "PushReconciler": "Enabled",
        "RawResourceStatusCollection": "Enabled",
        "SchedulerPreferences": "Enabled",
    }
    assert "deployment/kubefed-controller-manager" in argv_of(restart)


def test_the_rollout_is_waited_for() -> None:
    """Of both Deployments; one that does not come up says where to look."""
    assert [argv_of(command)[5] for command in rollout_commands(target=HOST)] == [
        "deployment/kubefed-admission-webhook",
        "deployment/kubefed-controller-manager",
    ]
    check_rollout([result(), result()], machine="fedhost")
    with pytest.raises(StepError, match="timed out") as caught:
        check_rollout([result(), result(code=1, stderr="error: timed out waiting")], machine="fedhost")
    assert "describe pods" in caught.value.hint


def stages(part: Part, inventory: Inventory = INVENTORY, uploaded: Uploaded | None = None) -> list[list[Command]]:
    """Return the stages of a part on a host that has nothing."""
    return KubeFedState(machine="fedhost").part_stages(part, inventory, target=HOST, uploaded=uploaded)


def test_a_part_has_its_own_stages() -> None:
    """The tool is downloaded, the chart installed with its feature gates; both rollouts are waited for at once."""

    def keys(part: Part) -> list[list[tuple[str, ...]]]:
        return [[key_of(command)[:2] for command in stage] for stage in stages(part)]

    assert keys(TOOL) == [[("kubefedctl", "install")]]
    assert keys(CHART) == [
        [("helm", "repo")],
        [("kubefed", "configure")],
        [("helm", "install")],
        [("kubectl", "patch")],
        [("kubectl", "rollout")],
    ]
    assert keys(ROLLOUT) == [[("kubectl", "rollout")] * 2]


def test_a_part_that_failed_says_why() -> None:
    """With the words of the tool that failed, and a hint that fits the part."""
    for part, words in ((TOOL, "kubefedctl_url"), (CHART, ""), (ROLLOUT, "describe pods")):
        with pytest.raises(StepError, match=r"fedhost: prepare KubeFed: .*no disk") as caught:
            check_part(part, [result(code=1, stderr="no disk")], INVENTORY.kubefed, version="0.10.0", machine="fedhost")
        assert words in caught.value.hint


@pytest.mark.parametrize("key", ["chart_repository", "kubefedctl_url"])
@pytest.mark.parametrize("is_own", [False, True])
def test_an_address_that_the_host_does_not_reach_is_named_by_its_key(key: str, *, is_own: bool) -> None:
    """Whoever has copied the lab's hosts.yaml is told that its addresses are not for them."""
    said = f"kubefed: {{{key}: 'http://artefacts/x'}}\n" * is_own
    inventory = parse_inventory(f"{said}host: {{name: fedhost, address: h}}", path=Path("hosts.yaml"))
    part = TOOL if key == "kubefedctl_url" else CHART
    first = stages(part, inventory)[0][0]
    answer = replace(result(code=1, stderr="no route"), command=first)
    with pytest.raises(StepError) as caught:
        check_part(part, [answer], inventory.kubefed, version="0.10.0", machine="fedhost")
    assert f"kubefed.{key}" in caught.value.hint
    assert (f"leave {key} out" in caught.value.hint) == is_own


def test_a_part_that_went_well_is_no_error() -> None:
    """A download also has to be of the wanted version."""
    check_part(CHART, [result(), result()], INVENTORY.kubefed, version="0.10.0", machine="fedhost")
    check_part(ROLLOUT, [result(), result()], INVENTORY.kubefed, version="0.10.0", machine="fedhost")
    check_part(TOOL, [result('Version:"v0.10.0"')], INVENTORY.kubefed, version="0.10.0", machine="fedhost")
    with pytest.raises(StepError, match=r"is version 0\.9\.2, not 0\.10\.0"):
        check_part(TOOL, [result('Version:"v0.9.2"')], INVENTORY.kubefed, version="0.10.0", machine="fedhost")
