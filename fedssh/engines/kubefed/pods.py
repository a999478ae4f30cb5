"""KubeFed's pods: whether they run, and since when they do not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.install import CONTROLLER, NAMESPACE, WEBHOOK
from fedssh.engines.protocol import CheckFinding
from fedssh.errors import visible
from fedssh.kubernetes.kubectl import section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fedssh.engines.protocol import CheckState

HALTS: Final = {
    CONTROLLER: "nothing is propagated to any cluster, and nobody looks how they are",
    WEBHOOK: "clusters cannot join, and types cannot be federated: their objects pass the webhook",
}
"""What it leads to when the pods of a Deployment do not run."""

_LONGEST_WORDS: Final = 200
_STUCK: Final = {
    "CrashLoopBackOff": "crashes again and again",
    "ImagePullBackOff": "does not get its image",
    "ErrImagePull": "does not get its image",
    "ErrImageNeverPull": "does not get its image",
    "InvalidImageName": "does not get its image",
    "CreateContainerConfigError": "cannot be started",
    "CreateContainerError": "cannot be started",
    "RunContainerError": "cannot be started",
}


def check_pods(pods: Sequence[Mapping[str, Any]], host: str) -> Iterator[CheckFinding]:
    """Return how KubeFed's pods are, and which of its Deployments have none."""
    for pod in pods:
        yield from _pod_findings(pod, host)
    for deployment in HALTS:
        if not any(is_of(pod, deployment) for pod in pods):
            yield _missing(host, deployment)


def finding(host: str, state: CheckState, text: str, **more: str) -> CheckFinding:
    """Return a finding about the engine itself."""
    return CheckFinding(cluster=host, topic="engine", state=state, text=text, **more)


def _pod_findings(pod: Mapping[str, Any], host: str) -> Iterator[CheckFinding]:
    name = visible(str(section(pod, "metadata").get("name")))
    leads_to = next((words for deployment, words in HALTS.items() if is_of(pod, deployment)), "")
    if not leads_to:
        return
    listed = section(pod, "status").get("containerStatuses")
    containers = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if not containers:
        yield _unstarted(pod, name, host, leads_to)
    for container in containers:
        yield _container_finding(container, name, host, leads_to)


def _unstarted(pod: Mapping[str, Any], name: str, host: str, leads_to: str) -> CheckFinding:
    conditions = section(pod, "status").get("conditions")
    told = [each for each in conditions if isinstance(each, dict)] if isinstance(conditions, list) else []
    unmet = [each for each in told if each.get("status") == "False" and each.get("message")]
    why = visible(str(unmet[0]["message"])) if unmet else "nothing says why"
    return finding(
        host,
        "problem",
        f"the pod {name} does not start: {why[:_LONGEST_WORDS]}",
        since=visible(str(section(pod, "metadata").get("creationTimestamp") or "")),
        leads_to=leads_to,
        hint=f"See why on the host: kubectl -n {NAMESPACE} describe pod {name}",
    )


def _container_finding(container: Mapping[str, Any], name: str, host: str, leads_to: str) -> CheckFinding:
    restarts = container.get("restartCount")
    waiting, last = section(container, "state", "waiting"), section(container, "lastState", "terminated")
    ended = last or section(container, "state", "terminated")
    reason = str(waiting.get("reason") or "")
    times = f"{restarts} restarts" if isinstance(restarts, int) and restarts != 1 else "1 restart"
    how = f"{times}; its last run ended with {_ended(ended)}" if ended else times
    if reason in _STUCK or (ended and not section(container, "state", "running")):
        why = how if ended else visible(str(waiting.get("message") or reason))[:_LONGEST_WORDS]
        tool = "logs --previous" if ended else "describe pod"
        what = f"the pod {name} {_STUCK.get(reason, 'has ended')}: {why}"
        hint = f"See why on the host: kubectl -n {NAMESPACE} {tool} {name}"
        since = visible(str(ended.get("startedAt") or ""))
        return finding(host, "problem", what, since=since, leads_to=leads_to, hint=hint)
    if restarts:
        since = visible(str(last.get("finishedAt") or ""))
        hint = f"See its last words on the host: kubectl -n {NAMESPACE} logs --previous {name}"
        return finding(host, "notice", f"the pod {name} runs after {how}", since=since, hint=hint)
    if container.get("ready") is not True:
        hint = f"See why on the host: kubectl -n {NAMESPACE} describe pod {name}"
        return finding(host, "problem", f"the pod {name} runs, and is not ready", leads_to=leads_to, hint=hint)
    return finding(host, "ok", f"the pod {name} runs, and has never restarted")


def _ended(ended: Mapping[str, Any]) -> str:
    reason = visible(str(ended.get("reason") or ""))
    told = [f"exit code {ended.get('exitCode')}", *([reason] if reason not in {"", "Error", "Completed"} else [])]
    return visible(", ".join(told))


def is_of(pod: Mapping[str, Any], deployment: str) -> bool:
    """Whether a pod is one of a Deployment's."""
    return str(section(pod, "metadata").get("name")).startswith(f"{deployment}-")


def _missing(host: str, deployment: str) -> CheckFinding:
    return finding(
        host,
        "problem",
        f"there is no pod of {deployment}",
        leads_to=HALTS[deployment],
        hint=f"See why on the host: kubectl -n {NAMESPACE} describe deployment {deployment}",
    )
