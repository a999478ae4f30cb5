"""The host's part of a federation: one kubeconfig write, the joins, and the proof that they hold."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed import clusters as kubefed
from fedssh.engines.kubefed import join as kubefed_join
from fedssh.errors import FedsshError, StepError
from fedssh.federation.kubeconfig_file import hold_kubectls_lock, parse_file, read_command, write_file
from fedssh.federation.proof import in_rounds, prove
from fedssh.kubernetes.kubeconfig import put_member
from fedssh.kubernetes.kubectl import Target, explain, has_lost_context, kubectl
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.engines.kubefed.clusters import JoinedCluster
    from fedssh.federation.host import OpenHost
    from fedssh.federation.kubeconfig_file import KubeconfigFile
    from fedssh.federation.ledger import Ledger
    from fedssh.federation.proof import Proof
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.access import MemberAccess
    from fedssh.kubernetes.kubeconfig import Kubeconfig
    from fedssh.shell import Command, Result

_WRITE_ATTEMPTS: Final = 5


def join_all(
    inventory: Inventory,
    host: OpenHost,
    accesses: Mapping[str, MemberAccess],
    proofs: Mapping[str, Proof],
    ledger: Ledger,
) -> dict[str, JoinedCluster]:
    """Join what has not joined, and verify.

    Args:
        inventory: What hosts.yaml says.
        host: The host, with KubeFed installed.
        accesses: What the host's kubeconfig holds, by member; all proven.
        proofs: Whether KubeFed's own credentials work, for the clusters that have one.
        ledger: Where changes and errors are entered.

    Returns:
        The federation's clusters as they are at the end, by name.
    """
    name = host.shell.name
    target = Target(kubeconfig=host.state.file.path, context=name)
    _test_contexts(host, [name, *accesses], target, ledger)
    wanted = ledger.without_failed({name: host.state.access(name), **accesses})
    missing = [one for one, access in wanted.items() if not _has_joined(host, access, proofs.get(one))]
    since, joined = _join(host, missing, target, ledger)
    since |= _patch(host, joined, ledger.without_failed(accesses), target, ledger)
    joined = _label(inventory, host, joined, ledger.without_failed(wanted), target=target, ledger=ledger)
    waiting = {one: "" for one in wanted if one in joined and not joined[one].ready} | since
    if not waiting:
        return joined
    return _verify(host, waiting, {one: wanted[one] for one in since}, target, ledger)


def write_kubeconfig(
    inventory: Inventory, host: OpenHost, accesses: Iterable[MemberAccess], ledger: Ledger, *, adopt: bool
) -> None:
    """Write all entries at once, and see that they stay; begin anew when somebody else changes the file meanwhile.

    Args:
        inventory: What hosts.yaml says.
        host: The host.
        accesses: What its kubeconfig is to hold; all proven.
        ledger: Where changes are entered.
        adopt: Whether kubeconfig entries that fedssh did not write are taken over.

    Raises:
        FedsshError: It could not be written.
    """
    name, file, told = host.shell.name, host.state.file, False
    accesses = list(accesses)
    for attempt in range(_WRITE_ATTEMPTS):
        if not file.is_open and not _put_entries(file.document(), inventory, accesses, adopt=adopt):
            return
        if not told:
            ledger.begin(name, f"writing {file.path}")
        # A kubectl config that has read the file before drops what was written meanwhile (kubernetes#23964). Once one
        # has interfered, all are kept out for the time between reading and writing, and those under way fail.
        with hold_kubectls_lock(host.shell, file) if attempt else nullcontext():
            file = _read_file(inventory, host, locked=True) if attempt else file
            document = file.document()
            changed = _put_entries(document, inventory, accesses, adopt=adopt)
            written = write_file(host.shell, file, Sensitive(document.render()), locked=attempt > 0)
        if written and not told:
            told = True
            _tell_written(file, changed, name, ledger)
        file = _read_file(inventory, host)
    raise StepError(
        f"{file.path} was changed by somebody else {_WRITE_ATTEMPTS} times in a row",
        machine=name,
        step="write the kubeconfig",
        hint="Run this again when it is left alone.",
    )


def _read_file(inventory: Inventory, host: OpenHost, *, locked: bool = False) -> KubeconfigFile:
    (result,) = host.shell.run(read_command(path=inventory.host.kubeconfig, locked=locked))
    return parse_file(result, host.shell)


def _tell_written(file: KubeconfigFile, changed: Mapping[str, str], host: str, ledger: Ledger) -> None:
    for cluster, change in changed.items():
        ledger.change(cluster, change)
    if file.is_open:
        ledger.change(host, f"closed {file.path} to others")
        ledger.notice(host, f"{file.path} could be read by others ({file.mode}); it is 0600 now")


def _put_entries(
    document: Kubeconfig, inventory: Inventory, accesses: Sequence[MemberAccess], *, adopt: bool
) -> dict[str, str]:
    """Put all entries into a document; return what changed, by cluster."""
    changed = {}
    old = document.current_context
    if document.name_host_context(inventory.host.name, how=inventory.host_context):
        new = inventory.host.name
        changed[new] = f"renamed the context {old} to {new}"
        if inventory.host_context == "alias":
            changed[new] = f"added the context {new} beside {old}"
    for access in accesses:
        if put_member(document, access, tls=inventory.member(access.name).tls, adopt=adopt):
            changed[access.name] = f"wrote context {access.name}"
    return changed


def _test_contexts(host: OpenHost, names: Sequence[str], target: Target, ledger: Ledger) -> None:
    """Let every context list its cluster's nodes, as an administrator would."""
    commands = [
        kubectl("get", "nodes", "-o", "name", target=Target(kubeconfig=target.kubeconfig, context=name))
        for name in names
    ]
    for name, result, command in zip(names, _run_in_rounds(host, commands), commands, strict=True):
        (final,) = host.shell.run(command) if has_lost_context(result.stderr) else (result,)
        if not final.ok:
            ledger.fail(name, explain(final, machine=name, step=f"test the context on {host.shell.name}"))


def _has_joined(host: OpenHost, access: MemberAccess, proof: Proof | None) -> bool:
    """Whether a cluster needs no join: KubeFed's own credential works.

    A host whose address changed joins again; a member's is patched, since a join would undo what else was patched.
    """
    joined = host.state.joined.get(access.name)
    if joined is None or proof is None or not proof.holds_for(access.cluster_uid):
        return False
    return access.name != host.shell.name or joined.api_server == access.server


def _join(
    host: OpenHost, names: Sequence[str], target: Target, ledger: Ledger
) -> tuple[dict[str, str], dict[str, JoinedCluster]]:
    """Join several at once.

    Returns:
        For each that joined the host's time at the end of its join; and all clusters as they are then.
    """
    if not names:
        return {}, dict(host.state.joined)
    for name in names:
        ledger.begin(name, "joining")
    stages = in_rounds([kubefed_join.join_command(name, target=target) for name in names])
    listing = kubefed.list_commands(target=target)
    *results, clusters, secrets = host.shell.run(
        *stages, listing, timeout_seconds=kubefed_join.JOIN_SECONDS * len(stages)
    )
    since = {}
    for name, result in zip(names, results, strict=True):
        try:
            since[name] = kubefed_join.parse_join(result, machine=name)
        except FedsshError as error:
            ledger.fail(name, error)
        else:
            ledger.change(name, "joined again" if name in host.state.joined else "joined")
    return since, kubefed.parse_list([clusters, secrets], machine=host.shell.name)


def _patch(
    host: OpenHost,
    joined: Mapping[str, JoinedCluster],
    accesses: Mapping[str, MemberAccess],
    target: Target,
    ledger: Ledger,
) -> dict[str, str]:
    """Make the KubeFedClusters' specs what the accesses say; return the host's time at each change."""
    patches = {name: kubefed.spec_patch(joined[name], access) for name, access in accesses.items() if name in joined}
    patches = {name: patch for name, patch in patches.items() if patch}
    commands = [kubefed.patch_command(name, patch, target=target) for name, patch in patches.items()]
    since = {}
    for (name, patch), result in zip(patches.items(), _run_in_rounds(host, commands), strict=True):
        if result.ok:
            since[name] = result.stdout.strip()
            ledger.change(name, f"set {', '.join(patch)} of its KubeFedCluster")
        else:
            ledger.fail(name, explain(result, machine=name, step="patch"))
    return since


def _label(
    inventory: Inventory,
    host: OpenHost,
    joined: Mapping[str, JoinedCluster],
    names: Iterable[str],
    *,
    target: Target,
    ledger: Ledger,
) -> dict[str, JoinedCluster]:
    """Label the KubeFedClusters as hosts.yaml says; labels that it does not name stay. Return all as they are then."""
    wanted = {one.name: one.labels for one in (inventory.host, *inventory.members)}
    missing = {
        name: {key: value for key, value in wanted[name].items() if joined[name].labels.get(key) != value}
        for name in names
        if name in joined
    }
    missing = {name: labels for name, labels in missing.items() if labels}
    labelled = dict(joined)
    commands = [kubefed.label_command(name, labels, target=target) for name, labels in missing.items()]
    for (name, labels), result in zip(missing.items(), _run_in_rounds(host, commands), strict=True):
        if result.ok:
            ledger.change(name, "labelled " + ", ".join(f"{key}={value}" for key, value in labels.items()))
            labelled[name] = replace(joined[name], labels={**joined[name].labels, **labels})
        else:
            ledger.fail(name, explain(result, machine=name, step="label"))
    return labelled


def _verify(
    host: OpenHost,
    waiting: Mapping[str, str],
    changed: Mapping[str, MemberAccess],
    target: Target,
    ledger: Ledger,
) -> dict[str, JoinedCluster]:
    """Wait for KubeFed's own view, then prove the credentials of what was changed."""
    for name in waiting:
        ledger.begin(name, "waiting for KubeFed's health check")
    known = [name for name in waiting if name in host.state.joined]
    *_, clusters, secrets = host.shell.run(
        [kubefed.reconnect_command(known, target=target)] if known else [],
        kubefed.wait_command(waiting, target=target),
        kubefed.list_commands(target=target),
        timeout_seconds=kubefed.READY_SECONDS + 60,
    )
    for name in known:
        if name not in changed:
            ledger.change(name, "had KubeFed connect to it anew")
    joined = kubefed.parse_list([clusters, secrets], machine=host.shell.name)
    own = kubefed.credentials(joined, changed)
    proofs = prove(host.shell, own, kubeconfig=target.kubeconfig)
    for name, access in changed.items():
        proof = proofs.get(name)
        if proof and proof.holds_for(access.cluster_uid):
            if joined[name].ready:
                ledger.confirm(name, "is Ready, and KubeFed's own credential works")
        else:
            ledger.fail(
                name,
                StepError(
                    "KubeFed's own credential does not work: "
                    + ((proof.problem or "it lacks rights on the cluster") if proof else "its Secret is missing"),
                    machine=name,
                    step="verify",
                    hint="Run this again; if it stays so, look at the ServiceAccounts in kube-federation-system there.",
                ),
            )
    return joined


def _run_in_rounds(host: OpenHost, commands: Sequence[Command], *, seconds: float = 60) -> list[Result]:
    if not commands:
        return []
    stages = in_rounds(commands)
    return host.shell.run(*stages, timeout_seconds=seconds * len(stages))
