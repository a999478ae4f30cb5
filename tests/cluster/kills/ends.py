"""The state in which a run leaves a lab, as lines that can be compared.

It is all that fedssh, Helm and KubeFed's join make: objects of all clusters, files, and whether credentials work. What
differs from run to run is left out: UIDs, versions and times, the tokens themselves and the numbers in the names of
their Secrets. Of the copies of the kubeconfig, however many there are, it is said whose tokens they hold that are no
longer in the kubeconfig itself.
"""

from __future__ import annotations

import json
import re
import time
from difflib import unified_diff
from typing import TYPE_CHECKING, Any, Final

import yaml

from lab.clusters import each
from tests.cluster.oracle import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.clusters import Lab
    from lab.machine import Machine

_KINDS: Final = (
    "namespaces,serviceaccounts,secrets,services,clusterroles,clusterrolebindings,roles,rolebindings,"
    "mutatingwebhookconfigurations,validatingwebhookconfigurations,customresourcedefinitions"
)
_ENGINES_KINDS: Final = "kubefedclusters,kubefedconfigs,federatedtypeconfigs"
_READ: Final = f"""
    kubectl() {{ /opt/recorded/kubectl --request-timeout=20s "$@"; }}
    folder=$(mktemp -d /run/ends.XXXXXX) && cd "$folder" || exit
    kubectl get {_KINDS} -A -o json >objects || exit
    kubectl get deployments -n {NAMESPACE} -o json >deployments &
    if kubectl get crd kubefedclusters.core.kubefed.io >/dev/null 2>&1; then
        kubectl -n {NAMESPACE} get {_ENGINES_KINDS} -o json >engine &
    fi
    wait
    cat objects deployments engine 2>/dev/null
    echo '--- files'
    find /root /tmp /usr/local/bin ! -path '/root/.kube/cache*' ! -path '/root/.kube/config.fedssh-*' \\
        -printf '%m %y %p\\n'
    sha256sum /usr/local/bin/kubefedctl 2>/dev/null
    [ ! -e /root/.kube/config.fedssh.lock ] || flock -n /root/.kube/config.fedssh.lock true || echo 'lock is held'
    echo '--- kubeconfig'
    cat /root/.kube/config
    echo '--- copies'
    for copy in /root/.kube/config.fedssh-*; do
        [ ! -e "$copy" ] || {{ stat -c '# %a' "$copy"; cat "$copy"; echo '---'; }}
    done
    echo '--- credentials'
    for context in $(kubectl config get-contexts -o name); do
        echo "context $context: $(kubectl --context "$context" get namespace kube-system -o "$1" 2>&1)"
    done
    [ ! -e engine ] || kubectl -n {NAMESPACE} get kubefedclusters -o "$2" |
        while read -r name server secret; do
            token=$(kubectl -n {NAMESPACE} get secret "$secret" -o 'jsonpath={{.data.token}}' | base64 -d)
            echo "engine $name: $(kubectl --kubeconfig=/dev/null --server="$server" --insecure-skip-tls-verify \\
                --token="$token" auth can-i '*' '*' </dev/null 2>&1)"
        done
    rm -r "$folder"
"""

_UID: Final = "jsonpath={.metadata.uid}"
_CLUSTERS: Final = 'jsonpath={range .items[*]}{.metadata.name} {.spec.apiEndpoint} {.spec.secretRef.name}{"\\n"}{end}'
_META: Final = ("labels", "annotations", "finalizers")
# Written by controllers whenever they like, or a time, or what tells one object from its like.
_PASSING: Final = frozenset(
    {
        "deployment.kubernetes.io/revision",
        "fedssh/reconnected-at",
        "kubernetes.io/legacy-token-last-used",
        "kubernetes.io/service-account.uid",
        "modifiedAt",
    }
)
# Whose value is the time or the number of a run.
_TIMES: Final = frozenset({"fedssh/rotated-at", "fedssh/token-generation"})
# The two names between which a rotation alternates: one that was stopped at its very end is followed by another one.
_ALTERNATE: Final = re.compile(r"(?<=-fedhost)-fedssh(?![-.\w])")
_TELLING: Final = {
    "ClusterRole": ("rules",),
    "Role": ("rules",),
    "ClusterRoleBinding": ("roleRef", "subjects"),
    "RoleBinding": ("roleRef", "subjects"),
    "KubeFedCluster": ("spec",),
    "KubeFedConfig": ("spec",),
    "FederatedTypeConfig": ("spec",),
}
_NUMBER: Final = re.compile(r"(?<=-fedssh-)\d+")
_SECRET: Final = re.compile(r"((?:token|client-key-data): )\S+")
_SECONDS: Final = 30


def read_end(lab: Lab) -> tuple[str, ...]:
    """Read the state of all machines, once nothing changes there any more."""
    before = _read(lab)
    deadline = time.monotonic() + _SECONDS
    while (now := _read(lab)) != before:
        assert time.monotonic() < deadline, "its state changes all the time:\n" + "\n".join(_differences(before, now))
        before = now
    return now


def differences_to(expected: tuple[str, ...], lab: Lab) -> list[str]:
    """Return what is different from a state; controllers are given the time to end what they are about."""
    deadline = time.monotonic() + _SECONDS
    while (found := _read(lab)) != expected and time.monotonic() < deadline:
        time.sleep(1)
    return _differences(expected, found)


def _differences(expected: tuple[str, ...], found: tuple[str, ...]) -> list[str]:
    return [
        line for line in unified_diff(expected, found, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))
    ]


def _read(lab: Lab) -> tuple[str, ...]:
    return tuple(line for lines in each(_read_machine, lab.machines) for line in lines)


def _read_machine(machine: Machine) -> list[str]:
    answer = machine.check("sh", "-c", _READ, "sh", _UID, _CLUSTERS)
    objects, files, kubeconfig, copies, credentials = re.split(r"^--- \w+\n", answer, flags=re.MULTILINE)
    lines = sorted(_shown(item) for item in _items(objects))
    lines += sorted(files.splitlines())
    lines += _old_tokens(copies, kubeconfig)
    lines += [f"kubeconfig: {line}" for line in _SECRET.sub(r"\1SECRET", kubeconfig).splitlines()]
    lines += sorted(credentials.splitlines())
    return [f"{machine.name}: {line}" for line in lines]


def _old_tokens(copies: str, kubeconfig: str) -> list[str]:
    """Tell whose tokens lie in copies of the kubeconfig and no longer in itself; and which copies others can read."""
    held = {name for copy in copies.split("\n---\n") for name in _with_token(copy)}
    modes = {mode for mode in re.findall(r"^# (\d+)$", copies, re.MULTILINE) if mode != "600"}
    found = [f"a copy has the mode {mode}" for mode in sorted(modes)]
    return found + [f"a copy holds a token of {name}" for name in sorted(held - _with_token(kubeconfig))]


def _with_token(kubeconfig: str) -> set[str]:
    document = yaml.safe_load(kubeconfig) or {}
    return {user["name"] for user in document.get("users") or [] if "token" in user["user"]}


def _items(text: str) -> list[dict[str, Any]]:
    decoder, found, start = json.JSONDecoder(), list[dict[str, Any]](), 0
    while start < len(text):
        listed, end = decoder.raw_decode(text, start)
        found += listed["items"]
        start = end + 1
    return found


def _shown(item: Mapping[str, Any]) -> str:
    metadata, kind = item["metadata"], item["kind"]
    told: dict[str, Any] = {key: _lasting(metadata[key]) for key in _META if metadata.get(key)}
    if "deletionTimestamp" in metadata:
        told["is going"] = True
    told |= {key: item.get(key) for key in _TELLING.get(kind, ())}
    if kind == "FederatedTypeConfig":
        told.pop("finalizers", None)  # KubeFed's controller writes them as soon as it works
    if kind == "Secret":
        told |= {"type": item["type"], "data": sorted(item.get("data") or {})}
    elif kind == "Deployment":
        told["images"] = [one["image"] for one in item["spec"]["template"]["spec"]["containers"]]
    elif kind == "KubeFedCluster":
        conditions = item.get("status", {}).get("conditions") or []
        told["ready"] = [one["status"] for one in conditions if one["type"] == "Ready"]
    elif kind == "CustomResourceDefinition":
        told["versions"] = [one["name"] for one in item["spec"]["versions"]]
    name = _NUMBER.sub("N", metadata["name"])
    return _ALTERNATE.sub("", f"{kind} {metadata.get('namespace', '')}/{name} {json.dumps(told, sort_keys=True)}")


def _lasting(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {key: "TIME" if key in _TIMES else value for key, value in part.items() if key not in _PASSING}
