"""Asking machines for a check-up: one run of commands more on each, when everything else was looked at.

Nothing is changed. Reviews of access are asked for, as everywhere; fedssh's lock is not taken.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, RefusedError, visible
from fedssh.federation.checkup.facts import ClusterCheckup, FoundThing, HostCheckup, Resolved
from fedssh.federation.checkup.machines import DOWNLOADERS, TOOLS
from fedssh.federation.look.files import files_command, parse_files
from fedssh.federation.look.members import parse_presented, unless_foreign_login
from fedssh.federation.threads import at_once
from fedssh.federation.wishes import wanted_server
from fedssh.kubernetes.account_tokens import MANAGED_BY
from fedssh.kubernetes.certificates import asking_argv, from_base64
from fedssh.kubernetes.endpoint import check_server
from fedssh.kubernetes.kubectl import Target, cluster_version, kubectl, own_version
from fedssh.shell import NOT_RUN, Command, Result, command, last_words, patience, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts
    from fedssh.federation.wishes import Wishes
    from fedssh.shell import Shell

_SECONDS: Final = 10
_KINDS: Final = "serviceaccounts,secrets,clusterroles.rbac.authorization.k8s.io,clusterrolebindings"

_READ_TOOLS: Final = """
    printf 'user %s\\n' "$(id -un)"
    for tool; do printf 'tool %s %s\\n' "$tool" "$(command -v "$tool")"; done
"""

# What the machine's resolver says of each name, and what the cluster's DNS says that pods ask.
_RESOLVE: Final = """
    kubectl=$1; shift
    dns=$(eval "$kubectl" 2>/dev/null)
    if command -v nslookup >/dev/null; then tool=nslookup
    elif command -v busybox >/dev/null && busybox nslookup 2>&1 | grep -qi usage; then tool='busybox nslookup'
    else tool=; fi
    [ -n "$dns" ] || echo 'dns the cluster has no Service of a DNS that could be asked'
    [ -n "$tool" ] || echo 'dns there is no nslookup on the machine'
    look() {
        address=$(timeout 5 getent ahosts "$1" | awk 'NR == 1 { print $1 }')
        knows=-
        if [ -n "$dns" ] && [ -n "$tool" ]; then
            said=$(timeout 5 $tool "$1." "$dns" 2>&1) && knows=yes
            case $said in *"an't find"* | *NXDOMAIN*) knows=no ;; esac
        fi
        printf 'name %s %s %s\\n' "$1" "$knows" "$address"
    }
    for name; do look "$name" & done
    wait
"""


def look_closer(
    machines: Mapping[str, Shell], wishes: Wishes, facts: Facts, engine: Engine
) -> tuple[dict[str, ClusterCheckup | FedsshError], HostCheckup | FedsshError | None]:
    """Ask every machine that was connected to, all at the same time.

    Args:
        machines: The open connections, by cluster.
        wishes: Who is meant.
        facts: What was found before.
        engine: What federates.

    Returns:
        What each cluster said of itself, by name, and what the host's machine said besides.
    """
    host = facts.host.name
    state = facts.host.state
    targets = {cluster.name: Target(kubeconfig=cluster.kubeconfig or "") for cluster in wishes.members}
    if state:
        targets[host] = state.target
    beside: list[HostCheckup] = []

    def at_host(shell: Shell) -> ClusterCheckup:
        found, own = _ask_host(shell, wishes, facts, engine)
        beside.append(own)
        return found

    def at_member(shell: Shell, target: Target) -> ClusterCheckup:
        commands = [unless_foreign_login(asked, target) for asked in _cluster_commands(engine, target)]
        return _parse_cluster(shell.run(commands))

    tasks: dict[str, Callable[[], ClusterCheckup]] = {
        name: partial(at_member, machines[name], targets[name]) for name in targets if name in machines and name != host
    }
    if host in machines:
        tasks[host] = partial(at_host, machines[host])
    found = at_once(tasks, limit=wishes.inventory.concurrency)
    failed = found.get(host)
    return found, (beside[0] if beside else failed if isinstance(failed, FedsshError) else None)


def asked_servers(wishes: Wishes, facts: Facts) -> dict[str, str]:
    """Return at which address each cluster's API is reached from the host, by name; those that are known alone.

    It is the one that the engine uses; before a cluster has joined, the one that it would use.
    """
    servers = {facts.host.name: wishes.inventory.host.api_server or facts.host.server}
    for cluster in wishes.members:
        try:
            servers[cluster.name] = wanted_server(cluster, facts)
        except RefusedError:
            continue
    servers |= {name: joined.endpoint.server for name, joined in facts.host.clusters.items() if name in servers}
    return {name: server for name, server in servers.items() if _can_be_asked(server, name)}


def _can_be_asked(server: str, name: str) -> bool:
    try:
        return bool(check_server(server, member=name))
    except RefusedError:
        return False


def _cluster_commands(engine: Engine, target: Target) -> list[Command]:
    """Return what is asked of every cluster by its own machine; they may run at the same time."""
    label = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
    things = '{.kind}/{.metadata.name} {.metadata.creationTimestamp} {.metadata.namespace}{"\\n"}'
    login = "jsonpath={.users[0].user.client-certificate-data}"
    limit = _SECONDS
    return [
        kubectl("auth", "can-i", "*", "*", "--all-namespaces", target=target, request_timeout_seconds=limit),
        kubectl("version", "-o", "json", target=target, request_timeout_seconds=limit),
        # A certificate is public; the key beside it stays where it is.
        kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", login, target=target),
        kubectl(
            "get", _KINDS, "--all-namespaces", f"--selector={label}", "-o",
            f"jsonpath={{range .items[*]}}{things}{{end}}", target=target, request_timeout_seconds=limit,
        ),
        *engine.residue_commands(target=target),
    ]  # fmt: skip


def _parse_cluster(results: Sequence[Result]) -> ClusterCheckup:
    rights, version, login, things, *residue = results
    said = rights.stdout.strip()
    return ClusterCheckup(
        is_admin={"yes": True, "no": False}.get(said),
        # A kubeconfig that is not used by anybody is told of by the rules of every run.
        admin_problem="" if said or rights.code == NOT_RUN else last_words(rights.stderr, lines=1) or "no answer",
        kubectl=own_version(version),
        kubernetes=cluster_version(version),
        login=tuple(from_base64(login.stdout.strip())),
        objects=tuple(filter(None, map(_parse_thing, things.stdout.splitlines() if things.ok else ()))),
        residue=residue,
    )


def _parse_thing(line: str) -> FoundThing | None:
    words = visible(line).split()
    if len(words) < 2:  # noqa: PLR2004 - what it is, and when it was made
        return None
    kind, _, name = words[0].partition("/")
    return FoundThing(reference=f"{kind.lower()}/{name}", namespace="".join(words[2:3]), since=words[1])


def _ask_host(shell: Shell, wishes: Wishes, facts: Facts, engine: Engine) -> tuple[ClusterCheckup, HostCheckup]:
    """Ask the host's machine: its tools always, and what its kubeconfig leads to where there is one."""
    state = facts.host.state
    tools = script(_READ_TOOLS, *TOOLS, *DOWNLOADERS, title="look for tools")
    if state is None:
        return ClusterCheckup(), _parse_tools(shell.run(tools)[0])
    target, path = state.target, state.file.path
    servers = asked_servers(wishes, facts)
    names = sorted({host for server in servers.values() if (host := _name_in(server))})
    dns = kubectl(
        "get", "services", "--namespace=kube-system", "--selector=k8s-app=kube-dns", "-o",
        "jsonpath={.items[0].spec.clusterIP}", target=target, request_timeout_seconds=_SECONDS,
    )  # fmt: skip
    of_cluster = _cluster_commands(engine, target)
    of_engine = engine.checkup_commands(target=target) if not facts.host.gaps else []
    contexts = _contexts(wishes, facts, engine)
    asked = [
        tools,
        files_command(path),
        script(_RESOLVE, dns.line, *names, title="look for names"),
        *of_cluster,
        *of_engine,
        *(_test_context(context, path) for context in contexts.values()),
        *(
            command("timeout", str(_SECONDS), *asking_argv(server), title="openssl s_client")
            for server in servers.values()
        ),
    ]
    results = iter(shell.run(asked, timeout_seconds=patience(len(asked), each=3 * _SECONDS)))

    def take(number: int) -> list[Result]:
        return [next(results) for _ in range(number)]

    found_tools, found_files, found_names = take(3)
    cluster = _parse_cluster(take(len(of_cluster)))
    own = _parse_tools(found_tools)
    answers = take(len(of_engine))
    tried = {
        name: "" if result.ok else last_words(result.stderr, lines=1) or "no answer"
        for name, result in zip(contexts, take(len(contexts)), strict=True)
    }
    presented = {name: parse_presented(result) for name, result in zip(servers, take(len(servers)), strict=True)}
    resolved, why = _parse_names(found_names)
    return cluster, HostCheckup(
        tools=own.tools,
        user=own.user,
        files=parse_files(found_files),
        engine=answers,
        contexts=tried,
        presented=presented,
        names=resolved,
        dns=why,
    )


def _contexts(wishes: Wishes, facts: Facts, engine: Engine) -> dict[str, str]:
    """Return the contexts that lead to clusters that are meant, and have joined or were written by fedssh."""
    state = facts.host.state
    if state is None:
        return {}
    contexts = {facts.host.name: state.target.context}
    for cluster in wishes.members:
        context = engine.entry_names(cluster.name).context
        if cluster.name in facts.host.clusters and state.document.has("contexts", context):
            contexts[cluster.name] = context
    return contexts


def _test_context(context: str, path: str) -> Command:
    target = Target(kubeconfig=path, context=context)
    return kubectl("get", "nodes", "-o", "name", target=target, request_timeout_seconds=_SECONDS)


def _name_in(server: str) -> str:
    host = re.match(r"https://([A-Za-z0-9][A-Za-z0-9.-]*)(?=[:/]|$)", server)
    name = host[1].lower() if host else ""
    return "" if name.replace(".", "").isdecimal() else name


def _parse_tools(result: Result) -> HostCheckup:
    tools, user = {}, ""
    for line in visible(result.stdout).splitlines():
        kind, _, rest = line.partition(" ")
        name, _, where = rest.partition(" ")
        if kind == "tool":
            tools[name] = where
        elif kind == "user":
            user = name
    return HostCheckup(tools=tools, user=user)


def _parse_names(result: Result) -> tuple[dict[str, Resolved], str]:
    found, why = {}, ""
    for line in visible(result.stdout).splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "dns":
            why = why or rest
        elif kind == "name":
            name, knows, address = (*rest.split(" "), "", "")[:3]
            found[name] = Resolved(address=address, in_cluster={"yes": True, "no": False}.get(knows))
    return found, why or "its DNS gave no answer"
