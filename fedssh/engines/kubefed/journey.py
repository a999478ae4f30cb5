"""A small federated object that travels to clusters and goes again: how it is sent, and how it is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fedssh.kubernetes.account_tokens import MANAGED_BY
from fedssh.kubernetes.kubectl import Target, kubectl, render_list
from fedssh.shell import Command, script

if TYPE_CHECKING:
    from collections.abc import Sequence

_LABEL: Final = "fedssh/journey"
_KINDS: Final = "federatedconfigmaps.types.kubefed.io,federatednamespaces.types.kubefed.io"
_SECONDS: Final = 60

# It is taken back when stdin ends, whatever has ended it: the run, its laptop, or the connection. What earlier runs
# have left goes first. Whoever would end the shell is not heard.
_TRAVEL: Final = """
    exec 2>&1
    space=$1 objects=$2 kinds=$3 label=$4 seconds=$5
    shift 5
    back() {
        kubectl "$@" --namespace="$one" delete "$kinds" --all --timeout="${seconds}s"
        kubectl "$@" delete namespace "$one" --ignore-not-found --timeout="${seconds}s"
    } >/dev/null 2>&1
    trap '' HUP INT TERM PIPE
    for one in $(kubectl "$@" get namespaces --selector="$label" -o 'jsonpath={.items[*].metadata.name}'); do
        back "$@"
    done
    one=$space
    if said=$(printf %s "$objects" | kubectl "$@" create --filename=- 2>&1); then
        echo sent
        cat >/dev/null
    else
        printf '%s\\n' "$said" | tr '\\n' ' '
        echo
    fi
    exec >/dev/null 2>&1
    back "$@"
"""


def journey_line(space: str, clusters: Sequence[str], *, target: Target) -> str:
    """Return the line to hold, in shell syntax, that sends an object to ``clusters``, and takes it back at its end.

    Its first line is ``sent``, or why it could not be sent.

    Args:
        space: The namespace, which is made for it alone. A ConfigMap of the same name travels in it.
        clusters: The clusters to which it travels.
        target: The host's cluster.
    """
    objects = render_list(_objects(space, clusters))
    arguments = (space, objects, _KINDS, _LABEL, str(_SECONDS), *target.flags())
    return script(_TRAVEL, *arguments, title="journey of an object").line


def journeys_command(*, target: Target) -> Command:
    """Return the command that lists the namespaces of journeys, with their times."""
    made = 'jsonpath={range .items[*]}{.metadata.name} {.metadata.creationTimestamp}{"\\n"}{end}'
    return kubectl("get", "namespaces", f"--selector={_LABEL}", "-o", made, target=target)


def _objects(space: str, clusters: Sequence[str]) -> list[dict[str, Any]]:
    labels = {**MANAGED_BY, _LABEL: "true"}
    placement = {"clusters": [{"name": name} for name in clusters]}
    inside = {"name": space, "namespace": space, "labels": labels}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": labels}},
        {
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedNamespace",
            "metadata": inside,
            "spec": {"placement": placement},
        },
        {
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedConfigMap",
            "metadata": inside,
            "spec": {"template": {"data": {"from": "fedssh check --deep"}}, "placement": placement},
        },
    ]
