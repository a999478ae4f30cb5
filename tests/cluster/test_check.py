"""``check`` on real clusters: before anything, when all is well, and in ruins; and ``status`` beside it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

from lab import audit
from tests.cluster.checkups import findings, named
from tests.cluster.files import CONFIG, file_times, put
from tests.cluster.oracle import NAMESPACE
from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.machine import Machine

    from .oracle import Federation, Run

CONTROLLER = "kubefed-controller-manager"
BROKEN_ARGS = [{"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["--no-such-flag"]}]
PROOF = "/root/.kube/.fedssh-proof-0011223344556677"
COPY = f"{CONFIG}.fedssh-20261121T000000Z"
DNS: dict[str, Any] = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
DNS_PORT = {"name": "dns", "port": 53, "protocol": "UDP"}


def test_fault_65_before_the_first_federate(bare: Federation, fedssh: Callable[..., Run]) -> None:
    """Nothing is wrong: what is not there yet is said, with what federate would do; nothing is changed."""
    marks, before = bare.audit_marks(), file_times(bare.host)
    done = fedssh("check", "-o", "json")
    assert (done.code, "problem" in findings(done).values()) == (0, False), findings(done)
    assert named(done, "fedhost", "engine", "KubeFed is not installed yet") == "notice"
    about = next(each for each in done.report["clusters"][0]["findings"] if "not installed yet" in each["text"])
    named(done, "fedhost", "engine", "newer than Kubernetes 1.24, up to which its project tested KubeFed 0.10.0")
    assert "federate would install kubefedctl 0.10.0, install KubeFed 0.10.0, and join fedhost" in about["leadsTo"]
    for name in ("member1", "member2"):
        assert named(done, name, "federation", "it has not joined") == "notice"
        assert named(done, name, "rights", "a cluster administrator's") == "ok"
        assert named(done, name, "network", "its API server answers fedhost") == "ok"
        assert named(done, name, "network", "whether it does in a pod is not known: the cluster has no") == "notice"
    assert (bare.changes_since(marks), file_times(bare.host)) == ([], before)


def test_fault_65_all_is_well(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run],
    logins: Callable[[], dict[str, tuple[int, int]]],
) -> None:  # fmt: skip
    """On one screen, by one session on each machine; status tells versions and the credential."""
    del inventory["members"]["member2"]
    marks, before = joined.audit_marks(), [file_times(one) for one in (joined.host, joined.member())]
    logins()
    done = fedssh("check")
    assert done.code == 0, done.stdout + done.stderr
    counts = logins()
    assert (counts["member1"], counts["fedhost"]) == ((1, 1), (1, 1))
    assert len((done.stdout + done.stderr).splitlines()) <= 24
    assert joined.changes_since(marks) == []
    assert [file_times(one) for one in (joined.host, joined.member())] == before
    told = fedssh("status", "-o", "json")
    assert logins()["fedhost"] == (1, 1)
    (member,) = [each for each in told.report["clusters"] if each["name"] == "member1"]
    version = joined.kubectl(
        joined.member(), "get", "nodes", "-o", "jsonpath={.items[0].status.nodeInfo.kubeletVersion}"
    )
    made = joined.kubectl(
        joined.host, "-n", NAMESPACE, "get", "secret", "member1.fedssh", "-o", "jsonpath={.metadata.creationTimestamp}"
    )
    assert (member["kubernetesVersion"], member["tls"], member["inInventory"]) == (version, "ca", True)
    assert member["credential"] == {"issued": made, "ends": "never"}


def test_fault_65_everything_that_is_wrong_at_once(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run],
    eventually: Callable[[Callable[[], bool]], None],
) -> None:  # fmt: skip
    """A dead member, a crashing controller, a stale lock, leftovers: one run finds them all, and changes nothing."""
    host, residue = joined.host, joined.member("member2")
    namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    host.check("sh", "-c", f"touch -d '-5 minutes' {CONFIG}.lock; touch -d '-30 minutes' {PROOF}")
    put(host, COPY, "x")
    host.check("chmod", "644", COPY)
    joined.kubectl(host, "-n", NAMESPACE, "create", "secret", "generic", "old.fedssh", "--from-literal=token=x")
    joined.kubectl(residue, "apply", "-f", "-", stdin=namespace)
    joined.kubectl(residue, "create", "serviceaccount", "member2")
    joined.kubectl(residue, "label", "serviceaccount", "member2", "app.kubernetes.io/managed-by=fedssh")
    joined.kubectl(
        residue, "create", "clusterrolebinding", f"{CONTROLLER}:gone-host", "--clusterrole=view",
        f"--serviceaccount={NAMESPACE}:gone-host",
    )  # fmt: skip
    joined.kubectl(
        host, "-n", NAMESPACE, "patch", "deployment", CONTROLLER, "--type=json", "-p", json.dumps(BROKEN_ARGS)
    )
    joined.member().pause()
    try:
        eventually(lambda: joined.ready().get("member1") != "True")
        waiting = "jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}"
        eventually(lambda: "CrashLoop" in joined.kubectl(host, "-n", NAMESPACE, "get", "pods", "-o", waiting))
        marks = {one.name: audit.mark(one) for one in (host, residue)}
        before = [file_times(one) for one in (host, residue)]
        done = fedssh("check", "-o", "json")
        assert [file_times(one) for one in (host, residue)] == before
        changes = [event for one in (host, residue) for event in audit.events_since(one, marks[one.name])]
        changes = [event for event in changes if event.user == "kubernetes-admin" and not event.is_review]
        started = time.monotonic()
        told = fedssh("status", "-o", "json")
        assert time.monotonic() - started < 20
        stranger = {**inventory, "members": {"member2": inventory["members"]["member2"]}}
        inventory.clear()
        inventory.update(stranger)
        alone = fedssh("status", "-o", "json")
    finally:
        joined.member().unpause()
        joined.kubectl(host, "-n", NAMESPACE, "rollout", "undo", f"deployment/{CONTROLLER}")
        host.check("rm", "-f", f"{CONFIG}.lock", PROOF, COPY)
        joined.kubectl(host, "-n", NAMESPACE, "delete", "secret", "old.fedssh")
        joined.kubectl(residue, "delete", "serviceaccount", "member2")
        joined.kubectl(residue, "delete", "clusterrolebinding", f"{CONTROLLER}:gone-host")
        joined.kubectl(residue, "delete", "namespace", NAMESPACE)
        joined.kubectl(host, "-n", NAMESPACE, "rollout", "status", f"deployment/{CONTROLLER}", "--timeout=120s")
        eventually(lambda: joined.ready().get("member1") == "True")
    assert (done.code, changes) == (3, [])
    expected = {
        ("member1", "ssh", "said nothing within"): "problem",
        ("member1", "federation", "KubeFed does not find it Ready"): "problem",
        ("member1", "federation", "kubectl --context member1 get nodes does not work"): "problem",
        ("fedhost", "engine", "crashes again and again"): "problem",
        ("fedhost", "residue", "kubectl's lock"): "problem",
        ("fedhost", "residue", "can be read by others"): "problem",
        ("fedhost", "residue", PROOF): "notice",
        ("fedhost", "residue", "the Secret old.fedssh holds a token"): "notice",
        ("member2", "residue", "objects of fedssh's are there"): "notice",
        ("member2", "residue", f"the namespace {NAMESPACE}"): "notice",
        ("member2", "residue", f"{CONTROLLER}:gone-host"): "notice",
        ("member2", "federation", "it has not joined"): "notice",
        ("member2", "ssh", "logged in as"): "ok",
        ("fedhost", "rights", "a cluster administrator's"): "ok",
    }
    assert {key: named(done, *key) for key in expected} == expected
    bad = [each for cluster in done.report["clusters"] for each in cluster["findings"] if each["state"] == "problem"]
    assert all(each["hint"] and each["leadsTo"] for each in bad), bad
    (dead,) = [each for each in told.report["clusters"] if each["name"] == "member1"]
    assert (dead["state"], dead["reason"]) == ("NotReady", "no answer")
    (unnamed,) = [each for each in alone.report["clusters"] if each["name"] == "member1"]
    assert unnamed["inInventory"] is False


def test_fault_65_names_as_a_pod_sees_them(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """A name that the host's /etc/hosts alone knows is a problem before it is joined by; one in its DNS is none."""
    host, member = joined.host, joined.member("member2")
    of_host, of_member = (one.check("hostname", "-i").split()[0] for one in (host, member))
    serving = {"subsets": [{"addresses": [{"ip": of_host}], "ports": [DNS_PORT]}]}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Service", "metadata": DNS, "spec": {"ports": [DNS_PORT]}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": DNS, **serving},
    ]
    hosts = host.check("cat", "/etc/hosts")
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    joined.kubectl(host, "apply", "-f", "-", stdin=text)
    try:
        known = fedssh("check", "-o", "json")
        host.check("sh", "-c", f"echo '{of_member} only-here' >>/etc/hosts")
        inventory["members"]["member2"]["api_server"] = "https://only-here:6443"
        unknown = fedssh("check", "-o", "json")
    finally:
        host.check("sh", "-c", "cat >/etc/hosts", stdin=hosts.encode())
        joined.kubectl(host, "delete", "--ignore-not-found", "-f", "-", stdin=text)
    assert named(known, "member1", "network", "and for KubeFed's controller, in a pod, too") == "ok"
    assert named(known, "member2", "network", f"member2 resolves to {of_member} on fedhost, and the cluster's") == "ok"
    words = "the DNS of the cluster fedhost does not know only-here; /etc/hosts there knows it alone"
    assert (unknown.code, named(unknown, "member2", "network", words)) == (3, "problem")


def test_fault_65_another_fedssh_is_at_work(
    joined: Federation, fedssh: Callable[..., Run], eventually: Callable[[Callable[[], bool]], None], tmp_path: Path
) -> None:
    """While another waits for a member, check is not kept waiting, and tells of it: for how long, and from where."""
    others = ("check", "--member", "member2", "-o", "json")
    assert named(fedssh(*others), "fedhost", "residue", "no lock and no half-written file") == "ok"
    argv = [FEDSSH, "federate", "--member", "member1"]
    joined.member().pause()
    try:
        with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as waiting:
            eventually(lambda: joined.host.exec("flock", "-n", f"{CONFIG}.fedssh.lock", "true").code != 0)
            done = fedssh(*others)
            assert waiting.poll() is None
            waiting.kill()
    finally:
        joined.member().unpause()
    words = re.compile(r"another fedssh is at work here, for \d+ s now, from [\d.]+")
    (told,) = [text for _, topic, text in findings(done) if topic == "residue" and text.startswith("another")]
    assert words.fullmatch(told), told
    eventually(lambda: joined.ready().get("member1") == "True")


def test_fault_65_offline_connects_to_nothing(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run],
    logins: Callable[[], dict[str, tuple[int, int]]],
) -> None:  # fmt: skip
    """What this computer's files say: a key that is missing, a host key that nobody knows, a CA that is none."""
    assert joined.ready()
    logins()
    assert fedssh("check", "--offline").code == 0
    inventory["members"]["member1"] |= {"known_hosts": "nowhere", "ca_file": "/etc/hostname"}
    inventory["members"]["member2"]["identity_file"] = "gone"
    done = fedssh("check", "--offline", "-o", "json")
    assert set(logins().values()) == {(0, 0)}
    assert done.code == 3
    assert named(done, "member1", "ssh", "its host key is not known") == "problem"
    assert named(done, "member1", "network", "holds no certificate in PEM") == "problem"
    assert named(done, "member2", "ssh", "gone cannot be used: No such file") == "problem"
    assert "problem" not in {state for (name, _, _), state in findings(done).items() if name == "fedhost"}


def journeys(machine: Machine) -> list[str]:
    """Return the namespaces of journeys that are on a machine's cluster."""
    listed = machine.check("/opt/recorded/kubectl", "get", "namespaces", "-o", "name").split()
    return [name for name in listed if "fedssh-journey" in name]


def test_an_object_travels_and_goes_again(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run],
    eventually: Callable[[Callable[[], bool]], None], tmp_path: Path,
) -> None:  # fmt: skip
    """To host and member, with its times; after a kill it goes by itself; what was left goes with the next."""
    del inventory["members"]["member2"]
    places = (joined.host, joined.member())
    joined.kubectl(joined.host, "create", "namespace", "fedssh-journey-left")
    joined.kubectl(joined.host, "label", "namespace", "fedssh-journey-left", "fedssh/journey=true")
    done = fedssh("check", "-o", "json")
    assert (done.code, named(done, "fedhost", "residue", "the namespace fedssh-journey-left is of")) == (0, "notice")
    done = fedssh("check", "--deep", "-o", "json")
    assert done.code == 0, findings(done)
    for name in ("fedhost", "member1"):
        assert named(done, name, "journey", "a federated object arrived after") == "ok", findings(done)
    assert [journeys(place) for place in places] == [[], []]
    argv = [FEDSSH, "check", "--deep"]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        eventually(lambda: bool(journeys(joined.host)))
        killed.kill()
    eventually(lambda: not any(journeys(place) for place in places))
