"""Looking at clusters that are to leave: on their own machines where those answer, else from the host.

Every question has a limit of some seconds: a cluster that is dead, in whatever way, must not hold up the others.
"""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.engines.protocol import MemberTraces
from fedssh.errors import AuthenticationError, ConfigurationError, FedsshError, StepError
from fedssh.federation.facts import HostFacts
from fedssh.federation.leaving.facts import Leaver, LeavingFacts, Way
from fedssh.federation.look.host import look_at_host
from fedssh.federation.look.members import unless_foreign_login
from fedssh.federation.look.proof import Trial, check_temporary, prove, temporary_kubeconfig
from fedssh.federation.threads import as_they_end, at_once, contained
from fedssh.kubernetes.account import CLUSTER_NAMESPACE, left_command
from fedssh.kubernetes.kubeconfig.entries import member_credential, member_mark
from fedssh.kubernetes.kubeconfig.file import copies_command
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_json, section
from fedssh.kubernetes.objects import parse_names
from fedssh.shell import NOT_RUN, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.journal import Journal
    from fedssh.federation.machines import Connect
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Cluster
    from fedssh.kubernetes.credentials import Credential
    from fedssh.shell import Command, Result, Shell

STEP: Final = "look at the member"
_ANSWER_SECONDS: Final = 5
"""How long a cluster may take to say which one it is."""


def look_at_leavers(
    wishes: Wishes, connect: Connect, engine: Engine, journal: Journal
) -> tuple[dict[str, Shell], LeavingFacts]:
    """Connect to the host and to the members that are to leave, and look at all that is left of their joins.

    Args:
        wishes: Who is to leave.
        connect: Opens a connection to a machine.
        engine: What federates.
        journal: Told of each cluster that is looked at.

    Returns:
        The connections that could be opened, by cluster, and what was found. A gap of the host's stands in its facts.
    """
    machines: dict[str, Shell] = {}
    host = wishes.inventory.host

    def at_host() -> LeavingFacts:
        journal.begin(host.name, "looking at the host")
        machines[host.name] = shell = connect(host.machine)
        return _look_at_host(shell, wishes, engine)

    def at_member(cluster: Cluster) -> str:
        journal.begin(cluster.name, "looking at the member")
        machines[cluster.name] = shell = connect(cluster.machine)
        return _identify(shell, cluster)

    tasks: dict[str, Callable[[], LeavingFacts | str]] = {host.name: at_host}
    tasks |= {cluster.name: partial(at_member, cluster) for cluster in wishes.members}
    found: dict[str, LeavingFacts | str | FedsshError] = {}
    for name, outcome in as_they_end(tasks, limit=wishes.inventory.concurrency):
        found[name] = outcome
        journal.wait(name)
    facts = found.pop(host.name)
    if not isinstance(facts, LeavingFacts):
        gap = facts if isinstance(facts, FedsshError) else StepError("it was not looked at", machine=host.name)
        return machines, LeavingFacts(host=HostFacts(name=host.name, gaps=(gap,)))
    if facts.host.gaps:
        return machines, facts
    ways = {name: _choose_way(leaver, found.get(name), facts, engine) for name, leaver in facts.leavers.items()}
    return machines, look_again(machines, replace(facts, leavers=ways), engine, limit=wishes.inventory.concurrency)


def look_again(machines: Mapping[str, Shell], facts: LeavingFacts, engine: Engine, *, limit: int) -> LeavingFacts:
    """Return the facts with what is on the clusters now, each looked at in its way; who cannot be, stays as it is.

    ``limit`` is how many machines are asked at the same time.
    """
    host = machines[facts.host.name]
    direct = {name: leaver for name, leaver in facts.leavers.items() if leaver.way == "machine"}
    tasks = {
        name: partial(_look_at, machines[name], leaver, facts.traces.types, engine, host=facts.host.name)
        for name, leaver in direct.items()
    }
    seen: dict[str, Leaver | FedsshError] = dict(at_once(tasks, limit=limit))
    remote = {name: leaver for name, leaver in facts.leavers.items() if leaver.way == "host"}
    seen |= _look_from(host, remote, facts, engine)
    leavers = {
        name: leaver if isinstance(leaver, Leaver) else replace(facts.leavers[name], error=leaver)
        for name, leaver in seen.items()
    }
    return replace(facts, leavers={**facts.leavers, **leavers})


def look_after(
    machines: Mapping[str, Shell], wishes: Wishes, facts: LeavingFacts, engine: Engine, *, done: Sequence[str]
) -> LeavingFacts:
    """Look at everything once more when a run has ended.

    Args:
        machines: The open connections.
        wishes: Who was to leave.
        facts: What was found before.
        engine: What federates.
        done: The clusters whose own part came to its end; a credential for one of them may be gone with it.

    Raises:
        FedsshError: The host cannot be asked any more.
    """
    shell = machines[facts.host.name]
    host = _look_at_host(shell, wishes, engine, known=facts)
    if host.host.gaps:
        raise host.host.gaps[0]
    before = {
        name: replace(leaver, secrets=host.leavers[name].secrets if name in host.leavers else ())
        for name, leaver in facts.leavers.items()
    }
    after = look_again(machines, replace(host, leavers=before), engine, limit=wishes.inventory.concurrency)
    # Who is entered by a credential that ends with its account cannot be entered any more, and that is the proof.
    gone = {
        name: replace(before[name], own=(), traces=MemberTraces())
        for name, leaver in after.leavers.items()
        if leaver.way == "host" and leaver.error and name in done and _is_refused(leaver.error)
    }
    return replace(after, leavers={**after.leavers, **gone})


def _is_refused(error: FedsshError) -> bool:
    """Whether an API server has answered that it does not know a credential, or that it may do nothing any more."""
    return any(word in error.message for word in ("Unauthorized", "must be logged in", "orbidden"))


def _look_at_host(shell: Shell, wishes: Wishes, engine: Engine, *, known: LeavingFacts | None = None) -> LeavingFacts:
    facts = look_at_host(shell, wishes.inventory, engine)
    # Helm need not be there for clusters to leave, only for the engine to be uninstalled.
    gaps = facts.gaps
    if facts.state and facts.cluster_uid and not wishes.uninstall:
        gaps = tuple(facts.state.engine.cluster_gaps)
    facts = replace(facts, gaps=gaps)
    if facts.gaps:
        return LeavingFacts(host=facts)
    state = facts.known
    asked = engine.host_trace_commands(target=state.target)
    copies = copies_command(state.file.path, also_clean=wishes.is_all)
    installed = engine.installation_commands(target=state.target) if wishes.uninstall else []
    held, copied, *installation = _split(shell.run([*asked, copies, *installed]), len(asked), 1, len(installed))
    traces = engine.parse_host_traces(held, machine=shell.name)
    found = LeavingFacts(
        host=facts,
        traces=traces,
        installation=(
            engine.parse_installation(installation[0], state.engine, machine=shell.name) if wishes.uninstall else None
        ),
        copies=tuple(copied[0].stdout.split("\n")[:-1]),
    )
    if known:
        names = list(known.leavers)
        return replace(found, leavers={name: _leaver(name, wishes, found, engine) for name in names})
    names, unknown = _choose(wishes, found, engine)
    leavers = {name: _leaver(name, wishes, found, engine) for name in names}
    return replace(found, leavers=_try_credentials(shell, leavers, found, engine), unknown=unknown)


def _split(results: Sequence[Result], *lengths: int) -> list[list[Result]]:
    parts, rest = [], list(results)
    for length in lengths:
        parts.append(rest[:length])
        rest = rest[length:]
    return parts


def _choose(wishes: Wishes, facts: LeavingFacts, engine: Engine) -> tuple[list[str], tuple[str, ...]]:
    """Return who is to leave, the host last where the whole federation ends; and the names that nobody knows."""
    host = facts.host.name
    listed = {cluster.name for cluster in wishes.inventory.members}
    document = facts.host.known.document
    accounts = [engine.account_base(account) for account in facts.traces.secrets.values() if account]
    names = [account.partition("/")[2] for account in accounts]
    held = {name.removesuffix(f"-{host}") for name in names if name.endswith(f"-{host}")}
    # An entry of somebody else's that only bears such a name is nobody's trace.
    marked = {engine.member_of(entry) for entry in document.names("clusters") if document.find("clusters", entry)}
    known = dict.fromkeys([*facts.host.clusters, *facts.traces.withdrawn, *held, *marked])
    there = [name for name in known if name not in {*listed, host, ""}]
    names = [cluster.name for cluster in wishes.members]
    unknown = []
    for wanted in wishes.others:
        found = [name for name in there if fnmatchcase(name, wanted)]
        names += found
        if not found and not any(fnmatchcase(cluster.name, wanted) for cluster in wishes.members):
            unknown.append(wanted)
    names = list(dict.fromkeys(names))
    if wishes.is_all and not set(facts.host.clusters) - {*names, host}:
        names.append(host)
    return names, tuple(unknown)


def _leaver(name: str, wishes: Wishes, facts: LeavingFacts, engine: Engine) -> Leaver:
    host = facts.host.name
    clusters = {cluster.name: cluster for cluster in (wishes.inventory.host, *wishes.members)}
    joined = facts.described(name)
    usual = engine.usual_account(name, host=host)
    accounts = {usual, engine.account_of(joined, host=host) if joined else usual}
    bases = {engine.account_base(account) for account in accounts}
    secrets = [
        secret
        for secret, account in facts.traces.secrets.items()
        if secret in engine.secrets_of(name, joined) or (account and engine.account_base(account) in bases)
    ]
    return Leaver(
        name=name, cluster=clusters.get(name), accounts=tuple(sorted(accounts)), secrets=tuple(sorted(secrets))
    )


def _try_credentials(
    shell: Shell, leavers: Mapping[str, Leaver], facts: LeavingFacts, engine: Engine
) -> dict[str, Leaver]:
    """Return the leavers with the first credential that leads from the host to each: fedssh's own, or the engine's.

    Only that which leads to the cluster that fedssh or the engine knows under the name counts.
    """
    host = facts.host
    document = host.known.document
    tried: dict[str, Credential] = {}
    for name in leavers:
        if name == host.name:
            continue
        own = member_credential(document, engine.entry_names(name))
        joined = facts.described(name)
        cluster, mark = leavers[name].cluster, member_mark(document, engine.entry_names(name))
        server_name = mark.server_name or (cluster.server_name if cluster else None) or ""
        theirs = engine.credential(joined, server_name=server_name) if joined else None
        tried |= {f"own.{name}": own} if own else {}
        tried |= {f"engine.{name}": theirs} if theirs and theirs.endpoint.server else {}
    trials = {name: Trial(credential=credential, asks_rights=False) for name, credential in tried.items()}
    proofs = prove(shell, trials, kubeconfig=host.known.file.path, seconds=_ANSWER_SECONDS)
    found = {}
    for name, leaver in leavers.items():
        noted = member_mark(document, engine.entry_names(name)).cluster_uid
        working = [
            key
            for key in (f"own.{name}", f"engine.{name}")
            if key in proofs and proofs[key].cluster_uid and noted in {"", proofs[key].cluster_uid}
        ]
        if not working:
            # What was let go is refused only when its rights are gone, and soon its account: they go last.
            is_let_go = name in facts.traces.withdrawn and name not in host.clusters
            answers = [proofs[key] for key in (f"own.{name}", f"engine.{name}") if key in proofs]
            is_refused = any(answer.is_about_login or answer.is_about_rights for answer in answers)
            found[name] = replace(leaver, is_done=is_let_go and is_refused)
            continue
        found[name] = replace(
            leaver,
            credential=tried[working[0]],
            is_engines=working[0].startswith("engine."),
            uid=proofs[working[0]].cluster_uid,
        )
    return found


def _identify(shell: Shell, cluster: Cluster) -> str:
    """Return which cluster a member's own machine administers: the UID of its namespace kube-system.

    Raises:
        StepError: Its kubectl does not say.
    """
    target = Target(kubeconfig=cluster.kubeconfig or "")
    path = f"/api/v1/namespaces/{CLUSTER_NAMESPACE}"
    # A raw request is one request: kubectl would else ask for all API groups first, for as long each.
    ask = kubectl("get", "--raw", path, target=target, request_timeout_seconds=_ANSWER_SECONDS)
    (result,) = shell.run(unless_foreign_login(ask, target))
    if result.code == NOT_RUN:
        raise StepError("its kubeconfig logs in by a program or a file", machine=cluster.name, step=STEP)
    if not result.ok:
        raise explain(result, machine=cluster.name, step=STEP)
    try:
        found = parse_json(result.stdout)
    except ValueError:
        found = None
    uid = section(found, "metadata").get("uid") if isinstance(found, dict) else None
    if not isinstance(uid, str) or not uid.isprintable():
        raise StepError("kubectl did not tell which cluster it is", machine=cluster.name, step=STEP)
    return uid


def _choose_way(leaver: Leaver, seen: object, facts: LeavingFacts, engine: Engine) -> Leaver:
    """Return a leaver with the way in which it is got at.

    A machine that does not let us in, or that we do not know, is no dead one: its owner can mend that. One that is
    gone, or whose kubectl does not answer, is got around.
    """
    host = facts.host
    if leaver.name == host.name:
        return replace(leaver, way="machine")
    fallback: Way = "host" if leaver.credential else "done" if leaver.is_done else "none"
    if leaver.cluster is None:
        return replace(leaver, way=fallback)
    if isinstance(seen, AuthenticationError | ConfigurationError):
        hint = f"{seen.hint}\nOr take {leaver.name} out of hosts.yaml: then it leaves without its machine.".strip()
        return replace(leaver, error=type(seen)(seen.message, machine=seen.machine, step=seen.step, hint=hint))
    if isinstance(seen, FedsshError):
        return replace(leaver, way=fallback, problem=seen)
    noted = member_mark(host.known.document, engine.entry_names(leaver.name)).cluster_uid
    known = noted or leaver.uid
    if known and seen != known:
        problem = StepError(
            f"another cluster than the one that has joined as {leaver.name} is on its machine",
            machine=leaver.name,
            step=STEP,
        )
        return replace(leaver, way=fallback, problem=problem)
    return replace(leaver, way="machine")


def _look_at(shell: Shell, leaver: Leaver, types: Sequence[str], engine: Engine, *, host: str) -> Leaver:
    target = Target(kubeconfig=(leaver.cluster.kubeconfig if leaver.cluster else "") or "")
    seen = _read(shell.run(_commands(leaver.name, types, engine, target)), leaver, engine)
    # On the host the engine itself lives in that namespace.
    is_host = leaver.name == host
    return replace(seen, traces=replace(seen.traces, namespace=None, others=())) if is_host else seen


def _commands(name: str, types: Sequence[str], engine: Engine, target: Target) -> list[Command]:
    return [left_command(name, target=target), *engine.member_trace_commands(types, target=target)]


def _read(results: Sequence[Result], leaver: Leaver, engine: Engine) -> Leaver:
    own, *traces = results
    if not own.ok:
        raise explain(own, machine=leaver.name, step=STEP)
    return replace(
        leaver,
        own=parse_names(own),
        traces=engine.parse_member_traces(traces, leaver.accounts, machine=leaver.name),
    )


def _look_from(
    shell: Shell, leavers: Mapping[str, Leaver], facts: LeavingFacts, engine: Engine
) -> dict[str, Leaver | FedsshError]:
    """Look at clusters from the host, each by the credential that leads to it."""
    credentials = {name: leaver.credential for name, leaver in leavers.items() if leaver.credential}
    if not credentials:
        return {}
    file = temporary_kubeconfig(credentials, facts.host.known.file.path)
    asked = [
        _commands(name, facts.traces.types, engine, Target(kubeconfig=file.path, context=name)) for name in credentials
    ]
    each = len(asked[0])
    commands = [command for of_one in asked for command in of_one]
    written, *answers, _ = shell.run(
        file.write, commands, file.remove, timeout_seconds=patience(len(commands), each=30)
    )
    check_temporary([written], machine=shell.name)
    return {
        name: contained(name, partial(_read, answers[start : start + each], leavers[name], engine))
        for name, start in zip(credentials, range(0, len(answers), each), strict=True)
    }
