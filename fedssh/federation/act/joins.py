"""The host's part of joining: contexts tried, joins, corrections, labels, and waiting; all clusters at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fedssh.federation.look.proof import check_temporary, temporary_kubeconfig
from fedssh.federation.threads import contained
from fedssh.kubernetes.kubectl import Target, explain, has_lost_context, kubectl
from fedssh.shell import patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine, EngineState, JoinedCluster
    from fedssh.errors import FedsshError
    from fedssh.federation.access_steps import TestContext
    from fedssh.federation.steps import AwaitReady, Correct, Join, Label, Reconnect
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.credentials import Credential
    from fedssh.shell import Command, Result, Shell


def try_contexts(shell: Shell, steps: Sequence[TestContext], *, kubeconfig: str) -> dict[str, FedsshError]:
    """Let every context list its cluster's nodes, as an administrator would; return what failed, by cluster."""
    names = [step.cluster for step in steps]
    commands = [
        kubectl("get", "nodes", "-o", "name", target=Target(kubeconfig=kubeconfig, context=step.context))
        for step in steps
    ]
    results = dict(zip(names, _run(shell, commands), strict=True))
    lost = [name for name, result in results.items() if has_lost_context(result.stderr)]
    again = [command for name, command in zip(names, commands, strict=True) if name in lost]
    results |= zip(lost, _run(shell, again), strict=True)
    return {
        name: explain(result, machine=name, step=f"test the context on {shell.name}")
        for name, result in results.items()
        if not result.ok
    }


def join_clusters(
    shell: Shell,
    steps: Sequence[Join],
    inventory: Inventory,
    *,
    engine: Engine,
    state: EngineState,
    target: Target,
    ephemeral: Mapping[str, Credential],
    namespaces: Mapping[str, str],
) -> dict[str, str | FedsshError]:
    """Join several clusters at once.

    Args:
        shell: The host.
        steps: Who joins.
        inventory: What hosts.yaml says.
        engine: What federates.
        state: What was found of it.
        target: The host cluster; the others have their contexts in the same kubeconfig.
        ephemeral: The credentials of those that have none there, by cluster. They lie on the host while they join.
        namespaces: How the engine's namespace was found on each of them; "" for none.

    Returns:
        For each the host's time at the end of its join, or why it failed.

    Raises:
        StepError: The credentials cannot be written (3).
    """
    contexts = {step.cluster: engine.entry_names(step.cluster).context for step in steps}
    file = temporary_kubeconfig({contexts[name]: one for name, one in ephemeral.items()}, target.kubeconfig)
    members = {
        name: Target(kubeconfig=file.path if name in ephemeral else target.kubeconfig, context=context)
        for name, context in contexts.items()
    }
    joins = [
        state.join_command(name, inventory, target=target, member=member, namespace=namespaces[name])
        for name, member in members.items()
    ]
    before, after = ([file.write], [file.remove]) if ephemeral else ([], [])
    seconds = patience(len(joins), each=engine.JOIN_SECONDS)
    results = shell.run(before, joins, after, timeout_seconds=seconds)
    check_temporary(results[: len(before)], machine=shell.name)
    return {
        step.cluster: contained(step.cluster, partial(engine.parse_join, result, machine=step.cluster))
        for step, result in zip(steps, results[len(before) :], strict=False)
    }


def correct_and_label(
    shell: Shell, corrections: Sequence[Correct], labels: Sequence[Label], *, engine: Engine, target: Target
) -> tuple[dict[str, str | FedsshError], dict[str, FedsshError]]:
    """Correct the engine's descriptions of clusters, and label them: those that get the same labels in one go.

    Returns:
        For each correction the host's time when it was made, or why it failed; and which labels failed, and why.
    """
    alike: dict[frozenset[tuple[str, str]], list[str]] = {}
    for step in labels:
        alike.setdefault(frozenset(step.labels.items()), []).append(step.cluster)
    commands = [engine.correct_command(step.cluster, step.corrections, target=target) for step in corrections]
    commands += [engine.label_command(names, dict(sorted(pairs)), target=target) for pairs, names in alike.items()]
    results = _run(shell, commands)
    corrected: dict[str, str | FedsshError] = {
        step.cluster: result.stdout.strip() if result.ok else explain(result, machine=step.cluster, step="correct")
        for step, result in zip(corrections, results, strict=False)
    }
    failed: dict[str, FedsshError] = {}
    for names, result in zip(alike.values(), results[len(corrections) :], strict=True):
        failed |= engine.parse_labels(result, names)
    return corrected, failed


def await_ready(
    shell: Shell,
    reconnects: Sequence[Reconnect],
    waits: Sequence[AwaitReady],
    since: Mapping[str, str],
    *,
    engine: Engine,
    target: Target,
) -> tuple[Mapping[str, FedsshError], Mapping[str, JoinedCluster]]:
    """Have the engine connect anew where it must, and wait until it finds the clusters Ready.

    Args:
        shell: The host.
        reconnects: Whom the engine is to connect to anew.
        waits: Who is waited for.
        since: By cluster the host's time from which on its health counts.
        engine: What federates.
        target: The host cluster.

    Returns:
        Whom it could not be made to connect to, and why; and all clusters as they are at the end.

    Raises:
        StepError: The clusters cannot be listed (3).
    """
    names = [step.cluster for step in reconnects]
    anew = [engine.reconnect_command(names, target=target)] if names else []
    wait = engine.wait_command({step.cluster: since.get(step.cluster, "") for step in waits}, target=target)
    listing = engine.list_commands(target=target)
    results = shell.run(anew, wait, listing, timeout_seconds=engine.READY_SECONDS + 60)
    failed = engine.parse_reconnect(results[0], names, machine=shell.name) if names else {}
    return failed, engine.parse_list(results[-len(listing) :], machine=shell.name)


def _run(shell: Shell, commands: Sequence[Command]) -> list[Result]:
    return shell.run(commands, timeout_seconds=patience(len(commands), each=60)) if commands else []
