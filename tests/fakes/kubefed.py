"""KubeFed in memory, as its source says (v0.10.0): what kubefedctl's join writes, and what the controller sees."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.fakes.api import TOKEN_SECRET, Api, as_list, error
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.kubernetes import Member
    from tests.fakes.lines import Call

NAMESPACE: Final = "kube-federation-system"
_RULES: Final = [
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"nonResourceURLs": ["*"], "verbs": ["get"]},
]


@dataclass
class _Client:
    """The controller's connection to a cluster: made once, and kept while what it has cached stays as it is."""

    server: str
    token: str
    cached: tuple[Any, Any, Any]


@dataclass
class KubeFed:
    """What KubeFed has on its host.

    Attributes:
        reach: Returns the cluster that answers at an address, or None.
        clusters: The KubeFedClusters, by name.
        secrets: Its Secrets on the host, which hold tokens in base64, by name.
        joined: Who was joined, in order.
        now: Returns the host's time, when it looks at a cluster.
        forbidden: What may not be done to whom, as in ``("annotate", "member1")``.
        stands_still: Whether its controller does nothing.
    """

    reach: Callable[[str], Member | None]
    now: Callable[[], str]
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    joined: list[str] = field(default_factory=list)
    forbidden: set[tuple[str, str]] = field(default_factory=set)
    stands_still: bool = False
    _clients: dict[str, _Client] = field(default_factory=dict)

    def join(self, name: str, *, host: str, secret: str, api: Api, stanza: dict[str, Any]) -> None:
        """Join a cluster (pkg/kubefedctl/join.go) with ``--error-on-existing=false``.

        What is there is used again, the account on the member and the Secret on the host; the spec is replaced whole.

        Args:
            name: The cluster.
            host: What ``--host-cluster-name`` says.
            secret: What ``--secret-name`` says.
            api: Its API server.
            stanza: The cluster's part of its context.
        """
        account = f"{name}-{host}"
        held = _authorize(api, account)
        self.secrets[secret] = held["token"]
        spec: dict[str, Any] = {
            "apiEndpoint": stanza["server"],
            "caBundle": stanza.get("certificate-authority-data") or held["ca.crt"],
            "secretRef": {"name": secret},
        }
        if stanza.get("insecure-skip-tls-verify"):
            spec["disabledTLSValidations"] = ["*"]
        self.clusters.setdefault(name, {"metadata": {"name": name}})["spec"] = spec
        self.joined.append(name)
        self._watch()

    def kubectl(self, call: Call) -> Answer:
        """Do what kubectl's verb says to KubeFedClusters, one after the other; print what it prints of each."""
        verb = call.key[1]
        names = [word.partition("/")[2] for word in call.names if word.startswith("kubefedclusters/")]
        values = dict(word.split("=", 1) for word in call.names if "=" in word)
        said, problems = "", []
        for name in names:
            if (verb, name) in self.forbidden:
                problems.append(f'Error from server (Forbidden): kubefedclusters "{name}" is forbidden: no')
            elif name not in self.clusters:
                problems.append(f'Error from server (NotFound): kubefedclusters "{name}" not found')
            else:
                self._change(verb, self.clusters[name], values, call.flags.get("--patch", "{}"))
                said += f"kubefedcluster.core.kubefed.io/{name} {verb.removesuffix('e')}ed\n"
        self._watch()
        return Answer(said, code=1 if problems else 0, stderr="\n".join(problems))

    def list(self) -> Answer:
        """Return the KubeFedClusters."""
        return as_list(list(self.clusters.values()))

    def apply_secret(self, call: Call) -> Answer:
        """Do what a server-side apply does to its Secrets."""
        for item in json.loads(call.stdin)["items"]:
            self.secrets[item["metadata"]["name"]] = item["data"]["token"]
        return Answer()

    def token(self, name: str) -> str:
        """Return the token in the Secret of a cluster."""
        return base64.b64decode(self.secrets[self.clusters[name]["spec"]["secretRef"]["name"]]).decode()

    def used(self, name: str) -> str:
        """Return the token that the controller uses for a cluster."""
        return self._clients[name].token

    def list_secrets(self) -> Answer:
        """Return the Secrets."""
        return as_list([{"metadata": {"name": name}, "data": {"token": held}} for name, held in self.secrets.items()])

    def probe(self) -> Answer:
        """Let the controller look at every cluster by its client; fail unless all are Ready."""
        if self.stands_still:
            return error("")
        self._watch()
        for name, cluster in self.clusters.items():
            client = self._clients[name]
            there = self.reach(client.server)
            is_ready = there is not None and there.accepts(client.token)
            found = {**READY, "lastProbeTime": self.now()} if is_ready else OFFLINE
            cluster["status"] = {"conditions": [found]}
        are_ready = all(cluster["status"]["conditions"][0]["type"] == "Ready" for cluster in self.clusters.values())
        return Answer() if are_ready else error("")

    def _change(self, verb: str, cluster: dict[str, Any], values: dict[str, str], patch: str) -> None:
        if verb == "patch":
            for key, value in json.loads(patch)["spec"].items():
                cluster["spec"][key] = value
                if value is None:
                    del cluster["spec"][key]
        else:
            kind = "labels" if verb == "label" else "annotations"
            cluster["metadata"][kind] = {**cluster["metadata"].get(kind, {}), **values}

    def _watch(self) -> None:
        """Connect to clusters that are new, or whose spec, annotations or labels are not those that were cached.

        Their Secrets are not watched (pkg/controller/kubefedcluster/controller.go).
        """
        for name, cluster in [] if self.stands_still else list(self.clusters.items()):
            metadata, spec = cluster["metadata"], cluster["spec"]
            seen = (spec, metadata.get("annotations"), metadata.get("labels"))
            if name not in self._clients or self._clients[name].cached != seen:
                held = self.secrets.get(spec.get("secretRef", {}).get("name", ""), "")
                token = base64.b64decode(held).decode()
                self._clients[name] = _Client(spec["apiEndpoint"], token, copy.deepcopy(seen))


READY: Final = {"type": "Ready", "status": "True", "reason": "ClusterReady", "message": "/healthz responded with ok"}
OFFLINE: Final = {
    "type": "Offline",
    "status": "True",
    "reason": "ClusterNotReachable",
    "message": "cluster is not reachable",
}


def _authorize(api: Api, account: str) -> dict[str, str]:
    """Make the account that KubeFed uses, with its role, as far as they are not there; return what its Secret holds."""
    role = f"kubefed-controller-manager:{account}"
    subject = {"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}
    where = {"name": account, "namespace": NAMESPACE}
    annotations = {"kubernetes.io/service-account.name": account}
    wanted: list[dict[str, Any]] = [
        {"kind": "ServiceAccount", "metadata": where},
        {"kind": "Secret", "metadata": {**where, "annotations": annotations}, "type": TOKEN_SECRET},
    ]
    for item in wanted:
        if f"{item['kind'].lower()}/{account}" not in api.objects:
            api.create(item)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    api.objects[f"clusterrole/{role}"] = {"kind": "ClusterRole", "metadata": {"name": role}, "rules": _RULES}
    api.objects[f"clusterrolebinding/{role}"] = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": reference,
        "subjects": [subject],
    }
    held: dict[str, str] = api.objects[f"secret/{account}"]["data"]
    return held
