"""What must hold before anything is changed: from facts and wishes to findings. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.access_rules import STEP, check_access, refuse_access
from fedssh.federation.findings import Finding, notice, refused
from fedssh.federation.grants import keeps_token, needed_grant
from fedssh.federation.notices import member_notices
from fedssh.federation.threads import contained
from fedssh.federation.wishes import find_mark, wanted_endpoint, wanted_server
from fedssh.kubernetes.account_tokens import OLDEST_FOR_MINTING
from fedssh.kubernetes.distributions import rewritten_by
from fedssh.kubernetes.endpoint import check_server
from fedssh.kubernetes.kubeconfig.entries import find_foreign
from fedssh.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts, HostFacts, MemberFacts
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster

LOOK_STEP: Final = "look at the member"
HOST_STEP: Final = "look at the host"
_MOST_NAMED: Final = 6


def check_host(wishes: Wishes, facts: HostFacts, engine: Engine) -> list[Finding]:
    """Return what is to be said of the host, and why it cannot be worked with."""
    name = facts.name
    errors = [*facts.gaps, *filter(None, [facts.old_kubectl])]
    if facts.state:
        errors += facts.state.engine.refusals(wishes.inventory, kubernetes=facts.kubernetes)
    found = [refused(name, error) for error in errors]
    if facts.has_proxy:
        title = engine.TITLE
        found.append(notice(name, f"its tools go through HTTPS_PROXY; {title}'s controller, in a pod, does not"))
    return found


def check_host_address(wishes: Wishes, facts: Facts, engine: Engine) -> list[Finding]:
    """Return why the host's own API address does not work for the engine's controller, which runs in a pod.

    A join copies the kubeconfig's address as it is, and the cluster never becomes Ready (kubefed#1498).
    """
    host, said = facts.host, wishes.inventory.host.api_server
    server = said or host.server
    if not server or host.state is None:
        return []
    hint = "Name one that pods reach, in hosts.yaml: host.api_server: https://…"
    try:
        check_server(server, member=host.name)
    except RefusedError as error:
        problem = f"{error.message}, and {engine.TITLE}'s controller runs in a pod"
        return [refused(host.name, RefusedError(problem, machine=host.name, step=HOST_STEP, hint=hint))]
    # Tried without a token: that another cluster answers there, the engine's own credential tells after the join.
    if facts.host_access is None or not facts.host_access.problem:
        return []
    problem = f"{host.name} does not get through to {server}: {facts.host_access.problem}"
    return [refused(host.name, RefusedError(problem, machine=host.name, step=HOST_STEP, hint=hint))]


def check_versions(wishes: Wishes, facts: Facts) -> list[Finding]:
    """Return what has to be known of the versions of the clusters that have not joined yet, once for all of them."""
    host, state = facts.host, facts.host.known.engine
    found = {host.name: host.kubernetes, **{name: member.kubernetes for name, member in facts.members.items()}}
    told: dict[str, dict[str, str]] = {}
    for name, kubernetes in found.items():
        text = state.version_notice(wishes.inventory, kubernetes=kubernetes)
        if text and name not in host.clusters:
            told.setdefault(text, {})[name] = kubernetes
    return [
        notice(host.name, f"Kubernetes {_listed(versions.values())} (of {_listed(versions)}) is {text}", "engine")
        for text, versions in told.items()
    ]


def _listed(words: Iterable[str]) -> str:
    """Return the first of several words, each once."""
    found = list(dict.fromkeys(words))
    return ", ".join([*found[:_MOST_NAMED], *["…"] * (len(found) > _MOST_NAMED)])


def check_file(facts: HostFacts) -> list[Finding]:
    """Return what has to be known of the host's kubeconfig, which is going to hold tokens."""
    name, file = facts.name, facts.known.file
    found = []
    if file.is_open:
        found.append(notice(name, f"{file.path} could be read by others ({file.mode}); it becomes 0600"))
    if writer := rewritten_by(file.path):
        lost = "what fedssh writes there is gone then: name a copy of it (host.kubeconfig)"
        found.append(notice(name, f"{writer} writes {file.path} anew whenever it starts; {lost}"))
    return found


def check_members_alone(wishes: Wishes, facts: Facts) -> list[Finding]:
    """Return why members are refused whatever the host is like: what can be corrected at the same time as the host."""
    members = [facts.members[cluster.name] for cluster in wishes.members]
    return [refused(member.name, problem) for member in members for problem in _own_problems(member, wishes)]


def check_members(wishes: Wishes, facts: Facts, engine: Engine) -> list[Finding]:
    """Return what is to be said of each member, and why it is refused; a bug in a rule is that of its member."""
    twins = _twins(wishes, facts, engine)
    found: list[Finding] = []
    for cluster in wishes.members:
        name = cluster.name
        checked = contained(name, partial(_rules_of_member, cluster, wishes, facts, engine, twins=twins[name]))
        found += [refused(name, checked)] if isinstance(checked, FedsshError) else checked
    return found


def _rules_of_member(
    cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine, *, twins: list[str]
) -> list[Finding]:
    return [*_check_member(cluster, wishes, facts, engine, twins=twins), *_check_versions_of(cluster, wishes, facts)]


def _check_member(
    cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine, *, twins: list[str]
) -> Iterator[Finding]:
    name, host, member = cluster.name, facts.host, facts.members[cluster.name]
    if problems := _own_problems(member, wishes):
        yield from (refused(name, error) for error in problems)
        return
    if twins:
        yield refused(name, _same_cluster(name, twins))
    try:
        endpoint = wanted_endpoint(cluster, wishes, facts, engine)
    except RefusedError as problem:
        yield refused(name, problem, "" if _is_address_fine(cluster, facts) else "address")
        return
    if not wishes.adopt:
        state = host.known
        names, is_stored = engine.entry_names(name), not cluster.is_ephemeral
        foreign = find_foreign(state.document, names, source=state.file.path, is_stored=is_stored)
        if foreign:
            yield refused(name, RefusedError(f"{host.name}: {foreign.message}", machine=name, hint=foreign.hint))
    grant = needed_grant(member, adopt=wishes.adopt, is_stored=not cluster.is_ephemeral)
    if member.bad_token and not (cluster.is_ephemeral or (grant and grant.anew)):
        yield refused(name, member.bad_token)
    yield from member_notices(member, endpoint, host, engine)
    proof = facts.access.get(name)
    if proof is None:
        return
    if grant is None and not cluster.is_ephemeral:
        yield from check_access(proof, name, endpoint, member.cluster_uid, host=host.name)
    else:
        # The rights, and a new token's identity, are proven when they are there.
        token_stays = not cluster.is_ephemeral and keeps_token(member, grant)
        error, seek = refuse_access(proof, name, endpoint, member.cluster_uid, host=host.name, token_stays=token_stays)
        if error:
            yield refused(name, error, seek)
    yield from _check_joined(cluster, member, facts)


def _own_problems(member: MemberFacts, wishes: Wishes) -> list[FedsshError]:
    """Return what is wrong with a member by itself."""
    # Where kubectl has not been let in, or goes by a proxy, what it could not find out is not the reason.
    if login := login_problem(member):
        return [login]
    is_ephemeral = wishes.inventory.member(member.name).is_ephemeral
    problems = [member.old_kubectl, _foreign_object(member, wishes, with_secret=not is_ephemeral)]
    if is_ephemeral and not member.gaps:
        problems.append(_too_old_to_mint(member))
    return [*member.gaps, *filter(None, problems)]


def _too_old_to_mint(member: MemberFacts) -> RefusedError | None:
    """Return why a member cannot do without a stored token, or None."""
    oldest = ".".join(map(str, OLDEST_FOR_MINTING))
    secrets = "an older one gives every ServiceAccount a token Secret without an end"
    told = (
        ("Kubernetes", member.kubernetes, secrets),
        ("kubectl", member.kubectl, "an older one cannot ask for a token"),
    )
    for what, said, why in told:
        version = parse_version(said)
        if version and version[:2] >= OLDEST_FOR_MINTING:
            continue
        found = said or "of an unknown version"
        return RefusedError(
            f"credentials: ephemeral needs {what} {oldest} or newer, and its {what} is {found}: {why}",
            machine=member.name,
            step=LOOK_STEP,
            hint=f"Write members.{member.name}.credentials: stored",
        )
    return None


def _check_versions_of(cluster: Cluster, wishes: Wishes, facts: Facts) -> list[Finding]:
    """Return why a member that has to join cannot, by its Kubernetes."""
    name, state = cluster.name, facts.host.known.engine
    if facts.has_joined(name):
        return []
    error = state.why_no_join(name, wishes.inventory, kubernetes=facts.members[name].kubernetes)
    return [refused(name, error)] if error else []


def _check_joined(cluster: Cluster, member: MemberFacts, facts: Facts) -> Iterator[Finding]:
    """Find another cluster behind the member's name in the federation."""
    proof = facts.engine.get(cluster.name)
    if proof and proof.cluster_uid not in {"", member.cluster_uid}:
        error = RefusedError(
            f"another cluster has joined {facts.host.name} under this name",
            machine=cluster.name,
            step=STEP,
            hint="Give the member another name in hosts.yaml, or unjoin that cluster first.",
        )
        yield refused(cluster.name, error)


def _twins(wishes: Wishes, facts: Facts, engine: Engine) -> dict[str, list[str]]:
    """Return, for each member, by which other names its cluster goes.

    The names are the host's, the other members', and those in the federation: of these it counts which cluster the
    engine's own credential leads to, and where that does not answer, what fedssh has noted. What a member's machine
    says of itself does not count against another member whose cluster has been seen from the host.
    """
    host, said = facts.host, {cluster.name: facts.members[cluster.name].cluster_uid for cluster in wishes.members}
    seen = {name: proof.cluster_uid for name, proof in facts.engine.items() if proof.cluster_uid}
    seen |= {name: proof.cluster_uid for name, proof in facts.access.items() if proof.cluster_uid}
    seen[host.name] = host.cluster_uid
    noted = {name: find_mark(name, facts, engine).cluster_uid for name in host.clusters}
    known = {**noted, **said, **{name: uid for name, uid in seen.items() if name not in said}}
    names: dict[str, list[str]] = {}
    for name, uid in known.items():
        names.setdefault(uid, []).append(name)
    twins = {}
    for member, uid in said.items():
        others = [name for name in names[uid] if name != member] if uid else []
        twins[member] = [name for name in others if seen.get(name) == uid] if seen.get(member) == uid else others
    return twins


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
        found.append(notice(facts.host.name, text, "federation"))
    return found


def _same_cluster(name: str, others: list[str]) -> RefusedError:
    return RefusedError(
        f"it is the same cluster as {', '.join(others)}",
        machine=name,
        step=LOOK_STEP,
        hint="Check the addresses in hosts.yaml: every member must be a cluster of its own. One that has joined under "
        "another name keeps that name, or leaves first.",
    )


def login_problem(member: MemberFacts) -> RefusedError | None:
    """Return why nothing is asked by a member's kubeconfig, or None."""
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


def _foreign_object(member: MemberFacts, wishes: Wishes, *, with_secret: bool) -> RefusedError | None:
    """Return the refusal for the first object of a wanted name that must not be touched, or None."""
    for reference, found in member.objects.items():
        if reference.startswith("secret/") and not with_secret:
            continue
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
