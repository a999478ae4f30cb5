"""A dry run on real clusters: it tells what the run then does, refuses what the run refuses, and changes nothing."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab.kubeconfigs import write_k3s_kubeconfig
from tests.cluster.files import CONFIG, HOSTILE, administrators, file_times, put
from tests.cluster.plans import hold_against_deed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .oracle import Federation, Run

NAMESPACE = "kube-federation-system"
Inventory = dict[str, Any]


def test_nothing_is_there(bare: Federation, fedssh: Callable[..., Run]) -> None:
    """Every change from nothing to a federation stands in the plan, in the order of the deed."""
    done = hold_against_deed(bare, fedssh, "federate", "--all")
    assert done.code == 0, done.stderr
    assert bare.ready() == {"fedhost": "True", "member1": "True", "member2": "True"}
    again = hold_against_deed(bare, fedssh, "federate", "--all")
    assert again.report["changed"] is False


def test_prepare_is_planned_as_it_is_done(bare: Federation, fedssh: Callable[..., Run]) -> None:
    """KubeFed and kubefedctl; the second time nothing."""
    assert hold_against_deed(bare, fedssh, "prepare").report["changed"] is True
    assert hold_against_deed(bare, fedssh, "prepare").report["changed"] is False


def moved(federation: Federation, inventory: Inventory) -> None:
    """The member is to be reached at another address."""
    address = federation.member().check("hostname", "-i").split()[0]
    inventory["members"]["member1"]["api_server"] = f"https://{address}:6443"


def renewed(federation: Federation, inventory: Inventory) -> None:
    """The CA in the host's kubeconfig, and that of KubeFed, are of another time."""
    del inventory
    text = federation.host.check("cat", CONFIG)
    parsed = yaml.safe_load(text)
    own = {entry["name"]: entry["cluster"]["certificate-authority-data"] for entry in parsed["clusters"]}
    put(federation.host, CONFIG, text.replace(own["kubefed-remote-member1"], own["kubernetes"]))
    patch = json.dumps({"spec": {"caBundle": own["kubernetes"]}})
    federation.kubectl(
        federation.host, "-n", NAMESPACE, "patch", "kubefedcluster", "member1", "--type=merge", "-p", patch
    )


def edited(federation: Federation, inventory: Inventory) -> None:
    """Somebody has taken the account's rights, and bound another role."""
    del inventory
    member = federation.member()
    patch = '[{"op": "replace", "path": "/rules", "value": []}]'
    federation.kubectl(member, "patch", "clusterrole", "member1", "--type=json", "-p", patch)
    federation.kubectl(member, "delete", "clusterrolebinding", "member1")
    role = ["--clusterrole=view", "--serviceaccount=default:member1"]
    federation.kubectl(member, "create", "clusterrolebinding", "member1", *role)
    federation.kubectl(member, "label", "clusterrolebinding", "member1", "app.kubernetes.io/managed-by=fedssh")


def opened(federation: Federation, inventory: Inventory) -> None:
    """Others can read the host's kubeconfig."""
    del inventory
    federation.host.check("chmod", "644", CONFIG)


@pytest.mark.parametrize("drift", [moved, renewed, edited, opened])
def test_drift_is_planned_as_it_is_mended(
    drift: Callable[[Federation, Inventory], None],
    joined: Federation,
    inventory: Inventory,
    fedssh: Callable[..., Run],
) -> None:
    """What is no longer as fedssh made it is a change with its reason; then there is nothing to do."""
    drift(joined, inventory)
    try:
        done = fedssh("federate", "--member", "member1", "--dry-run", "-o", "json")
        assert all(change["why"] for cluster in done.report["clusters"] for change in cluster["plan"])
        done = hold_against_deed(joined, fedssh, "federate", "--member", "member1")
        assert done.code == 0, done.stderr
        assert done.report["changed"] is True
        again = fedssh("federate", "--member", "member1")
        # Others could read it: that was said once, and is mended.
        assert "Nothing to do" in again.stderr, again.stderr
    finally:
        joined.host.check("chmod", "600", CONFIG)


def nowhere(federation: Federation, inventory: Inventory) -> int:
    """An address that nobody knows."""
    del federation
    inventory["members"]["member1"]["api_server"] = "https://nowhere.invalid:6443"
    return 6


def another_cluster(federation: Federation, inventory: Inventory) -> int:
    """The address of the host's API."""
    del federation
    inventory["members"]["member1"]["api_server"] = "https://fedhost:6443"
    return 6


def its_own_address(federation: Federation, inventory: Inventory) -> int:
    """An address that works on the member's machine only."""
    inventory["members"]["member1"]["kubeconfig"] = write_k3s_kubeconfig(federation.member())
    return 6


def somebody_elses_entry(federation: Federation, inventory: Inventory) -> int:
    """A context of the member's name that fedssh did not write."""
    del inventory
    federation.host.check("/opt/recorded/kubectl", "config", "set-context", "member1", "--cluster=kubernetes")
    return 6


def somebody_elses_account(federation: Federation, inventory: Inventory) -> int:
    """A ServiceAccount of the member's name that fedssh did not make."""
    del inventory
    federation.kubectl(federation.member(), "create", "serviceaccount", "member1")
    return 6


def no_kubectl(federation: Federation, inventory: Inventory) -> int:
    """The member's machine has no kubectl."""
    del inventory
    federation.member().check("mv", "/usr/local/bin/kubectl", "/root/away")
    return 3


def closed_port(federation: Federation, inventory: Inventory) -> int:
    """Nobody listens where the member's sshd should be."""
    del federation
    inventory["members"]["member1"]["port"] = 9
    return 4


def another_version(federation: Federation, inventory: Inventory) -> int:
    """hosts.yaml asks for another KubeFed than the one that is installed."""
    del federation
    inventory["kubefed"]["version"] = "0.9.0"
    return 6


def a_program_to_log_in(federation: Federation, inventory: Inventory) -> int:
    """The member's kubeconfig would run a program."""
    document = administrators(federation.member())
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": "true", "interactiveMode": "Never"}
    document["users"][0]["user"] = {"exec": login}
    put(federation.member(), HOSTILE, yaml.safe_dump(document))
    inventory["members"]["member1"]["kubeconfig"] = HOSTILE
    return 6


REFUSALS = [
    nowhere,
    another_cluster,
    its_own_address,
    somebody_elses_entry,
    somebody_elses_account,
    no_kubectl,
    closed_port,
    another_version,
    a_program_to_log_in,
]


@pytest.fixture
def restored(unjoined: Federation) -> Iterator[Federation]:
    """Nothing has joined; whatever a refusal's cause leaves on the machines is gone afterwards."""
    yield unjoined
    member = unjoined.member()
    member.exec("mv", "/root/away", "/usr/local/bin/kubectl")
    unjoined.kubectl(member, "delete", "sa/member1", "secret/member1-fedssh-1", "--ignore-not-found")
    unjoined.host.check("cp", "/root/pristine", CONFIG)


@pytest.mark.parametrize("cause", REFUSALS)
def test_a_refusal_is_shown_as_a_run_would_show_it(
    cause: Callable[[Federation, Inventory], int],
    restored: Federation,
    inventory: Inventory,
    fedssh: Callable[..., Run],
) -> None:
    """The same message, the same advice and the same exit code; neither run changes anything."""
    if cause is another_version:
        assert fedssh("prepare").code == 0
    code = cause(restored, inventory)
    before = restored.host.check("sha256sum", CONFIG)
    done = hold_against_deed(restored, fedssh, "federate", "--member", "member1")
    assert done.code == code, done.stderr
    assert done.report["changed"] is False
    assert restored.host.check("sha256sum", CONFIG) == before
    assert restored.objects() == []


def test_fault_62_a_dry_run_beside_a_run(unjoined: Federation, fedssh: Callable[..., Run]) -> None:
    """It takes no lock and wants none; neither disturbs the other."""
    fedssh("status")  # writes hosts.yaml
    runs: list[Run] = []
    real = threading.Thread(target=lambda: runs.append(fedssh("federate", "--member", "member1")))
    real.start()
    dry: list[Run] = []
    while real.is_alive():
        dry.append(fedssh("federate", "--member", "member1", "--dry-run", "-o", "json"))
    real.join()
    assert runs[0].code == 0, runs[0].stderr
    assert len(dry) >= 2
    assert {run.code for run in dry} == {0}, [run.stderr for run in dry]
    assert not [path for path in file_times(unjoined.host) if "fedssh-proof" in path]
