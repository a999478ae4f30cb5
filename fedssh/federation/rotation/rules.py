"""What must hold before credentials are replaced: from facts and wishes to findings. Pure.

A credential that does not work cannot be replaced without a gap: joining again is what mends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.access_rules import refuse_access
from fedssh.federation.findings import Finding, notice, refused
from fedssh.federation.grants import stored_secrets
from fedssh.federation.rotation.facts import concerned, has_own_access
from fedssh.federation.rules import login_problem
from fedssh.federation.wishes import wanted_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts, HostFacts
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster

STEP: Final = "rotate"


def check_host(facts: HostFacts) -> list[Finding]:
    """Return why the host cannot be worked with."""
    return [refused(facts.name, error) for error in [*facts.gaps, *filter(None, [facts.old_kubectl])]]


def check_clusters(wishes: Wishes, facts: Facts, engine: Engine) -> list[Finding]:
    """Return what is to be said of each cluster, and why its credentials cannot be replaced."""
    members = {cluster.name: cluster for cluster in wishes.members}
    found: list[Finding] = []
    for name in concerned(wishes, engine):
        if name in members:
            found += _check_member(members[name], wishes, facts, engine)
        else:
            found += _check_credential(name, facts, engine)
    return found


def _check_member(cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine) -> Iterator[Finding]:
    name, member = cluster.name, facts.members[cluster.name]
    login = login_problem(member)
    problems: list[FedsshError] = [login] if login else [*member.gaps, *filter(None, [member.old_kubectl])]
    if problems:
        yield from (refused(name, problem) for problem in problems)
        return
    has_joined, is_own = name in facts.host.clusters, has_own_access(cluster, facts, engine)
    if not (has_joined or is_own):
        problem = f"it has not joined {facts.host.name}"
        yield refused(name, _refusal(name, problem, f"Federate it: fedssh federate --member {name}"))
        return
    if has_joined:
        yield from _check_credential(name, facts, engine)
    else:
        yield notice(name, f"it has not joined {facts.host.name}: its token alone is rotated")
    if is_own:
        yield from _check_own(cluster, wishes, facts, engine)
    else:
        why = "fedssh has no access of its own there"
        if cluster.is_ephemeral and stored_secrets(member):
            why = "a token of fedssh's is still kept, which federate revokes"
        elif cluster.is_ephemeral:
            why = "no token of fedssh's is kept for it"
        yield notice(name, f"{why}: {engine.TITLE}'s credential alone is rotated")


def _check_own(cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine) -> Iterator[Finding]:
    name, member = cluster.name, facts.members[cluster.name]
    try:
        endpoint = wanted_endpoint(cluster, wishes, facts, engine)
    except RefusedError as problem:
        yield refused(name, problem)
        return
    if member.bad_token:
        yield refused(name, member.bad_token)
        return
    proof = facts.access.get(name)
    error = refuse_access(proof, name, endpoint, member.cluster_uid, host=facts.host.name)[0] if proof else None
    if error is None and (proof is None or not proof.has_rights):
        error = _refusal(name, "its token does not have a cluster administrator's rights", _mend(name))
    if error:
        yield refused(name, error)


def _check_credential(name: str, facts: Facts, engine: Engine) -> Iterator[Finding]:
    """Return why the engine's own credential for a cluster cannot be replaced."""
    member = facts.members.get(name)
    uid, accounts = (member.cluster_uid, member.accounts) if member else (facts.host.cluster_uid, facts.host.accounts)
    cluster, proof, title = facts.host.clusters.get(name), facts.engine.get(name), engine.TITLE
    if cluster is None:
        yield refused(name, _refusal(name, "it has not joined its own federation", "Federate a member: it joins, too."))
    elif proof is None or not proof.holds_for(uid):
        why = (proof.problem or "it lacks rights, or leads to another cluster") if proof else "its Secret is missing"
        problem = f"{title}'s own credential for it does not work: {why}"
        yield refused(name, _refusal(name, problem, _mend(name)))
    elif engine.account_name(cluster) not in accounts:
        problem = f"{title}'s own credential for it is not of an account that a join has made there"
        yield refused(name, _refusal(name, problem, "Join it again by its tool, then rotate."))


def _refusal(name: str, problem: str, hint: str) -> RefusedError:
    return RefusedError(problem, machine=name, step=STEP, hint=hint)


def _mend(name: str) -> str:
    return f"fedssh federate mends that: fedssh federate --member {name}"
