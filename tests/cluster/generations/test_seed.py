"""The seed's own steps, on clusters of its time, and what fedssh comes to instead."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.machine import Machine
    from tests.cluster.oracle import Federation, Run

NAMESPACE: Final = "kube-federation-system"
# The addresses are the lab's, and the chart's hook is left out: its image is gone from the world. KubeFed's own image
# is at hand here, so that its controller would be quicker than Helm, and make a KubeFedConfig that Helm then stops at:
# no pod starts meanwhile.
_INSTALL: Final = """
    set -e
    helm repo add kubefed-charts http://artefacts/charts
    kubectl cordon fedhost
    helm install kubefed kubefed-charts/kubefed --version 0.7.0 --namespace kube-federation-system --create-namespace \\
        --no-hooks --set controllermanager.clusterHealthCheckPeriod=1s
    kubectl uncordon fedhost
    cd /tmp
    curl -sO http://artefacts/kubefedctl/kubefedctl-0.7.0-linux-amd64.tgz
    tar xf kubefedctl-0.7.0-linux-amd64.tgz
    mv kubefedctl /usr/local/bin
    rm kubefedctl-0.7.0-linux-amd64.tgz
    kubectl -n kube-federation-system rollout status deployment/kubefed-admission-webhook
    kubectl -n kube-federation-system rollout status deployment/kubefed-controller-manager
    # Whoever types does not come to the next command as fast as this: the webhook's address works a moment later.
    webhook=$(kubectl -n kube-federation-system get service kubefed-admission-webhook -o jsonpath={.spec.clusterIP})
    until curl -sk -o /dev/null "https://$webhook/"; do sleep 0.2; done
"""
_MEMBER1_YAML: Final = """\
apiVersion: v1
kind: ServiceAccount
metadata:
  labels:
    name: member1
  name: member1
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  labels:
    name: member1
  name: member1
rules:
  - apiGroups: ['*']
    resources: ['*']
    verbs: ['*']
  - nonResourceURLs: ['*']
    verbs: ['*']
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  labels:
    name: member1
  name: member1
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: member1
subjects:
  - kind: ServiceAccount
    name: member1
    namespace: default
"""
_HARVEST: Final = """
    secret=$(kubectl get secret | grep member1 | cut -d' ' -f1)
    kubectl describe secret "$secret" | sed -n 's/^token: *//p'
    grep server /root/.kube/config | sed 's/.*server: //'
    grep certificate-authority-data /root/.kube/config | sed 's/.*certificate-authority-data: //'
"""
# What the clipboard holds comes by stdin: the recorder of the tests would take it for a leak of fedssh's.
_WRITE: Final = """
    set -e
    kubectl() { /opt/recorded/kubectl "$@"; }
    read -r token; read -r server; read -r certificate
    kubectl config set-credentials kubefed-member1 --token="$token"
    kubectl config set-cluster kubefed-remote-member1 --server="$server"
    kubectl config set clusters.kubefed-remote-member1.certificate-authority-data "$certificate"
    kubectl config set-context member1 --cluster=kubefed-remote-member1 --user=kubefed-member1 --namespace=default
    kubectl config rename-context kubernetes-admin@kubernetes fedhost
    kubectl --context member1 get nodes
    kubectl --context fedhost get nodes
    kubefedctl join fedhost --v=2 --host-cluster-context fedhost --kubefed-namespace=kube-federation-system
    kubefedctl join member1 --v=2 --host-cluster-context fedhost --kubefed-namespace=kube-federation-system
"""


def type_the_seed(federation: Federation) -> None:
    """Type the seed's commands, step by step, as they stand there."""
    host, member = federation.host, federation.member()
    host.check("sh", "-c", _INSTALL)
    federation.kubectl(member, "apply", "-f", "-", stdin=_MEMBER1_YAML)
    clipboard = member.check("sh", "-c", _HARVEST)
    assert len(clipboard.split()) == 3
    host.check("sh", "-c", _WRITE, stdin=clipboard.encode())


def describe(federation: Federation) -> dict[str, Any]:
    """Return what the seed's steps leave: objects, contexts, KubeFedClusters; without what nobody names."""

    def read(machine: Machine, *arguments: str) -> Any:
        return json.loads(federation.kubectl(machine, *arguments, "-o", "json"))

    host, one = federation.host, federation.member()
    member = [read(one, "get", kind, "member1") for kind in ("clusterrole", "clusterrolebinding")]
    account = read(one, "get", "serviceaccount", "member1")
    config = yaml.safe_load(federation.host.check("cat", "/root/.kube/config"))
    clusters = read(host, "-n", NAMESPACE, "get", "kubefedclusters")["items"]
    return {
        "account": (account["metadata"]["namespace"], account["metadata"]["name"]),
        "rules": member[0]["rules"],
        "binding": (member[1]["roleRef"], member[1]["subjects"]),
        "contexts": {one["name"]: _plain(one["context"]) for one in config["contexts"]},
        "current": config["current-context"],
        "clusters": {one["name"]: _plain(one["cluster"]) for one in config["clusters"]},
        "users": {one["name"]: sorted(_plain(one["user"])) for one in config["users"]},
        "joined": {one["metadata"]["name"]: {**one["spec"], "secretRef": None} for one in clusters},
        "ready": federation.ready(),
        "engines": _engines_accounts(federation),
        "chart": read_release(federation),
        "tool": federation.host.check("kubefedctl", "version").split("GitCommit")[0],
    }


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of a kubeconfig without the mark that it is fedssh's."""
    return {key: value for key, value in entry.items() if key != "extensions"}


def read_release(federation: Federation) -> list[str]:
    """Return what Helm lists: chart and status."""
    listed = json.loads(federation.host.check("helm", "-n", NAMESPACE, "list", "--output", "json"))
    return [f"{one['name']} {one['chart']} {one['status']}" for one in listed]


def _engines_accounts(federation: Federation) -> list[str]:
    """Return the accounts, roles and bindings that the joins have made on both clusters."""
    found = []
    for machine in (federation.host, federation.member()):
        kinds = "sa,clusterrole,clusterrolebinding,role,rolebinding"
        listed = federation.kubectl(machine, "get", kinds, "-A", "-o", "name").split()
        found += [f"{machine.name}: {name}" for name in listed if re.search(r"-fedhost$|/kubefed", name)]
    return sorted(found)


def test_the_seed_word_for_word(
    empty: Federation, fedssh: Callable[..., Run], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """Fedssh leaves the clusters as the seed's commands do: objects, contexts, KubeFedClusters, versions."""
    type_the_seed(empty)
    eventually(lambda: empty.ready() == {"fedhost": "True", "member1": "True"})
    by_hand = describe(empty)
    empty.sweep()
    empty.kubectl(empty.member(), "delete", "sa/member1", "clusterrole/member1", "clusterrolebinding/member1")
    empty.uninstall()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    eventually(lambda: empty.ready() == by_hand["ready"])
    assert describe(empty) == by_hand
    assert fedssh("federate", "--member", "member1").stderr.count("Nothing to do: 2 of 2 federated") == 1


def test_fault_60_killed_between_kubefedctls_secret_and_its_cluster(
    seeded: Federation, fedssh: Callable[..., Run]
) -> None:
    """Kubefedctl 0.7.0 makes its Secret first, and fails where one is there: the next run joins all the same."""
    host = seeded.host
    seeded.kubectl(host, "-n", NAMESPACE, "delete", "kubefedcluster", "member1")
    seeded.kubectl(host, "-n", NAMESPACE, "delete", "secret", "member1.fedssh")
    join = ["kubefedctl", "join", "member1", "--host-cluster-context=fedhost", "--host-cluster-name=fedhost"]
    join += [f"--kubefed-namespace={NAMESPACE}", "--secret-name=member1.fedssh", "--error-on-existing=false"]
    webhook = "deployment/kubefed-admission-webhook"
    seeded.kubectl(host, "-n", NAMESPACE, "scale", webhook, "--replicas=0")
    try:
        while host.exec(*join).code == 0:  # until nothing answers for the webhook any more
            seeded.kubectl(host, "-n", NAMESPACE, "delete", "kubefedcluster", "member1")
            seeded.kubectl(host, "-n", NAMESPACE, "delete", "secret", "member1.fedssh")
    finally:
        seeded.kubectl(host, "-n", NAMESPACE, "scale", webhook, "--replicas=1")
        seeded.kubectl(host, "-n", NAMESPACE, "rollout", "status", webhook)
    assert seeded.kubectl(host, "-n", NAMESPACE, "get", "secret", "member1.fedssh", "-o", "name").strip()
    assert "member1" not in seeded.ready()
    again = host.exec(*join)
    assert again.code != 0
    assert "already exists" in again.stderr
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert seeded.ready() == {"fedhost": "True", "member1": "True"}
