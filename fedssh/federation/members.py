"""The members: look at each, let each grant access, take it back where it was not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh import access
from fedssh.errors import RefusedError, StepError
from fedssh.kubectl import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.access import MemberAccess, MemberState
    from fedssh.inventory import Cluster
    from fedssh.shell import Shell


def probe_member(shell: Shell, cluster: Cluster) -> MemberState:
    """Look at a member; nothing is changed. Raises what ``access.parse_probe`` raises."""
    return access.parse_probe(shell.run(access.probe_commands(cluster)), cluster)


def grant_access(shell: Shell, cluster: Cluster, state: MemberState) -> MemberAccess:
    """Create what is missing on a member, and return the access that comes of it.

    Raises:
        StepError: An object could not be made, or its token did not come.
    """
    results = shell.run(*access.grant_commands(cluster), timeout_seconds=60 + access.TOKEN_WAIT_SECONDS)
    return state.access(access.parse_grant(results, cluster))


def take_back(shell: Shell, cluster: Cluster, state: MemberState) -> None:
    """Delete what granting access has added to ``state``.

    Raises:
        StepError: It could not be deleted.
    """
    (result,) = shell.run(access.take_back_command(cluster, state.present))
    if not result.ok:
        left = " ".join(access.added(cluster, state.present))
        error = explain(result, machine=cluster.name, step="take the access back")
        raise StepError(
            error.message, machine=error.machine, step=error.step, hint=f"Delete it there: kubectl delete {left}"
        )


def check_distinct(states: Sequence[MemberState], *, host: str, host_uid: str) -> dict[str, RefusedError]:
    """Return an error for every member that is the host's cluster, or the cluster of another member."""
    owners: dict[str, list[str]] = {host_uid: [host]}
    for state in states:
        owners.setdefault(state.cluster_uid, []).append(state.name)
    return {
        state.name: RefusedError(
            f"it is the same cluster as {', '.join(name for name in owners[state.cluster_uid] if name != state.name)}",
            machine=state.name,
            step="look at the member",
            hint="Check the addresses in hosts.yaml: every member must be a cluster of its own.",
        )
        for state in states
        if len(owners[state.cluster_uid]) > 1
    }
