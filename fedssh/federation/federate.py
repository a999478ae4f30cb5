"""``federate``: from clusters that know nothing of each other to a federation that is proven to work.

Four beats: probe everything at once, plan, act, verify. Until the host has proven an access itself, neither its
kubeconfig nor the federation is touched; what was created on a member for an access that proved useless is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fedssh.access import added
from fedssh.errors import FedsshError, RefusedError
from fedssh.events import Report
from fedssh.federation.host import OpenHost, install_kubefed, open_host
from fedssh.federation.join import join_all
from fedssh.federation.ledger import Ledger
from fedssh.federation.members import check_distinct, grant_access, probe_member, take_back
from fedssh.federation.proof import check_access, check_joined, prove
from fedssh.federation.reports import cluster_report, exit_code
from fedssh.kubeconfig import parse_kubeconfig, put_member
from fedssh.kubefed import credentials
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fedssh.access import MemberAccess, MemberState
    from fedssh.events import Reporter
    from fedssh.federation.host import Connect
    from fedssh.federation.proof import Proof
    from fedssh.inventory import Cluster, Inventory
    from fedssh.kubefed import JoinedCluster
    from fedssh.shell import Shell


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenMember:
    """A member that was reached, and what was found on it."""

    cluster: Cluster
    shell: Shell
    state: MemberState


def federate(inventory: Inventory, members: Sequence[Cluster], *, connect: Connect, report: Reporter) -> Report:
    """Federate ``members`` with the host; what is already as it should be stays untouched.

    Args:
        inventory: What hosts.yaml says.
        members: Those of its members that are meant.
        connect: Opens a connection to a machine.
        report: Told of every step.

    Returns:
        How it ended for each cluster; a member's failure is its own.

    Raises:
        FedsshError: The host failed, so that nothing could be done for anybody.
    """
    ledger = Ledger(report)
    host, opened = _probe(inventory, members, connect, ledger)
    _rule_out(host, opened.values(), ledger)
    opened = ledger.without_failed(opened)
    if not opened:
        return _report(inventory, members, ledger, host.state.joined)
    accesses = _grant_and_install(inventory, host, opened, ledger)
    proofs = _prove(host, accesses, ledger)
    _take_back(host, [opened[name] for name in accesses if name in ledger.errors], ledger)
    accesses = ledger.without_failed(accesses)
    ready = join_all(inventory, host, accesses, proofs, ledger) if accesses else host.state.joined
    return _report(inventory, members, ledger, ready)


def _probe(
    inventory: Inventory, members: Sequence[Cluster], connect: Connect, ledger: Ledger
) -> tuple[OpenHost, dict[str, _OpenMember]]:
    """Look at the host and at every member, all at the same time."""

    def look_at_host() -> OpenHost:
        ledger.begin(inventory.host.name, "looking at the host")
        return open_host(inventory, connect)

    def look_at_member(cluster: Cluster) -> _OpenMember:
        ledger.begin(cluster.name, "looking at the member")
        shell = connect(cluster.machine)
        return _OpenMember(cluster=cluster, shell=shell, state=probe_member(shell, cluster))

    tasks: dict[str, Callable[[], OpenHost | _OpenMember]] = {
        inventory.host.name: look_at_host,
        **{one.name: partial(look_at_member, one) for one in members},
    }
    found = ledger.run_all(tasks)
    host = found.pop(inventory.host.name, None)
    if not isinstance(host, OpenHost):
        raise ledger.errors[inventory.host.name]
    return host, {name: one for name, one in found.items() if isinstance(one, _OpenMember)}


def _rule_out(host: OpenHost, opened: Iterable[_OpenMember], ledger: Ledger) -> None:
    """Find the members for which going on would be wrong, before anything is changed."""
    states = [one.state for one in opened]
    for name, error in check_distinct(states, host=host.shell.name, host_uid=host.state.cluster_uid).items():
        ledger.fail(name, error)
    for state in states:
        try:
            # A trial: it tells whether an entry of that name is somebody else's.
            document = parse_kubeconfig(host.state.file.text.reveal(), source=host.state.file.path)
            put_member(document, state.access(Sensitive("")))
        except RefusedError as error:
            ledger.fail(
                state.name, RefusedError(f"{host.shell.name}: {error.message}", machine=state.name, hint=error.hint)
            )


def _grant_and_install(
    inventory: Inventory, host: OpenHost, opened: Mapping[str, _OpenMember], ledger: Ledger
) -> dict[str, MemberAccess]:
    """Let the members grant access while the host installs KubeFed; return what was granted, or was there already."""

    def install() -> None:
        for change in install_kubefed(host, inventory, partial(ledger.begin, inventory.host.name)):
            ledger.change(inventory.host.name, change)

    def grant(one: _OpenMember) -> MemberAccess:
        if one.state.token:
            return one.state.access(one.state.token)
        ledger.begin(one.cluster.name, "granting access")
        access = grant_access(one.shell, one.cluster, one.state)
        ledger.change(one.cluster.name, "granted access")
        return access

    tasks: dict[str, Callable[[], MemberAccess | None]] = {
        inventory.host.name: install,
        **{name: partial(grant, one) for name, one in opened.items()},
    }
    found = ledger.run_all(tasks)
    if inventory.host.name in ledger.errors:
        _take_back(host, [opened[name] for name, access in found.items() if access], ledger)
        raise ledger.errors[inventory.host.name]
    return {name: access for name, access in found.items() if access}


def _prove(host: OpenHost, accesses: Mapping[str, MemberAccess], ledger: Ledger) -> dict[str, Proof]:
    """Try, from the host, every access and every credential that KubeFed already has; fail the members it fails for.

    Returns:
        The proofs of KubeFed's own credentials, by cluster.
    """
    for name in accesses:
        ledger.begin(name, f"proving the access from {host.shell.name}")
    uids = {host.shell.name: host.state.cluster_uid, **{name: one.cluster_uid for name, one in accesses.items()}}
    own = credentials(host.state.joined, uids)
    tried = {f"access.{name}": one for name, one in accesses.items()}
    tried |= {f"kubefed.{name}": one for name, one in own.items()}
    proofs = prove(host.shell, tried, kubeconfig=host.state.file.path)
    found = {name: proofs[f"kubefed.{name}"] for name in own}
    for name, access in accesses.items():
        try:
            check_access(proofs[f"access.{name}"], access, host=host.shell.name)
            check_joined(found.get(name), access, host=host.shell.name)
        except RefusedError as error:
            ledger.fail(name, error)
    return found


def _take_back(host: OpenHost, members: Sequence[_OpenMember], ledger: Ledger) -> None:
    """Delete what this run has created on ``members``; what cannot be deleted is listed with what went wrong before."""

    def delete(one: _OpenMember) -> None:
        ledger.begin(one.cluster.name, "taking the access back")
        try:
            take_back(one.shell, one.cluster, one.state)
        except FedsshError as error:
            before = ledger.errors.get(one.cluster.name) or ledger.errors[host.shell.name]
            before.hint = "\n".join(filter(None, [before.hint, str(error), error.hint]))
        else:
            ledger.changes.pop(one.cluster.name)

    created = [one for one in members if one.cluster.name in ledger.changes and added(one.cluster, one.state.present)]
    ledger.run_all({one.cluster.name: partial(delete, one) for one in created})


def _report(
    inventory: Inventory, members: Sequence[Cluster], ledger: Ledger, joined: Mapping[str, JoinedCluster]
) -> Report:
    clusters = [
        cluster_report(
            one.name,
            joined.get(one.name),
            role="host" if one is inventory.host else "member",
            changes=ledger.changes[one.name],
            error=ledger.errors.get(one.name),
        )
        for one in (inventory.host, *members)
    ]
    return Report(
        verb="federate",
        clusters=tuple(clusters),
        kubefed_version=inventory.kubefed.version,
        exit_code=exit_code(clusters),
    )
