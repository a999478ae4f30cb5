"""Looking at KubeFed on the host: what is asked, and what the answers say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed import kubefedctl
from fedssh.engines.kubefed.clusters import list_commands, parse_list
from fedssh.engines.kubefed.install import CONTROLLER, NAMESPACE, RELEASE, WEBHOOK
from fedssh.engines.kubefed.state import STEP, KubeFedState
from fedssh.errors import FedsshError, RefusedError, StepError, visible
from fedssh.kubernetes import helm
from fedssh.kubernetes.kubectl import NOT_FOUND, Target, kubectl, parse_items, section
from fedssh.shell import command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.shell import Command, Result

_LONGEST_PROCESSOR: Final = 20


def tool_commands() -> list[Command]:
    """Return the commands that ask the host's tools for their versions."""
    return [helm.version(), kubefedctl.find_command(), command("uname", "-m")]


def state_commands(*, target: Target) -> list[Command]:
    """Return the commands that look at the installation, the clusters and their credentials; they change nothing."""
    where = f"--namespace={NAMESPACE}"
    return [
        helm.find_release(RELEASE, NAMESPACE, target=target),
        kubectl("get", "deployments", where, "--ignore-not-found", "-o", "json", target=target),
        *list_commands(target=target),
    ]


def parse_state(tools: Sequence[Result], state: Sequence[Result], *, machine: str) -> KubeFedState:
    """Return what the answers to ``tool_commands`` and ``state_commands`` say; nothing is refused."""
    helm_version, found_tools, processor = tools
    found_release, deployments, *listed = state
    gaps: list[FedsshError] = []
    problem, release, items, clusters = None, None, [], {}
    try:
        helm.check_version(helm_version, machine=machine, step=STEP)
    except (StepError, RefusedError) as error:
        problem = error
    try:
        release = helm.parse_release(found_release, chart="kubefed", machine=machine, step=STEP)
    except StepError as error:
        gaps.append(problem or error)
    if helm_version.code == NOT_FOUND and problem and not gaps:
        gaps.append(problem)
    about_helm = len(gaps)
    try:
        items = parse_items(deployments, machine=machine, step=STEP)
    except StepError as error:
        gaps.append(error)
    try:
        clusters = parse_list(listed, machine=machine)
    except StepError as error:
        gaps.append(error)
    return KubeFedState(
        machine=machine,
        helm_problem=problem,
        release=replace(release, version=visible(release.version)) if release else None,
        is_running=any(_name(item) in {WEBHOOK, CONTROLLER} and not _is_going(item) for item in items),
        serves=all(_is_rolled_out(items, name) for name in (WEBHOOK, CONTROLLER)),
        is_kubespheres="kubesphere/kubefed" in deployments.stdout,
        processor=visible(processor.stdout.strip()[:_LONGEST_PROCESSOR]) if processor.ok else "",
        tools=kubefedctl.parse_tools(found_tools),
        clusters=clusters,
        gaps=tuple(gaps),
        cluster_gaps=tuple(gaps[about_helm:]),
    )


def _name(item: Mapping[str, Any]) -> str:
    return str(section(item, "metadata").get("name"))


def _is_going(item: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in section(item, "metadata")


def _is_rolled_out(deployments: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether a Deployment is complete, by the rules of ``kubectl rollout status``, and has a pod at all."""
    for item in deployments:
        if _name(item) == name:
            wanted = max(1, _number(section(item, "spec"), "replicas", default=1))
            status = section(item, "status")
            return (
                _number(status, "observedGeneration") >= _number(section(item, "metadata"), "generation")
                and _number(status, "updatedReplicas") >= wanted
                and _number(status, "availableReplicas") >= wanted
            )
    return False


def _number(part: Mapping[str, Any], key: str, *, default: int = 0) -> int:
    value = part.get(key)
    return value if isinstance(value, int) else default
