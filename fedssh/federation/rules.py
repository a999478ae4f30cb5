"""What must hold before anything is changed: from facts and wishes to findings. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.grants import needed_grant
from fedssh.federation.threads import contained
from fedssh.federation.trust import pinned_fingerprint
from fedssh.federation.wishes import find_mark, wanted_endpoint, wanted_server
from fedssh.kubernetes.account import account_name, delete_token
from fedssh.kubernetes.endpoint import check_server
from fedssh.kubernetes.kubeconfig.entries import find_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts, HostFacts, MemberFacts, Proof
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster
    from fedssh.kubernetes.credentials import Endpoint

CLOCK_SKEW_SECONDS: Final = 300
"""From how far on clocks matter: certificates are dated a few minutes back by those who issue them."""

LOOK_STEP: Final = "look at the member"
PROVE_STEP: Final = "prove the access from the host"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule has found.

    Attributes:
        cluster: Whom it concerns.
        state: Whether it is as it should be, has to be said at every run, or forbids to go on.
        text: What was found; of a refusal, its message.
        error: Why going on is refused; None unless it is.
        seek: What may work instead, to be tried from the host before the refusal is told: another address, or another
            way to verify; "" where nothing is to be tried.
    """

    cluster: str
    state: Literal["checked", "notice", "refused"]
    text: str
    error: FedsshError | None = None
    seek: Literal["address", "trust", ""] = ""


def check_host(wishes: Wishes, facts: HostFacts, engine: Engine) -> list[Finding]:
    """Return what is to be said of the host, and why it cannot be worked with."""
    name = facts.name
    errors = [*facts.gaps, *filter(None, [facts.old_kubectl])]
    if facts.state:
        errors += facts.state.engine.refusals(wishes.inventory)
    found = [_refused(name, error) for error in errors]
    if facts.has_proxy:
        title = engine.TITLE
        found.append(_notice(name, f"its tools go through HTTPS_PROXY; {title}'s controller, in a pod, does not"))
    return found


def check_host_address(facts: HostFacts, engine: Engine) -> list[Finding]:
    """Return why the host's own API address does not work for the engine's controller, which runs in a pod.

    A join copies the address as it is, and the cluster never becomes Ready (kubefed#1498).
    """
    if not facts.server or facts.state is None:
        return []
    try:
        check_server(facts.server, member=facts.name)
    except RefusedError as error:
        where = shlex.join(facts.state.target.flags())
        name = f'"$(kubectl config view {where} --minify -o jsonpath={{.clusters[0].name}})"'
        refusal = RefusedError(
            f"{error.message}, and {engine.TITLE}'s controller runs in a pod",
            machine=error.machine,
            step="look at the host",
            hint=f"Write an address that pods reach into {facts.state.file.path} there: "
            f"kubectl config set-cluster {name} {where} --server=https://…",
        )
        return [_refused(facts.name, refusal)]
    return []


def check_members(wishes: Wishes, facts: Facts, engine: Engine) -> list[Finding]:
    """Return what is to be said of each member, and why it is refused; a bug in a rule is that of its member."""
    twins = _twins(wishes, facts, engine)
    found: list[Finding] = []
    for cluster in wishes.members:
        name = cluster.name
        checked = contained(name, partial(_rules_of_member, cluster, wishes, facts, engine, others=twins[name]))
        found += [_refused(name, checked)] if isinstance(checked, FedsshError) else checked
    return found


def refusals(findings: list[Finding]) -> dict[str, Finding]:
    """Return the first refusal of each cluster that has one."""
    found: dict[str, Finding] = {}
    for finding in findings:
        if finding.state == "refused":
            found.setdefault(finding.cluster, finding)
    return found


def check_access(proof: Proof, cluster: str, endpoint: Endpoint, cluster_uid: str, *, host: str) -> list[Finding]:
    """Return why an access that a member has granted does not hold, or what its proof has shown.

    Args:
        proof: What the cluster answered to the account's token.
        cluster: The member.
        endpoint: Where it was asked.
        cluster_uid: Which cluster the member's own machine has.
        host: The host's name.
    """
    error, seek = _refuse_access(proof, cluster, endpoint, cluster_uid, host=host)
    if error is None and not proof.has_rights:
        error = RefusedError(
            "the token is accepted, but does not have the rights of a cluster administrator",
            machine=cluster,
            step=PROVE_STEP,
            hint=f"Look at the ClusterRoleBinding {cluster} on the member.",
        )
    if error:
        return [_refused(cluster, error, seek)]
    return [Finding(cluster=cluster, state="checked", text=line) for line in _describe(proof, endpoint)]


def _rules_of_member(
    cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine, *, others: list[str]
) -> list[Finding]:
    return list(_check_member(cluster, wishes, facts, engine, others=others))


def _check_member(
    cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine, *, others: list[str]
) -> Iterator[Finding]:
    name, host, member = cluster.name, facts.host, facts.members[cluster.name]
    problems = [
        *member.gaps,
        *filter(None, [member.old_kubectl, _login_problem(member), _foreign_object(member, wishes)]),
    ]
    if problems:
        yield from (_refused(name, error) for error in problems)
        return
    if others:
        yield _refused(name, _same_cluster(name, others))
    try:
        endpoint = wanted_endpoint(cluster, wishes, facts, engine)
    except RefusedError as problem:
        yield _refused(name, problem, "" if _is_address_fine(cluster, facts) else "address")
        return
    if not wishes.adopt:
        state = host.known
        foreign = find_foreign(state.document, engine.entry_names(name), source=state.file.path)
        if foreign:
            yield _refused(name, RefusedError(f"{host.name}: {foreign.message}", machine=name, hint=foreign.hint))
    grant = needed_grant(member, adopt=wishes.adopt)
    if member.bad_token and not (grant and grant.anew):
        yield _refused(name, member.bad_token)
    yield from _notices(cluster, member, endpoint, host, engine)
    proof = facts.access.get(name)
    if proof is None:
        return
    if grant is None:
        yield from check_access(proof, name, endpoint, member.cluster_uid, host=host.name)
    else:
        # The rights, and a new token's identity, are proven when they are there.
        error, seek = _refuse_access(
            proof, name, endpoint, member.cluster_uid, host=host.name, token_stays=bool(member.token) and not grant.anew
        )
        if error:
            yield _refused(name, error, seek)
    yield from _check_joined(cluster, member, facts)


def _refuse_access(
    proof: Proof, cluster: str, endpoint: Endpoint, cluster_uid: str, *, host: str, token_stays: bool = True
) -> tuple[FedsshError | None, Literal["address", "trust", ""]]:
    """Return why an API server cannot be reached or a token is not accepted; the token's rights apart."""
    server = endpoint.server
    if proof.is_about_login:
        if not token_stays:
            return None, ""
        return RefusedError(
            f"{server} does not accept the token",
            machine=cluster,
            step=PROVE_STEP,
            hint="If that is the member's address, the token was revoked; let a new one be made: delete it there, and "
            f"run this again: {delete_token(cluster)}",
        ), ""
    if proof.problem:
        return RefusedError(
            f"{host} does not get through to {server}: {proof.problem}",
            machine=cluster,
            step=PROVE_STEP,
            hint=f"Name an address that works from {host}: members.{cluster}.api_server: https://…",
        ), "trust" if is_about_trust(proof.problem) else "address"
    if proof.cluster_uid and proof.cluster_uid != cluster_uid:
        return RefusedError(
            f"seen from {host}, {server} is another cluster than the one on the member's machine",
            machine=cluster,
            step=PROVE_STEP,
            hint=f"Correct members.{cluster}.api_server in hosts.yaml, or the name's address on {host}.",
        ), ""
    account = account_name(cluster)
    if token_stays and proof.identity not in {"", account}:
        return RefusedError(
            f"the token is taken for {proof.identity}, not for {account}", machine=cluster, step=PROVE_STEP
        ), ""
    return None, ""


def is_about_trust(problem: str) -> bool:
    """Whether kubectl's words tell of a certificate that does not verify, and not of an address."""
    return "x509:" in problem or "tls:" in problem


def _describe(proof: Proof, endpoint: Endpoint) -> list[str]:
    """Return what a proof that holds has shown, a line for each check."""
    trust = endpoint.trust
    verified = "verified" + f" as {trust.server_name}" * bool(trust.server_name)
    until = f", valid until {proof.expires}" * bool(proof.expires)
    return [
        f"{endpoint.server} resolves and answers from the host",
        f"its certificate is {'not verified' if trust.is_insecure else verified}{until}",
        f"it is Kubernetes {proof.version or 'of an unknown version'}, the cluster {proof.cluster_uid}",
        f"the token is that of {proof.identity or 'an unnamed account'}, with a cluster administrator's rights",
    ]


def _check_joined(cluster: Cluster, member: MemberFacts, facts: Facts) -> Iterator[Finding]:
    """Find another cluster behind the member's name in the federation."""
    proof = facts.engine.get(cluster.name)
    if proof and proof.cluster_uid not in {"", member.cluster_uid}:
        error = RefusedError(
            f"another cluster has joined {facts.host.name} under this name",
            machine=cluster.name,
            step=PROVE_STEP,
            hint="Give the member another name in hosts.yaml, or unjoin that cluster first.",
        )
        yield _refused(cluster.name, error)


def _twins(wishes: Wishes, facts: Facts, engine: Engine) -> dict[str, list[str]]:
    """Return, for each member, by which other names its cluster goes.

    The names are the host's, the other members', and those in the federation: of these it counts which cluster the
    engine's own credential leads to, and where that does not answer, what fedssh has noted.
    """
    known = {facts.host.name: facts.host.cluster_uid}
    for name in facts.host.clusters:
        proof = facts.engine.get(name)
        known.setdefault(name, (proof.cluster_uid if proof else "") or find_mark(name, facts, engine).cluster_uid)
    known |= {cluster.name: facts.members[cluster.name].cluster_uid for cluster in wishes.members}
    names: dict[str, list[str]] = {}
    for name, uid in known.items():
        names.setdefault(uid, []).append(name)
    return {
        cluster.name: [name for name in names[known[cluster.name]] if name != cluster.name]
        if known[cluster.name]
        else []
        for cluster in wishes.members
    }


def check_strangers(wishes: Wishes, facts: Facts, engine: Engine) -> list[Finding]:
    """Return which clusters of the federation cannot be told from the members, since nobody knows which they are."""
    meant = {facts.host.name, *(cluster.name for cluster in wishes.members)}
    found = []
    for name in facts.host.clusters:
        proof = facts.engine.get(name)
        if name in meant or (proof and proof.cluster_uid) or find_mark(name, facts, engine).cluster_uid:
            continue
        why = proof.problem if proof else "its Secret is missing"
        text = (
            f"nobody can tell whether {name}, which has joined, is one of these clusters under another name: "
            f"{engine.TITLE}'s credential for it does not work ({why})"
        )
        found.append(_notice(facts.host.name, text))
    return found


def _same_cluster(name: str, others: list[str]) -> RefusedError:
    return RefusedError(
        f"it is the same cluster as {', '.join(others)}",
        machine=name,
        step=LOOK_STEP,
        hint="Check the addresses in hosts.yaml: every member must be a cluster of its own. One that has joined under "
        "another name keeps that name, or leaves first.",
    )


def _login_problem(member: MemberFacts) -> RefusedError | None:
    name = member.name
    if member.logs_in_by_program:
        return RefusedError(
            "its kubeconfig logs in by a program or a file (exec, auth-provider or tokenFile)",
            machine=name,
            step=LOOK_STEP,
            hint=f"Name a kubeconfig with a certificate or token in it: members.{name}.kubeconfig: /path",
        )
    if member.has_proxy_url:
        return RefusedError(
            "its kubeconfig reaches the API by a proxy (proxy-url), which the host need not have",
            machine=name,
            step=LOOK_STEP,
            hint=f"Name a kubeconfig without one: members.{name}.kubeconfig: /path",
        )
    return None


def _foreign_object(member: MemberFacts, wishes: Wishes) -> RefusedError | None:
    """Return the refusal for the first object of a wanted name that must not be touched, or None."""
    for reference, found in member.objects.items():
        if found.is_built_in:
            return RefusedError(
                f"{reference} is Kubernetes' own: changing it would give others its rights",
                machine=member.name,
                step=LOOK_STEP,
                hint="Give the member another name in hosts.yaml.",
            )
        if not found.is_ours and not wishes.adopt:
            what = "; ".join([f"{reference} is there, and fedssh did not make it", *found.differences])
            return RefusedError(
                what,
                machine=member.name,
                step=LOOK_STEP,
                hint="To take it over, add --adopt; to keep it, give the member another name in hosts.yaml.",
            )
    return None


def _is_address_fine(cluster: Cluster, facts: Facts) -> bool:
    try:
        wanted_server(cluster, facts)
    except RefusedError:
        return False
    return True


def _notices(
    cluster: Cluster, member: MemberFacts, endpoint: Endpoint, host: HostFacts, engine: Engine
) -> Iterator[Finding]:
    name, trust, title = cluster.name, endpoint.trust, engine.TITLE
    clock = _clock_notice(member, host=host.name, host_clock=host.clock)
    if clock:
        yield _notice(name, clock)
    elif member.clock:
        yield Finding(cluster=name, state="checked", text=f"its clock agrees with that of {host.name}")
    server_host = urlsplit(endpoint.server).hostname or ""
    if server_host in host.own_names:
        yield _notice(
            name,
            f"{server_host} stands in /etc/hosts of {host.name}; {title}'s controller, in a pod, resolves it "
            "by DNS only",
        )
    if trust.is_insecure:
        yield _notice(name, f"nobody verifies {endpoint.server} (tls: insecure)")
    if trust.server_name:
        yield _notice(
            name,
            f"{host.name} verifies its certificate as {trust.server_name}; {title} cannot, and checks no name "
            "(server_name)",
        )
    if trust.word == "pin":
        renewed = f"when it is renewed, {title} takes the member Offline"
        yield _notice(name, f"pinned to the certificate {pinned_fingerprint(trust)}; {renewed}")


def _clock_notice(member: MemberFacts, *, host: str, host_clock: float) -> str:
    """Return what has to be said when a member's clock and the host's differ much, or ""."""
    skew = round(member.clock - host_clock) if member.clock and host_clock else 0
    if abs(skew) <= CLOCK_SKEW_SECONDS:
        return ""
    return (
        f"its clock is {abs(skew) // 60} minutes {'ahead of' if skew > 0 else 'behind'} that of {host}: certificates "
        "and tokens may count as expired, or as not yet valid (NotBefore)"
    )


def _refused(cluster: str, error: FedsshError, seek: Literal["address", "trust", ""] = "") -> Finding:
    return Finding(cluster=cluster, state="refused", text=error.message, error=error, seek=seek)


def _notice(cluster: str, text: str) -> Finding:
    return Finding(cluster=cluster, state="notice", text=text)
