"""Looking at a member: one run of commands on its machine, and what the answers say.

A member's kubeconfig is data: its server and CA are read out of it, and where it would run a program or read a file
to log in, kubectl does not log in with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.federation.facts import MemberFacts, Presented
from fedssh.kubernetes.account import objects_command, parse_cluster_uid, parse_objects
from fedssh.kubernetes.account_tokens import decode_token, find_tokens, parse_token, secrets_command
from fedssh.kubernetes.certificates import parse_chain
from fedssh.kubernetes.distributions import advise, find_command, parse_found
from fedssh.kubernetes.kubectl import (
    NOT_FOUND,
    Target,
    check_version,
    cluster_version,
    kubectl,
    missing_tool,
    own_version,
    parse_created,
    parse_items,
    parse_object,
    section,
    versions_command,
)
from fedssh.shell import NOT_RUN, Command, Result, command, last_words, script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.inventory import Cluster
    from fedssh.shell import Shell

STEP: Final = "look at the member"

_LONGEST_CLOCK: Final = 12
_PRESENTED_SECONDS: Final = 10

# What the API server presents to its own machine. OpenSSL wants host:port, and a name to ask for that is no address.
_PRESENTED: Final = """
    rest=${server#*://}; rest=${rest%%/*}; rest=${rest##*@}
    case $rest in \\[*\\]:* | [![]*:*) ;; *) rest=$rest:443 ;; esac
    host=${rest%:*}; name=${2:-$host}
    case $name in *[!0-9.]*) case $name in *:*) sni=-noservername ;; *) sni="-servername $name" ;; esac ;;
        *) sni=-noservername ;; esac
    exec timeout "$3" openssl s_client -showcerts $sni -connect "$rest"
"""


def look_at_member(shell: Shell, cluster: Cluster, engine: Engine | None = None) -> MemberFacts:
    """Look at a member; nothing is changed.

    Args:
        shell: Its machine.
        cluster: The member.
        engine: Whose accounts there are looked at, too; None where nobody asks for them.

    Raises:
        FedsshError: The answer was lost, or was larger than an answer may be.
    """
    commands = member_commands(cluster)
    target = Target(kubeconfig=cluster.kubeconfig or "")
    more = [unless_foreign_login(ask, target) for ask in engine.account_commands(target=target)] if engine else []
    results = shell.run([*commands, *more])
    facts = parse_member(results[: len(commands)], cluster)
    if facts.gaps:
        return replace(facts, gaps=_advised(shell, facts.gaps[0], cluster) + facts.gaps[1:])
    if engine is None or facts.logs_in_by_program:
        return facts
    try:
        accounts = engine.parse_accounts(results[len(commands) :], machine=cluster.name)
    except StepError as error:
        return replace(facts, gaps=(error,))
    return replace(facts, accounts=accounts)


def _advised(shell: Shell, gap: FedsshError, cluster: Cluster) -> tuple[FedsshError]:
    """Return a gap with what to do about it where the machine's distribution keeps things elsewhere."""
    (found,) = shell.run(find_command())
    key = "" if cluster.kubeconfig else f"members.{cluster.name}.kubeconfig"
    return (advise(gap, parse_found(found), key=key, path=""),)


def member_commands(cluster: Cluster) -> list[Command]:
    """Return the commands whose answers ``parse_member`` reads; they may run at the same time."""
    target = Target(kubeconfig=cluster.kubeconfig or "")
    return [
        # Only the cluster's part of the kubeconfig leaves the machine, never its keys. A CA that is a file there is
        # read there (--flatten).
        kubectl(
            "config", "view", "--raw", "--minify", "--flatten", "-o", "jsonpath={.clusters[0].cluster}", target=target
        ),
        unless_foreign_login(objects_command(cluster.name, target=target), target),
        unless_foreign_login(secrets_command(cluster.name, target=target), target),
        unless_foreign_login(versions_command(target=target), target),
        command("date", "+%s"),
        *([_presented_command(cluster, target)] if cluster.tls == "pin" and not cluster.pin else []),
    ]


def parse_member(results: Sequence[Result], cluster: Cluster) -> MemberFacts:
    """Return what the answers to ``member_commands`` say of a member; nothing is refused."""
    name = cluster.name
    view, objects, secrets, version, clock, *presented = results
    if version.code == NOT_FOUND:
        return MemberFacts(name=name, gaps=(missing_tool("kubectl", machine=name, step=STEP),))
    gaps: list[FedsshError] = []
    stanza = _read_stanza(view, name, gaps)
    foreign_login = objects.code == NOT_RUN
    found = [] if foreign_login else _read_objects(objects, secrets, name, gaps)
    tokens, token, bad_token = find_tokens(found, name), None, None
    if section(tokens.secret, "data").get("token"):
        try:
            token = parse_token(tokens.secret, member=name, number=tokens.number)
        except RefusedError as error:
            bad_token = error
    return MemberFacts(
        name=name,
        server=str(stanza.get("server", "")),
        ca=str(stanza.get("certificate-authority-data", "")),
        has_proxy_url=bool(stanza.get("proxy-url")),
        logs_in_by_program=foreign_login,
        old_kubectl=_old_kubectl(version, machine=name),
        kubectl=own_version(version),
        kubernetes=cluster_version(version),
        cluster_uid=parse_cluster_uid(found),
        clock=parse_clock(clock),
        objects=parse_objects(found, name, tokens.number),
        number=tokens.number,
        last_number=tokens.last,
        token=token,
        token_created=parse_created(tokens.secret),
        other_tokens={number: decode_token(secret) for number, secret in tokens.others.items()},
        generated_secrets=tokens.generated,
        bad_token=bad_token,
        presented=parse_presented(presented[0]) if presented else None,
        gaps=tuple(gaps),
    )


def parse_clock(result: Result) -> float:
    """Return the seconds since 1970 that ``date +%s`` printed; 0 where it printed something else."""
    said = result.stdout.strip()
    return float(said) if len(said) <= _LONGEST_CLOCK and said.isascii() and said.isdecimal() else 0


def parse_presented(result: Result) -> Presented:
    """Return the certificates that ``openssl s_client -showcerts`` has shown."""
    chain = parse_chain(result.stdout)
    if chain:
        return Presented(chain=tuple(chain))
    return Presented(problem=last_words(result.stderr, lines=2) or "no certificate was presented")


def _read_stanza(view: Result, name: str, gaps: list[FedsshError]) -> dict[str, Any]:
    try:
        return parse_object(view, machine=name, step=STEP)
    except StepError as error:
        gaps.append(error)
        return {}


def _read_objects(objects: Result, secrets: Result, name: str, gaps: list[FedsshError]) -> list[dict[str, Any]]:
    try:
        found = parse_items(objects, machine=name, step=STEP)
        found += parse_items(secrets, machine=name, step=STEP)
    except StepError as error:
        # Where the kubeconfig could not be read, this has the same cause.
        gaps += [] if gaps else [error]
        return []
    if not parse_cluster_uid(found):  # every cluster has that namespace
        gaps.append(StepError("kubectl did not tell which cluster it is", machine=name, step=STEP))
    return found


def _old_kubectl(version: Result, *, machine: str) -> FedsshError | None:
    try:
        check_version(version, machine=machine, step=STEP)
    except StepError as error:
        return error
    return None


def unless_foreign_login(ask: Command, target: Target) -> Command:
    """Return ``ask``, which does not run when the kubeconfig would have it run programs or read files for its login."""
    paths = "{.users[0].user.exec}{.users[0].user.auth-provider}{.users[0].user.tokenFile}"
    look = kubectl("config", "view", "--minify", "-o", f"jsonpath={paths}", target=target).line
    return replace(ask, unless=look)


def _presented_command(cluster: Cluster, target: Target) -> Command:
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}", target=target).line
    return script(
        f"server=${{1:-$({server})}}" + _PRESENTED,
        cluster.api_server or "",
        cluster.server_name or "",
        str(_PRESENTED_SECONDS),
        title="openssl s_client",
    )
