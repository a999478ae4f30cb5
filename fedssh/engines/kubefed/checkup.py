"""How KubeFed is: its tools, its pods, its webhook, its controller's log, its types, its Secrets.

Commands and what their answers come to; nothing here changes anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.install import NAMESPACE, WEBHOOK, WEBHOOKS
from fedssh.engines.kubefed.journey import journeys_command
from fedssh.engines.kubefed.log import check_log, log_command
from fedssh.engines.kubefed.pods import HALTS, check_pods, finding
from fedssh.engines.protocol import CheckFinding
from fedssh.errors import StepError, visible
from fedssh.kubernetes import helm
from fedssh.kubernetes.certificates import from_base64, valid_until
from fedssh.kubernetes.kubectl import Target, kubectl, parse_items, section
from fedssh.shell import Command, Result, last_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fedssh.engines.protocol import EngineState
    from fedssh.inventory import Inventory

_STEP: Final = "look at KubeFed"
_MOST_NAMED: Final = 6
_LONGEST_VERSION: Final = 40


def checkup_commands(*, target: Target) -> list[Command]:
    """Return the commands whose answers ``checkup_findings`` reads; they may run at the same time."""
    where = f"--namespace={NAMESPACE}"
    opaque = (
        '{{range .items}}{{if .data}}{{if index .data "token"}}{{.metadata.name}} {{.metadata.creationTimestamp}}'
        '{{"\\n"}}{{end}}{{end}}{{end}}'
    )
    names = 'jsonpath={range .items[*]}{.metadata.name} {.spec.propagation}{"\\n"}{end}'
    return [
        kubectl("get", "pods", where, "-o", "json", target=target),
        kubectl(
            "get",
            *(f"{kind}/{name}" for name, kind in WEBHOOKS.items()),
            "--ignore-not-found",
            "-o",
            "json",
            target=target,
        ),
        kubectl("get", "endpoints", WEBHOOK, where, "--ignore-not-found", "-o", "json", target=target),
        log_command(target=target),
        kubectl("get", "federatedtypeconfigs.core.kubefed.io", where, "-o", names, target=target),
        kubectl("get", "secrets", where, "--field-selector=type=Opaque", "-o", f"go-template={opaque}", target=target),
        helm.version(),
        journeys_command(target=target),
    ]


def checkup_findings(
    results: Sequence[Result], state: EngineState, inventory: Inventory, *, now: str
) -> list[CheckFinding]:
    """Return what the answers to ``checkup_commands`` say of KubeFed, and of what it has left on the host.

    Args:
        results: The answers.
        state: What was found before.
        inventory: What hosts.yaml says.
        now: The host's time.
    """
    host = inventory.host.name
    pods, webhooks, endpoints, log, types, secrets, helm_version, journeys = results
    if not (state.version or state.clusters):
        return [_not_installed(state, inventory)]
    found = [*_tool_findings(helm_version, state, inventory)]
    if state.version:
        found.append(finding(host, "ok", f"KubeFed {state.version} is installed"))
    items = _items(pods, host, found)
    found += [] if items is None else check_pods(items, host)
    found += _webhook_findings(webhooks, endpoints, host, now=now)
    found += check_log(log, items or [], host, now=now)
    found += _type_findings(types, host)
    found += _secret_findings(secrets, state, host)
    found += _journey_findings(journeys, host)
    return found


def _tool_findings(helm_version: Result, state: EngineState, inventory: Inventory) -> Iterator[CheckFinding]:
    host = inventory.host.name
    if helm_version.ok:
        text = f"Helm is {visible(helm_version.stdout.strip()[:_LONGEST_VERSION])}"
        yield CheckFinding(cluster=host, topic="tools", state="ok", text=text)
    missing = [part for part in state.missing(inventory) if part.name == "tool"]
    wanted = f"kubefedctl {state.wanted_version(inventory)}"
    if missing:
        yield CheckFinding(
            cluster=host,
            topic="tools",
            state="problem",
            text=f"{wanted} is not there: {missing[0].why}",
            leads_to="no cluster can join, or leave",
            hint="fedssh prepare",
        )
    else:
        yield CheckFinding(cluster=host, topic="tools", state="ok", text=f"{wanted} is there")


def _not_installed(state: EngineState, inventory: Inventory) -> CheckFinding:
    would = [part.text for part in state.missing(inventory) if part.done]
    names = [inventory.host.name, *(member.name for member in inventory.members)]
    named = ", ".join(names[:_MOST_NAMED]) + ", …" * (len(names) > _MOST_NAMED)
    return CheckFinding(
        cluster=inventory.host.name,
        topic="engine",
        state="notice",
        text="KubeFed is not installed yet",
        leads_to=f"federate would {', '.join([*would, f'and join {named}'])}",
        hint="fedssh federate --all, or --member NAME",
    )


def _items(result: Result, host: str, found: list[CheckFinding]) -> list[dict[str, Any]] | None:
    try:
        return parse_items(result, machine=host, step=_STEP)
    except StepError as error:
        found.append(_gap(host, error.message, error.hint))
        return None


def _gap(host: str, why: str, hint: str = "") -> CheckFinding:
    return finding(host, "problem", f"it could not be looked at: {why}", hint=hint)


def _webhook_findings(webhooks: Result, endpoints: Result, host: str, *, now: str) -> Iterator[CheckFinding]:
    found: list[CheckFinding] = []
    items, served = _items(webhooks, host, found), _items(endpoints, host, found)
    yield from found
    if items is None or served is None:
        return
    there = {str(section(item, "metadata").get("name")): item for item in items}
    hint = f"Have Helm put it back on the host: helm -n {NAMESPACE} get manifest kubefed | kubectl apply -f -"
    for name, kind in WEBHOOKS.items():
        if name in there:
            yield from _webhook_certificate(there[name], name, host, now=now)
        else:
            leads_to = "KubeFed's objects are taken as they are, also with mistakes in them"
            yield finding(host, "problem", f"the {kind} {name} is missing", leads_to=leads_to, hint=hint)
    ready = [
        address
        for endpoint in served
        for subset in endpoint.get("subsets") or []
        if isinstance(subset, dict)
        for address in subset.get("addresses") or []
    ]
    if ready:
        yield finding(host, "ok", f"its webhook serves, on {len(ready)} pod{'s' * (len(ready) != 1)}")
    else:
        hint = f"See why on the host: kubectl -n {NAMESPACE} get pods"
        yield finding(host, "problem", "no pod serves its webhook", leads_to=HALTS[WEBHOOK], hint=hint)


def _webhook_certificate(item: Mapping[str, Any], name: str, host: str, *, now: str) -> Iterator[CheckFinding]:
    hooks = item.get("webhooks")
    first = hooks[0] if isinstance(hooks, list) and hooks and isinstance(hooks[0], dict) else {}
    chain = from_base64(str(section(first, "clientConfig").get("caBundle") or ""))
    until = valid_until(chain[0]) if chain else ""
    if until and until < now:
        hint = f"Have Helm issue a new one, and restart its pods: kubectl -n {NAMESPACE} rollout restart deployment"
        text = f"the CA of its webhook {name} has expired"
        yield finding(host, "problem", text, since=until, leads_to=HALTS[WEBHOOK], hint=hint)
    else:
        yield finding(host, "ok", f"the webhook {name} is there" + (f"; its CA ends {until}" if until else ""))


def _type_findings(types: Result, host: str) -> Iterator[CheckFinding]:
    if not types.ok:
        yield _gap(host, f"its federated types: {last_words(types.stderr, lines=1)}")
        return
    told = [line.split() for line in visible(types.stdout).splitlines() if line.strip()]
    names = [words[0].partition(".")[0] for words in told if words[1:] != ["Disabled"]]
    if names:
        yield finding(host, "ok", f"{len(names)} types are federated: {', '.join(sorted(names))}")
    else:
        hint = "Enable what you want to federate on the host: kubefedctl enable deployments.apps"
        yield finding(host, "problem", "no type is federated", leads_to="nothing can be propagated", hint=hint)


def _secret_findings(secrets: Result, state: EngineState, host: str) -> Iterator[CheckFinding]:
    if not secrets.ok:
        yield _gap(host, f"its Secrets: {last_words(secrets.stderr, lines=1)}")
        return
    used = {section(cluster.spec, "secretRef").get("name") for cluster in state.clusters.values()}
    for line in secrets.stdout.splitlines():
        name, _, since = visible(line).strip().partition(" ")
        if name and name not in used:
            yield CheckFinding(
                cluster=host,
                topic="residue",
                state="notice",
                text=f"the Secret {name} holds a token, and no KubeFedCluster uses it",
                since=since,
                leads_to="whoever reads it may have all rights on the cluster that it was made for",
                hint=f"If no join is under way, remove it on the host: kubectl -n {NAMESPACE} delete secret {name}",
            )


def _journey_findings(journeys: Result, host: str) -> Iterator[CheckFinding]:
    for line in journeys.stdout.splitlines() if journeys.ok else ():
        space, _, since = visible(line).strip().partition(" ")
        if space:
            yield CheckFinding(
                cluster=host,
                topic="residue",
                state="notice",
                text=f"the namespace {space} is of a check --deep that is at work, or was killed",
                since=since,
                hint="fedssh check --deep removes it",
            )
