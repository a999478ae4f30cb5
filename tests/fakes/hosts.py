"""The host in memory: its kubeconfig, its tools, and KubeFed on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from tests.conftest import CANARY
from tests.fakes.kubernetes import CA, Member, argv_of, base64_of, error, stdin_of, token_of
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.shell import Command

NO_SUCH_API = "error: the server doesn't have a resource type 'kubefedclusters'"

HOST_KUBECONFIG = f"""\
apiVersion: v1
kind: Config
preferences: {{}}
current-context: kubernetes-admin@kubernetes
clusters:
- name: kubernetes
  cluster: {{server: "https://fedhost.example.com:6443", certificate-authority-data: {CA}}}
contexts:
- name: kubernetes-admin@kubernetes
  context: {{cluster: kubernetes, user: kubernetes-admin}}
users:
- name: kubernetes-admin
  user: {{client-key-data: {base64_of(CANARY)}, token: {CANARY}}}
"""

DEPLOYMENTS = json.dumps(
    {
        "kind": "List",
        "items": [
            {
                "metadata": {"name": name, "generation": 1},
                "spec": {"replicas": 1},
                "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1},
            }
            for name in ("kubefed-admission-webhook", "kubefed-controller-manager")
        ],
    }
)
# libyaml's parser, where there is one, is many times as fast.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RELEASE = json.dumps([{"name": "kubefed", "revision": "1", "status": "deployed", "chart": "kubefed-0.10.0"}])


@dataclass
class Host:
    """The host cluster and its machine, from which ``clusters`` are reached by their servers.

    Attributes:
        clusters: The members, and the host's own cluster.
        kubeconfig: The text of the machine's file.
        mode: Its permissions.
        store: The machine's trust store.
        presented: What the members' servers present, by the address that openssl connects to.
        writes: How often it was written.
        joined: The names joined during the test, in order.
        federation: The KubeFedClusters.
        before: Called with each command before it is done.
    """

    clusters: list[Member]
    name: str = "fedhost"
    kubeconfig: str = HOST_KUBECONFIG
    mode: str = "-rw-------"
    store: str = ""
    presented: dict[str, str] = field(default_factory=dict)
    writes: int = 0
    release: str = "[]"
    deployments: str = '{"kind": "List", "items": []}'
    kubefedctl: str = ""
    joined: list[str] = field(default_factory=list)
    federation: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Answer] = field(default_factory=dict)
    before: Callable[[Command], None] = lambda _: None
    _proof: str = ""

    def answer(self, command: Command) -> Answer:
        """Do what a command says."""
        self.before(command)
        argv = argv_of(command)
        if command.title in self.broken:
            return self.broken[command.title]
        doing: dict[str, Callable[[], Answer]] = {
            "read of the kubeconfig": lambda: Answer(f"/root/.kube/config\n{self.mode}\n{self.kubeconfig}"),
            "write of /root/.kube/config": lambda: self._write(argv[2], stdin_of(command)),
            "date +%s": lambda: Answer("1000000\n"),
            "read of /etc/hosts": Answer,
            "kubectl version": lambda: Answer('{"clientVersion": {"gitVersion": "v1.33.13"}}'),
            "helm version": lambda: Answer("v3.18.4"),
            "kubefedctl version": lambda: self._version() if self.kubefedctl else Answer(),
            "download of kubefedctl": self._download,
            "helm list": lambda: Answer(self.release),
            "helm repo": Answer,
            "helm template": Answer,
            "helm install": self._install,
            "kubectl rollout": Answer,
            "kubectl config": lambda: Answer(f"https://{self.name}.example.com:6443"),
            "write of a temporary kubeconfig": lambda: self._keep_proof(stdin_of(command)),
            "removal of the temporary kubeconfig": lambda: self._keep_proof(""),
            "proof": lambda: self._prove(argv[2]),
            "try": lambda: self._reach(argv[2]),
            "identify": lambda: self._prove(argv[2]),
            "kubefedctl join": lambda: self._join(argv[2]),
            "kubectl label": Answer,
            "kubectl annotate": lambda: Answer(
                "".join(f"kubefedcluster.core.kubefed.io/{one.partition('/')[2]} annotated\n" for one in argv if one.startswith("kubefedclusters/"))
            ),
            "kubectl patch": lambda: self._patch(argv),
            "read of the trust store": lambda: Answer(self.store),
            "openssl s_client": lambda: Answer(self.presented.get(argv[-1], "")),
            "wait for Ready": self._wait,
        }
        if command.title in doing:
            return doing[command.title]()
        assert command.title == "kubectl get", command.title
        if "kubefedclusters.core.kubefed.io" in argv:
            return self._list()
        if "nodes" in argv:
            return Answer("node/one\n")
        if "secrets" in argv:
            items = [{"metadata": {"name": name}, "data": {"token": one}} for name, one in self.secrets.items()]
            return Answer(json.dumps({"kind": "List", "items": items}))
        return Answer(self.deployments if "deployments" in argv else f"uid-of-{self.name}")

    def context(self, name: str) -> tuple[str, str]:
        """Return the server and the token of a context of the kubeconfig."""
        return _access(self.kubeconfig, name)

    def _write(self, expected: str, text: str) -> Answer:
        if hashlib.sha256(self.kubeconfig.encode()).hexdigest() != expected:
            return Answer(code=76)
        self.kubeconfig, self.writes, self.mode = text, self.writes + 1, "-rw-------"
        return Answer(hashlib.sha256(text.encode()).hexdigest())

    def _version(self) -> Answer:
        return Answer(f'path /usr/local/bin/kubefedctl\nkubefedctl version: version.Info{{Version:"v{self.kubefedctl}", GitCommit:""}}\n')

    def _download(self) -> Answer:
        self.kubefedctl = "0.10.0"
        return self._version()

    def _install(self) -> Answer:
        self.release, self.deployments = RELEASE, DEPLOYMENTS
        return Answer()

    def _keep_proof(self, text: str) -> Answer:
        self._proof = text
        return Answer()

    def _prove(self, context: str) -> Answer:
        server, token = _access(self._proof, context)
        for one in self.clusters:
            if one.server == server:
                allowed = "true" if one.rights else "false"
                told = f"uid {one.uid}\nallowed {allowed}\nallowed {allowed}\n"
                return Answer(told) if one.accepts(token) else error("Unauthorized")
        return error(f"Unable to connect to the server: {server}")

    def _reach(self, context: str) -> Answer:
        server, _ = _access(self._proof, context)
        known = any(one.server == server for one in self.clusters)
        return error("Unauthorized" if known else "Unable to connect to the server")

    def _join(self, name: str) -> Answer:
        if self.release != RELEASE:
            return error("F1123 10:00:00.000000 1 join.go:1] no KubeFed\n")
        server, _ = self.context(name)
        (cluster,) = [one for one in self.clusters if one.server == server]
        token = token_of(f"system:serviceaccount:kube-federation-system:{name}-fedhost")
        cluster.objects["secret/kubefeds"] = {"data": {"token": base64_of(token)}}
        self.secrets[f"{name}.fedssh"] = base64_of(token)
        spec = {"apiEndpoint": server, "caBundle": CA, "secretRef": {"name": f"{name}.fedssh"}}
        self.federation[name] = {"metadata": {"name": name}, "spec": spec}
        self.joined.append(name)
        return Answer("2026-11-23T10:00:00Z\n")

    def _patch(self, argv: list[str]) -> Answer:
        (name,) = [one.removeprefix("kubefedclusters/") for one in argv if one.startswith("kubefedclusters/")]
        (patch,) = [one.removeprefix("--patch=") for one in argv if one.startswith("--patch=")]
        for key, value in json.loads(patch)["spec"].items():
            self.federation[name]["spec"][key] = value
            if value is None:
                del self.federation[name]["spec"][key]
        return Answer("2026-11-23T10:00:01Z\n")

    def _wait(self) -> Answer:
        for one in self.federation.values():
            one["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
        return Answer()

    def _list(self) -> Answer:
        if self.release != RELEASE:
            return error(NO_SUCH_API)
        return Answer(json.dumps({"kind": "KubeFedClusterList", "items": list(self.federation.values())}))


def _access(kubeconfig: str, context: str) -> tuple[str, str]:
    parsed = yaml.load(kubeconfig, Loader=_Loader)  # noqa: S506  (either is a safe one)

    def pick(section: str, name: str) -> dict[str, Any]:
        (found,) = [one for one in parsed[section] if one["name"] == name]
        return dict(found[section.removesuffix("s")])

    chosen = pick("contexts", context)
    return pick("clusters", chosen["cluster"])["server"], pick("users", chosen["user"]).get("token", "")
