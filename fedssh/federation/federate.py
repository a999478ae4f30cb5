"""``federate``: from clusters that know nothing of each other to a federation that is proven to work.

Four beats: probe everything at once, plan, act, verify. Until the host has proven an access itself, neither its
kubeconfig nor the federation is touched; what was created on a member for an access that proved useless is deleted.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fedssh.engines.kubefed.clusters import credentials
from fedssh.errors import FedsshError, RefusedError, UnknownOutcomeError
from fedssh.federation.advice import advise_address, advise_trust, is_about_trust
from fedssh.federation.host import OpenHost, check_address, install_kubefed, open_host
from fedssh.federation.join import join_all, write_kubeconfig
from fedssh.federation.ledger import Ledger
from fedssh.federation.members import (
    OpenMember,
    check_distinct,
    clock_notice,
    grant_access,
    open_member,
    take_back,
    view_notice,
)
from fedssh.federation.proof import check_access, check_joined, describe, prove
from fedssh.federation.report import Report
from fedssh.federation.reports import cluster_report, exit_code
from fedssh.federation.trust import Trust, load_ca_file, resolve_trust
from fedssh.kubernetes.access import added
from fedssh.kubernetes.kubeconfig import member_mark, put_member
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.engines.kubefed.clusters import JoinedCluster
    from fedssh.federation.host import Connect
    from fedssh.federation.proof import Proof
    from fedssh.federation.report import Reporter
    from fedssh.inventory import Cluster, Inventory
    from fedssh.kubernetes.access import MemberAccess


def federate(
    inventory: Inventory, members: Sequence[Cluster], *, connect: Connect, report: Reporter, adopt: bool = False
) -> Report:
    """Federate ``members`` with the host; what is already as it should be stays untouched.

    Args:
        inventory: What hosts.yaml says.
        members: Those of its members that are meant.
        connect: Opens a connection to a machine.
        report: Told of every step.
        adopt: Whether objects and kubeconfig entries of the wanted names that fedssh did not make are taken over.

    Returns:
        How it ended for each cluster; a member's failure is its own.

    Raises:
        FedsshError: The host failed, so that nothing could be done for anybody.
    """
    ca_files = {one.name: load_ca_file(one) for one in members}
    ledger = Ledger(report)
    host, opened = _probe(inventory, members, connect, ledger, adopt=adopt)
    _rule_out(host, opened, ledger, adopt=adopt)
    trusts = _decide_trust(host, ledger.without_failed(opened), ca_files, ledger)
    opened = ledger.without_failed(opened)
    if not opened:
        return _report(inventory, members, ledger, host.state.joined)
    accesses = _grant_and_install(inventory, host, opened, trusts, ledger, adopt=adopt)
    try:
        proofs = _prove(host, opened, accesses, ledger)
        _take_back(host, [opened[name] for name in accesses if name in ledger.errors], ledger)
        accesses = ledger.without_failed(accesses)
        if accesses:
            write_kubeconfig(inventory, host, accesses.values(), ledger, adopt=adopt)
    except UnknownOutcomeError:
        raise
    except FedsshError as error:
        ledger.fail(host.shell.name, error)
        _take_back(host, [opened[name] for name in accesses], ledger)
        raise
    joined = join_all(inventory, host, accesses, proofs, ledger) if accesses else host.state.joined
    return _report(inventory, members, ledger, joined)


def _probe(
    inventory: Inventory, members: Sequence[Cluster], connect: Connect, ledger: Ledger, *, adopt: bool
) -> tuple[OpenHost, dict[str, OpenMember]]:
    """Look at the host and at every member, all at the same time."""

    def look_at_host() -> OpenHost:
        ledger.begin(inventory.host.name, "looking at the host")
        return open_host(inventory, connect)

    def look_at_member(cluster: Cluster) -> OpenMember:
        ledger.begin(cluster.name, "looking at the member")
        return open_member(cluster, connect, adopt=adopt)

    tasks: dict[str, Callable[[], OpenHost | OpenMember]] = {inventory.host.name: look_at_host}
    tasks |= {one.name: partial(look_at_member, one) for one in members}
    found = ledger.run_all(tasks)
    host = found.pop(inventory.host.name, None)
    if not isinstance(host, OpenHost):
        raise ledger.errors[inventory.host.name]
    check_address(host)
    return host, {name: one for name, one in found.items() if isinstance(one, OpenMember)}


def _rule_out(host: OpenHost, opened: Mapping[str, OpenMember], ledger: Ledger, *, adopt: bool) -> None:
    """Find the members for which going on would be wrong, before anything is changed."""
    if host.state.has_proxy:
        ledger.notice(host.shell.name, "its tools go through HTTPS_PROXY; KubeFed's controller, in a pod, does not")
    document = host.state.file.document()
    known = {name: uid for name in host.state.joined if (uid := member_mark(document, name).get("cluster-uid"))}
    known[host.shell.name] = host.state.cluster_uid
    for name, error in check_distinct([one.state for one in opened.values()], known).items():
        ledger.fail(name, error)
    for name, one in ledger.without_failed(opened).items():
        if one.state.problem:
            empty = one.state.access(Sensitive(""))
            advice = advise_address(host.shell, one.shell, one.cluster, empty, kubeconfig=host.state.file.path)
            problem = one.state.problem
            ledger.fail(name, RefusedError(problem.message, machine=name, step=problem.step, hint=advice))
            continue
        try:
            # A trial: it tells whether an entry of that name is somebody else's.
            put_member(host.state.file.document(), one.state.access(Sensitive("")), adopt=adopt)
        except RefusedError as error:
            ledger.fail(name, RefusedError(f"{host.shell.name}: {error.message}", machine=name, hint=error.hint))
        clock = clock_notice(one.state, host=host.shell.name, host_clock=host.state.clock)
        if clock:
            ledger.notice(name, clock)
        elif one.state.clock:
            ledger.check(name, f"its clock agrees with that of {host.shell.name}")
        view = view_notice(one.state, host=host.shell.name, own_names=host.state.own_names)
        if view:
            ledger.notice(name, view)


def _decide_trust(
    host: OpenHost, opened: Mapping[str, OpenMember], ca_files: Mapping[str, str], ledger: Ledger
) -> dict[str, Trust]:
    members = [(one.cluster, one.state) for one in opened.values()]
    found = resolve_trust(host.shell, members, ca_files, host.state.file.document())
    trusts = {}
    for name, trust in found.items():
        if isinstance(trust, FedsshError):
            ledger.fail(name, trust)
            continue
        trusts[name] = trust
        for notice in trust.notices:
            ledger.notice(name, notice)
    return trusts


def _grant_and_install(
    inventory: Inventory,
    host: OpenHost,
    opened: Mapping[str, OpenMember],
    trusts: Mapping[str, Trust],
    ledger: Ledger,
    *,
    adopt: bool,
) -> dict[str, MemberAccess]:
    """Let the members grant access while the host installs KubeFed; return what was granted, or was there already."""

    def grant(one: OpenMember) -> MemberAccess:
        name, token = one.cluster.name, one.state.token
        if token is None:
            ledger.begin(name, "granting access")
            try:
                token = grant_access(one, adopt=adopt)
            except UnknownOutcomeError:
                raise
            except FedsshError as error:
                _undo(one, error, ledger)
                raise
            ledger.change(name, _granted(one))
        return one.access(token, trusts[name])

    tasks: dict[str, Callable[[], MemberAccess | None]] = {
        inventory.host.name: partial(install_kubefed, host, inventory, ledger)
    }
    tasks |= {name: partial(grant, one) for name, one in opened.items()}
    found = ledger.run_all(tasks)
    if inventory.host.name in ledger.errors:
        _take_back(host, [opened[name] for name, access in found.items() if access], ledger)
        raise ledger.errors[inventory.host.name]
    return {name: access for name, access in found.items() if access}


def _prove(
    host: OpenHost, opened: Mapping[str, OpenMember], accesses: Mapping[str, MemberAccess], ledger: Ledger
) -> dict[str, Proof]:
    """Try, from the host, every access and every credential that KubeFed already has; fail the members it fails for.

    Returns:
        The proofs of KubeFed's own credentials, by cluster.
    """
    for name in accesses:
        ledger.begin(name, f"proving the access from {host.shell.name}")
    own = credentials(host.state.joined, {host.shell.name: host.state.access(host.shell.name), **accesses})
    tried = {f"access.{name}": one for name, one in accesses.items()}
    tried |= {f"kubefed.{name}": one for name, one in own.items()}
    proofs = prove(host.shell, tried, kubeconfig=host.state.file.path)
    found = {name: proofs[f"kubefed.{name}"] for name in own}
    for name, access in accesses.items():
        proof = proofs[f"access.{name}"]
        try:
            lost = proof.problem and not proof.is_about_login
            advice = _advise(host, opened[name], access, proof.problem) if lost else ""
            check_access(proof, access, host=host.shell.name, advice=advice)
            check_joined(found.get(name), access, host=host.shell.name)
        except FedsshError as error:
            ledger.fail(name, error)
        else:
            for line in describe(proof, access):
                ledger.check(name, line)
    return found


def _advise(host: OpenHost, one: OpenMember, access: MemberAccess, problem: str) -> str:
    path = host.state.file.path
    if is_about_trust(problem):
        return advise_trust(host.shell, one.cluster, access, problem, kubeconfig=path)
    return advise_address(host.shell, one.shell, one.cluster, access, kubeconfig=path)


def _take_back(host: OpenHost, members: Sequence[OpenMember], ledger: Ledger) -> None:
    """Undo what this run has done on ``members``, unless the host's kubeconfig holds it already."""

    def delete(one: OpenMember) -> None:
        name = one.cluster.name
        if _undo(one, ledger.errors.get(name) or ledger.errors[host.shell.name], ledger):
            ledger.changes.pop(name)

    created = [one for one in members if ledger.changes.get(one.cluster.name) == [_granted(one)]]
    ledger.run_all({one.cluster.name: partial(delete, one) for one in created})


def _granted(one: OpenMember) -> str:
    """Return the words for the change that granting access is."""
    taken = ", ".join(one.state.adopted)
    return f"granted access, taking over {taken}" if taken else "granted access"


def _undo(one: OpenMember, before: FedsshError, ledger: Ledger) -> bool:
    """Undo what this run has done on a member; what cannot be undone is listed with what went wrong before.

    Returns:
        Whether nothing of it is left.
    """
    if not one.state.adopted and not added(one.cluster, one.state.present):
        return False
    ledger.begin(one.cluster.name, "taking the access back")
    try:
        undone = take_back(one)
    except FedsshError as error:
        before.hint = "\n".join(filter(None, [before.hint, str(error), error.hint]))
        return False
    before.message += f"\n{undone}"
    return True


def _report(
    inventory: Inventory, members: Sequence[Cluster], ledger: Ledger, joined: Mapping[str, JoinedCluster]
) -> Report:
    clusters = [
        cluster_report(
            one.name,
            joined.get(one.name),
            role="host" if one is inventory.host else "member",
            changes=ledger.changes[one.name],
            notices=ledger.notices[one.name],
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
