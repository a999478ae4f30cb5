"""Executing a plan: a stage at a time, all steps of a kind in one go, each proven before the next.

Until the host's kubeconfig is written (the commit point), what was done on a member whose access does not hold is
undone again; from then on, what is half done is finished by the next run.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, StepError, UnknownOutcomeError
from fedssh.federation.access_rules import check_access
from fedssh.federation.access_steps import (
    CloseFile,
    Grant,
    MintToken,
    NameContext,
    Prove,
    RemoveCopies,
    RevokeToken,
    TestContext,
    WriteEntries,
)
from fedssh.federation.accesses import Accesses
from fedssh.federation.act.grants import revoke_tokens
from fedssh.federation.act.joins import await_ready, correct_and_label, join_clusters, try_contexts
from fedssh.federation.act.kubeconfig import draft_entries, remove_copies, write_draft
from fedssh.federation.findings import notice
from fedssh.federation.installation import install
from fedssh.federation.look.advice import seek_advice
from fedssh.federation.look.proof import Trial, prove
from fedssh.federation.outcomes import Outcome, proven_clusters
from fedssh.federation.steps import AwaitReady, Correct, ImportImages, Install, Join, Label, Reconnect, Step, of_kind
from fedssh.federation.threads import as_they_end, at_once
from fedssh.kubernetes.kubectl import Target
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.engines.protocol import Engine, JoinedCluster
    from fedssh.federation.act.kubeconfig import Draft
    from fedssh.federation.facts import Facts, Proof
    from fedssh.federation.journal import Journal
    from fedssh.federation.plan import Plan, Stage
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.credentials import Credential
    from fedssh.shell import Shell


_WRITES: Final = (NameContext, WriteEntries, CloseFile)


def execute(
    plan: Plan, machines: Mapping[str, Shell], *, wishes: Wishes, facts: Facts, engine: Engine, journal: Journal
) -> Outcome:
    """Execute a plan.

    Args:
        plan: What is to be done.
        machines: The open connections, by cluster.
        wishes: The members that take part, among what else is wanted.
        facts: What was found.
        engine: What federates.
        journal: Where changes and errors are entered; an error of the host's ends the run.

    Returns:
        How the federation is then.
    """
    run = _Run(machines, plan=plan, wishes=wishes, facts=facts, engine=engine, journal=journal)
    for stage in plan.stages:
        try:
            run.do(stage)
        except FedsshError as error:
            journal.end(facts.host.name, error)
        if journal.ended:
            run.end_early(journal.ended)
            break
    return run.outcome()


class _Run:
    """A plan while it is executed: what is known by now, and how what was done is undone."""

    def __init__(
        self,
        machines: Mapping[str, Shell],
        *,
        plan: Plan,
        wishes: Wishes,
        facts: Facts,
        engine: Engine,
        journal: Journal,
    ) -> None:
        state = facts.host.known
        self._machines, self._wishes, self._facts = machines, wishes, facts
        self._engine, self._journal = engine, journal
        self._limit = wishes.inventory.concurrency
        self._state = state.engine
        self._host = machines[facts.host.name]
        self._path = state.file.path
        self._target = state.target
        self._named = Target(kubeconfig=self._path, context=facts.host.name)
        self._members = {cluster.name: cluster for cluster in wishes.members}
        self._accesses = Accesses(machines, wishes=wishes, facts=facts, engine=engine, journal=journal)
        self._since: dict[str, str] = {}
        self._clusters: Mapping[str, JoinedCluster] = self._state.clusters
        self._proofs: dict[str, Proof] = dict(facts.engine)
        self._installed = self._state.version
        self._writes = any(isinstance(step, _WRITES) for step in plan.steps)
        self._joins = any(isinstance(step, Join) for step in plan.steps)
        # What is going to stand in the host's kubeconfig, for which accesses.
        self._draft: tuple[Mapping[str, tuple[Credential, str]], Draft] | None = None
        # What of it was tried: the text, and whose contexts.
        self._tried: tuple[Sensitive, Sequence[str]] = (Sensitive(""), ())
        # Whose own token is taken at the address where the host reaches the member.
        self._accepted = {name for name, proof in facts.access.items() if proof.cluster_uid}

    def do(self, stage: Stage) -> None:
        """Execute the steps of a stage, all of a kind in one go, as far as their clusters still take part."""
        steps = [step for step in stage.steps if step.cluster not in self._journal.errors]
        installs = [step for step in steps if isinstance(step, ImportImages | Install)]
        self._prepare(of_kind(steps, Grant), of_kind(steps, MintToken), installs)
        self._prove(of_kind(steps, Prove))
        self._write([step for step in steps if isinstance(step, _WRITES)])
        self._remove_copies(of_kind(steps, RemoveCopies))
        self._try_contexts(of_kind(steps, TestContext))
        self._revoke(of_kind(steps, RevokeToken))
        self._join(of_kind(steps, Join))
        self._settle(of_kind(steps, Correct), of_kind(steps, Label))
        self._end(of_kind(steps, Reconnect), of_kind(steps, AwaitReady))

    def end_early(self, error: FedsshError) -> None:
        """Undo the grants where the host has failed; not where nobody knows what it has done."""
        if not isinstance(error, UnknownOutcomeError):
            self._accesses.take_back_all()

    def outcome(self) -> Outcome:
        """Return how the federation is now."""
        return Outcome(
            is_known=True,
            clusters=self._clusters,
            proven=proven_clusters(self._facts, self._proofs),
            version=self._installed,
        )

    def _prepare(
        self, grants: Sequence[Grant], mints: Sequence[MintToken], installs: Sequence[ImportImages | Install]
    ) -> None:
        """Let the members grant access while the host installs the engine."""
        tasks: dict[str, Callable[[], None]] = {}
        if installs:
            tasks[self._host.name] = partial(self._install, installs)
        tasks |= {step.cluster: partial(self._accesses.grant, step) for step in grants}
        tasks |= {step.cluster: partial(self._accesses.mint, step.cluster) for step in mints}
        for name, outcome in as_they_end(tasks, limit=self._limit):
            if isinstance(outcome, FedsshError):
                (self._journal.end if name == self._host.name else self._journal.fail)(name, outcome)
                if not isinstance(outcome, UnknownOutcomeError):
                    self._accesses.take_back([name])

    def _install(self, steps: Sequence[ImportImages | Install]) -> None:
        install(
            steps,
            self._machines,
            wishes=self._wishes,
            host=self._facts.host.known,
            engine=self._engine,
            journal=self._journal,
        )
        self._installed = self._state.wanted_version(self._wishes.inventory)

    def _prove(self, steps: Sequence[Prove]) -> None:
        """Try, from the host, every access that has been granted; what does not hold is taken back."""
        if not steps:
            return
        self._accesses.renew([step.cluster for step in steps])
        names = [step.cluster for step in steps if step.cluster not in self._journal.errors]
        for name in names:
            self._journal.begin(name, f"proving the access from {self._host.name}")
        proofs = self._try(names)
        findings = []
        for name, proof in proofs.items():
            uid = self._facts.members[name].cluster_uid
            findings += check_access(proof, name, self._accesses.endpoints[name], uid, host=self._host.name)
        advised = seek_advice(
            self._machines,
            findings,
            self._members,
            self._accesses.endpoints,
            host=self._host.name,
            kubeconfig=self._path,
        )
        self._journal.find(advised)
        self._accepted |= {name for name in names if name not in self._journal.errors}
        if not self._writes:  # then it has been written before
            self._accesses.keep()
        self._accesses.take_back([step.cluster for step in steps if step.cluster in self._journal.errors])

    def _try(self, names: Sequence[str]) -> Mapping[str, Proof]:
        """Try accesses by what is going to stand in the host's kubeconfig, those that will not be there by themselves.

        The token of each was made by its own cluster just now: whoever takes it is that cluster.
        """
        text = self._drafted().text if self._writes else Sensitive("")
        trials = {}
        for name in names:
            context = "" if self._accesses.is_ephemeral(name) or not text else self._engine.entry_names(name).context
            uid, credential = self._facts.members[name].cluster_uid, self._accesses.credential(name)
            trials[name] = Trial(credential=credential, cluster_uid=uid, context=context)
        self._tried = (text, [name for name, trial in trials.items() if trial.context])
        document = text if self._tried[1] else None
        return prove(self._host, trials, kubeconfig=self._path, document=document)

    def _drafted(self) -> Draft:
        """Return what is going to stand in the host's kubeconfig; made anew where others take part than before."""
        accesses = self._accesses.of(self._journal.without_failed(self._members))
        if self._draft is None or self._draft[0] != accesses:
            document, inventory = self._facts.host.known.document, self._wishes.inventory
            made = draft_entries(document, inventory, self._engine, accesses, adopt=self._wishes.adopt)
            self._draft = accesses, made
        return self._draft[1]

    def _write(self, steps: Sequence[Step]) -> None:
        """Write the host's kubeconfig, once; from then on nothing is undone."""
        if not steps or not self._journal.without_failed(self._members):
            return
        written = write_draft(
            self._host,
            self._facts.host.known.file,
            self._wishes.inventory,
            self._drafted(),
            goes_on=self._joins,
            begin=lambda path: self._journal.begin(self._host.name, f"writing {path}"),
        )
        self._accesses.keep()
        if written != self._tried[0]:
            self._tried = (written, ())
        for step in steps:
            self._journal.done(step)

    def _remove_copies(self, steps: Sequence[RemoveCopies]) -> None:
        """Remove copies that hold tokens; one that stays does not keep those tokens from being revoked."""
        for step in steps:
            if set(step.members) <= set(self._journal.errors):
                continue
            try:
                remove_copies(self._host, step, path=self._path)
            except UnknownOutcomeError:
                raise
            except StepError as error:
                self._journal.find([notice(step.cluster, f"{error.message}; the tokens in them are revoked")])
            else:
                self._journal.done(step)

    def _try_contexts(self, steps: Sequence[TestContext]) -> None:
        steps = [step for step in steps if step.cluster not in self._tried[1]]
        if steps:
            for name, error in try_contexts(self._host, steps, kubeconfig=self._path).items():
                self._journal.fail(name, error)

    def _revoke(self, steps: Sequence[RevokeToken]) -> None:
        tasks = {
            step.cluster: partial(revoke_tokens, self._machines[step.cluster], step, self._members[step.cluster])
            for step in steps
        }
        found = at_once(tasks, limit=self._limit)
        for step in steps:
            outcome = found[step.cluster]
            if isinstance(outcome, FedsshError):
                self._journal.fail(step.cluster, outcome)
            else:
                self._journal.done(step)

    def _join(self, steps: Sequence[Join]) -> None:
        if not steps:
            return
        self._accesses.renew([step.cluster for step in steps])
        steps = [step for step in steps if step.cluster not in self._journal.errors]
        if not steps:
            return
        for step in steps:
            self._journal.begin(step.cluster, "joining")
        ephemeral = {
            step.cluster: self._accesses.credential(step.cluster)
            for step in steps
            if self._accesses.is_ephemeral(step.cluster)
        }
        namespaces = {name: member.engines_namespace for name, member in self._facts.members.items()}
        ends = join_clusters(
            self._host,
            steps,
            self._wishes.inventory,
            engine=self._engine,
            state=self._state,
            target=self._named,
            ephemeral=ephemeral,
            namespaces={**namespaces, self._host.name: "Active"},
        )
        for step in steps:
            end = ends[step.cluster]
            if isinstance(end, FedsshError):
                self._journal.fail(step.cluster, end)
            else:
                self._since[step.cluster] = end
                self._journal.done(step)

    def _settle(self, corrections: Sequence[Correct], labels: Sequence[Label]) -> None:
        corrected, failed = correct_and_label(self._host, corrections, labels, engine=self._engine, target=self._named)
        for step in corrections:
            end = corrected[step.cluster]
            if isinstance(end, FedsshError):
                self._journal.fail(step.cluster, end)
            else:
                self._since[step.cluster] = end
                self._journal.done(step)
        for label in labels:
            if label.cluster in failed:
                self._journal.fail(label.cluster, failed[label.cluster])
            else:
                self._journal.done(label)
                self._note_labels(label)

    def _note_labels(self, step: Label) -> None:
        """Keep what a cluster's labels are now: where nothing is waited for, it is not listed again."""
        cluster = self._clusters.get(step.cluster)
        if cluster:
            labelled = replace(cluster, labels={**cluster.labels, **step.labels})
            self._clusters = {**self._clusters, step.cluster: labelled}

    def _end(self, reconnects: Sequence[Reconnect], waits: Sequence[AwaitReady]) -> None:
        """Wait for the engine's own view, then prove its credentials of what was changed."""
        if not waits:
            return
        for step in waits:
            self._journal.begin(step.cluster, f"waiting for {self._engine.TITLE}'s health check")
        failed, self._clusters = await_ready(
            self._host, reconnects, waits, self._since, engine=self._engine, target=self._named
        )
        for reconnect in reconnects:
            if reconnect.cluster in failed:
                self._journal.fail(reconnect.cluster, failed[reconnect.cluster])
            else:
                self._journal.done(reconnect)
        changed = self._journal.without_failed({step.cluster: step for step in waits if step.is_changed})
        trials: dict[str, Trial] = {}
        for name in changed:
            server_name = self._members[name].server_name if name in self._members else None
            cluster = self._clusters.get(name)
            own = self._engine.credential(cluster, server_name=server_name or "") if cluster else None
            trials |= {name: Trial(credential=own, cluster_uid=self._uid_at(name, own))} if own else {}
            self._proofs.pop(name, None)
        self._proofs |= prove(self._host, trials, kubeconfig=self._path)
        proven = self.outcome().proven
        for name in changed:
            self._confirm(name, is_proven=name in proven)

    def _uid_at(self, name: str, credential: Credential) -> str:
        """Return which cluster is at a credential's address, "" where that has to be asked."""
        server = credential.endpoint.server
        if name == self._host.name:
            return self._facts.host.cluster_uid if server == self._facts.host.server else ""
        is_known = name in self._accepted and server == self._accesses.endpoints[name].server
        return self._facts.members[name].cluster_uid if is_known else ""

    def _confirm(self, name: str, *, is_proven: bool) -> None:
        proof, cluster = self._proofs.get(name), self._clusters.get(name)
        if is_proven:
            if cluster and cluster.ready:
                self._journal.confirm(name, f"is Ready, and {self._engine.TITLE}'s own credential works")
            return
        why = (proof.problem or "it lacks rights on the cluster") if proof else "its Secret is missing"
        error = StepError(
            f"{self._engine.TITLE}'s own credential does not work: {why}",
            machine=name,
            step="verify",
            hint=self._engine.broken_credential_hint(),
        )
        self._journal.fail(name, error)
