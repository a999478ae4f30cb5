from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fedssh.engines.kubefed.removal import KubeFedInstallation, installation_commands, parse_installation
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubectl import Target
from fedssh.kubernetes.objects import ObjectName
from tests.fakes.lines import argv_of
from tests.fakes.shells import install_tool, make_clock, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.shell import Result
    from tests.fakes.shells import LocalShell

HOST = Target(kubeconfig="/k", context="fedhost")
WEB = ObjectName(api_version="types.kubefed.io/v1beta1", kind="FederatedDeployment", name="web", namespace="shop")
WHOLE = KubeFedInstallation(
    machine="fedhost",
    is_ours=True,
    release=True,
    clusters=("fedhost", "member1"),
    objects=(),
    definitions=("kubefedconfigs.core.kubefed.io", "federateddeployments.types.kubefed.io"),
    has_types=True,
    has_namespace=True,
    tool="/usr/local/bin/kubefedctl",
    has_repository=True,
    serves=True,
)
NOTHING = replace(
    WHOLE, is_ours=False, release=False, clusters=(), definitions=(), has_types=False, has_namespace=False, tool="",
    has_repository=False, serves=False,
)  # fmt: skip


def names(installation: KubeFedInstallation) -> list[str]:
    """Return its parts in the order in which they go."""
    return [removal.name for removal in installation.removals(target=HOST)]


def test_its_parts_go_in_the_order_that_works() -> None:
    """What has finalizers goes while the controller runs; what is not there is no part."""
    everything = ["objects", "types", "release", "definitions", "namespace", "tool", "repository"]
    assert names(replace(WHOLE, objects=(WEB,))) == everything
    assert names(WHOLE) == everything[1:]
    assert names(NOTHING) == []
    assert names(replace(NOTHING, is_ours=True, has_namespace=True)) == ["namespace"]


def test_every_part_is_told_and_can_be_removed_by_hand() -> None:
    """As a plan, as a deed, and as a command line."""
    for removal in replace(WHOLE, objects=(WEB, WEB)).removals(target=HOST):
        verb = removal.text.partition(" ")[0]
        assert removal.done.startswith(verb.removesuffix("e") + "ed ")
        assert removal.by_hand.startswith(("kubectl ", "helm ", "rm "))
    assert "2 federated objects" in replace(WHOLE, objects=(WEB, WEB)).removals(target=HOST)[0].text


def reasons(installation: KubeFedInstallation, *, with_objects: bool = False, leaving: str = "fedhost member1") -> str:
    """Return why it must not be taken off."""
    found = installation.refusals(leaving=leaving.split(), with_objects=with_objects)
    assert all(isinstance(error, RefusedError) and error.hint for error in found)
    return "\n".join(str(error) for error in found)


def test_fault_55_whose_it_is_and_who_still_uses_it() -> None:
    """Somebody else's installation, others' clusters, federated objects: each is a reason, and all are told at once."""
    assert reasons(WHOLE) == reasons(NOTHING) == ""
    assert "not installed by fedssh" in reasons(replace(WHOLE, is_ours=False))
    assert "member1" in reasons(WHOLE, leaving="fedhost")
    used = replace(WHOLE, objects=(WEB,) * 7)
    assert "federateddeployment/web in shop" in reasons(used)
    assert "and 2 more" in reasons(used)
    assert reasons(used, with_objects=True) == ""
    assert reasons(replace(used, is_ours=False), leaving="fedhost").count("fedhost: uninstall KubeFed") == 3


def answers(**said: str) -> list[Result]:
    """Return what the host answers where KubeFed is installed."""
    usual = {
        "crds": "kubefedconfigs.core.kubefed.io\tkubectl fedssh kube-apiserver\nships.armada\thelm\n",
        "objects": "types.kubefed.io/v1beta1\tFederatedDeployment\tshop\tweb\n",
        "namespace": "kube-federation-system\tfedssh",
        "types": "federatedtypeconfig.core.kubefed.io/deployments.apps\n",
        "tool": "/usr/local/bin/kubefedctl\n",
        "repositories": json.dumps([{"name": "kubefed-charts", "url": "https://x"}]),
    }
    return [result(said.get(name, text)) for name, text in usual.items()]


STATE = KubeFedState(machine="fedhost", release=Release(version="0.10.0", status="deployed", revision=1), serves=True)


def test_what_is_installed_is_read() -> None:
    """Whose it is stands in its custom resources, or on its namespace where those are gone."""
    found = parse_installation(answers(), STATE, machine="fedhost")
    assert found == replace(WHOLE, clusters=(), objects=(WEB,), definitions=("kubefedconfigs.core.kubefed.io",))
    theirs = {"crds": "kubefedconfigs.core.kubefed.io\tkubectl-create\n", "namespace": "kube-federation-system\t"}
    assert not parse_installation(answers(**theirs), STATE, machine="fedhost").is_ours
    for one, text in theirs.items():
        assert parse_installation(answers(**{one: text}), STATE, machine="fedhost").is_ours
    empty = dict.fromkeys(("crds", "objects", "namespace", "types", "tool", "repositories"), "")
    nothing = parse_installation(answers(**empty), KubeFedState(machine="fedhost"), machine="fedhost")
    assert nothing == NOTHING


@pytest.mark.parametrize("text", ["null", "{}", "[1]", '[{"name": "other"}]', "no repositories to show"])
def test_another_list_of_repositories_is_none(text: str) -> None:
    """Helm fails where there is none, or prints whatever it has."""
    assert not parse_installation(answers(repositories=text), STATE, machine="fedhost").has_repository


@pytest.mark.parametrize("part", range(3))
def test_what_cannot_be_asked_is_not_taken_for_gone(part: int) -> None:
    """Else it would be taken off although it is used."""
    said = answers()
    said[part] = result(code=1, stderr="refused")
    with pytest.raises(StepError):
        parse_installation(said, STATE, machine="fedhost")


def test_looking_at_it_changes_nothing() -> None:
    """By any of its commands."""
    for command in installation_commands(target=HOST):
        assert not {"delete", "patch", "apply", "uninstall", "rm"} & {*argv_of(command), *command.line.split()}


KUBECTL = """
shift 2
printf '%s\\n' "$*" >>{log}
case $* in
    *api-resources*) [ -z "$UNKNOWN" ] || exit 1; printf 'federatedsecrets.types.kubefed.io\\nsecrets\\n' ;;
    get*) [ -z "$BROKEN" ] || exit 1; [ -e {stuck} ] && echo "shop web" ;;
    *patch*) rm -f {stuck} ;;
esac
exit 0
"""


@pytest.mark.parametrize("serves", [True, False])
@pytest.mark.parametrize("is_stuck", [True, False])
def test_fault_52_no_finalizer_is_left_stuck(
    *, serves: bool, is_stuck: bool, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the controller does not let go is let go; its webhook, which may be gone as well, is removed before that."""
    log, stuck = tmp_path / "log", tmp_path / "stuck"
    tools = tmp_path / "bin"
    install_tool(tools, "kubectl", KUBECTL.replace("{log}", str(log)).replace("{stuck}", str(stuck)))
    make_clock(tools)
    monkeypatch.setenv("PATH", path_with(tools))
    if is_stuck:
        stuck.write_text("")
    objects = replace(WHOLE, objects=(WEB,), serves=serves).removals(target=HOST)[0]
    assert local.run(objects.command)[0].ok
    said = log.read_text().splitlines()
    assert "delete federatedsecrets.types.kubefed.io --all --all-namespaces --wait=false" in said
    assert not [line for line in said if line.startswith("delete secrets")]
    patched = [line for line in said if "patch" in line]
    webhooks = [line for line in said if "validatingwebhookconfigurations" in line]
    assert bool(patched) == bool(webhooks) == is_stuck
    if is_stuck:
        assert said.index(webhooks[0]) < said.index(patched[0])
        assert patched[0].startswith("-n shop patch federatedsecrets.types.kubefed.io web --type=merge")
        waited = sum(line.startswith("get") for line in said)
        assert (waited > 10) == serves


@pytest.mark.parametrize("broken", ["BROKEN", "UNKNOWN"])
def test_what_cannot_be_listed_is_not_taken_for_gone(
    broken: str, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the release would go, and finalizers would be stuck for ever."""
    log, tools = tmp_path / "log", tmp_path / "bin"
    install_tool(tools, "kubectl", KUBECTL.replace("{log}", str(log)).replace("{stuck}", str(tmp_path / "stuck")))
    monkeypatch.setenv("PATH", path_with(tools))
    monkeypatch.setenv(broken, "yes")
    assert not local.run(replace(WHOLE, objects=(WEB,), serves=False).removals(target=HOST)[0].command)[0].ok
