"""unfederate on real clusters: nothing of fedssh and of the join stays behind, and everything of the users' does."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed import note_command, swap_command
from fedssh.engines.protocol import JoinedCluster
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.kubectl import Target
from fedssh.sensitive import Sensitive
from tests.cluster.inventories import differences, read_everything
from tests.cluster.shops import FOREIGN, close_shop, managed, names, open_shop, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.machine import Machine

    from .oracle import Federation, Run

    Eventually = Callable[[Callable[[], bool]], None]

NAMESPACE = "kube-federation-system"
# A machine that is busy with other tests is slower than its clusters are dead.
DEAD_SECONDS = 60


@pytest.fixture
def both(federation: Federation, fedssh: Callable[..., Run]) -> Iterator[Federation]:
    """Both members have joined, and there is nothing of any other join."""
    federation.sweep()
    done = fedssh("federate", "--all")
    assert done.code == 0, done.stderr
    yield federation
    close_shop(federation)


def is_gone(federation: Federation, name: str) -> None:
    """Check that neither the member nor the host has anything of the member's access and of its join."""
    host, member = federation.host, federation.member(name)
    assert name not in federation.ready()
    assert name not in federation.contexts()
    assert federation.objects(name) == []
    assert member.exec("/opt/recorded/kubectl", "get", "namespace", NAMESPACE).code == 1
    roles = federation.kubectl(member, "get", "clusterroles,clusterrolebindings", "-o", "name")
    assert f"kubefed-controller-manager:{name}" not in roles
    assert f"{name}." not in federation.kubectl(host, "-n", NAMESPACE, "get", "secrets", "-o", "name")
    assert host.exec("sh", "-c", f"grep -l {name} /root/.kube/config* /root/.kube/.fedssh*").stdout == ""


def test_the_whole_life_leaves_no_trace(bare: Federation, fedssh: Callable[..., Run]) -> None:
    """After federate and unfederate --all --uninstall every object and every file is what it was before."""
    bare.sweep()
    before = read_everything(bare.lab)
    assert fedssh("federate", "--all").code == 0
    assert fedssh("federate", "--all").code == 0
    planned = fedssh("unfederate", "--all", "--uninstall", "--dry-run", "-o", "json")
    done = fedssh("unfederate", "--all", "--uninstall", "--yes", "-o", "json")
    assert done.code == 0, done.stderr
    assert "3 of 3 left without a trace" in done.stderr
    plans = {one["name"]: [change["change"] for change in one["plan"]] for one in planned.report["clusters"]}
    assert {one["name"]: one["changes"] for one in done.report["clusters"]} == plans
    assert all(one["residue"] == [] for one in done.report["clusters"])
    assert differences(before, read_everything(bare.lab)) == []
    again = fedssh("unfederate", "--all", "--uninstall", "--yes")
    assert again.code == 0, again.stderr
    assert "Nothing to do: nothing is left of fedhost, member1, member2" in again.stderr
    assert differences(before, read_everything(bare.lab)) == []


def test_fault_53_what_is_the_users_stays(both: Federation, fedssh: Callable[..., Run], eventually: Eventually) -> None:
    """Pods run on, and foreign objects in federated namespaces stay; --delete-workloads deletes KubeFed's alone."""
    open_shop(both, "member1", "member2", eventually=eventually)
    member1, member2 = both.member("member1"), both.member("member2")
    before = {one.name: pods(one) for one in (member1, member2)}
    everything = {"deployment.apps/web", "configmap/settings", f"configmap/{FOREIGN}"}

    left = fedssh("unfederate", "--member", "member1", "--yes", "-o", "json")
    assert left.code == 0, left.stderr
    is_gone(both, "member1")
    assert pods(member1) == before["member1"]
    assert names(member1) == everything
    assert managed(member1) == []
    assert both.ready() == {"fedhost": "True", "member2": "True"}
    assert {*pods(member2)} >= {*before["member2"]}  # all replicas are planned there now

    deleted = fedssh("unfederate", "--member", "member2", "--delete-workloads", "--yes")
    assert deleted.code == 0, deleted.stderr
    is_gone(both, "member2")
    eventually(lambda: not pods(member2))
    assert names(member2) == {f"configmap/{FOREIGN}"}
    assert f"shop stays: it also holds ConfigMap/{FOREIGN}" in deleted.stderr
    assert managed(member2) == []
    # The federated objects are the users', too, and nothing holds them back any more.
    kinds = "replicaschedulingpreference,federateddeployment,federatedconfigmap"
    both.kubectl(both.host, "-n", "shop", "delete", kinds, "--all", "--timeout=30s")
    assert names(member1) == everything


def drop(machine: Machine) -> None:
    """Let a machine drop every packet."""
    machine.check("iptables", "-I", "INPUT", "-j", "DROP")


def stop_api(machine: Machine) -> None:
    """Let a machine's API server take connections and never answer."""
    machine.check("pkill", "-STOP", "kube-apiserver")


def stop_sshd(machine: Machine) -> None:
    """Let a machine refuse SSH, while its API is alive."""
    machine.check("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT")


def stop(machine: Machine) -> None:
    """Stop a machine: its name is known to nobody any more."""
    machine.stop()


def revive(machine: Machine) -> None:
    """Make a machine whole again."""
    machine.start()
    machine.exec("sh", "-c", "iptables -D INPUT -j DROP; iptables -D INPUT -p tcp --dport 22 -j REJECT")
    machine.exec("pkill", "-CONT", "kube-apiserver")
    machine.wait_until_ready()


@pytest.mark.parametrize(("first", "second"), [(drop, stop_api), (stop, stop_sshd)])
def test_fault_51_dead_members(
    first: Callable[[Machine], None],
    second: Callable[[Machine], None],
    both: Federation,
    fedssh: Callable[..., Run],
) -> None:
    """Two at once, dead in two ways: the host is clean soon, what is left is told, and a later run removes it."""
    members = {"member1": first, "member2": second}
    for name, kill in members.items():
        kill(both.member(name))
    started = time.monotonic()
    try:
        done = fedssh("unfederate", "--member", "member1,member2", "--yes", "-o", "json")
        took = time.monotonic() - started
    finally:
        for name in members:
            revive(both.member(name))
    assert took < DEAD_SECONDS
    assert done.code == 3, done.stderr
    assert both.ready() == {"fedhost": "True"}
    assert both.contexts() == {"fedhost": "kubernetes"}
    listed = both.kubectl(both.host, "-n", NAMESPACE, "get", "secrets", "-o", "name").split()
    assert not [name for name in listed if name.startswith(("secret/member1", "secret/member2"))]
    assert both.host.exec("sh", "-c", "grep -l member[12] /root/.kube/config*").stdout == ""
    reports = {one["name"]: one for one in done.report["clusters"]}
    for name, kill in members.items():
        assert reports[name]["state"] == "NotJoined"
        commands = [command for one in reports[name]["residue"] for command in one["commands"]]
        if kill is stop_sshd:  # its API lets the host in
            assert commands == []
            is_gone(both, name)
        else:
            for command in commands:
                both.member(name).check("sh", "-c", command.replace("kubectl ", "/opt/recorded/kubectl "))
            is_gone(both, name)
    again = fedssh("unfederate", "--member", "member1,member2", "--yes")
    assert again.code == 0, again.stderr
    assert "Nothing to do" in again.stderr


def test_fault_54_who_is_not_in_hosts_yaml_joined_by_hand_half_removed(
    inventory: dict[str, Any], both: Federation, fedssh: Callable[..., Run]
) -> None:
    """Its credential on the host leads to it: fedssh's own, or KubeFed's; what was removed by hand is no obstacle."""
    members = dict(inventory["members"])
    host, member1, member2 = both.host, both.member("member1"), both.member("member2")
    # member2 as if it had been joined by hand: no entries of fedssh's, no account of fedssh's.
    for entry in ("context member2", "user kubefed-member2", "cluster kubefed-remote-member2"):
        host.check("sh", "-c", f"kubectl config delete-{entry}")
    both.kubectl(member2, "delete", "clusterrolebinding,clusterrole", "member2")
    both.kubectl(member2, "delete", "serviceaccount", "member2")
    # member1 half removed: the KubeFedCluster is gone, and so is KubeFed's account.
    both.kubectl(host, "-n", NAMESPACE, "delete", "kubefedcluster", "member1")
    both.kubectl(member1, "-n", NAMESPACE, "delete", "serviceaccount", "member1-fedhost")
    inventory["members"] = {}
    unknown = fedssh("unfederate", "--member", "membr1", "--yes")
    assert unknown.code == 2
    assert "did you mean" in unknown.stderr
    done = fedssh("unfederate", "--member", "member1,member2", "--yes", "-o", "json")
    assert done.code == 0, done.stderr
    for name in ("member1", "member2"):
        is_gone(both, name)
    inventory["members"] = members
    assert "Nothing to do" in fedssh("unfederate", "--member", "member1", "--member", "member2", "--yes").stderr


def test_fault_52_kubefed_is_gone(
    both: Federation, fedssh: Callable[..., Run], eventually: Eventually, request: pytest.FixtureRequest
) -> None:
    """Without its controller, and without KubeFed at all, the members leave; no finalizer stays."""
    open_shop(both, "member1", eventually=eventually)
    both.kubectl(both.host, "-n", NAMESPACE, "scale", "deployment", "--all", "--replicas=0")
    request.addfinalizer(
        lambda: both.host.exec("/opt/recorded/kubectl", "-n", NAMESPACE, "scale", "deployment", "--all", "--replicas=1")
    )
    running = pods(both.member("member1"))
    done = fedssh("unfederate", "--member", "member1", "--yes")
    assert done.code == 0, done.stderr
    is_gone(both, "member1")
    assert pods(both.member("member1")) == running
    refused = fedssh("unfederate", "--all", "--uninstall", "--yes")
    assert refused.code == 6, refused.stderr
    assert "federateddeployment/web in shop" in refused.stderr
    assert "member2" in both.ready()
    whole = fedssh("unfederate", "--all", "--uninstall", "--delete-workloads", "--yes")
    assert whole.code == 0, whole.stderr
    assert both.host.exec("/opt/recorded/kubectl", "get", "namespace", NAMESPACE).code == 1
    assert "kubefed" not in both.kubectl(both.host, "get", "crd", "-o", "name")
    assert pods(both.member("member1")) == running


def test_fault_55_what_keeps_kubefed(inventory: dict[str, Any], both: Federation, fedssh: Callable[..., Run]) -> None:
    """Clusters of others, and a KubeFed that fedssh has not installed, are left alone: 6, and nothing is changed."""
    before = both.snapshot()
    members = dict(inventory["members"])
    inventory["members"] = {"member1": members["member1"]}
    others = fedssh("unfederate", "--all", "--uninstall", "--yes")
    assert others.code == 6, others.stderr
    assert "hosts.yaml does not name" in others.stderr
    assert "member2" in others.stderr
    assert both.snapshot() == before
    inventory["members"] = members
    fields = both.kubectl(
        both.host, "get", "crd", "kubefedconfigs.core.kubefed.io", "-o", "json", "--show-managed-fields"
    )
    assert '"manager": "fedssh"' in fields
    theirs = '{"metadata":{"managedFields":[{}]}}'
    both.kubectl(both.host, "patch", "crd", "kubefedconfigs.core.kubefed.io", "--type=merge", f"--patch={theirs}")
    both.kubectl(both.host, "label", "namespace", NAMESPACE, "app.kubernetes.io/managed-by-")
    before = both.snapshot()
    done = fedssh("unfederate", "--all", "--uninstall", "--yes")
    assert done.code == 6, done.stderr
    assert "not installed by fedssh" in done.stderr
    assert both.snapshot() == before


def test_fault_56_nobody_is_asked(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """Without a terminal and without --yes nothing is connected to: 2."""
    before = joined.snapshot()
    done = fedssh("unfederate", "--member", "member1")
    assert done.code == 2
    assert "--yes" in done.stderr
    assert fedssh("unfederate", "--member", "member1", "--uninstall", "--yes").code == 2
    assert joined.snapshot() == before


def test_a_note_takes_nothing_away(joined: Federation) -> None:
    """It stands beside the token that a rotation has applied, and beside the time of that."""
    host, target = joined.host, Target()
    get = ["-n", NAMESPACE, "get", "secret", "member1.fedssh", "-o"]
    token = Sensitive(base64.b64decode(joined.kubectl(host, *get, "jsonpath={.data.token}")).decode())
    spec = json.loads(joined.kubectl(host, "-n", NAMESPACE, "get", "kubefedcluster", "member1", "-o", "json"))["spec"]
    endpoint = Endpoint(server=spec["apiEndpoint"], trust=Trust(word="ca", ca=spec["caBundle"]))
    cluster = JoinedCluster(name="member1", endpoint=endpoint, token=token, spec=spec)
    swap = swap_command(cluster, token, rotated_at="2026-11-29T00:00:00Z", target=target)
    for command in (swap, note_command([cluster], target=target)):
        stdin = command.stdin.reveal() if isinstance(command.stdin, Sensitive) else command.stdin
        host.check("sh", "-c", command.line, stdin=stdin.encode())
    noted = json.loads(joined.kubectl(host, *get, "json"))
    assert base64.b64decode(noted["data"]["token"]).decode() == token.reveal()
    assert {"fedssh/rotated-at", "fedssh/withdrawn"} <= set(noted["metadata"]["annotations"])
    for note in ("fedssh/rotated-at-", "fedssh/withdrawn-"):
        joined.kubectl(host, "-n", NAMESPACE, "annotate", "secret", "member1.fedssh", note)
