"""Looking at a whole federation: all machines at the same time, then, from the host, what the answers lead to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.facts import Facts, HostFacts, MemberFacts, Presented, Proof
from fedssh.federation.look.host import look_at_host
from fedssh.federation.look.members import ask_version, look_at_member, parse_presented
from fedssh.federation.look.proof import Trial, prove
from fedssh.federation.threads import as_they_end, at_once, contained
from fedssh.federation.trust import is_asked
from fedssh.federation.wishes import host_endpoint, wanted_endpoint, wanted_server
from fedssh.kubernetes.account_tokens import NAMESPACE
from fedssh.kubernetes.certificates import asking_argv, parse_store
from fedssh.kubernetes.credentials import Credential
from fedssh.kubernetes.kubeconfig.entries import has_member
from fedssh.kubernetes.kubectl import has_lost_context
from fedssh.sensitive import Sensitive
from fedssh.shell import command, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.federation.journal import Journal
    from fedssh.federation.machines import Connect
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster, Machine
    from fedssh.kubernetes.credentials import Endpoint
    from fedssh.shell import Shell

_PRESENTED_SECONDS: Final = 10

# Where Go looks for a Linux machine's trust store (crypto/x509/root_linux.go).
_READ_STORE: Final = """
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem \\
        /etc/pki/tls/cacert.pem /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem; do
        [ ! -e "$file" ] || { cat "$file"; exit; }
    done
    echo "there is no trust store in any of the usual places" >&2
    exit 1
"""


def look(
    wishes: Wishes, connect: Connect, engine: Engine, journal: Journal, *, accounts: bool = False
) -> tuple[dict[str, Shell], Facts]:
    """Connect to the host and to every member that is meant, and look at them; nothing is changed.

    Args:
        wishes: Who is meant.
        connect: Opens a connection to a machine.
        engine: What federates.
        journal: Told of each cluster that is looked at, and of each that cannot be, as soon as that is known.
        accounts: Whether the engine's accounts on the clusters are looked at, too.

    Returns:
        The connections that could be opened, by cluster, and what was found. What could not be found out is a gap.
    """
    machines: dict[str, Shell] = {}
    host = wishes.inventory.host
    reach = _remember(connect, machines)

    def at_host() -> HostFacts:
        journal.begin(host.name, "looking at the host")
        return look_at_host(reach(host.machine), wishes.inventory, engine, accounts=accounts)

    def at_member(cluster: Cluster) -> MemberFacts:
        journal.begin(cluster.name, "looking at the member")
        return look_at_member(reach(cluster.machine), cluster, engine, accounts=accounts)

    tasks: dict[str, Callable[[], HostFacts | MemberFacts]] = {host.name: at_host}
    tasks |= {cluster.name: partial(at_member, cluster) for cluster in wishes.members}
    found: dict[str, HostFacts | MemberFacts | FedsshError] = {}
    for name, outcome in as_they_end(tasks, limit=wishes.inventory.concurrency):
        found[name] = outcome
        if isinstance(outcome, FedsshError):
            journal.fail(name, outcome)
        else:
            journal.wait(name)
    seen = found.pop(host.name)
    at_the_host = seen if isinstance(seen, HostFacts) else HostFacts(name=host.name, gaps=_gaps(seen))
    members = {
        name: facts if isinstance(facts, MemberFacts) else MemberFacts(name=name, gaps=_gaps(facts))
        for name, facts in ((cluster.name, found[cluster.name]) for cluster in wishes.members)
    }
    facts = Facts(host=at_the_host, members=members)
    if at_the_host.gaps:
        return machines, facts
    result = contained(host.name, partial(_look_from_host, machines, wishes, facts, engine))
    if isinstance(result, FedsshError):
        return machines, replace(facts, host=replace(at_the_host, gaps=(result,)))
    return machines, result


def look_at_host_alone(
    wishes: Wishes, connect: Connect, engine: Engine, journal: Journal
) -> tuple[dict[str, Shell], Facts]:
    """Connect to the host and look at it, as ``look`` does; no credential is tried."""
    machines: dict[str, Shell] = {}
    host = wishes.inventory.host
    journal.begin(host.name, "looking at the host")
    reach = _remember(connect, machines)
    seen = contained(host.name, lambda: look_at_host(reach(host.machine), wishes.inventory, engine))
    return machines, Facts(host=seen if isinstance(seen, HostFacts) else HostFacts(name=host.name, gaps=(seen,)))


def _remember(connect: Connect, machines: dict[str, Shell]) -> Connect:
    """Return a ``connect`` that notes each open connection."""

    def reach(machine: Machine) -> Shell:
        machines[machine.name] = shell = connect(machine)
        return shell

    return reach


def _look_from_host(machines: Mapping[str, Shell], wishes: Wishes, facts: Facts, engine: Engine) -> Facts:
    shell = machines[facts.host.name]
    facts = _see_certificates(shell, wishes, facts)
    facts = _see_proofs(shell, wishes, facts, engine)
    return _see_versions(machines, wishes, facts)


def _see_certificates(shell: Shell, wishes: Wishes, facts: Facts) -> Facts:
    """Ask the host for its trust store and what servers present to it, where a member's trust depends on that."""
    asked = {}
    for cluster in wishes.members:
        if is_asked(cluster) and (server := _server(cluster.name, wishes, facts)):
            argv = asking_argv(server, server_name=cluster.server_name or "")
            asked[cluster.name] = command("timeout", str(_PRESENTED_SECONDS), *argv, title="openssl s_client")
    if not asked:
        return facts
    read, *presented = shell.run(
        [script(_READ_STORE, title="read of the trust store"), *asked.values()], timeout_seconds=60
    )
    chains: dict[str, Presented] = {}
    for name, result in zip(asked, presented, strict=True):
        chain = contained(name, partial(parse_presented, result))
        chains[name] = Presented(problem=chain.message) if isinstance(chain, FedsshError) else chain
    return replace(facts, store=tuple(parse_store(read.stdout)), presented=chains)


def _server(name: str, wishes: Wishes, facts: Facts) -> str:
    """Return the address at which the host is to reach a member; "" where no address can work."""
    cluster = wishes.inventory.member(name)
    if facts.members[name].gaps:
        return ""
    try:
        return wanted_server(cluster, facts)
    except RefusedError:
        return ""


def _see_proofs(shell: Shell, wishes: Wishes, facts: Facts, engine: Engine) -> Facts:
    """Try, from the host, every member's endpoint with the token that is there, and every credential of the engine's.

    An endpoint whose trust is not decided gets nothing: no token goes to a server that nobody has verified.
    """
    accesses: dict[str, Trial] = {}
    for cluster in wishes.members:
        if facts.members[cluster.name].gaps:
            continue
        endpoint = contained(cluster.name, partial(wanted_endpoint, cluster, wishes, facts, engine))
        if not isinstance(endpoint, FedsshError):
            accesses[cluster.name] = _access(cluster, endpoint, facts, engine)
    engines = _engines(wishes, facts, engine, accesses)
    own = host_endpoint(wishes.inventory, facts.host)
    host = {"host.": Trial(credential=Credential(endpoint=own, token=Sensitive("")))} if own else {}
    kubeconfig = facts.host.known.file.path
    # What the engine's credential is going to show anyway, needs no trial of its own.
    shown = {name for name, trial in accesses.items() if not trial.credential.token and _is_shown(name, trial, engines)}
    first = {f"access.{name}": trial for name, trial in accesses.items() if name not in shown}
    proofs = prove(shell, {**first, **host, **_keyed("engine", engines)}, kubeconfig=kubeconfig)
    proofs |= {f"access.{name}": Proof() for name in shown if not proofs[f"engine.{name}"].problem}
    # Where a member's own token is not taken, nothing tells which cluster takes the engine's at the same address. And
    # which cluster it is, a member's machine has said of itself: where others say the same, the clusters are asked.
    unclear = _claimed_twice(facts, proofs)
    doubted = {
        name: replace(trial, cluster_uid="")
        for name, trial in engines.items()
        if trial.cluster_uid and name in accesses and (proofs[f"access.{name}"].problem or name in unclear)
    }
    missing = {f"access.{name}": accesses[name] for name in shown if f"access.{name}" not in proofs}
    missing |= {
        f"access.{name}": replace(trial, cluster_uid="")
        for name, trial in accesses.items()
        if name in unclear and trial.credential.token
    }
    # A kubectl config may just have had the file half written.
    missing |= {
        key: replace(trial, context="") for key, trial in first.items() if has_lost_context(proofs[key].problem)
    }
    proofs |= prove(shell, {**missing, **_keyed("engine", doubted)}, kubeconfig=kubeconfig)
    found: dict[str, dict[str, Proof]] = {"access": {}, "engine": {}, "host": {}}
    for key, proof in proofs.items():
        kind, _, name = key.partition(".")
        found[kind][name] = proof
    return replace(facts, access=found["access"], engine=found["engine"], host_access=found["host"].get(""))


def _claimed_twice(facts: Facts, proofs: Mapping[str, Proof]) -> set[str]:
    """Return the members whose machines tell a cluster that is another member's, the host's, or one that has joined."""
    claims = {name: member.cluster_uid for name, member in facts.members.items()}
    seen = {key.partition(".")[2]: proof.cluster_uid for key, proof in proofs.items() if key.startswith("engine.")}
    others = [uid for name, uid in seen.items() if name not in claims]
    counts = Counter([*claims.values(), facts.host.cluster_uid, *others])
    return {name for name, uid in claims.items() if uid and counts[uid] > 1}


def _access(cluster: Cluster, endpoint: Endpoint, facts: Facts, engine: Engine) -> Trial:
    member, names = facts.members[cluster.name], engine.entry_names(cluster.name)
    # Where no token is kept, one that is still there is going to be revoked: it proves nothing.
    token = (None if cluster.is_ephemeral else member.token) or Sensitive("")
    credential, uid = Credential(endpoint=endpoint, token=token), member.cluster_uid
    document = facts.host.known.document
    is_written = bool(token) and has_member(document, names, credential, cluster_uid=uid, namespace=NAMESPACE)
    context = names.context if is_written else ""
    return Trial(credential=credential, cluster_uid=uid, context=context)


def _engines(wishes: Wishes, facts: Facts, engine: Engine, accesses: Mapping[str, Trial]) -> dict[str, Trial]:
    """Return how the engine's own credentials are tried; of clusters that are not meant, only which ones they are."""
    names = {cluster.name: cluster.server_name or "" for cluster in wishes.members}
    names |= {facts.host.name: ""}
    known = {name: (one.credential.endpoint.server, one.cluster_uid) for name, one in accesses.items()}
    known = {name: told for name, told in known.items() if accesses[name].credential.token}
    known[facts.host.name] = (facts.host.server, facts.host.cluster_uid)
    found: dict[str, Trial] = {}
    for name, cluster in facts.host.clusters.items():
        credential = engine.credential(cluster, server_name=names.get(name, ""))
        if credential and credential.endpoint.server:
            server, uid = known.get(name, ("", ""))
            is_same = server == credential.endpoint.server
            found[name] = Trial(credential=credential, cluster_uid=uid * is_same, asks_rights=name in names)
    return found


def _is_shown(name: str, trial: Trial, engines: Mapping[str, Trial]) -> bool:
    """Whether the engine's credential for a member goes to the same address, and verifies the same there."""
    other = engines[name].credential.endpoint if name in engines else None
    mine = trial.credential.endpoint
    return other is not None and other.server == mine.server and other.trust.verifies_as(mine.trust)


def _keyed(kind: str, trials: Mapping[str, Trial]) -> dict[str, Trial]:
    return {f"{kind}.{name}": trial for name, trial in trials.items()}


def _see_versions(machines: Mapping[str, Shell], wishes: Wishes, facts: Facts) -> Facts:
    """Note which Kubernetes the members have that have not joined yet: it counts for whether they can.

    Most API servers tell their version to everybody. The others are asked on their own machines.
    """
    members = dict(facts.members)
    for name, proof in facts.access.items():
        if proof.kubernetes and not members[name].kubernetes:
            members[name] = replace(members[name], kubernetes=proof.kubernetes)
    asked = [
        cluster
        for cluster in wishes.members
        if not (members[cluster.name].kubernetes or members[cluster.name].gaps or cluster.name in facts.host.clusters)
        and not members[cluster.name].logs_in_by_program
    ]
    tasks = {cluster.name: partial(ask_version, machines[cluster.name], cluster) for cluster in asked}
    for name, version in at_once(tasks, limit=wishes.inventory.concurrency).items():
        if isinstance(version, str):
            members[name] = replace(members[name], kubernetes=version)
    return replace(facts, members=members)


def _gaps(found: object) -> tuple[FedsshError, ...]:
    return (found,) if isinstance(found, FedsshError) else ()
