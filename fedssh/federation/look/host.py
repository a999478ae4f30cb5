"""Looking at the host: two runs of commands on its machine, and what the answers say."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import FedsshError, RefusedError, StepError, visible
from fedssh.federation.facts import HostFacts, HostState
from fedssh.federation.look.members import parse_clock
from fedssh.kubernetes.distributions import advise, find_command, parse_found
from fedssh.kubernetes.kubeconfig.file import parse_file, read_command
from fedssh.kubernetes.kubectl import (
    NOT_FOUND,
    Target,
    check_version,
    cluster_version,
    explain,
    has_lost_context,
    kubectl,
    missing_tool,
    versions_command,
)
from fedssh.shell import command, failure, script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.kubeconfig import Kubeconfig
    from fedssh.kubernetes.kubeconfig.file import KubeconfigFile
    from fedssh.shell import Command, Shell

STEP: Final = "look at the host"
DEFAULT_PATH: Final = "~/.kube/config"
_FIND_KUBECTL: Final = f"command -v kubectl >/dev/null || exit {NOT_FOUND}"
_READ_NAMES: Final = """
    [ -z "${HTTPS_PROXY:-$https_proxy}" ] || echo proxy
    sed 's/#.*//' /etc/hosts
"""


def look_at_host(shell: Shell, inventory: Inventory, engine: Engine, *, accounts: bool = False) -> HostFacts:
    """Look at the host, and with ``accounts`` at the engine's accounts on its cluster; nothing is changed.

    Its context is the one that bears the host's name, once there is one, and until then the current one: what an
    administrator chooses there later does not lead fedssh to another cluster.

    Raises:
        FedsshError: The answer was lost, or was larger than an answer may be.
    """
    facts = _look(shell, inventory, engine, accounts=accounts)
    # A kubectl config may just have had the file half written.
    if any(has_lost_context(gap.message) for gap in facts.gaps if isinstance(gap, StepError)):
        facts = _look(shell, inventory, engine, accounts=accounts)
    if not facts.gaps:
        return facts
    gap = advise_host(shell, facts.gaps[0], inventory)
    return replace(facts, gaps=(gap, *facts.gaps[1:]))


def look_at_upgrade(shell: Shell, host: HostFacts) -> HostFacts:
    """Return the facts of a host whose engine is to be upgraded, with what that has to know of what is installed."""
    if host.state is None:
        return host
    state = host.state
    questions = state.engine.upgrade_questions(target=state.target)
    try:
        engine = state.engine.to_upgrade(shell.run(questions) if questions else ())
    except StepError as error:
        return replace(host, gaps=(*host.gaps, error))
    return replace(host, state=replace(state, engine=engine))


def advise_host(shell: Shell, error: FedsshError, inventory: Inventory) -> FedsshError:
    """Return why the host cannot be worked with, with what to do where its distribution keeps things elsewhere."""
    path = DEFAULT_PATH if not inventory.host.kubeconfig else ""
    return advise(error, parse_found(shell.run(find_command())[0]), key="", path=path)


def _look(shell: Shell, inventory: Inventory, engine: Engine, *, accounts: bool) -> HostFacts:
    host = inventory.host.name
    read, clock, found_kubectl, names, *tools = shell.run(
        [
            read_command(path=inventory.host.kubeconfig),
            command("date", "+%s"),
            script(_FIND_KUBECTL, title="look for kubectl"),
            script(_READ_NAMES, title="read of /etc/hosts"),
            *engine.tool_commands(),
        ]
    )
    missing = [missing_tool("kubectl", machine=host, step=STEP)] if found_kubectl.code == NOT_FOUND else []
    try:
        file = parse_file(read, machine=host)
        document, context = _choose_context(file, inventory)
    except FedsshError as error:
        return HostFacts(name=host, gaps=(*missing, error))
    target = Target(kubeconfig=file.path, context=context)
    asked = engine.account_commands(target=target) if accounts else []
    stanza = document.cluster_of(context)
    version, ca, uid, *answers = shell.run(
        [
            versions_command(target=target),
            _ca_command(stanza, file.path),
            kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}", target=target),
            *asked,
            *engine.state_commands(target=target),
        ]
    )
    found = engine.parse_state(tools, answers[len(asked) :], machine=host)
    failed = [explain(uid, machine=host, step=STEP)] if not uid.ok else []
    failed += [failure(ca, machine=host, step=STEP)] if not ca.ok else []
    try:
        own_accounts = engine.parse_accounts(answers[: len(asked)], machine=host) if accounts else {}
    except StepError as error:
        own_accounts, failed = {}, [*failed, error]
    # What keeps one kubectl from answering keeps the others, too.
    gaps = missing or [*failed, *found.gaps][:1]
    try:
        check_version(version, machine=host, step=STEP)
    except StepError as error:
        old_kubectl: FedsshError | None = None if missing else error
    else:
        old_kubectl = None
    return HostFacts(
        name=host,
        state=HostState(file=file, document=document, target=target, engine=found),
        cluster_uid=visible(uid.stdout.strip()) if uid.ok else "",
        server=visible(str(stanza.get("server") or "").strip()),
        ca=str(stanza.get("certificate-authority-data") or "") or base64.b64encode(ca.stdout.encode()).decode(),
        server_name=visible(str(stanza.get("tls-server-name") or "")),
        is_insecure=str(stanza.get("insecure-skip-tls-verify")).lower() == "true",
        kubernetes=cluster_version(version),
        clock=parse_clock(clock),
        own_names=frozenset(name for line in names.stdout.lower().splitlines() for name in line.split()[1:]),
        has_proxy="proxy" in names.stdout.splitlines()[:1],
        old_kubectl=old_kubectl,
        accounts=own_accounts,
        gaps=tuple(gaps),
    )


def _ca_command(stanza: Mapping[str, Any], kubeconfig: str) -> Command:
    """Return the command that prints the CA where the kubeconfig names a file: its path counts from the kubeconfig."""
    named = str(stanza.get("certificate-authority") or "")
    is_there = bool(stanza.get("certificate-authority-data")) or not named
    path = "/dev/null" if is_there else str(PurePosixPath(kubeconfig).parent / named)
    return command("cat", path, title="read of the CA")


def _choose_context(file: KubeconfigFile, inventory: Inventory) -> tuple[Kubeconfig, str]:
    """Return what stands in the host's kubeconfig, and the context that leads to the host's cluster.

    Raises:
        RefusedError: It is no kubeconfig, or has no context that could bear the host's name (6).
    """
    name = inventory.host.name
    try:
        document = file.document()
        return document, document.host_context(name)
    except RefusedError as error:
        raise RefusedError(error.message, machine=name, step=STEP, hint=error.hint) from None
