"""What KubeFed's joins have left on a cluster: the namespace and the bindings of accounts that nobody uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed.install import CONTROLLER, NAMESPACE
from fedssh.engines.protocol import CheckFinding
from fedssh.errors import visible
from fedssh.kubernetes.kubectl import Target, kubectl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.protocol import EngineState
    from fedssh.shell import Command, Result

BINDING: Final = f"{CONTROLLER}:"
"""How the roles and bindings begin that a join makes on a cluster; the names of both clusters follow."""


def residue_commands(*, target: Target) -> list[Command]:
    """Return the commands that ask a cluster what joins have left there."""
    made = "{.metadata.name} {.metadata.creationTimestamp}"
    names = f'jsonpath={{range .items[*]}}{made}{{"\\n"}}{{end}}'
    return [
        kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", f"jsonpath={made}", target=target),
        kubectl("get", "clusterrolebindings", "-o", names, target=target),
    ]


def residue_findings(
    results: Sequence[Result], state: EngineState | None, *, cluster: str, host: str
) -> list[CheckFinding]:
    """Return what the answers to ``residue_commands`` say of a cluster; the host's name is ``host``."""
    if state is None or not all(result.ok for result in results):
        return []  # why, is said by whoever has asked
    namespace, bindings = results
    has_joined, found = cluster in state.clusters, []
    name, _, since = namespace.stdout.strip().partition(" ")
    if name and not has_joined and cluster != host:
        found.append(
            CheckFinding(
                cluster=cluster,
                topic="residue",
                state="notice",
                text=f"the namespace {NAMESPACE} of a join is there, and {cluster} has not joined",
                since=visible(since),
                leads_to="its account and token, if they are there, still open the whole cluster to whoever has them",
                hint=f"Let it join: fedssh federate --member {cluster}; or, if no other federation uses it, remove it "
                f"there: kubectl delete namespace {NAMESPACE}",
            )
        )
    expected = f"{BINDING}{cluster}-{host}" if has_joined else ""
    for line in bindings.stdout.splitlines():
        name, _, since = line.strip().partition(" ")
        if name.startswith(BINDING) and name != expected:
            found.append(_binding(visible(name), visible(since), cluster))
    return found


def _binding(name: str, since: str, cluster: str) -> CheckFinding:
    return CheckFinding(
        cluster=cluster,
        topic="residue",
        state="notice",
        text=f"the ClusterRoleBinding {name} is of a join that is not in this federation",
        since=since,
        leads_to="the account that it names, if it is there, has all rights on the whole cluster",
        hint=f"If no other federation uses it, remove it there: kubectl delete clusterrolebinding,clusterrole {name}",
    )
