"""What leaving changes on machines: clusters taken out, their accesses removed, the engine taken off the host."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.engines.protocol import NOT_EMPTY
from fedssh.errors import FedsshError, StepError, visible
from fedssh.federation.leaving.steps import DeleteWorkloads, LetGo, RemoveAccess, RemoveNamespace
from fedssh.federation.look.proof import check_temporary, temporary_kubeconfig
from fedssh.federation.threads import contained
from fedssh.kubernetes.kubectl import Target, explain
from fedssh.kubernetes.objects import delete_command, delete_with_command
from fedssh.shell import failure, patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine, JoinedCluster
    from fedssh.federation.leaving.facts import Leaver
    from fedssh.federation.leaving.steps import Forget, Uninstall, Withdraw
    from fedssh.federation.steps import Step
    from fedssh.shell import Command, Result, Shell

DELETE_SECONDS: Final = 20
"""How long an object may take to be gone; a Deployment's pods are not waited for."""

UNINSTALL_SECONDS: Final = 300.0
"""How long a part of the engine may take to be gone."""

End = StepError | str | None
"""How a step ended: why it came to nothing, what has to be said of it, or None."""

_STEP: Final = "leave"
_MOST_NAMED: Final = 5


def withdraw(
    shell: Shell, steps: Sequence[Withdraw], clusters: Mapping[str, JoinedCluster], *, engine: Engine, target: Target
) -> None:
    """Take clusters out of the federation.

    Args:
        shell: The host.
        steps: Who is taken out.
        clusters: The clusters of the federation, by name.
        engine: What federates.
        target: The host cluster.

    Raises:
        StepError: They could not all be taken out (3).
    """
    noted = [clusters[step.cluster] for step in steps if step.is_noted]
    commands = [engine.note_command(noted, target=target)] if noted else []
    # What could not be noted stays in the federation, where it stands.
    for command in [*commands, engine.withdraw_command([step.cluster for step in steps], target=target)]:
        (result,) = shell.run(command)
        if not result.ok:
            raise explain(result, machine=shell.name, step="take out of the federation")


def forget(shell: Shell, steps: Sequence[Forget], *, engine: Engine, target: Target) -> None:
    """Delete the engine's Secrets of clusters on the host.

    Raises:
        StepError: They could not all be deleted (3).
    """
    names = [name for step in steps for name in step.secrets]
    (result,) = shell.run(engine.forget_command(names, target=target))
    if not result.ok:
        raise explain(result, machine=shell.name, step="delete the credentials")


def clear(shell: Shell, leaver: Leaver, steps: Sequence[Step], *, engine: Engine, is_host: bool) -> list[End]:
    """Do on a cluster's own machine what a plan says of it.

    Returns:
        For each step how it ended.
    """
    target = Target(kubeconfig=(leaver.cluster.kubeconfig if leaver.cluster else "") or "")
    asked = [_commands(step, engine, target, is_host=is_host) for step in steps]
    results = iter(shell.run(*[one for commands in asked for one in commands], timeout_seconds=60 + 60 * len(steps)))
    return _all_ends([[next(results) for _ in commands] for commands in asked], leaver.name)


def clear_from_host(
    shell: Shell, leavers: Mapping[str, tuple[Leaver, Sequence[Step]]], *, engine: Engine, kubeconfig: str
) -> dict[str, list[End] | FedsshError]:
    """Do on clusters what a plan says of them, from the host, each by the credential that leads to it.

    What that credential lives by goes last, and all at once: without it, nothing could be deleted any more.

    Returns:
        For each cluster as ``clear`` does, or why nobody knows.
    """
    credentials = {name: leaver.credential for name, (leaver, _) in leavers.items() if leaver.credential}
    file = temporary_kubeconfig(credentials, kubeconfig)
    asked = {
        name: _remote_commands(*leavers[name], engine, Target(kubeconfig=file.path, context=name))
        for name in credentials
    }
    longest = max(len(commands) for commands in asked.values())
    stages = [[commands[place][1] for commands in asked.values() if place < len(commands)] for place in range(longest)]
    seconds = longest * patience(len(asked), each=60)
    written, *results, _ = shell.run(file.write, *stages, file.remove, timeout_seconds=seconds)
    check_temporary([written], machine=shell.name)
    answers = {id(result.command): result for result in results}
    ends: dict[str, list[End] | FedsshError] = {}
    for name, commands in asked.items():
        of_step = [
            [answers[id(command)] for step, command in commands if step is wanted] for wanted in leavers[name][1]
        ]
        ends[name] = contained(name, partial(_all_ends, of_step, name))
    return ends


def uninstall(shell: Shell, step: Uninstall) -> str:
    """Take a part of the engine off the host.

    Returns:
        What keeps it there, or "".

    Raises:
        StepError: It could not be (3).
    """
    (result,) = shell.run(step.removal.command, timeout_seconds=UNINSTALL_SECONDS)
    if result.code == NOT_EMPTY:
        return _stays(result)
    if not result.ok:
        raise failure(result, machine=shell.name, step="uninstall", hint=f"By hand: {step.removal.by_hand}")
    return ""


def _commands(step: Step, engine: Engine, target: Target, *, is_host: bool) -> list[Command]:
    """Return the commands of a step, to be run one after the other."""
    if isinstance(step, RemoveAccess):
        return [delete_command(step.objects, target=target, wait_seconds=DELETE_SECONDS)]
    if isinstance(step, LetGo):
        return [engine.let_go_command(step.objects, target=target)]
    if isinstance(step, RemoveNamespace):
        return [engine.empty_namespace_command(step.namespace, target=target, wait_seconds=DELETE_SECONDS)]
    if isinstance(step, DeleteWorkloads):
        places = [one for one in step.objects if one.kind == "Namespace"]
        others = [one for one in step.objects if one.kind != "Namespace"]
        commands = [delete_command(others, target=target, wait_seconds=DELETE_SECONDS)] if others else []
        if places:
            commands.append(engine.let_go_command(places, target=target))
        # The host's own namespaces hold the federated objects.
        emptied = [] if is_host else places
        return commands + [engine.empty_namespace_command(one.name, target=target, wait_seconds=2) for one in emptied]
    raise AssertionError(step.kind)


def _remote_commands(
    leaver: Leaver, steps: Sequence[Step], engine: Engine, target: Target
) -> list[tuple[Step, Command]]:
    """Return the commands of all steps, each with its step; the access that the login itself has goes last."""
    last = leaver.traces.access if leaver.is_engines else leaver.own
    owner = next((one.name for one in last if one.kind == "ClusterRole"), "")
    access = next((step for step in steps if isinstance(step, RemoveAccess)), None)
    if access is None or not owner:  # nothing of what is removed is the login's own
        last, owner = (), ""
    is_namespace_last = bool(owner) and leaver.is_engines
    commands: list[tuple[Step, Command]] = []
    for step in steps:
        if isinstance(step, RemoveAccess):
            first = [one for one in step.objects if one not in last]
            if first:
                commands.append((step, delete_command(first, target=target, wait_seconds=DELETE_SECONDS)))
        elif not (isinstance(step, RemoveNamespace) and is_namespace_last):
            commands += [(step, command) for command in _commands(step, engine, target, is_host=False)]
    if access is None or not owner:
        return commands
    with_it = [one for one in last if not (one.kind == "ClusterRole" and one.name == owner)]
    if is_namespace_last and any(isinstance(step, RemoveNamespace) for step in steps) and leaver.traces.namespace:
        with_it.append(leaver.traces.namespace)
    return [*commands, (access, delete_with_command(owner, with_it, target=target))]


def _all_ends(results: Sequence[Sequence[Result]], name: str) -> list[End]:
    return [_end(of_step, name) for of_step in results]


def _end(results: Sequence[Result], name: str) -> End:
    failed = [result for result in results if not result.ok and result.code != NOT_EMPTY]
    if failed:
        return explain(failed[0], machine=name, step=_STEP)
    return "; ".join(_stays(result) for result in results if result.code == NOT_EMPTY) or None


def _stays(result: Result) -> str:
    """Return that a namespace stays, and what keeps it."""
    things = visible(result.stdout).split()
    held = ", ".join(things[:_MOST_NAMED]) + (" and more" if len(things) > _MOST_NAMED else "")
    return f"{result.command.title.rpartition(' ')[2]} stays: it also holds {held}"
