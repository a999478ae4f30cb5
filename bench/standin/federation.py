"""A host with KubeFed and its members, in memory: which cluster a call is about, and what the tools say.

There are as many clusters as are wanted. Nothing has joined at first; what fedssh or a script does is remembered, so
that a second run finds a federation that stands.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bench.standin.calls import Answer
from bench.standin.cluster import CA, Cluster, token_of, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.standin.calls import Call

HOST: Final = "fedhost"
KUBEFED: Final = "0.10.0"

_NAMESPACE: Final = "kube-federation-system"
_CUSTOM: Final = frozenset({"kubefedcluster", "kubefedconfig", "federatedtypeconfig"})
_DEPLOYMENTS: Final = ("kubefed-admission-webhook", "kubefed-controller-manager")


@dataclass
class Federation:
    """The clusters.

    Attributes:
        addresses: The address at which each cluster's machine is reached, by the cluster's name; the host's among them.
        clusters: The clusters, by name.
        calls: How many tools were called on the machine of each cluster, by the cluster's name, tool and verb.
        strange: What was asked that the stand-ins do not know.
    """

    addresses: Mapping[str, str]
    clusters: dict[str, Cluster] = field(default_factory=dict)
    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names = {address: name for name, address in self.addresses.items()}
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Make it as if nothing had ever joined."""
        self.clusters = {name: Cluster(name, f"https://{address}:6443") for name, address in self.addresses.items()}
        host = self.clusters[HOST] = Cluster(HOST, f"https://{self.addresses[HOST]}:6443", kinds=_CUSTOM)
        for name in _DEPLOYMENTS:
            host.put({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": _NAMESPACE, "generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1},
            })  # fmt: skip
        self.forget_calls()

    def forget_calls(self) -> None:
        """Count the calls anew."""
        self.calls.clear()
        self.strange.clear()

    @property
    def joined(self) -> set[str]:
        """The names of the clusters that have joined."""
        return {name for kind, name in self.clusters[HOST].objects if kind == "kubefedcluster"}

    def granted(self) -> set[str]:
        """Return the members with a ServiceAccount of their name that has a token Secret."""
        return {
            name
            for name, cluster in self.clusters.items()
            if ("serviceaccount", name) in cluster.objects
            and any(kind == "secret" and item["data"].get("token") for (kind, _), item in cluster.objects.items())
        }

    def answer(self, call: Call) -> Answer:
        """Do what a call says; calls come one at a time."""
        with self._lock:
            machine = self._names.get(call.address, HOST)
            self.calls[machine, call.tool, call.verb] += 1
            answer = self._do(call, machine)
            if answer.code and "the stand-in does not know" in answer.stderr:
                self.strange.append(answer.stderr.strip())
            return answer

    def _do(self, call: Call, machine: str) -> Answer:
        match call.tool:
            case "helm":
                return _helm(call)
            case "kubefedctl":
                return self._kubefedctl(call)
        if call.verb in {"get", "label", "patch", "annotate"}:
            self._probe()
        # Contexts by which something is tried are called "access.member1" or the like.
        context = call.flags.get("--context", "")
        name = context.rpartition(".")[2]
        cluster = self.clusters[name if name in self.clusters else machine]
        return cluster.kubectl(call, user=_user(context, name, machine))

    def _kubefedctl(self, call: Call) -> Answer:
        if call.verb == "version":
            return Answer(f'kubefedctl version: version.Info{{Version:"v{KUBEFED}", GitCommit:""}}\n')
        if call.verb != "join":
            return unknown(call)
        name, host = call.names[0], self.clusters[HOST]
        secret = call.flags.get("--secret-name") or f"{name}-secret"
        token = token_of(f"system:serviceaccount:{_NAMESPACE}:{name}-{HOST}")
        where = {"namespace": _NAMESPACE}
        data = {"token": base64.b64encode(token.encode()).decode()}
        host.put(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": secret, **where},
                "type": "Opaque",
                "data": data,
            }
        )
        host.put({
            "apiVersion": "core.kubefed.io/v1beta1",
            "kind": "KubeFedCluster",
            "metadata": {"name": name, **where},
            "spec": {"apiEndpoint": self.clusters[name].server, "caBundle": CA, "secretRef": {"name": secret}},
        })  # fmt: skip
        return Answer()

    def _probe(self) -> None:
        """Let KubeFed have found all clusters Ready, just now."""
        ready = {"type": "Ready", "status": "True", "reason": "ClusterReady", "message": "/healthz responded with ok"}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        status: dict[str, Any] = {"conditions": [{**ready, "lastProbeTime": now, "lastTransitionTime": now}]}
        for (kind, _), item in self.clusters[HOST].objects.items():
            if kind == "kubefedcluster":
                item["status"] = status


def _user(context: str, name: str, machine: str) -> str:
    """Return whom a cluster takes somebody for who comes by a context."""
    if not context or name == machine:
        return "kubernetes-admin"
    if context.startswith("engine."):
        return f"system:serviceaccount:{_NAMESPACE}:{name}-{HOST}"
    return f"system:serviceaccount:default:{name}"


def _helm(call: Call) -> Answer:
    release = {"name": "kubefed", "revision": "1", "status": "deployed", "chart": f"kubefed-{KUBEFED}"}
    answers = {"version": "v3.18.4", "list": json.dumps([release]), "get": "null\n"}
    return Answer(answers[call.verb]) if call.verb in answers else unknown(call)
