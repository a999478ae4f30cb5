"""Looking at a member: one run of commands on its machine, and what the answers say.

A member's kubeconfig is data: its server and CA are read out of it, and where it would run a program or read a file
to log in, kubectl does not log in with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.federation.facts import MemberFacts, Presented
from fedssh.kubernetes.account import CLUSTER_NAMESPACE, parse_cluster_uid, parse_objects, references
from fedssh.kubernetes.account_tokens import NAMESPACE, decode_token, find_tokens, parse_token, selector
from fedssh.kubernetes.certificates import parse_chain
from fedssh.kubernetes.distributions import advise, find_command, parse_found
from fedssh.kubernetes.kubectl import (
    NOT_FOUND,
    OLDEST_VERSION,
    Target,
    cluster_version,
    find_item,
    kubectl,
    missing_tool,
    own_version,
    parse_created,
    parse_items,
    parse_object,
    section,
    versions_command,
)
from fedssh.shell import Command, Result, last_words, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.inventory import Cluster
    from fedssh.shell import Shell

STEP: Final = "look at the member"

_LONGEST_CLOCK: Final = 12
_PRESENTED_SECONDS: Final = 10

ANSWER_SECONDS: Final = 15
"""How long a member's kubectl may take for an answer: the others wait for it as long."""

# What a kubeconfig would run or read to log in; nothing for a certificate or a token.
_LOGINS: Final = "{range .users[*]}{.user.exec}{.user.auth-provider}{.user.tokenFile}{end}"

# A part for each kubectl, behind a line that names it. Only the cluster's part of the kubeconfig leaves the machine,
# never its keys; a CA that is a file there is read there (--flatten). Where kubectl would run a program to log in, it
# asks nothing. Its time is limited from outside where that can be: by itself it would try up to five times to learn
# what APIs there are, each time as long as a request may take. Without an account there are no tokens of it, but for
# what has the name of the first. Which versions there are counts for tokens that end by themselves.
_LOOK: Final = f"""
    kubeconfig=$1 selector=$2 versions=$3; shift 3
    command -v timeout >/dev/null || timeout() {{ shift; "$@"; }}
    limit={ANSWER_SECONDS}
    ask() {{ timeout $limit kubectl ${{kubeconfig:+"--kubeconfig=$kubeconfig"}} --request-timeout=${{limit}}s "$@"; }}
    part() {{ printf '\\n--- %s\\n' "$1"; }}
    newline='
'
    part clock
    date +%s
    part view
    view=$(ask config view --raw --minify --flatten -o \\
        'jsonpath=login{_LOGINS}{{"\\n"}}{{.clusters[0].cluster}}') || exit
    case $view in *"$newline"*) printf '%s\\n' "${{view#*"$newline"}}" ;; esac
    case $view in "login$newline"*) ;; *) part login; exit 0 ;; esac
    part objects
    found=$(ask get "$@" --ignore-not-found --namespace={NAMESPACE} -o json) || exit
    printf '%s\\n' "$found"
    case $found in *'"kind": "ServiceAccount"'*)
        part secrets
        ask get secrets --namespace={NAMESPACE} --selector="$selector" -o json || exit ;;
    esac
    [ -n "$versions" ] || exit 0
    part version
    ask version --output=json
"""
_TITLES: Final = {"view": "kubectl config", "version": "kubectl version"}
_OLD_FORM: Final = "map["
"""How a kubectl that is too old prints an object by jsonpath (kubernetes#89660)."""

# What the API server presents to its own machine. OpenSSL wants host:port, and a name to ask for that is no address.
_PRESENTED: Final = """
    rest=${server#*://}; rest=${rest%%/*}; rest=${rest##*@}
    case $rest in \\[*\\]:* | [![]*:*) ;; *) rest=$rest:443 ;; esac
    host=${rest%:*}; name=${2:-$host}
    case $name in *[!0-9.]*) case $name in *:*) sni=-noservername ;; *) sni="-servername $name" ;; esac ;;
        *) sni=-noservername ;; esac
    exec timeout "$3" openssl s_client -showcerts $sni -connect "$rest"
"""


def look_at_member(shell: Shell, cluster: Cluster, engine: Engine, *, accounts: bool = False) -> MemberFacts:
    """Look at a member; nothing is changed.

    Args:
        shell: Its machine.
        cluster: The member.
        engine: What federates.
        accounts: Whether the engine's accounts there are looked at, too.

    Raises:
        FedsshError: The answer was lost, or was larger than an answer may be.
    """
    commands = member_commands(cluster, engine)
    target = Target(kubeconfig=cluster.kubeconfig or "")
    more = [unless_foreign_login(ask, target) for ask in engine.account_commands(target=target)] if accounts else []
    results = shell.run([*commands, *more])
    facts = parse_member(results[: len(commands)], cluster, engine)
    if facts.gaps:
        return replace(facts, gaps=_advised(shell, facts.gaps[0], cluster) + facts.gaps[1:])
    if not accounts or facts.logs_in_by_program:
        return facts
    try:
        found = engine.parse_accounts(results[len(commands) :], machine=cluster.name)
    except StepError as error:
        return replace(facts, gaps=(error,))
    return replace(facts, accounts=found)


def _advised(shell: Shell, gap: FedsshError, cluster: Cluster) -> tuple[FedsshError]:
    """Return a gap with what to do about it where the machine's distribution keeps things elsewhere."""
    (found,) = shell.run(find_command())
    key = "" if cluster.kubeconfig else f"members.{cluster.name}.kubeconfig"
    return (advise(gap, parse_found(found), key=key, path=""),)


def member_commands(cluster: Cluster, engine: Engine) -> list[Command]:
    """Return the commands whose answers ``parse_member`` reads; they may run at the same time."""
    kubeconfig, name = cluster.kubeconfig or "", cluster.name
    objects = [*references(name), f"namespace/{CLUSTER_NAMESPACE}", f"namespace/{engine.MEMBER_NAMESPACE}"]
    return [
        script(_LOOK, kubeconfig, selector(name), "versions" * cluster.is_ephemeral, *objects, title="kubectl"),
        *([_presented_command(cluster)] if cluster.tls == "pin" and not cluster.pin else []),
    ]


def parse_member(results: Sequence[Result], cluster: Cluster, engine: Engine) -> MemberFacts:
    """Return what the answers to ``member_commands`` say of a member; nothing is refused."""
    name = cluster.name
    looked, *presented = results
    if looked.code == NOT_FOUND:
        return MemberFacts(name=name, gaps=(missing_tool("kubectl", machine=name, step=STEP),))
    parts, gaps = _parts(looked), list[FedsshError]()
    stanza, old_kubectl = _read_stanza(parts.get("view", looked), name, gaps)
    foreign_login = "login" in parts
    found = [] if foreign_login or gaps else _read_objects(parts, name, gaps)
    tokens, token, bad_token = find_tokens(found, name), None, None
    if section(tokens.secret, "data").get("token"):
        try:
            token = parse_token(tokens.secret, member=name, number=tokens.number)
        except RefusedError as error:
            bad_token = error
    version = parts.get("version")
    return MemberFacts(
        name=name,
        server=str(stanza.get("server", "")),
        ca=str(stanza.get("certificate-authority-data", "")),
        has_proxy_url=bool(stanza.get("proxy-url")),
        logs_in_by_program=foreign_login,
        old_kubectl=old_kubectl,
        kubectl=own_version(version) if version else "",
        kubernetes=cluster_version(version) if version else "",
        cluster_uid=parse_cluster_uid(found),
        engines_namespace=_phase(find_item(found, "Namespace", engine.MEMBER_NAMESPACE)),
        clock=parse_clock(parts.get("clock", looked)),
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


def ask_version(shell: Shell, cluster: Cluster) -> str:
    """Return which Kubernetes a member has, asked on its own machine; "" where that is not told."""
    (answer,) = shell.run(versions_command(target=Target(kubeconfig=cluster.kubeconfig or "")))
    return cluster_version(answer)


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


def _parts(looked: Result) -> dict[str, Result]:
    """Return the answer to the script of a look by its parts: of those that were begun, the last may have failed."""
    found: dict[str, Result] = {}
    for part in f"\n{looked.stdout}".split("\n--- ")[1:]:
        name, _, text = part.partition("\n")
        asked = replace(looked.command, title=_TITLES.get(name, "kubectl get"))
        found[name] = Result(command=asked, code=0, stdout=text, stderr="")
    if found and not looked.ok:
        last = [*found][-1]
        found[last] = replace(found[last], code=looked.code, stderr=looked.stderr)
    return found


def _read_stanza(view: Result, name: str, gaps: list[FedsshError]) -> tuple[dict[str, Any], FedsshError | None]:
    """Return the cluster's part of the kubeconfig, and why kubectl is too old."""
    if view.ok and view.stdout.startswith(_OLD_FORM):
        oldest = ".".join(map(str, OLDEST_VERSION))
        problem = f"kubectl is older than {oldest}, the first that works with fedssh"
        hint = f"Install kubectl of the cluster's own version on the machine of {name}."
        return {}, StepError(problem, machine=name, step=STEP, hint=hint)
    try:
        return parse_object(view, machine=name, step=STEP), None
    except StepError as error:
        gaps.append(error)
        return {}, None


def _read_objects(parts: Mapping[str, Result], name: str, gaps: list[FedsshError]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    try:
        for part in ("objects", "secrets"):
            found += parse_items(parts[part], machine=name, step=STEP) if part in parts else []
    except StepError as error:
        gaps.append(error)
        return []
    if not parse_cluster_uid(found):  # every cluster has that namespace
        gaps.append(StepError("kubectl did not tell which cluster it is", machine=name, step=STEP))
    return found


def _phase(namespace: Mapping[str, Any] | None) -> str:
    """Return how a namespace is, "" for one that is not there."""
    return str(section(namespace, "status").get("phase") or "Active") if namespace else ""


def unless_foreign_login(ask: Command, target: Target) -> Command:
    """Return ``ask``, which does not run when the kubeconfig would have it run programs or read files for its login."""
    look = kubectl("config", "view", "--minify", "-o", f"jsonpath={_LOGINS}", target=target).line
    return replace(ask, unless=look)


def _presented_command(cluster: Cluster) -> Command:
    target = Target(kubeconfig=cluster.kubeconfig or "")
    server = kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}", target=target).line
    return script(
        f"server=${{1:-$({server})}}" + _PRESENTED,
        cluster.api_server or "",
        cluster.server_name or "",
        str(_PRESENTED_SECONDS),
        title="openssl s_client",
    )
