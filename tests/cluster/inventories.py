"""All that there is on a lab's machines: every object of every kind, and the files that a run can make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.clusters import each

if TYPE_CHECKING:
    from lab.clusters import Lab

# What the cluster itself writes while nobody asks it to is left out, and with it the events that tell of it.
_READ: Final = """
    kubectl() { /opt/recorded/kubectl "$@" 2>/dev/null; }
    kinds=$(kubectl api-resources --verbs=list -o name | grep -vE '^(events.*|leases.*|componentstatuses)$|metrics' |
        tr '\\n' ',')
    kubectl get "${kinds%,}" -A -o \\
        'jsonpath={range .items[*]}{.apiVersion}/{.kind}/{.metadata.namespace}/{.metadata.name}{"\\n"}{end}' | sort
    find /root/.kube /usr/local/bin /tmp ! -path '/root/.kube/cache*' -printf '%p %y %m %s\\n' | sort
    sha256sum /root/.kube/config
"""


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Return what is new, as "+ member1: …", and what is gone, as "- member1: …"."""
    return [
        f"{sign} {name}: {line}"
        for name in before
        for sign, mine, theirs in (("-", before[name], after[name]), ("+", after[name], before[name]))
        for line in mine
        if line not in theirs
    ]


def read_everything(lab: Lab) -> dict[str, list[str]]:
    """Return it by machine, a line for each object and file; the kubeconfig also by its contents."""
    texts = each(lambda one: one.check("sh", "-c", _READ), lab.machines)
    return {one.name: text.splitlines() for one, text in zip(lab.machines, texts, strict=True)}
