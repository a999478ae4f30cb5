"""What opens clusters, its age and its end: administrators' certificates, fedssh's tokens, the engine's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines.protocol import CheckFinding
from fedssh.errors import FedsshError
from fedssh.federation.checkup.network import judge_end
from fedssh.federation.grants import stored_secrets
from fedssh.kubernetes.account_tokens import token_secret
from fedssh.kubernetes.certificates import valid_until
from fedssh.kubernetes.tokens import NEVER, token_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine
    from fedssh.federation.checkup.facts import Checkup
    from fedssh.federation.facts import Facts, MemberFacts
    from fedssh.sensitive import Sensitive

OLD_DAYS = 365
"""How many days a token without an end is nothing worth a word."""


def check_logins(checkup: Checkup) -> Iterator[CheckFinding]:
    """Return until when the machines' own kubeconfigs let anybody in."""
    for name in checkup.names:
        found = checkup.clusters.get(name)
        if found is None or isinstance(found, FedsshError) or not found.login:
            continue
        state, when = judge_end(valid_until(found.login[0]), checkup)
        yield CheckFinding(
            cluster=name,
            topic="credentials",
            state=state,
            text=f"the certificate in its own kubeconfig {when}",
            leads_to="" if state == "ok" else "from then on neither its administrator nor fedssh gets into its API",
            hint="" if state == "ok" else "Renew it there (kubeadm: kubeadm certs renew admin.conf, then copy "
            "/etc/kubernetes/admin.conf over the kubeconfig).",
        )  # fmt: skip


def check_tokens(checkup: Checkup, engine: Engine) -> Iterator[CheckFinding]:
    """Return since when and until when fedssh's tokens, and the engine's, are valid."""
    if checkup.facts is None:
        return
    for name, member in checkup.facts.members.items():
        if checkup.wishes.inventory.member(name).is_ephemeral:
            yield from _judge_ephemeral(name, member, checkup.facts, engine)
        if not member.token:
            continue
        found = checkup.clusters.get(name)
        objects = () if found is None or isinstance(found, FedsshError) else found.objects
        since = [thing.since for thing in objects if thing.reference == f"secret/{token_secret(name, member.number)}"]
        yield _judge_token(name, "fedssh's token", "".join(since[:1]), member.token, checkup)
    for name, cluster in checkup.facts.host.clusters.items():
        if cluster.token and (name in checkup.names or not checkup.is_limited):
            yield _judge_token(name, f"{engine.TITLE}'s token", cluster.issued, cluster.token, checkup)


def _judge_ephemeral(name: str, member: MemberFacts, facts: Facts, engine: Engine) -> Iterator[CheckFinding]:
    """Return whether a token is kept that should not be."""
    state = facts.host.state
    user = engine.entry_names(name).user
    places = [f"secret/{secret} on it" for secret in stored_secrets(member)]
    if state and state.document.find("users", user):
        places.append(f"the user {user} in {state.file.path} on {facts.host.name}")
    if places:
        yield CheckFinding(
            cluster=name,
            topic="credentials",
            state="problem",
            text=f"hosts.yaml says credentials: ephemeral, and a token of fedssh's is kept: {', '.join(places)}",
            leads_to="whoever reads it there has all rights until it is revoked",
            hint=f"fedssh federate --member {name} revokes it.",
        )
    elif member.objects:
        text = "no token of fedssh's is kept for it; it asks for one of ten minutes where it needs one"
        yield CheckFinding(cluster=name, topic="credentials", state="ok", text=text)


def check_kubeconfig(checkup: Checkup) -> Iterator[CheckFinding]:
    """Return whether others than its owner can read the host's kubeconfig, which holds tokens."""
    state = checkup.facts.host.state if checkup.facts else None
    if state is None:
        return
    name, file = checkup.wishes.inventory.host.name, state.file
    if not file.is_open:
        yield CheckFinding(
            cluster=name, topic="credentials", state="ok", text=f"{file.path} can be read by its owner alone"
        )
        return
    yield CheckFinding(
        cluster=name,
        topic="credentials",
        state="problem",
        text=f"{file.path} can be read by others ({file.mode})",
        leads_to="whoever can log in there can take the tokens in it: those of this cluster and of its members",
        hint=f"chmod 600 {file.path} there; federate does it, too, when it writes the file.",
    )


def _judge_token(name: str, what: str, since: str, token: Sensitive, checkup: Checkup) -> CheckFinding:
    made = f"was made {since}" if since else "is of an unknown time"
    end = token_end(token)
    if end == NEVER:
        is_old = bool(since) and since < checkup.later(-OLD_DAYS)
        return CheckFinding(
            cluster=name,
            topic="credentials",
            state="notice" if is_old else "ok",
            text=f"{what} {made}, and never ends",
            since=since if is_old else "",
            leads_to="whoever has ever seen it has all rights there until it is revoked" if is_old else "",
            hint=f"fedssh rotate --member {name}" if is_old else "",
        )
    state, when = judge_end(end, checkup)
    return CheckFinding(
        cluster=name,
        topic="credentials",
        state=state,
        text=f"{what} {made}, and {when}",
        leads_to="" if state == "ok" else "with its end, the access ends",
        hint="" if state == "ok" else f"fedssh rotate --member {name}",
    )
