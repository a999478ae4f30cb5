"""``check``: everything that can be looked at, on all machines, and all that is not well at once.

Nothing is changed, but that with ``deep`` a small object travels. It never stops at a failure: what could not be looked
at is told, too.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fedssh.engines import load_engine
from fedssh.engines.protocol import CheckFinding
from fedssh.errors import FedsshError, StepError
from fedssh.federation.act.journey import travel
from fedssh.federation.checkup.clusters import check_contexts, check_federation
from fedssh.federation.checkup.credentials import check_kubeconfig, check_logins, check_tokens
from fedssh.federation.checkup.facts import Checkup, HostCheckup
from fedssh.federation.checkup.machines import check_laptop_clock, check_rights, check_tools
from fedssh.federation.checkup.network import check_certificates, check_names
from fedssh.federation.checkup.residue import check_residue
from fedssh.federation.checkup.told import check_rules
from fedssh.federation.checkup.way import check_ways
from fedssh.federation.journal import Journal
from fedssh.federation.look.checkup import asked_servers, look_closer
from fedssh.federation.look.federation import look
from fedssh.federation.outcomes import Outcome, report_clusters, tls_words
from fedssh.federation.plan import Plan
from fedssh.federation.report import Report
from fedssh.federation.threads import contained
from fedssh.federation.trust import load_ca_file
from fedssh.kubernetes.kubectl import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.checkup.facts import Examine
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import ClusterReport, Progress, Reporter
    from fedssh.federation.wishes import Wishes
    from fedssh.shell import Shell


def run(wishes: Wishes, *, connect: Connect, report: Reporter, examine: Examine) -> Report:
    """Check the host and the members of ``wishes``, and all machines on the way.

    Args:
        wishes: Who is meant; all members when it names none. With ``offline``, no machine is connected to.
        connect: Opens a connection to a machine.
        report: Told of every step.
        examine: Tells the way to a machine without going it.

    Returns:
        The clusters with their findings. A failure of any kind is a finding, and ends nothing.
    """
    engine, inventory = load_engine(), wishes.inventory
    is_limited = bool(wishes.members)
    wishes = replace(wishes, members=wishes.members or inventory.members)
    wishes, ca_problems = _load_ca_files(wishes)
    clusters = [inventory.host, *wishes.members]
    ways = {cluster.name: contained(cluster.name, partial(examine, cluster.machine)) for cluster in clusters}
    checkup = Checkup(
        wishes=wishes, ways=ways, ca_problems=ca_problems, laptop_clock=time.time(), is_limited=is_limited
    )
    journal = Journal(_without_failures(report))
    machines: dict[str, Shell] = {}
    if not wishes.offline:
        checkup, machines = _look(checkup, connect, engine, journal)
    findings = judge(checkup, engine)
    if wishes.deep:
        findings += _let_travel(checkup, machines, engine, journal)
    return _report(checkup, findings, engine, journal)


def judge(checkup: Checkup, engine: Engine) -> list[CheckFinding]:
    """Return everything that is to be said, in the order of the way; a bug in a rule is a finding, and ends nothing."""
    servers = asked_servers(checkup.wishes, checkup.facts) if checkup.facts else {}
    rules: Sequence[Callable[[], Iterable[CheckFinding]]] = (
        partial(check_ways, checkup),
        partial(_check_ca_files, checkup),
        partial(check_rules, checkup, engine),
        partial(check_tools, checkup, engine=engine.TITLE),
        partial(check_rights, checkup),
        partial(check_laptop_clock, checkup),
        partial(check_names, checkup, servers, engine),
        partial(check_certificates, checkup, servers, engine),
        partial(check_logins, checkup),
        partial(check_tokens, checkup, engine),
        partial(check_kubeconfig, checkup),
        partial(_check_engine, checkup, engine),
        partial(check_federation, checkup, engine),
        partial(check_contexts, checkup),
        partial(check_residue, checkup, engine),
    )
    host = checkup.wishes.inventory.host.name
    found: list[CheckFinding] = []
    for rule in rules:
        told = contained(host, partial(_findings_of, rule))
        if isinstance(told, FedsshError):
            told = [CheckFinding(cluster=host, topic="tools", state="problem", text=told.message, hint=told.hint)]
        found += told
    return list(dict.fromkeys(found))


def _let_travel(
    checkup: Checkup, machines: Mapping[str, Shell], engine: Engine, journal: Journal
) -> list[CheckFinding]:
    """Let an object travel to every cluster that is Ready, and whose machine can tell of it."""
    host, state = checkup.wishes.inventory.host.name, checkup.facts.host.state if checkup.facts else None
    say = partial(CheckFinding, cluster=host, topic="journey")
    if checkup.facts is None or state is None or checkup.facts.host.gaps or host not in machines:
        return [say(state="notice", text="no object was sent: the host could not be looked at")]
    targets = {cluster.name: Target(kubeconfig=cluster.kubeconfig or "") for cluster in checkup.wishes.members}
    targets = {host: state.target, **targets}
    ready = {name for name, cluster in state.engine.clusters.items() if cluster.ready and name in machines}
    targets = {name: target for name, target in targets.items() if name in ready}
    if not ready - {host} or host not in ready:
        return [say(state="notice", text="no object was sent: there is no member that is Ready, or the host is not")]
    for name in targets:
        journal.begin(name, "waiting for a federated object")
    limit = checkup.wishes.inventory.concurrency
    told = contained(host, partial(travel, machines, targets, engine, host=host, limit=limit))
    if not isinstance(told, FedsshError):
        return told
    text, leads_to = f"no object could be sent: {told.message}", "what is federated now reaches no cluster"
    return [say(state="problem", text=text, leads_to=leads_to, hint=told.hint)]


def _findings_of(rule: Callable[[], Iterable[CheckFinding]]) -> list[CheckFinding]:
    return list(rule())


def _look(checkup: Checkup, connect: Connect, engine: Engine, journal: Journal) -> tuple[Checkup, dict[str, Shell]]:
    machines, facts = look(checkup.wishes, connect, engine, journal)
    for name in machines:
        journal.begin(name, "looking closer")
    clusters, host = look_closer(machines, checkup.wishes, facts, engine)
    checkup = replace(checkup, facts=facts, connected=frozenset(machines), clusters=clusters, host=host)
    return checkup, machines


def _load_ca_files(wishes: Wishes) -> tuple[Wishes, Mapping[str, FedsshError]]:
    loaded: dict[str, str] = {}
    problems: dict[str, FedsshError] = {}
    for cluster in wishes.members:
        found = contained(cluster.name, partial(load_ca_file, cluster))
        if isinstance(found, FedsshError):
            problems[cluster.name] = found
        else:
            loaded[cluster.name] = found
    return replace(wishes, ca_files=loaded), problems


def _check_ca_files(checkup: Checkup) -> list[CheckFinding]:
    found = []
    for cluster in checkup.wishes.members:
        problem = checkup.ca_problems.get(cluster.name)
        say = partial(CheckFinding, cluster=cluster.name, topic="network")
        if problem:
            hint = problem.hint or f"Correct members.{cluster.name}.ca_file in hosts.yaml."
            found.append(say(state="problem", text=problem.message, leads_to="federate does not begin (2)", hint=hint))
        elif cluster.ca_file:
            found.append(say(state="ok", text=f"its CA in {cluster.ca_file} can be read"))
    return found


def _check_engine(checkup: Checkup, engine: Engine) -> Iterable[CheckFinding]:
    state = checkup.facts.host.state if checkup.facts else None
    if state is None or not isinstance(checkup.host, HostCheckup) or not checkup.host.engine:
        return ()
    return engine.checkup_findings(checkup.host.engine, state.engine, checkup.wishes.inventory, now=checkup.now)


def _without_failures(report: Reporter) -> Reporter:
    """Return a reporter to which a machine that cannot be looked at is one that waits: it is told as a finding."""

    def tell(event: Progress) -> None:
        report(replace(event, state="waiting", error=None) if event.error else event)

    return tell


def _report(checkup: Checkup, findings: Sequence[CheckFinding], engine: Engine, journal: Journal) -> Report:
    facts, wishes = checkup.facts, checkup.wishes
    is_known = bool(facts and facts.host.state and not facts.host.gaps)
    joined = facts.host.clusters if facts and is_known else {}
    proven = frozenset(name for name, proof in facts.engine.items() if proof.has_rights) if facts else frozenset()
    version = facts.host.known.engine.version if facts and is_known else ""
    journal.errors.clear()  # they are findings
    journal.further.clear()
    tls = tls_words(facts.host, engine) if facts and is_known else {}
    names = list(dict.fromkeys([*checkup.names, *(() if checkup.is_limited else joined)]))
    outcome = Outcome(is_known=is_known, clusters=joined, proven=proven, version=version, tls=tls)
    clusters = report_clusters(wishes, outcome, journal, Plan(), names)
    clusters = tuple(_with_findings(cluster, findings) for cluster in clusters)
    problems = sum(finding.state == "problem" for finding in findings)
    notices = sum(finding.state == "notice" for finding in findings)
    fine = len(findings) - problems - notices
    told = [f"{problems} problem{'s' * (problems != 1)}", f"{notices} notice{'s' * (notices != 1)}"]
    summary = ", ".join([*told, f"{fine} checks in order"]) if problems or notices else f"All is well: {fine} checks"
    return Report(
        verb="check",
        clusters=clusters,
        engine=engine.NAME,
        engine_version=version,
        exit_code=StepError.exit_code if problems else 0,
        summary=summary,
        error=None,
    )


def _with_findings(cluster: ClusterReport, findings: Sequence[CheckFinding]) -> ClusterReport:
    return replace(cluster, findings=tuple(finding for finding in findings if finding.cluster == cluster.name))
