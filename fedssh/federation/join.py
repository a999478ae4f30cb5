"""The host's part of a federation: one kubeconfig write, the joins, and the proof that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh import kubefed
from fedssh.errors import FedsshError, StepError
from fedssh.federation.kubeconfig_file import parse_file, read_command, write_file
from fedssh.federation.proof import in_rounds, prove
from fedssh.kubeconfig import Kubeconfig, parse_kubeconfig, put_member
from fedssh.kubectl import Target, explain, kubectl
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.access import MemberAccess
    from fedssh.federation.host import OpenHost
    from fedssh.federation.ledger import Ledger
    from fedssh.federation.proof import Proof
    from fedssh.inventory import Inventory
    from fedssh.kubefed import JoinedCluster
    from fedssh.shell import Command, Result

_WRITE_ATTEMPTS: Final = 5


def join_all(
    inventory: Inventory,
    host: OpenHost,
    accesses: Mapping[str, MemberAccess],
    proofs: Mapping[str, Proof],
    ledger: Ledger,
) -> dict[str, JoinedCluster]:
    """Write proven accesses into the host's kubeconfig, join what has not joined, and verify.

    Args:
        inventory: What hosts.yaml says.
        host: The host, with KubeFed installed.
        accesses: What the host's kubeconfig is to hold, by member; all proven.
        proofs: Whether KubeFed's own credentials work, for the clusters that have one.
        ledger: Where changes and errors are entered.

    Returns:
        The federation's clusters as they are at the end, by name.

    Raises:
        FedsshError: The kubeconfig could not be written; nothing was joined.
    """
    name = host.shell.name
    _write_kubeconfig(inventory, host, accesses.values(), ledger)
    target = Target(kubeconfig=host.state.file.path, context=name)
    _test_contexts(host, [name, *accesses], target, ledger)
    accesses = ledger.without_failed(accesses)

    uids = {name: host.state.cluster_uid, **{one.name: one.cluster_uid for one in accesses.values()}}
    addresses = {name: host.state.server, **{one.name: one.server for one in accesses.values()}}
    missing = [
        one
        for one, uid in uids.items()
        if not _has_joined(host.state.joined.get(one), addresses[one], proofs.get(one), uid)
    ]
    since = _join(host, missing, target, ledger)
    _label(inventory, host, uids, target, ledger)
    waiting = {one: "" for one in uids if (found := host.state.joined.get(one)) and not found.ready} | since
    if not waiting:
        return dict(host.state.joined)
    return _verify(host, waiting, {one: uids[one] for one in since}, target, ledger)


def _write_kubeconfig(inventory: Inventory, host: OpenHost, accesses: Iterable[MemberAccess], ledger: Ledger) -> None:
    """Write all entries at once; begin anew from the file when somebody else has changed it meanwhile."""
    name, file = host.shell.name, host.state.file
    accesses = list(accesses)
    for _ in range(_WRITE_ATTEMPTS):
        document = parse_kubeconfig(file.text.reveal(), source=file.path)
        changed = _put_entries(document, inventory, accesses)
        if not changed:
            return
        ledger.begin(name, f"writing {file.path}")
        if write_file(host.shell, file, Sensitive(document.render())):
            for cluster, change in changed.items():
                ledger.change(cluster, change)
            return
        (result,) = host.shell.run(read_command(path=inventory.host.kubeconfig))
        file = parse_file(result, host.shell)
    raise StepError(
        f"{file.path} was changed by somebody else {_WRITE_ATTEMPTS} times in a row",
        machine=name,
        step="write the kubeconfig",
        hint="Run this again when it is left alone.",
    )


def _put_entries(document: Kubeconfig, inventory: Inventory, accesses: Sequence[MemberAccess]) -> dict[str, str]:
    """Put all entries into a document; return what changed, by cluster."""
    changed = {}
    old = document.current_context
    if document.name_host_context(inventory.host.name, how=inventory.host_context):
        verb = "renamed the context" if inventory.host_context == "rename" else "added a context for"
        changed[inventory.host.name] = f"{verb} {old}"
    for access in accesses:
        if put_member(document, access):
            changed[access.name] = f"wrote context {access.name}"
    return changed


def _test_contexts(host: OpenHost, names: Sequence[str], target: Target, ledger: Ledger) -> None:
    """Let every context list its cluster's nodes, as an administrator would."""
    commands = [
        kubectl("get", "nodes", "-o", "name", target=Target(kubeconfig=target.kubeconfig, context=name))
        for name in names
    ]
    for name, result in zip(names, _run_in_rounds(host, commands), strict=True):
        if not result.ok:
            ledger.fail(name, explain(result, machine=name, step=f"test the context on {host.shell.name}"))


def _has_joined(joined: JoinedCluster | None, api_server: str, proof: Proof | None, cluster_uid: str) -> bool:
    """Whether a cluster needs no join: joining again would undo what was patched since (see kubefed.join_command)."""
    return joined is not None and joined.api_server == api_server and proof is not None and proof.holds_for(cluster_uid)


def _join(host: OpenHost, names: Sequence[str], target: Target, ledger: Ledger) -> dict[str, str]:
    """Join several at once; return, for each that joined, the host's time at the end of its join."""
    for name in names:
        ledger.begin(name, "joining")
    commands = [kubefed.join_command(name, target=target) for name in names]
    since = {}
    for name, result in zip(names, _run_in_rounds(host, commands, seconds=kubefed.JOIN_SECONDS), strict=True):
        try:
            since[name] = kubefed.parse_join(result, machine=name)
        except FedsshError as error:
            ledger.fail(name, error)
        else:
            ledger.change(name, "joined again" if name in host.state.joined else "joined")
    return since


def _label(inventory: Inventory, host: OpenHost, names: Iterable[str], target: Target, ledger: Ledger) -> None:
    """Label the KubeFedClusters as hosts.yaml says; labels that it does not name stay."""
    wanted = {one.name: one.labels for one in (inventory.host, *inventory.members)}
    missing = {}
    for name in names:
        found = host.state.joined.get(name)
        present = found.labels if found else {}
        labels = {key: value for key, value in wanted[name].items() if present.get(key) != value}
        if labels and name not in ledger.errors:
            missing[name] = labels
    commands = [kubefed.label_command(name, labels, target=target) for name, labels in missing.items()]
    for (name, labels), result in zip(missing.items(), _run_in_rounds(host, commands), strict=True):
        if result.ok:
            ledger.change(name, "labelled " + ", ".join(f"{key}={value}" for key, value in labels.items()))
        else:
            ledger.fail(name, explain(result, machine=name, step="label"))


def _verify(
    host: OpenHost, waiting: Mapping[str, str], uids: Mapping[str, str], target: Target, ledger: Ledger
) -> dict[str, JoinedCluster]:
    """Wait for KubeFed's own view, then prove the credentials that the joins have made."""
    for name in waiting:
        ledger.begin(name, "waiting for KubeFed to find it healthy")
    _, *listed = host.shell.run(
        kubefed.wait_command(waiting, target=target),
        kubefed.list_commands(target=target),
        timeout_seconds=kubefed.READY_SECONDS + 60,
    )
    clusters = kubefed.parse_list(listed, machine=host.shell.name)
    own = kubefed.credentials(clusters, uids)
    proofs = prove(host.shell, own, kubeconfig=target.kubeconfig)
    for name, uid in uids.items():
        proof = proofs.get(name)
        if proof is None or not proof.holds_for(uid):
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
    return clusters


def _run_in_rounds(host: OpenHost, commands: Sequence[Command], *, seconds: float = 60) -> list[Result]:
    if not commands:
        return []
    stages = in_rounds(commands)
    return host.shell.run(*stages, timeout_seconds=seconds * len(stages))
