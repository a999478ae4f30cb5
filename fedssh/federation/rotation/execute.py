"""Executing a rotation: new credentials beside the old ones, proven, in use, and only then the old ones revoked.

Until something is revoked, a cluster that fails keeps its old credentials whole: what was done for it is undone,
backwards. Where an answer was lost, nobody knows what there is to undo, and the next run goes on from it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, StepError, UnknownOutcomeError
from fedssh.federation.access_rules import check_access
from fedssh.federation.access_steps import Prove, WriteEntries
from fedssh.federation.act.joins import await_ready
from fedssh.federation.act.kubeconfig import draft_entries, write_draft
from fedssh.federation.act.rotation import NewTokens, make_tokens, revoke, swap, unmake_tokens
from fedssh.federation.look.proof import REFUSAL_SECONDS, Trial, await_refusal, prove
from fedssh.federation.outcomes import Outcome, proven_clusters
from fedssh.federation.steps import AwaitReady, Reconnect
from fedssh.federation.threads import as_they_end, at_once
from fedssh.federation.wishes import wanted_endpoint
from fedssh.kubernetes.credentials import Credential
from fedssh.kubernetes.kubectl import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine, JoinedCluster
    from fedssh.federation.facts import Facts, Proof
    from fedssh.federation.journal import Journal
    from fedssh.federation.plan import Plan, Stage
    from fedssh.federation.rotation.facts import Rotation
    from fedssh.federation.steps import Step
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.credentials import Endpoint
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Shell

STEP: Final = "rotate"


def execute_rotation(
    plan: Plan,
    rotations: Mapping[str, Rotation],
    machines: Mapping[str, Shell],
    *,
    wishes: Wishes,
    facts: Facts,
    engine: Engine,
    journal: Journal,
) -> Outcome:
    """Execute the plan of a rotation.

    Args:
        plan: What is to be done.
        rotations: What is rotated, by cluster.
        machines: The open connections, by cluster.
        wishes: Who takes part, among what else is wanted.
        facts: What was found.
        engine: What federates.
        journal: Where changes and errors are entered; an error of the host's tools ends the run.

    Returns:
        How the federation is then.
    """
    run = _Run(rotations, machines, wishes=wishes, facts=facts, engine=engine, journal=journal)
    for stage in plan.stages:
        try:
            run.do(stage)
        except FedsshError as error:
            journal.end(facts.host.name, error)
            run.end_early(error)
        if journal.ended:
            break
    return run.outcome()


class _Run:
    """A rotation while it is executed: the new tokens, and how far each cluster has come."""

    def __init__(
        self,
        rotations: Mapping[str, Rotation],
        machines: Mapping[str, Shell],
        *,
        wishes: Wishes,
        facts: Facts,
        engine: Engine,
        journal: Journal,
    ) -> None:
        state = facts.host.known
        self._rotations, self._machines = rotations, machines
        self._wishes, self._facts, self._engine, self._journal = wishes, facts, engine, journal
        self._host, self._path, self._target = machines[facts.host.name], state.file.path, state.target
        self._members = {cluster.name: cluster for cluster in wishes.members}
        self._endpoints: dict[str, Endpoint] = {
            name: wanted_endpoint(self._members[name], wishes, facts, engine)
            for name, rotation in rotations.items()
            if rotation.own
        }
        self._tokens: dict[str, NewTokens] = {}
        self._done: dict[str, list[Step]] = {}
        self._swapped: set[str] = set()
        self._clusters: Mapping[str, JoinedCluster] = state.engine.clusters
        self._proofs: dict[str, Proof] = dict(facts.engine)
        self._version = state.engine.version

    def do(self, stage: Stage) -> None:
        """Execute the steps of a stage, all of a kind in one go, as far as their clusters still take part."""
        steps = [step for step in stage.steps if step.cluster not in self._journal.errors]
        names = list(dict.fromkeys(step.cluster for step in steps))
        if any(isinstance(step, Prove) for step in steps):
            self._make(names, steps)
            self._prove([name for name in names if name not in self._journal.errors])
        elif any(isinstance(step, Reconnect) for step in steps):
            self._swap(names, steps)
        elif any(isinstance(step, WriteEntries) for step in steps):
            self._write(names, steps)
        elif steps:
            self._revoke(names, steps)

    def end_early(self, error: FedsshError) -> None:
        """Undo what was done where the host has failed; not where nobody knows what it has done."""
        if not isinstance(error, UnknownOutcomeError):
            self._take_back(list(self._done))

    def outcome(self) -> Outcome:
        """Return how the federation is now."""
        return Outcome(
            is_known=True,
            clusters=self._clusters,
            proven=proven_clusters(self._facts, self._proofs),
            version=self._version,
        )

    def _make(self, names: Sequence[str], steps: Sequence[Step]) -> None:
        for name in names:
            self._journal.begin(name, "making new credentials")
            self._done[name] = []
        tasks = {
            name: partial(make_tokens, *self._at(name), engine=self._engine, target=self._of(name)) for name in names
        }
        for name, outcome in as_they_end(tasks, limit=self._wishes.inventory.concurrency):
            if isinstance(outcome, NewTokens):
                self._tokens[name] = outcome
                self._enter([step for step in steps if step.cluster == name])
            else:
                self._fail({name: outcome})

    def _prove(self, names: Sequence[str]) -> None:
        """Try the new credentials from the host; those that do not hold once more, since they are seconds old."""
        for name in names:
            self._journal.begin(name, f"proving the new credentials from {self._host.name}")
        problems = self._problems(names)
        problems |= self._problems([name for name in names if problems.get(name)])
        self._fail({name: problem for name, problem in problems.items() if problem})

    def _problems(self, names: Sequence[str]) -> dict[str, FedsshError | None]:
        trials: dict[str, Trial] = {}
        for name in names:
            # Both were made by the cluster's own machine just now: whoever takes them is that cluster.
            uid = self._uid(name)
            if (own := self._tokens[name].own) is not None:
                trials[f"access.{name}"] = Trial(credential=self._own(name, own), cluster_uid=uid)
            rotation, token = self._rotations[name].engine, self._tokens[name].engine
            if rotation and token:
                credential = self._credential(rotation.cluster, token)
                trials |= {f"engine.{name}": Trial(credential=credential, cluster_uid=uid)} if credential else {}
        proofs = prove(self._host, trials, kubeconfig=self._path)
        return {name: self._problem(name, proofs) for name in names}

    def _problem(self, name: str, proofs: Mapping[str, Proof]) -> FedsshError | None:
        uid = self._uid(name)
        own, other = proofs.get(f"access.{name}"), proofs.get(f"engine.{name}")
        if own:
            endpoint = self._endpoints[name]
            found = check_access(own, name, endpoint, uid, host=self._host.name)
            refused = [finding.error for finding in found if finding.error]
            if refused:
                return refused[0]
        if other and not other.holds_for(uid):
            why = other.problem or "it lacks rights on the cluster"
            title = self._engine.TITLE
            return StepError(f"{title}'s new credential does not work: {why}", machine=name, step=STEP)
        return None

    def _swap(self, names: Sequence[str], steps: Sequence[Step]) -> None:
        """Give the engine its new credentials, and see by a later health check that it uses them."""
        title = self._engine.TITLE
        for name in names:
            self._journal.begin(name, f"waiting for {title}'s health check with the new credential")
        tokens = {}
        for name in names:
            rotation, token = self._rotations[name].engine, self._tokens[name].engine
            if rotation and token and not rotation.is_in_use:
                tokens[name] = (rotation.cluster, token)
                self._swapped.add(name)
        failed, since = swap(self._host, tokens, names, is_new=True, engine=self._engine, target=self._target)
        waiting = [name for name in names if name not in failed]
        unseen = self._unseen(waiting, since)
        clusters, errors = self._clusters, dict(failed)
        for name in waiting:
            token = self._tokens[name].engine
            cluster = clusters.get(name)
            if name in unseen or cluster is None or token is None or cluster.token != token:
                why = (cluster.message if cluster else "") or "no health check has come since"
                text = f"{title} has not been seen to use the new credential: {why}"
                errors[name] = StepError(text, machine=name, step=STEP)
            else:
                self._enter([step for step in steps if step.cluster == name])
                self._journal.confirm(name, f"is Ready with {title}'s new credential")
        self._fail(errors)

    def _unseen(self, names: Sequence[str], since: str) -> set[str]:
        """Wait for health checks; return for whom none came that is later than the second of ``since``."""
        if not names:
            return set()
        # Within that second, the engine may have looked by its old connection.
        later = (datetime.fromisoformat(since) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        waits = [AwaitReady(cluster=name, why="", is_changed=True) for name in names]
        _, self._clusters = await_ready(
            self._host, [], waits, dict.fromkeys(names, later), engine=self._engine, target=self._target
        )
        return {name for name in names if (found := self._clusters.get(name)) is None or found.probed < later}

    def _write(self, names: Sequence[str], steps: Sequence[Step]) -> None:
        """Write the host's kubeconfig, once."""
        accesses = {
            name: (self._own(name, token), self._uid(name))
            for name in names
            if (token := self._tokens[name].own) is not None
        }
        state, inventory = self._facts.host.known, self._wishes.inventory
        write_draft(
            self._host,
            state.file,
            inventory,
            draft_entries(state.document, inventory, self._engine, accesses, adopt=False),
            begin=lambda path: self._journal.begin(self._host.name, f"writing {path}"),
        )
        self._enter(steps)

    def _revoke(self, names: Sequence[str], steps: Sequence[Step]) -> None:
        """Revoke the old credentials, and see from the host that they are refused; from here on nothing is undone."""
        self._done.clear()
        for name in names:
            self._journal.begin(name, "revoking the old credentials")
        tasks = {name: partial(revoke, *self._at(name), engine=self._engine, target=self._of(name)) for name in names}
        for name, outcome in as_they_end(tasks, limit=self._wishes.inventory.concurrency):
            if isinstance(outcome, FedsshError):
                self._journal.fail(name, outcome)
            else:
                self._enter([step for step in steps if step.cluster == name], revoked=True)
        old: dict[str, Credential] = {}
        for name in self._journal.without_failed(dict.fromkeys(names)):
            old |= self._old(name)
        accepted = await_refusal(self._host, old, kubeconfig=self._path)
        for name in self._journal.without_failed(dict.fromkeys(names)):
            found = [said for key, said in accepted.items() if key.partition(".")[2].partition(".")[0] == name]
            if found:
                text = f"an old credential was not refused within {REFUSAL_SECONDS} s: {found[0]}"
                self._journal.fail(name, StepError(text, machine=name, step=STEP))
            else:
                self._journal.confirm(name, "refuses the old credentials")

    def _old(self, name: str) -> dict[str, Credential]:
        """Return the credentials of a cluster that must not be accepted any more."""
        rotation, found = self._rotations[name], dict[str, Credential]()
        if rotation.own:
            for number, token in rotation.own.old.items():
                found |= {f"own.{name}.{number}": self._own(name, token)} if token else {}
        if rotation.engine and rotation.engine.old.token:
            credential = self._credential(rotation.engine.cluster, rotation.engine.old.token)
            found |= {f"engine.{name}": credential} if credential else {}
        return found

    def _enter(self, steps: Sequence[Step], *, revoked: bool = False) -> None:
        """Enter steps that were done; until the revocation, what was done may be undone."""
        for step in steps:
            self._journal.done(step)
            if not revoked:
                self._done.setdefault(step.cluster, []).append(step)

    def _fail(self, errors: Mapping[str, FedsshError]) -> None:
        """Enter errors of clusters, and give these their old credentials back, all at once."""
        for name, error in errors.items():
            self._journal.fail(name, error)
        self._take_back([name for name, error in errors.items() if not isinstance(error, UnknownOutcomeError)])

    def _take_back(self, names: Sequence[str]) -> None:
        """Undo, backwards, what this run has done for clusters; what cannot be undone is listed."""
        steps = {name: self._done.pop(name) for name in names if name in self._done}
        if not steps:
            return
        for name in steps:
            self._journal.begin(name, "taking the new credentials back")
        kept = self._swap_back([name for name in steps if name in self._swapped])
        tasks = {
            name: partial(
                unmake_tokens, *self._at(name), keeps_account=name in kept, engine=self._engine, target=self._of(name)
            )
            for name in steps
        }
        for name, outcome in at_once(tasks, limit=self._wishes.inventory.concurrency).items():
            if isinstance(outcome, FedsshError):
                self._journal.left(name, str(outcome))
                continue
            for step in reversed(steps[name]):
                self._journal.withdraw(step)
            self._journal.left(name, kept.get(name, f"The old credentials of {name} are as they were."))

    def _swap_back(self, names: Sequence[str]) -> dict[str, str]:
        """Give the engine its old credentials back; return for whom it was not seen to, with what that means."""
        if not names:
            return {}
        tokens = {}
        for name in names:
            rotation = self._rotations[name].engine
            if rotation and rotation.cluster.token:
                tokens[name] = (rotation.cluster, rotation.cluster.token)
        try:
            failed, since = swap(self._host, tokens, names, is_new=False, engine=self._engine, target=self._target)
            unseen = self._unseen([name for name in names if name not in failed], since)
        except FedsshError:
            failed, unseen = {}, set(names)
        title = self._engine.TITLE
        text = (
            f"{title} was not seen to go back to its old credential, so both stay; the next rotate goes on from there."
        )
        return dict.fromkeys([*failed, *unseen], text)

    def _at(self, name: str) -> tuple[Shell, str, Rotation]:
        return self._machines[name], name, self._rotations[name]

    def _of(self, name: str) -> Target:
        """Return how a cluster's API is reached on its own machine."""
        if name == self._facts.host.name:
            return self._target
        return Target(kubeconfig=self._members[name].kubeconfig or "")

    def _uid(self, name: str) -> str:
        member = self._facts.members.get(name)
        return member.cluster_uid if member else self._facts.host.cluster_uid

    def _own(self, name: str, token: Sensitive) -> Credential:
        return Credential(endpoint=self._endpoints[name], token=token)

    def _credential(self, cluster: JoinedCluster, token: Sensitive) -> Credential | None:
        member = self._members.get(cluster.name)
        server_name = (member.server_name if member else None) or ""
        return self._engine.credential(replace(cluster, token=token), server_name=server_name)
