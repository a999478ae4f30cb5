"""Executing the plan of a leaving: a stage at a time, the clusters of each at the same time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fedssh.errors import FedsshError, StepError
from fedssh.federation.access_steps import RemoveCopies
from fedssh.federation.act.kubeconfig import draft, remove_copies, write_draft
from fedssh.federation.act.leaving import clear, clear_from_host, forget, uninstall, withdraw
from fedssh.federation.findings import notice
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
from fedssh.federation.steps import Step, of_kind
from fedssh.federation.threads import as_they_end
from fedssh.kubernetes.kubeconfig.entries import remove_member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.journal import Journal
    from fedssh.federation.leaving.facts import Leaver, LeavingFacts
    from fedssh.federation.plan import Plan, Stage
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.kubeconfig import Kubeconfig
    from fedssh.shell import Shell

_ON_CLUSTERS = (RemoveAccess, LetGo, DeleteWorkloads, RemoveNamespace)


def execute_leaving(
    plan: Plan, machines: Mapping[str, Shell], *, wishes: Wishes, facts: LeavingFacts, engine: Engine, journal: Journal
) -> None:
    """Execute a plan by which clusters leave.

    A member that fails keeps its credentials and its entries on the host, so that the next run finds its way; the host
    then stays, too.

    Args:
        plan: What is to be done.
        machines: The open connections, by cluster.
        wishes: What hosts.yaml says.
        facts: What was found.
        engine: What federates.
        journal: Where changes and errors are entered; an error of the host's ends the run.
    """
    run = _Leaving(machines, wishes=wishes, facts=facts, engine=engine, journal=journal)
    for stage in plan.stages:
        try:
            run.do(stage)
        except FedsshError as error:
            journal.end(facts.host.name, error)
        if journal.ended:
            break


class _Leaving:
    def __init__(
        self, machines: Mapping[str, Shell], *, wishes: Wishes, facts: LeavingFacts, engine: Engine, journal: Journal
    ) -> None:
        state = facts.host.known
        self._machines, self._wishes, self._facts = machines, wishes, facts
        self._engine, self._journal = engine, journal
        self._name = facts.host.name
        self._host = machines[facts.host.name]
        self._file, self._target = state.file, state.target

    def do(self, stage: Stage) -> None:
        """Execute the steps of a stage, as far as their clusters still take part."""
        self._keep_host(stage)
        steps = [step for step in stage.steps if step.cluster not in self._journal.errors]
        self._withdraw(of_kind(steps, Withdraw))
        self._clear([step for step in steps if isinstance(step, _ON_CLUSTERS)])
        self._forget(of_kind(steps, Forget))
        self._write([step for step in steps if isinstance(step, RemoveEntries | RestoreContext)])
        for removal in of_kind(steps, Uninstall):
            self._journal.begin(removal.cluster, removal.removal.running)
            if kept := uninstall(self._host, removal):
                self._journal.find([notice(removal.cluster, kept)])
            else:
                self._journal.done(removal)
        # Also where the host has to stay: whoever has left has left tokens in them.
        for copies in of_kind(stage.steps, RemoveCopies):
            also_clean = copies.also_clean and not self._journal.errors
            remove_copies(self._host, replace(copies, also_clean=also_clean), path=self._file.path)
            self._journal.done(copies)

    def _keep_host(self, stage: Stage) -> None:
        """Let the host stay where a member has not left."""
        staying = [name for name in self._journal.errors if name != self._name]
        is_hosts_turn = any(step.cluster == self._name and not isinstance(step, RemoveCopies) for step in stage.steps)
        if staying and is_hosts_turn and self._name not in self._journal.errors:
            error = StepError(
                f"it stays in the federation, since {', '.join(staying)} has not left",
                machine=self._name,
                hint="Run this again when that is mended.",
            )
            self._journal.fail(self._name, error)

    def _withdraw(self, steps: Sequence[Withdraw]) -> None:
        if not steps:
            return
        for step in steps:
            self._journal.begin(step.cluster, "taking it out of the federation")
        withdraw(self._host, steps, self._facts.host.clusters, engine=self._engine, target=self._target)
        for step in steps:
            self._journal.done(step)

    def _clear(self, steps: Sequence[Step]) -> None:
        """Remove the accesses, each cluster by its way, all at the same time."""
        if not steps:
            return
        by_name: dict[str, list[Step]] = {}
        for step in steps:
            by_name.setdefault(step.cluster, []).append(step)
        for name in by_name:
            self._journal.begin(name, "removing the access to it")
        leavers = self._facts.leavers
        tasks: dict[str, Callable[[], object]] = {
            name: partial(
                clear, self._machines[name], leavers[name], of_cluster, engine=self._engine, is_host=name == self._name
            )
            for name, of_cluster in by_name.items()
            if leavers[name].way == "machine"
        }
        remote = {name: (leavers[name], of) for name, of in by_name.items() if leavers[name].way == "host"}
        if remote:
            tasks["from the host"] = partial(self._clear_from_host, remote)
        for name, outcome in as_they_end(tasks, limit=self._wishes.inventory.concurrency):
            ends = outcome if isinstance(outcome, dict) else {name: outcome}
            if name == "from the host" and isinstance(outcome, FedsshError):
                ends = dict.fromkeys(remote, outcome)
            for cluster, end in ends.items():
                self._note(cluster, by_name[cluster], end)

    def _clear_from_host(self, remote: Mapping[str, tuple[Leaver, Sequence[Step]]]) -> object:
        return clear_from_host(self._host, remote, engine=self._engine, kubeconfig=self._file.path)

    def _note(self, name: str, steps: Sequence[Step], end: object) -> None:
        if isinstance(end, FedsshError):
            self._journal.fail(name, end)
            return
        for step, problem in zip(steps, end if isinstance(end, list) else [], strict=True):
            if isinstance(problem, FedsshError):
                self._journal.fail(name, problem)
            elif isinstance(problem, str):
                self._journal.find([notice(name, problem)])
            if problem is None or (isinstance(step, DeleteWorkloads) and isinstance(problem, str)):
                self._journal.done(step)

    def _forget(self, steps: Sequence[Forget]) -> None:
        if not steps:
            return
        forget(self._host, steps, engine=self._engine, target=self._target)
        for step in steps:
            self._journal.done(step)

    def _write(self, steps: Sequence[Step]) -> None:
        if not steps:
            return
        names = [step.cluster for step in steps if isinstance(step, RemoveEntries)]
        is_restored = any(isinstance(step, RestoreContext) for step in steps)

        def change(document: Kubeconfig) -> bool:
            changed = [remove_member(document, self._engine.entry_names(name)) for name in names]
            changed.append(document.mend_current_context(self._name))
            return any([*changed, is_restored and document.restore_host_context(self._name)])

        state = self._facts.host.known
        write_draft(
            self._host,
            state.file,
            self._wishes.inventory,
            draft(state.document, change),
            begin=lambda path: self._journal.begin(self._name, f"writing {path}"),
        )
        for step in steps:
            self._journal.done(step)
