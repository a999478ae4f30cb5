"""The host in memory: its kubeconfig, its tools, and KubeFed on it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import yaml

from tests.conftest import CANARY
from tests.fakes.api import base64_of, error
from tests.fakes.kubefed import KubeFed
from tests.fakes.kubernetes import CA, KUBECTL_VERSION, UNAUTHORIZED, Member, nothing_before
from tests.fakes.lines import Call, Key, run_line
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.shell import Command

NO_SUCH_API = "error: the server doesn't have a resource type 'kubefedclusters'"
PATH = "/root/.kube/config"
HOST_SERVER = "https://fedhost.example.com:6443"

HOST_KUBECONFIG = f"""\
apiVersion: v1
kind: Config
preferences: {{}}
current-context: kubernetes-admin@kubernetes
clusters:
- name: kubernetes
  cluster: {{server: "{HOST_SERVER}", certificate-authority-data: {CA}}}
contexts:
- name: kubernetes-admin@kubernetes
  context: {{cluster: kubernetes, user: kubernetes-admin}}
users:
- name: kubernetes-admin
  user: {{client-key-data: {base64_of(CANARY)}, token: {CANARY}}}
"""


def deployments(*, available: int) -> str:
    """Return KubeFed's Deployments as kubectl prints them."""
    items = [
        {
            "metadata": {"name": name, "generation": 1},
            "spec": {"replicas": 1},
            "status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": available},
        }
        for name in ("kubefed-admission-webhook", "kubefed-controller-manager")
    ]
    return json.dumps({"kind": "List", "items": items})


def release(status: str = "deployed", *, version: str = "0.10.0", revision: int = 1) -> str:
    """Return a Helm release as Helm prints it."""
    return json.dumps([{"name": "kubefed", "revision": str(revision), "status": status, "chart": f"kubefed-{version}"}])


DEPLOYMENTS = deployments(available=1)
RELEASE = release()
# libyaml's parser, where there is one, is many times as fast.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Host:
    """The host cluster and its machine, from which ``clusters`` are reached by their servers.

    Attributes:
        own: The host's own cluster.
        clusters: All clusters, the host's own included.
        kubeconfig: The text of the machine's file.
        mode: Its permissions.
        store: The machine's trust store.
        names: Its /etc/hosts, after a line that says whether there is a proxy.
        presented: What the members' servers present, by the address that openssl connects to.
        clock: What its clock says.
        writes: How often its kubeconfig was written.
        copies: The copies of earlier kubeconfigs.
        release: What Helm lists.
        serves: Whether KubeFed's Deployments are available.
        kubefedctl: The version that is on the machine, or "".
        broken: Calls that fail, and how.
        before: Called with each call before it is done.
        calls: What was called, in order.
    """

    own: Member
    clusters: list[Member]
    kubeconfig: str = HOST_KUBECONFIG
    mode: str = "-rw-------"
    store: str = ""
    names: str = ""
    presented: dict[str, str] = field(default_factory=dict)
    clock: int = 1_000_000
    writes: int = 0
    copies: list[str] = field(default_factory=list)
    release: str = "[]"
    serves: bool = False
    kubefedctl: str = ""
    broken: dict[Key, Answer] = field(default_factory=dict)
    before: Callable[[Call], None] = nothing_before
    calls: list[Call] = field(default_factory=list)
    _proofs: dict[str, str] = field(default_factory=dict)
    _seconds: int = 0

    def __post_init__(self) -> None:
        self.kubefed = KubeFed(self.cluster_at, self._now)

    @property
    def federation(self) -> dict[str, dict[str, Any]]:
        """The KubeFedClusters, by name."""
        return self.kubefed.clusters

    @property
    def joined(self) -> list[str]:
        """The names joined during the test, in order."""
        return self.kubefed.joined

    def answer(self, command: Command) -> Answer:
        """Do what a command says."""
        return run_line(command, self._do)

    def context(self, name: str) -> tuple[str, str]:
        """Return the server and the token of a context of the kubeconfig."""
        found = _context(self.kubeconfig, name)
        assert found, f"there is no context {name}"
        return found[0]["server"], found[1].get("token", "")

    def cluster_at(self, server: str) -> Member | None:
        """Return the cluster that answers at an address, or None."""
        return next((cluster for cluster in self.clusters if cluster.server == server), None)

    def _do(self, call: Call) -> Answer:
        self.calls.append(call)
        self.before(call)
        tools: dict[str, Callable[[Call], Answer]] = {
            "binding": self.own.api.kubectl,
            "cat": lambda _: Answer(),
            "date": self._date,
            "distribution": lambda _: Answer(),
            "helm": self._helm,
            "kubeconfig": self._file,
            "kubectl": self._kubectl,
            "kubefed": self._kubefed,
            "kubefedctl": self._kubefed,
            "names": lambda _: Answer(self.names),
            "openssl": lambda call: Answer(self.presented.get(call.flags["-connect"], "")),
            "proof": self._prove,
            "store": lambda _: Answer(self.store),
            "token": lambda call: self.own.api.print_token(call.names[1]),
            "uname": lambda _: Answer("x86_64\n"),
        }
        assert call.key[0] in tools, f"the host does not know this: {call}"
        return call.broken(self.broken) or tools[call.key[0]](call)

    def _date(self, call: Call) -> Answer:
        return Answer(f"{self.clock}\n" if call.key[1] == "+%s" else f"{self._now()}\n")

    def _now(self) -> str:
        self._seconds += 1
        return _time(12, self._seconds)

    def _kubectl(self, call: Call) -> Answer:
        if call.key[1] in {"find", "version"}:
            return Answer(KUBECTL_VERSION)
        context = call.flags.get("--context", "")
        found = _context(self.kubeconfig, context)
        if found is None:
            return error(f'error: context "{context}" does not exist')
        stanza, user = found
        cluster = self.cluster_at(stanza["server"])
        if cluster is self.own:
            return self._kubectl_on_host(call)
        if cluster is None:
            return error(f"Unable to connect to the server: {stanza['server']}")
        assert call.names == ("nodes",), f"this is for the host's cluster alone: {call}"
        return Answer("node/one\n") if cluster.accepts(user.get("token", "")) else error(UNAUTHORIZED)

    def _kubectl_on_host(self, call: Call) -> Answer:
        verb = call.key[1]
        if verb == "rollout":
            self.serves = True
            return Answer()
        if verb == "apply":
            is_engines = '"enforce-mountable' not in call.stdin and '"data"' in call.stdin
            return self.kubefed.apply_secret(call) if is_engines else self.own.api.kubectl(call)
        if verb == "delete" or (verb == "patch" and "--type=json" in call.argv):
            return self.own.api.kubectl(call)
        if verb in {"annotate", "label", "patch"}:
            return self.kubefed.kubectl(call)
        assert verb == "get", call
        found: dict[str, Callable[[], Answer]] = {
            "deployments": lambda: Answer(deployments(available=int(self.serves)) if self._is_installed else ""),
            "kubefedclusters.core.kubefed.io": lambda: (
                self.kubefed.list() if self._is_installed else error(NO_SUCH_API)
            ),
            "namespace": lambda: Answer(self.own.uid),
            "nodes": lambda: Answer("node/one\n"),
            "secrets": lambda: self._secrets(call),
        }
        if call.names[0] in {"serviceaccounts", "clusterrolebindings,rolebindings"}:
            return self.own.api.kubectl(call)
        return found[call.names[0]]()

    def _secrets(self, call: Call) -> Answer:
        if call.flags["--field-selector"] == "type=Opaque":
            return self.kubefed.list_secrets()
        return self.own.api.kubectl(call)

    def _list_clusters(self) -> Answer:
        return self.kubefed.list() if self._is_installed else error(NO_SUCH_API)

    @property
    def _is_installed(self) -> bool:
        return self.release == RELEASE

    def _helm(self, call: Call) -> Answer:
        match call.key[1]:
            case "version":
                return Answer("v3.18.4")
            case "list":
                return Answer(self.release)
            case "uninstall":
                self.release = "[]"
            case "install":
                if self.release != "[]":
                    return error("Error: INSTALLATION FAILED: cannot re-use a name that is still in use")
                self.release = RELEASE
        return Answer()

    def _kubefed(self, call: Call) -> Answer:
        match call.key:
            case ("kubefedctl", "find"):
                return self._version(found="path /usr/local/bin/kubefedctl\n") if self.kubefedctl else Answer()
            case ("kubefedctl", "install"):
                self.kubefedctl = call.names[1]
                return self._version()
            case ("kubefedctl", "join"):
                return self._join(call)
            case ("kubefed", "wait"):
                return self.kubefed.probe()
        return Answer()

    def _version(self, *, found: str = "") -> Answer:
        return Answer(f'{found}kubefedctl version: version.Info{{Version:"v{self.kubefedctl}", GitCommit:""}}\n')

    def _join(self, call: Call) -> Answer:
        tool, kubeconfigs, name, *_ = call.names
        if not self.kubefedctl or tool != "/usr/local/bin/kubefedctl":
            return error(f"sh: {tool}: not found", code=127)
        if not (self._is_installed and self.serves):
            return error("F1123 10:00:00.000000 1 join.go:1] no KubeFed\n")
        path = kubeconfigs.partition(":")[0]
        found = _context(self._proofs[path] if path else self.kubeconfig, call.flags["--cluster-context"])
        cluster = self.cluster_at(found[0]["server"]) if found else None
        if found is None or cluster is None:
            return error(f"F1123 10:00:00.000000 1 join.go:1] no way to {name}\n")
        token = found[1].get("token", "")
        if cluster is not self.own and not cluster.api.may_do_everything(cluster.api.account(token)):
            return error(f"F1123 10:00:00.000000 1 join.go:1] {name}: Unauthorized\n")
        host, secret = call.flags["--host-cluster-name"], call.flags["--secret-name"]
        self.kubefed.join(name, host=host, secret=secret, api=cluster.api, stanza=found[0])
        return Answer(f"{_time(11, len(self.joined))}\n")

    def _file(self, call: Call) -> Answer:
        if call.key[1] == "read":
            return Answer(f"{PATH}\n{self.mode}\n{self.kubeconfig}")
        if call.key[1] == "uncopy":
            self.copies = [copy for copy in self.copies if "managed-by: fedssh" not in copy]
            return Answer()
        expected, text = call.names[1], call.stdin
        if hashlib.sha256(self.kubeconfig.encode()).hexdigest() != expected:
            return Answer(code=76)
        self.copies.append(self.kubeconfig)
        self.kubeconfig, self.writes, self.mode = text, self.writes + 1, "-rw-------"
        return Answer(hashlib.sha256(text.encode()).hexdigest())

    def _prove(self, call: Call) -> Answer:
        if call.key[1] in {"write", "remove"}:
            self._proofs[call.names[0]] = call.stdin
            return Answer()
        path, context, *_ = call.names
        found = _context(self.kubeconfig if path == PATH else self._proofs[path], context)
        if found is None:
            return error(f'error: context "{context}" does not exist')
        server, token = found[0]["server"], found[1].get("token", "")
        cluster = self.cluster_at(server)
        if cluster is None:
            return error(f"Unable to connect to the server: {server}")
        if call.key[1] == "refused":
            return error("namespace/kube-system") if cluster.accepts(token) else Answer()
        if call.key[1] == "reach":
            return Answer(KUBECTL_VERSION)
        told = cluster.prove(token)
        _, _, _, identity, rights, *_ = call.names
        lines = told.stdout.splitlines(keepends=True)
        return told if told.code else Answer("".join(lines[:1] * bool(identity) + lines[1:] * bool(rights)))


def _time(hour: int, seconds: int) -> str:
    return f"2026-11-23T{hour}:{seconds // 60:02}:{seconds % 60:02}Z"


def _context(kubeconfig: str, context: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the cluster and the user of a context; of the current one where it has no name."""
    parsed = _parsed(kubeconfig)

    def pick(section: str, name: str) -> dict[str, Any] | None:
        found = next((entry for entry in parsed.get(section) or [] if entry["name"] == name), None)
        return dict(found[section.removesuffix("s")]) if found else None

    chosen = pick("contexts", context or parsed.get("current-context", ""))
    if chosen is None:
        return None
    cluster, user = pick("clusters", chosen["cluster"]), pick("users", chosen["user"])
    return (cluster, user or {}) if cluster else None


@lru_cache(maxsize=64)
def _parsed(kubeconfig: str) -> Mapping[str, Any]:
    parsed: dict[str, Any] = yaml.load(kubeconfig, Loader=_Loader)  # noqa: S506  (either is a safe one)
    return parsed
