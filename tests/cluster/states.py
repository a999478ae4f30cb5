"""Whether a lab is still as a good run has left it, so that a test need not federate to learn that.

A state is what fedssh reads and writes, of all machines: every account, role and Secret by its resourceVersion, the
engine's objects by what they say, the kubeconfig, the tools. Whoever changes any of that is seen, by whatever way; what
KubeFed's controller writes by itself all the time (the times of its health checks) is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.clusters import each
from tests.cluster.oracle import NAMESPACE

if TYPE_CHECKING:
    from lab.clusters import Lab
    from lab.machine import Machine
    from tests.cluster.oracle import Federation

_ACCESS: Final = (
    'jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name}={.metadata.resourceVersion}{"\\n"}{end}'
)
_ENGINE: Final = (
    "jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.labels} {.metadata.annotations} {.spec} "
    '{.status.conditions[?(@.type=="Ready")].status} {.status.readyReplicas}{"\\n"}{end}'
)
_READ: Final = f"""
    folder=$(mktemp -d) && cd "$folder" || exit
    kubectl() {{ /opt/recorded/kubectl "$@" 2>&1; }}
    kubectl get sa,secret,clusterrole,clusterrolebinding -A -o "$1" >access &
    [ -z "$2" ] ||
        kubectl -n {NAMESPACE} get kubefedclusters,kubefedconfigs,federatedtypeconfigs,deployments -o "$2" >engine &
    find /root/.bashrc /root/.kube /root/.ssh /usr/local/bin ! -type d ! -path '/root/.kube/cache/*' \\
        ! -name config.fedssh.lock -printf '%T@ %s %m %U %p %l\\n' | sort >files
    wait
    cat files access engine 2>&1
    rm -r "$folder"
"""


@dataclass(frozen=True, slots=True)
class State:
    """What a lab's machines say of themselves, by name; equal where nothing has changed."""

    machines: tuple[str, ...]


def read_state(lab: Lab) -> State:
    """Read it, everywhere at the same time: one command a machine."""

    def read(machine: Machine) -> str:
        return machine.check("sh", "-c", _READ, "sh", _ACCESS, _ENGINE if machine is lab.host else "")

    return State(tuple(each(read, lab.machines)))


@dataclass(slots=True)
class Known:
    """The state after the last run that was known to be good, and the one in which there is nothing."""

    joined: State | None = None
    empty: State | None = None

    def learn(self, federation: Federation) -> None:
        """Remember the state as the one where member1 has joined, and member2 has not: a run has just said so."""
        self.joined = None if "member2" in federation.ready() else read_state(federation.lab)

    def is_joined(self, federation: Federation) -> bool:
        """Tell whether nothing has changed since then; where it is not known, the answer is no."""
        return self.joined is not None and self.joined == read_state(federation.lab)

    def learn_empty(self, federation: Federation) -> None:
        """Remember the state as the one where there is nothing of fedssh and of KubeFed."""
        self.empty = read_state(federation.lab)

    def is_empty(self, federation: Federation) -> bool:
        """Tell whether nothing has changed since then; where it is not known, the answer is no."""
        return self.empty is not None and self.empty == read_state(federation.lab)
