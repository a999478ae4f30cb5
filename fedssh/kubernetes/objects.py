"""Objects of a cluster by their names alone: found, told, deleted. What stands in them is never read."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh.kubernetes.kubectl import Target, kubectl, render_list
from fedssh.shell import script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fedssh.shell import Command, Result

COLUMNS: Final = (
    "jsonpath={range .items[*]}{.apiVersion}{'\\t'}{.kind}{'\\t'}{.metadata.namespace}{'\\t'}{.metadata.name}"
    "{'\\n'}{end}"
)
"""What ``kubectl get`` prints of several objects, for ``parse_names``: a line each, and nothing of their contents."""

_LONGEST: Final = 253
_FIELDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectName:
    """Which object it is.

    Attributes:
        api_version: As in ``rbac.authorization.k8s.io/v1``.
        kind: As in ``ClusterRole``.
        name: Its name.
        namespace: Where it lives; "" for what lives in no namespace.
    """

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}" + (f" in {self.namespace}" if self.namespace else "")

    @property
    def resource(self) -> str:
        """What kubectl takes for it on a command line: ``kind.group/name``."""
        group, slash, _ = self.api_version.partition("/")
        return f"{self.kind.lower()}{f'.{group}' if slash else ''}/{self.name}"

    def manifest(self, *, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the least that kubectl must read to find it, with the labels that it is known to have."""
        metadata: dict[str, Any] = {"name": self.name}
        if self.namespace:
            metadata["namespace"] = self.namespace
        if labels:
            metadata["labels"] = dict(labels)
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}


def core(kind: str, name: str, namespace: str = "") -> ObjectName:
    """Return the name of an object of Kubernetes' core group."""
    return ObjectName(api_version="v1", kind=kind, name=name, namespace=namespace)


def rbac(kind: str, name: str, namespace: str = "") -> ObjectName:
    """Return the name of a role or a binding."""
    return ObjectName(api_version="rbac.authorization.k8s.io/v1", kind=kind, name=name, namespace=namespace)


def parse_names(result: Result) -> tuple[ObjectName, ...]:
    """Return the objects that a ``kubectl get`` with ``COLUMNS`` has printed; what is no object's line is left out."""
    found = []
    for line in result.stdout.splitlines():
        fields = line.split("\t")
        if len(fields) == _FIELDS and all(field.isprintable() and len(field) <= _LONGEST for field in fields):
            version, kind, namespace, name = fields
            if version and kind and name:
                found.append(ObjectName(api_version=version, kind=kind, name=name, namespace=namespace))
    return tuple(dict.fromkeys(found))


def delete_command(objects: Iterable[ObjectName], *, target: Target, wait_seconds: int) -> Command:
    """Return the command that deletes objects, and waits until they are gone; what is gone already is no error."""
    listed = render_list([one.manifest() for one in objects])
    waiting = [f"--timeout={wait_seconds}s"] if wait_seconds else ["--wait=false"]
    return kubectl("delete", "--ignore-not-found", *waiting, "--filename=-", target=target, stdin=listed)


_GO_WITH: Final = """
    owner=$1
    uid=$(kubectl get "clusterrole/$owner" -o 'jsonpath={.metadata.uid}') || exit
    said=$(kubectl patch --filename=- --type=merge --patch="{\\"metadata\\":{\\"ownerReferences\\":[{
        \\"apiVersion\\":\\"rbac.authorization.k8s.io/v1\\",\\"kind\\":\\"ClusterRole\\",
        \\"name\\":\\"$owner\\",\\"uid\\":\\"$uid\\"}]}}" 2>&1) || {
        # What is gone already needs no owner; what could not be given one would stay for ever.
        others=$(printf '%s\\n' "$said" | grep -i error | grep -v NotFound)
        [ -z "$others" ] || { printf '%s\\n' "$others" >&2; exit 1; }
    }
    kubectl delete "clusterrole/$owner" --wait=false
"""


def delete_with_command(owner: str, objects: Iterable[ObjectName], *, target: Target) -> Command:
    """Return the command that deletes a ClusterRole, and objects with it, for a login whose rights end with them.

    Once the role is gone the login may not delete anything any more. So the objects are first made its dependents:
    Kubernetes' own garbage collector deletes them after it.
    """
    listed = render_list([one.manifest() for one in objects])
    return script(led_to(target) + _GO_WITH, owner, stdin=listed, title="kubectl delete clusterrole")


def led_to(target: Target) -> str:
    """Return the line with which a script begins whose kubectl is led to a cluster."""
    return f'kubectl() {{ command {shlex.join(["kubectl", *target.flags()])} "$@"; }}\n'


def delete_by_hand(objects: Iterable[ObjectName]) -> list[str]:
    """Return the command lines by which an administrator deletes objects, one for each namespace."""
    places: dict[str, list[str]] = {}
    for one in objects:
        places.setdefault(one.namespace, []).append(one.resource)
    return [
        shlex.join(["kubectl", *(["-n", namespace] if namespace else []), "delete", "--ignore-not-found", *names])
        for namespace, names in places.items()
    ]
