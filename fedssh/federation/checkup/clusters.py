"""The clusters of the federation: how the engine finds them, and what it takes to reach them. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from fedssh.engines.protocol import CheckFinding
from fedssh.federation.checkup.facts import HostCheckup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine, JoinedCluster
    from fedssh.federation.checkup.facts import Checkup


def check_federation(checkup: Checkup, engine: Engine) -> Iterator[CheckFinding]:
    """Return how the engine finds its clusters, who has not joined, and who has, though hosts.yaml does not name it."""
    if checkup.facts is None or checkup.facts.host.gaps:
        return
    inventory, clusters = checkup.wishes.inventory, checkup.facts.host.clusters
    known = {inventory.host.name, *(member.name for member in inventory.members)}
    for name in checkup.names:
        if name in clusters:
            yield from _check_joined(clusters[name], checkup, engine)
        elif name != inventory.host.name:
            yield CheckFinding(
                cluster=name, topic="federation", state="notice", text="it has not joined",
                hint=f"fedssh federate --member {name}",
            )  # fmt: skip
        elif clusters and engine.HOST_JOINS:
            yield CheckFinding(
                cluster=name, topic="federation", state="problem", text="the host itself has not joined",
                leads_to="nothing is propagated to it", hint="fedssh federate --all, or --member NAME",
            )  # fmt: skip
    for name in [] if checkup.is_limited else clusters:
        if name not in known:
            yield CheckFinding(
                cluster=name, topic="federation", state="notice", text="it has joined, and hosts.yaml does not name it",
                hint="Add it to hosts.yaml, or let it leave the federation.",
            )  # fmt: skip
            yield from _check_joined(clusters[name], checkup, engine)


def check_contexts(checkup: Checkup) -> Iterator[CheckFinding]:
    """Return whether the host reaches its clusters by their contexts, as a user there would."""
    state = checkup.facts.host.state if checkup.facts else None
    if state is None or not isinstance(checkup.host, HostCheckup):
        return
    for name, problem in checkup.host.contexts.items():
        line = f"kubectl --context {shlex.quote(name)} get nodes"
        if not problem:
            yield CheckFinding(cluster=name, topic="federation", state="ok", text=f"on the host, {line} works")
            continue
        yield CheckFinding(
            cluster=name,
            topic="federation",
            state="problem",
            text=f"on the host, {line} does not work: {problem}",
            leads_to="users of the host's kubeconfig do not get to it",
            hint=f"fedssh federate --member {name} renews the entries; what else is said of {name} may be the reason.",
        )


def _check_joined(cluster: JoinedCluster, checkup: Checkup, engine: Engine) -> Iterator[CheckFinding]:
    name, title = cluster.name, engine.TITLE
    proof = checkup.facts.engine.get(name) if checkup.facts else None
    if not cluster.ready:
        said = cluster.message or f"{title} has not looked at it yet"
        yield CheckFinding(
            cluster=name,
            topic="federation",
            state="problem",
            text=f"{title} does not find it Ready: {said}",
            since=cluster.since,
            leads_to="changes of federated objects do not reach it; what runs there runs on, and cannot be moved away",
            hint=_what_to_do(cluster, checkup, is_proven=bool(proof and not proof.problem)),
        )
    if cluster.token is None:
        yield CheckFinding(
            cluster=name,
            topic="federation",
            state="problem",
            text=f"{title}'s token for it is missing",
            leads_to=f"{title} is lost to it as soon as it connects anew",
            hint=f"fedssh federate --member {name}",
        )
    elif proof and proof.problem and not (cluster.ready or proof.is_about_login or proof.is_about_rights):
        pass  # the engine does not reach it, and neither does the host: it is one matter
    elif proof and proof.problem:
        yield CheckFinding(
            cluster=name,
            topic="federation",
            state="problem",
            text=f"{title}'s own credential does not work from the host: {proof.problem}",
            leads_to="changes of federated objects end in UpdateFailed" if cluster.ready else "it stays as it is",
            hint=engine.broken_credential_hint() if proof.is_about_login or proof.is_about_rights else "",
        )
    elif proof and not proof.has_rights and name in checkup.names:
        yield CheckFinding(
            cluster=name,
            topic="federation",
            state="problem",
            text=f"{title} has lost rights there" + ", and calls it Ready all the same" * bool(cluster.ready),
            leads_to="changes of federated objects end in UpdateFailed",
            hint=f"fedssh federate --member {name}",
        )
    elif cluster.ready:
        rights = ", and its credential has all rights there" * bool(proof and proof.has_rights)
        version = f", Kubernetes {cluster.kubernetes}" * bool(cluster.kubernetes)
        yield CheckFinding(
            cluster=name,
            topic="federation",
            state="ok",
            text=f"{title} finds it Ready{version}{rights}",
            since=cluster.since,
        )


def _what_to_do(cluster: JoinedCluster, checkup: Checkup, *, is_proven: bool) -> str:
    name = cluster.name
    if name in checkup.names and name not in checkup.connected:
        return "Its machine is not reached either: see what is wrong with it first."
    if is_proven:
        return "The host reaches it by the same credential: look at what pods there resolve and reach."
    return f"fedssh federate --member {name}"
