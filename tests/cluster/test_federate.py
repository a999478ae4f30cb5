"""federate on real clusters: the way there, the second run, and every state that a run can be found in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run

NAMESPACE = "kube-federation-system"


def test_from_nothing_to_a_federation(
    bare: Federation, fedssh: Callable[..., Run], logins: Callable[[], dict[str, tuple[int, int]]]
) -> None:
    """One command installs KubeFed, grants, proves, writes and joins; kubectl on the masters sees it all."""
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    counted = logins()

    assert bare.ready() == {"fedhost": "True", "member1": "True"}
    assert bare.contexts() == {"fedhost": "kubernetes", "member1": "kubefed-remote-member1"}
    assert bare.kubectl(bare.host, "config", "current-context").strip() == "fedhost"
    assert bare.kubectl(bare.host, "--context", "member1", "get", "nodes", "-o", "name") == "node/member1\n"
    assert bare.objects() == [
        "clusterrole.rbac.authorization.k8s.io/member1",
        "clusterrolebinding.rbac.authorization.k8s.io/member1",
        "secret/member1-fedssh-1",
        "serviceaccount/member1",
    ]
    labelled = bare.kubectl(
        bare.host, "-n", NAMESPACE, "get", "kubefedcluster", "member1", "-o", "jsonpath={.metadata.labels.region}"
    )
    assert labelled == "eu"
    modes = bare.host.check("sh", "-c", "stat -c %a /root/.kube/config /root/.kube/config.fedssh-*").split()
    assert len(modes) == 2
    assert set(modes) == {"600"}
    period = bare.kubectl(
        bare.host,
        "-n",
        NAMESPACE,
        "get",
        "kubefedconfig",
        "kubefed",
        "-o",
        "jsonpath={.spec.clusterHealthCheck.period}",
    )
    assert period == "1s"  # as the values in hosts.yaml have it
    assert "2 of 2 federated" in done.stderr
    # One connection per machine; the member is looked at once and grants once; nobody speaks to member2.
    assert counted["member1"] == (1, 1)
    assert counted["member2"] == (0, 0)
    assert counted["fedhost"] == (1, 2)


# What KubeFed's controller makes when it is quicker than Helm, as where its image is at hand.
CONTROLLERS_OWN = """
    helm repo add kubefed-charts http://artefacts/charts --force-update >/dev/null &&
    helm show crds kubefed-charts/kubefed --version 0.10.0 | kubectl create -f - >/dev/null &&
    kubectl wait --for=condition=Established crd/kubefedconfigs.core.kubefed.io >/dev/null &&
    kubectl create namespace kube-federation-system >/dev/null &&
    printf '{"apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedConfig", "metadata": {"name": "kubefed"}, %s}' \
        '"spec": {"scope": "Cluster", "clusterHealthCheck": {"period": "10s"}}' |
        kubectl -n kube-federation-system create -f -
"""


def test_a_controller_that_is_quicker_than_helm(bare: Federation, fedssh: Callable[..., Run]) -> None:
    """A KubeFedConfig that is there before Helm's does not stop the installation, and gets the wanted values."""
    bare.host.check("sh", "-c", CONTROLLERS_OWN)
    done = fedssh("prepare")
    assert done.code == 0, done.stderr
    period = "jsonpath={.spec.clusterHealthCheck.period}"
    assert bare.kubectl(bare.host, "-n", NAMESPACE, "get", "kubefedconfig", "kubefed", "-o", period) == "1s"
    listed = bare.host.check("helm", "list", "--namespace", NAMESPACE, "--output", "json")
    assert [one["status"] for one in json.loads(listed)] == ["deployed"]
    assert fedssh("prepare").stderr.count("Nothing to do") == 1


def test_a_second_run_changes_nothing_and_says_so(
    joined: Federation, fedssh: Callable[..., Run], logins: Callable[[], dict[str, tuple[int, int]]]
) -> None:
    """A federation that stands is left alone, to the byte and to the resourceVersion."""
    before = joined.snapshot()
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "Nothing to do: 2 of 2 federated" in done.stderr
    assert logins() == {"fedhost": (1, 2), "member1": (1, 1), "member2": (0, 0)}
    assert joined.snapshot() == before
    assert fedssh("federate", "--all", "--output", "json").code == 0
    again = fedssh("federate", "--member", "member1", "--output", "json")
    assert again.report["changed"] is False


def _without(kind: str, name: str, *, on: str = "member1", namespace: str = "default") -> Callable[[Federation], None]:
    def make(federation: Federation) -> None:
        machine = federation.host if on == "fedhost" else federation.member(on)
        federation.kubectl(machine, "-n", namespace, "delete", kind, name, "--wait=true")

    return make


def _shell(on: str, text: str) -> Callable[[Federation], None]:
    def make(federation: Federation) -> None:
        (federation.host if on == "fedhost" else federation.member(on)).check("sh", "-c", text)

    return make


def _another_account(federation: Federation) -> None:
    """Revoke KubeFed's own token, and wait until KubeFed notices; the next one is not the same."""
    federation.kubectl(federation.member(), "-n", NAMESPACE, "delete", "serviceaccount", "member1-fedhost")
    deadline = time.monotonic() + 60
    while federation.ready().get("member1") == "True":
        assert time.monotonic() < deadline, "KubeFed did not notice"
        time.sleep(0.5)


STATES: dict[str, Callable[[Federation], None]] = {
    "the token Secret is missing": _without("secret", "member1-fedssh-1"),
    "the ServiceAccount is missing": _without("serviceaccount", "member1"),
    "the ClusterRole is missing": _without("clusterrole", "member1"),
    "the binding is missing": _without("clusterrolebinding", "member1"),
    "the kubeconfig was not written": _shell("fedhost", "cp /root/pristine /root/.kube/config"),
    "the context was removed": _shell("fedhost", "kubectl config delete-context member1"),
    "the user's token is another one": _shell(
        "fedhost", "kubectl config set-credentials kubefed-member1 --token=no.no.no"
    ),
    "the member has not joined": _without("kubefedcluster", "member1", on="fedhost", namespace=NAMESPACE),
    "the host has not joined": _without("kubefedcluster", "fedhost", on="fedhost", namespace=NAMESPACE),
    "KubeFed's Secret is missing": _without("secret", "member1.fedssh", on="fedhost", namespace=NAMESPACE),
    "KubeFed's account has no rights": _shell(
        "member1",
        "kubectl get clusterrolebinding -o name | grep -o 'kubefed-.*:member1-fedhost' | "
        "xargs kubectl delete clusterrolebinding",
    ),
    "KubeFed's account is another one": _another_account,
    "the label is missing": _shell("fedhost", f"kubectl -n {NAMESPACE} label kubefedcluster member1 region-"),
    "the label is another one": _shell(
        "fedhost", f"kubectl -n {NAMESPACE} label --overwrite kubefedcluster member1 region=us"
    ),
    "kubefedctl is missing": _shell("fedhost", "rm /usr/local/bin/kubefedctl"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_run_goes_on_from_what_is_there(state: str, joined: Federation, fedssh: Callable[..., Run]) -> None:
    """Whatever a run that stopped half-way left undone, or somebody has undone, the next run completes."""
    STATES[state](joined)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "Nothing to do" not in done.stderr
    assert joined.ready() == {**joined.ready(), "fedhost": "True", "member1": "True"}
    assert joined.contexts() | {"fedhost": "kubernetes", "member1": "kubefed-remote-member1"} == joined.contexts()
    joined.kubectl(joined.host, "--context", "member1", "get", "nodes")
    secrets = joined.kubectl(joined.member(), "get", "secret", "-o", "name").split()
    # A Secret that somebody has deleted does not come back: it would hold the token that was revoked by that.
    number = 2 if state == "the token Secret is missing" else 1
    assert secrets == [f"secret/member1-fedssh-{number}"]


def test_two_members_at_once(
    unjoined: Federation, fedssh: Callable[..., Run], logins: Callable[[], dict[str, tuple[int, int]]]
) -> None:
    """--all federates every member of hosts.yaml; the host's part does not grow with their number."""
    logins()
    done = fedssh("federate", "--all", "--output", "json")
    assert done.code == 0, done.stderr
    counted = logins()
    assert unjoined.ready() == {"fedhost": "True", "member1": "True", "member2": "True"}
    assert {one["name"]: one["state"] for one in done.report["clusters"]} == dict.fromkeys(unjoined.ready(), "Ready")
    assert counted["member1"] == counted["member2"] == (1, 1)
    assert counted["fedhost"] == (1, 2)


def test_a_federated_object_travels(joined: Federation, eventually: Callable[[Callable[[], bool]], None]) -> None:
    """What is federated on the host arrives on the member."""
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "travel"}},
        {
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedNamespace",
            "metadata": {"name": "travel", "namespace": "travel"},
            "spec": {"placement": {"clusterSelector": {"matchLabels": {"region": "eu"}}}},
        },
    ]
    joined.kubectl(joined.host, "apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in documents))
    try:
        eventually(lambda: joined.member().exec("kubectl", "get", "namespace", "travel").code == 0)
    finally:
        joined.kubectl(joined.host, "-n", "travel", "delete", "federatednamespace", "travel")
        joined.kubectl(joined.host, "delete", "namespace", "travel", "--wait=false")


def test_fault_10_a_restarted_machine_is_as_it_was(
    joined: Federation, fedssh: Callable[..., Run], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """A member's machine that is stopped and started needs nothing from fedssh but patience."""
    marks = joined.audit_marks()
    joined.kubectl(joined.member(), "create", "configmap", "before")
    joined.kubectl(joined.member(), "delete", "configmap", "before")
    joined.member().stop()
    try:
        down = fedssh("federate", "--member", "member1")
        assert down.code == 4, down.stderr
        assert "member1" in down.stderr
    finally:
        joined.member().start()
    audited = [one.verb for one in joined.changes_since(marks) if one.name == "before"]
    assert audited == ["create", "delete"]  # the lab's own log goes on where it was
    eventually(lambda: joined.ready().get("member1") == "True")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "Nothing to do" in done.stderr
