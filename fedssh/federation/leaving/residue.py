"""What is left of clusters that have left, and how an administrator removes it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.federation.leaving.plan import named, plan_unfederate
from fedssh.federation.leaving.steps import Forget, LetGo, RemoveEntries, RemoveNamespace, Uninstall, Withdraw
from fedssh.federation.report import Residue
from fedssh.kubernetes.account import own_objects
from fedssh.kubernetes.objects import delete_by_hand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.federation.leaving.facts import Leaver, LeavingFacts
    from fedssh.federation.steps import Step
    from fedssh.federation.wishes import Wishes


def left_behind(wishes: Wishes, facts: LeavingFacts, engine: Engine) -> Mapping[str, tuple[Residue, ...]]:
    """Return, by cluster, what a run would still have to remove, and what nobody could look for.

    A run that has ended well has left nothing: its plan, made anew from what is found then, has no steps.
    """
    found: dict[str, tuple[Residue, ...]] = {}
    for step in plan_unfederate(wishes, facts, engine).changes:
        found[step.cluster] = (*found.get(step.cluster, ()), _of_step(step, facts, engine))
    for name, residue in unseen(facts, engine).items():
        found[name] = (*found.get(name, ()), *residue)
    return found


def unseen(facts: LeavingFacts, engine: Engine) -> Mapping[str, tuple[Residue, ...]]:
    """Return what must be expected on the clusters that nobody can look at."""
    dark = [leaver for leaver in facts.leavers.values() if leaver.way == "none" and not leaver.error]
    return {leaver.name: _expected(leaver, engine) for leaver in dark}


def _of_step(step: Step, facts: LeavingFacts, engine: Engine) -> Residue:
    host = facts.host.name
    objects = getattr(step, "objects", ())
    leaver = facts.leavers.get(step.cluster)
    where = step.cluster if leaver and leaver.way in {"machine", "host"} else host
    what, commands = step.why, list[str]()
    if isinstance(step, LetGo):
        what, commands = f"the mark of {engine.TITLE} on {named(step.objects)}", [engine.let_go_by_hand()]
    elif objects:
        what, commands = named(objects), delete_by_hand(objects)
    elif isinstance(step, RemoveNamespace):
        what, commands = f"namespace/{step.namespace}", [f"kubectl delete namespace {step.namespace}"]
    elif isinstance(step, Uninstall):
        what, commands, where = step.text.partition(" ")[2], [step.removal.by_hand], host
    elif isinstance(step, Forget | Withdraw | RemoveEntries):
        what, commands, where = step.text, [f"fedssh unfederate --member {step.cluster}"], ""
    else:
        what, commands, where = step.text, ["fedssh unfederate --all"], ""
    return Residue(where=where, what=what, commands=tuple(commands))


def _expected(leaver: Leaver, engine: Engine) -> tuple[Residue, ...]:
    found = []
    for account in leaver.accounts:
        traces = engine.expected_traces(account)
        objects = (*traces.access, *([traces.namespace] if traces.namespace else []))
        what = f"the access of {engine.TITLE}, perhaps: {named(objects)}"
        found.append(Residue(where=leaver.name, what=what, commands=tuple(delete_by_hand(objects))))
    own = own_objects(leaver.name)
    what = f"the access of fedssh, perhaps: {named(own)}"
    found.append(Residue(where=leaver.name, what=what, commands=tuple(delete_by_hand(own))))
    what = f"the marks of {engine.TITLE} on what it has put there, perhaps"
    found.append(Residue(where=leaver.name, what=what, commands=(engine.let_go_by_hand(),)))
    return tuple(found)
