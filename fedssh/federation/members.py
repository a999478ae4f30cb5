"""The members: look at each, let each grant access, take it back where it was not used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fedssh.errors import RefusedError, StepError
from fedssh.federation import member
from fedssh.kubernetes import access
from fedssh.kubernetes.kubectl import explain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.federation.host import Connect
    from fedssh.federation.member import MemberState
    from fedssh.federation.trust import Trust
    from fedssh.inventory import Cluster
    from fedssh.kubernetes.access import MemberAccess
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Shell

CLOCK_SKEW_SECONDS: Final = 300
"""From how far on clocks matter: certificates are dated a few minutes back by those who issue them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMember:
    """A member that was reached, and what was found on it."""

    cluster: Cluster
    shell: Shell
    state: MemberState

    def access(self, token: Sensitive, trust: Trust) -> MemberAccess:
        """Return the access that a token and a decision on trust complete."""
        return replace(self.state.access(token), ca=trust.ca, server_name=trust.server_name, insecure=trust.insecure)


def open_member(cluster: Cluster, connect: Connect, *, adopt: bool) -> OpenMember:
    """Connect to a member and look at it; nothing is changed. Raises what ``member.parse_probe`` raises."""
    shell = connect(cluster.machine)
    results = shell.run(member.probe_commands(cluster))
    return OpenMember(cluster=cluster, shell=shell, state=member.parse_probe(results, cluster, adopt=adopt))


def grant_access(one: OpenMember, *, adopt: bool) -> Sensitive:
    """Create what is missing on a member, and return its token.

    Raises:
        StepError: An object could not be made, or its token did not come.
    """
    commands = access.grant_commands(one.cluster, adopt=adopt)
    results = one.shell.run(*commands, timeout_seconds=60 + access.TOKEN_WAIT_SECONDS)
    return access.parse_grant(results, one.cluster)


def take_back(one: OpenMember) -> str:
    """Undo what granting access has done: delete what was created, make what was taken over what it was.

    Returns:
        What has been undone, in a sentence.

    Raises:
        StepError: It could not be undone; it names what is left.
    """
    state, name = one.state, one.cluster.name
    commands = access.take_back_commands(one.cluster, state.present, state.adopted)
    failed = [result for result in one.shell.run(*commands) if not result.ok]
    if failed:
        new = access.added(one.cluster, state.present)
        hints = [f"Delete it there: kubectl delete {' '.join(new)}"] * bool(new)
        hints += [f"What was taken over there and is fedssh's now: {', '.join(state.adopted)}"] * bool(state.adopted)
        error = explain(failed[0], machine=name, step="take the access back")
        raise StepError(error.message, machine=error.machine, step=error.step, hint="\n".join(hints))
    created = f"What had been created on {name} is gone again." if access.added(one.cluster, state.present) else ""
    restored = f"What had been taken over on {name} is as it was." if state.adopted else ""
    return " ".join(filter(None, [created, restored]))


def check_distinct(states: Sequence[MemberState], known: Mapping[str, str]) -> dict[str, RefusedError]:
    """Return an error for every member whose cluster goes by another name, too.

    Args:
        states: The members.
        known: The UIDs of the clusters that are known already, by name: the host's and those that have joined.
    """
    names: dict[str, list[str]] = {}
    for name, uid in {**known, **{state.name: state.cluster_uid for state in states}}.items():
        names.setdefault(uid, []).append(name)
    return {
        state.name: RefusedError(
            f"it is the same cluster as {', '.join(one for one in names[state.cluster_uid] if one != state.name)}",
            machine=state.name,
            step="look at the member",
            hint="Check the addresses in hosts.yaml: every member must be a cluster of its own.",
        )
        for state in states
        if len(names[state.cluster_uid]) > 1
    }


def clock_notice(state: MemberState, *, host: str, host_clock: float) -> str:
    """Return what has to be said when a member's clock and the host's differ much, or ""."""
    skew = round(state.clock - host_clock) if state.clock and host_clock else 0
    if abs(skew) <= CLOCK_SKEW_SECONDS:
        return ""
    return (
        f"its clock is {abs(skew) // 60} minutes {'ahead of' if skew > 0 else 'behind'} that of {host}: certificates "
        "and tokens may count as expired, or as not yet valid (NotBefore)"
    )


def view_notice(state: MemberState, *, host: str, own_names: frozenset[str]) -> str:
    """Return what has to be said when KubeFed's controller may not resolve a member's name, or ""."""
    name = urlsplit(state.server).hostname or ""
    if name not in own_names:
        return ""
    return f"{name} stands in /etc/hosts of {host}; KubeFed's controller, in a pod, resolves it by DNS only"
