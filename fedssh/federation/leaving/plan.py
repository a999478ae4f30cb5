"""What is to be done so that clusters leave: from facts and wishes to a plan. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.federation.access_steps import RemoveCopies
from fedssh.federation.leaving.steps import (
    DeleteWorkloads,
    Forget,
    LetGo,
    RemoveAccess,
    RemoveEntries,
    RemoveNamespace,
    RestoreContext,
    Uninstall,
    Withdraw,
)
from fedssh.federation.plan import Plan, Stage
from fedssh.federation.steps import Step
from fedssh.kubernetes.kubeconfig.entries import remove_member

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.leaving.facts import Leaver, LeavingFacts
    from fedssh.federation.wishes import Wishes

_MOST_NAMED: Final = 4


def plan_unfederate(wishes: Wishes, facts: LeavingFacts, engine: Engine) -> Plan:
    """Return how clusters leave the federation: members first, the host last, then what the host holds.

    Args:
        wishes: Whether workloads are deleted, and the engine is uninstalled.
        facts: What was found; who is not to be touched has an ``error`` there, and is left out.
        engine: What federates.
    """
    host = facts.host.name
    leavers = [leaver for leaver in facts.leavers.values() if not leaver.error]
    members = [leaver for leaver in leavers if leaver.name != host]
    own = [leaver for leaver in leavers if leaver.name == host]
    # What the engine's Secret says of them is wanted to the end, unless the engine or the host's context goes before.
    stays = facts.installation is None and not own
    noted = [leaver for leaver in members if stays and _is_noted(leaver, facts)]
    stages = [
        [step for leaver in members for step in _withdraw(leaver, facts)],
        [step for leaver in members for step in _clear(leaver, wishes)],
        [step for leaver in members if leaver not in noted for step in _forget(leaver)],
        [step for leaver in own for step in _withdraw(leaver, facts)],
        [step for leaver in own for step in _clear(leaver, wishes)],
        [step for leaver in own for step in _forget(leaver)],
        # By the host's context, which has its old name only after that.
        _uninstall(facts, engine),
        _entries(leavers, facts, engine),
    ]
    copies = _copies(wishes, facts, is_written=bool(stages[-1]), host_leaves=bool(own))
    stages += [copies, [step for leaver in noted for step in _forget(leaver)]]
    return Plan(stages=tuple(Stage(steps=tuple(steps)) for steps in stages if steps))


def named(objects: Sequence[object]) -> str:
    """Return the first of many things, and how many more there are."""
    more = len(objects) - _MOST_NAMED
    return ", ".join(map(str, objects[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _withdraw(leaver: Leaver, facts: LeavingFacts) -> list[Step]:
    if leaver.name not in facts.host.clusters:
        return []
    return [Withdraw(cluster=leaver.name, why="it has joined", is_noted=_is_noted(leaver, facts))]


def _is_noted(leaver: Leaver, facts: LeavingFacts) -> bool:
    """Whether only the host's credentials lead to a cluster, so that a run which is stopped needs to be told of it."""
    joined = facts.host.clusters.get(leaver.name)
    return leaver.name in facts.traces.withdrawn or (leaver.way == "host" and bool(joined and joined.token))


def _clear(leaver: Leaver, wishes: Wishes) -> list[Step]:
    """Return what is to be done on a cluster itself; nothing where nobody gets there."""
    if leaver.way in {"none", "done"}:
        return []
    name, traces, steps = leaver.name, leaver.traces, list[Step]()
    objects = (*traces.access, *leaver.own)
    if objects:
        steps.append(RemoveAccess(cluster=name, why=f"there is {named(objects)}", objects=objects))
    if traces.workloads:
        why = f"the federation has put there {named(traces.workloads)}"
        kind = DeleteWorkloads if wishes.delete_workloads else LetGo
        steps.append(kind(cluster=name, why=why, objects=traces.workloads))
    if traces.namespace and not traces.others:
        steps.append(
            RemoveNamespace(
                cluster=name, why="the join made it", needs="nothing else is in it", namespace=traces.namespace.name
            )
        )
    return steps


def _forget(leaver: Leaver) -> list[Step]:
    if not leaver.secrets:
        return []
    return [Forget(cluster=leaver.name, why="the host holds a token for it", secrets=leaver.secrets)]


def _entries(leavers: Sequence[Leaver], facts: LeavingFacts, engine: Engine) -> list[Step]:
    """Return what is to be changed in the host's kubeconfig: tried out on a copy of it."""
    document, host, steps = facts.host.known.document.copy(), facts.host.name, list[Step]()
    for leaver in leavers:
        names = engine.entry_names(leaver.name)
        has_context = document.find("contexts", names.context) is not None
        if leaver.name != host and remove_member(document, names):
            entry = f"context {names.context}" if has_context else f"cluster {names.cluster}"
            steps.append(RemoveEntries(cluster=leaver.name, why="fedssh wrote it", entry=entry))
        elif leaver.name == host and (old := document.old_host_context(host)) is not None:
            why = "fedssh renamed it" if old else "fedssh added it"
            steps.append(RestoreContext(cluster=host, why=why, old=old))
    return steps


def _uninstall(facts: LeavingFacts, engine: Engine) -> list[Step]:
    if facts.installation is None:
        return []
    removals = facts.installation.removals(target=facts.host.known.target)
    why = f"{engine.TITLE} was installed by fedssh"
    return [Uninstall(cluster=facts.host.name, why=why, removal=removal) for removal in removals]


def _copies(wishes: Wishes, facts: LeavingFacts, *, is_written: bool, host_leaves: bool) -> list[Step]:
    """Return the last step: writing the kubeconfig makes one more copy, with the tokens that were in it."""
    is_told, also_clean = bool(facts.copies or is_written), wishes.is_all and host_leaves
    if not (is_told or also_clean):
        return []
    why = "tokens are in them"
    return [RemoveCopies(cluster=facts.host.name, why=why, also_clean=also_clean, is_told=is_told)]
