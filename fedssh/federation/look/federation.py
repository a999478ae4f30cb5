"""Looking at a whole federation: all machines at the same time, then, from the host, what the answers lead to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.facts import Facts, HostFacts, MemberFacts, Presented
from fedssh.federation.look.host import look_at_host
from fedssh.federation.look.members import look_at_member, parse_presented
from fedssh.federation.look.proof import survey
from fedssh.federation.threads import as_they_end, contained
from fedssh.federation.trust import is_asked
from fedssh.federation.wishes import host_endpoint, wanted_endpoint, wanted_server
from fedssh.kubernetes.certificates import asking_argv, parse_store
from fedssh.kubernetes.credentials import Credential
from fedssh.sensitive import Sensitive
from fedssh.shell import command, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Proof
    from fedssh.federation.journal import Journal
    from fedssh.federation.machines import Connect
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster, Machine
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
        return look_at_member(reach(cluster.machine), cluster, engine if accounts else None)

    tasks: dict[str, Callable[[], HostFacts | MemberFacts]] = {host.name: at_host}
    tasks |= {cluster.name: partial(at_member, cluster) for cluster in wishes.members}
    found: dict[str, HostFacts | MemberFacts | FedsshError] = {}
    for name, outcome in as_they_end(tasks):
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
    shell = machines[host.name]
    result = contained(host.name, partial(_look_from_host, shell, wishes, facts, engine))
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


def _look_from_host(shell: Shell, wishes: Wishes, facts: Facts, engine: Engine) -> Facts:
    facts = _see_certificates(shell, wishes, facts)
    return _see_proofs(shell, wishes, facts, engine)


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
    tried: dict[str, Credential] = {}
    for cluster in wishes.members:
        member = facts.members[cluster.name]
        if member.gaps:
            continue
        endpoint = contained(cluster.name, partial(wanted_endpoint, cluster, wishes, facts, engine))
        if not isinstance(endpoint, FedsshError):
            # Where no token is kept, one that is still there is going to be revoked: it proves nothing.
            token = (None if cluster.is_ephemeral else member.token) or Sensitive("")
            tried[f"access.{cluster.name}"] = Credential(endpoint=endpoint, token=token)
    own = host_endpoint(wishes.inventory, facts.host)
    if own:
        tried["host."] = Credential(endpoint=own, token=Sensitive(""))
    meant, others = _engines_credentials(wishes, facts, engine)
    proofs = survey(shell, tried, meant, others, kubeconfig=facts.host.known.file.path)
    found: dict[str, dict[str, Proof]] = {"access": {}, "engine": {}, "host": {}}
    for key, proof in proofs.items():
        kind, _, name = key.partition(".")
        found[kind][name] = proof
    return replace(facts, access=found["access"], engine=found["engine"], host_access=found["host"].get(""))


def _engines_credentials(
    wishes: Wishes, facts: Facts, engine: Engine
) -> tuple[Mapping[str, Credential], Mapping[str, Credential]]:
    """Return the engine's own credentials: for the clusters that are meant, and for the others."""
    names = {cluster.name: cluster.server_name or "" for cluster in wishes.members}
    names |= {facts.host.name: ""}
    meant: dict[str, Credential] = {}
    others: dict[str, Credential] = {}
    for name, cluster in facts.host.clusters.items():
        credential = engine.credential(cluster, server_name=names.get(name, ""))
        if credential and credential.endpoint.server:
            (meant if name in names else others)[f"engine.{name}"] = credential
    return meant, others


def _gaps(found: object) -> tuple[FedsshError, ...]:
    return (found,) if isinstance(found, FedsshError) else ()
