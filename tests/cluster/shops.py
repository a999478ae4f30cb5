"""A shop that is federated: a namespace with a Deployment whose pods run, and what its users have put beside it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lab.clusters import each

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.machine import Machine
    from tests.cluster.oracle import Federation

NAME: Final = "shop"
PAUSE: Final = "registry.k8s.io/pause:3.10"
FOREIGN: Final = "orders"
"""The ConfigMap that is not of the federation."""

_DEPLOYMENT: Final[dict[str, Any]] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "web", "image": PAUSE}]},
        },
    },
}
_RUNNING: Final = 'jsonpath={range .items[?(@.status.phase=="Running")]}{.metadata.uid} {.status.startTime}{"\\n"}{end}'


def open_shop(federation: Federation, *members: str, eventually: Callable[[Callable[[], bool]], None]) -> None:
    """Federate a Deployment, two pods to each member, and a ConfigMap; put something of the users' beside them."""
    placement = {"clusters": [{"name": name} for name in members]}
    specs: dict[str, tuple[str, dict[str, Any]]] = {
        "FederatedNamespace": (NAME, {}),
        "FederatedDeployment": ("web", _DEPLOYMENT),
        "FederatedConfigMap": ("settings", {"data": {"open": "yes"}}),
    }
    items: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}}]
    for kind, (name, template) in specs.items():
        spec = {"placement": placement, **({"template": template} if template else {})}
        metadata = {"name": name, "namespace": NAME}
        items.append({"apiVersion": "types.kubefed.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec})
    # A preference takes a cluster that is not Ready out of the placement, and KubeFed would delete what is there.
    weights = {name: {"weight": 1} for name in members}
    # Without rebalance, pods that run stay where they are: where those of one cluster run before those of another,
    # the other gets too few.
    spread = {"targetKind": "FederatedDeployment", "totalReplicas": 2 * len(members), "clusters": weights}
    spread["rebalance"] = True
    preference = {"apiVersion": "scheduling.kubefed.io/v1alpha1", "kind": "ReplicaSchedulingPreference"}
    items.append({**preference, "metadata": {"name": "web", "namespace": NAME}, "spec": spread})
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    federation.kubectl(federation.host, "apply", "-f", "-", stdin=text)
    for name in members:
        machine = federation.host if name == "fedhost" else federation.member(name)
        try:
            eventually(partial(_has_pods, machine))
        except AssertionError as error:
            error.add_note(machine.exec("/opt/recorded/kubectl", "-n", NAME, "get", "pods,events", "-o", "wide").stdout)
            raise
        federation.kubectl(machine, "-n", NAME, "create", "configmap", FOREIGN, "--from-literal=apples=3")


def _has_pods(machine: Machine) -> bool:
    return len(pods(machine)) == 2


def pods(machine: Machine) -> list[str]:
    """Return the UIDs and beginnings of the pods that run in the shop."""
    listed = machine.exec("/opt/recorded/kubectl", "-n", NAME, "get", "pods", "-o", _RUNNING)
    return listed.stdout.splitlines() if listed.code == 0 else []


def names(machine: Machine) -> set[str]:
    """Return what is in the shop, pods apart."""
    listed = machine.exec("/opt/recorded/kubectl", "-n", NAME, "get", "deployments,configmaps", "-o", "name")
    return set(listed.stdout.split()) - {"configmap/kube-root-ca.crt"}


def managed(machine: Machine) -> list[str]:
    """Return what bears KubeFed's label anywhere."""
    kinds = "namespaces,deployments,configmaps"
    listed = machine.check("/opt/recorded/kubectl", "get", kinds, "-A", "-l", "kubefed.io/managed=true", "-o", "name")
    return listed.split()


def close_shop(federation: Federation) -> None:
    """Remove the shop everywhere, whatever is left of it and of KubeFed."""
    strip = '{"metadata":{"finalizers":null}}'
    text = f"""
        kubectl() {{ /opt/recorded/kubectl "$@" 2>/dev/null; }}
        kubectl delete namespace {NAME} --ignore-not-found --wait=false
        kinds=replicaschedulingpreferences,federatedconfigmaps,federateddeployments,federatednamespaces
        for one in $(kubectl -n {NAME} get $kinds -o name); do
            kubectl -n {NAME} patch "$one" --type=merge --patch='{strip}'
        done
        kubectl wait --for=delete namespace/{NAME} --timeout=60s
        :
    """
    each(lambda machine: machine.check("sh", "-c", text), federation.lab.machines)
