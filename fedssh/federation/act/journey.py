"""Letting a small federated object travel: the host sends it, each cluster's own machine sees it come and go."""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.engines.protocol import CheckFinding
from fedssh.errors import FedsshError, StepError, visible
from fedssh.federation.threads import at_once
from fedssh.kubernetes.kubectl import Target, kubectl
from fedssh.shell import last_words, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.shell import Shell

_SECONDS: Final = 60

_SEE_IT_COME: Final = """
    end=$(( $(date +%s) + $1 ))
    until said=$(eval "$2" 2>&1); do
        [ "$(date +%s)" -lt "$end" ] || { printf '%s\\n' "$said" >&2; exit 1; }
        sleep 0.2 2>/dev/null || sleep 1
    done
"""
_SEE_IT_GO: Final = """
    end=$(( $(date +%s) + $1 ))
    while left=$(eval "$2") && [ -n "$left" ]; do
        [ "$(date +%s)" -lt "$end" ] || { echo "it is still there" >&2; exit 1; }
        sleep 0.2 2>/dev/null || sleep 1
    done
"""


def travel(
    machines: Mapping[str, Shell], targets: Mapping[str, Target], engine: Engine, *, host: str, limit: int
) -> list[CheckFinding]:
    """Send a federated object to clusters, see it come and go on each; all of it is removed, whatever happens.

    Args:
        machines: The open connections, by cluster; the host's is among them.
        targets: The clusters to which it travels, as their own machines reach them.
        engine: What federates.
        host: The host's name.
        limit: How many machines look at the same time.

    Returns:
        For each cluster, how long it took, or what did not come.

    Raises:
        FedsshError: It could not be sent, or the answer of the host was lost.
    """
    space = f"fedssh-journey-{secrets.token_hex(4)}"
    line = engine.journey_line(space, list(targets), target=targets[host])
    started = time.monotonic()
    # The host takes it back when this ends, however it ends: also when the connection is lost.
    with machines[host].hold(line, timeout_seconds=3 * _SECONDS) as held:
        if held.first_line != "sent":
            raise StepError(visible(held.first_line) or "the host did not say why", machine=host, step="let it travel")
        came = _see(machines, targets, space, comes=True, since=started, limit=limit)
        left = time.monotonic()
    gone = _see(machines, targets, space, comes=False, since=left, limit=limit)
    return [_tell(name, came[name], gone[name], space) for name in targets]


def _see(
    machines: Mapping[str, Shell], targets: Mapping[str, Target], space: str, *, comes: bool, since: float, limit: int
) -> dict[str, float | FedsshError]:
    """Watch on all machines at once until it is there, or until nothing of it is; return how long that took."""

    def see(name: str) -> float:
        target = targets[name]
        if comes:
            asked = kubectl("get", "configmap", space, f"--namespace={space}", "-o", "name", target=target)
        else:
            asked = kubectl("get", "namespace", space, "--ignore-not-found", "-o", "name", target=target)
        text = _SEE_IT_COME if comes else _SEE_IT_GO
        watch = script(text, str(_SECONDS), asked.line, title="look for the object")
        (result,) = machines[name].run(watch, timeout_seconds=_SECONDS + 30)
        if not result.ok:
            raise StepError(last_words(result.stderr, lines=1) or "no answer", machine=name)
        return time.monotonic() - since

    tasks: dict[str, Callable[[], float]] = {name: partial(see, name) for name in targets}
    return at_once(tasks, limit=limit)


def _tell(name: str, came: float | FedsshError, gone: float | FedsshError, space: str) -> CheckFinding:
    if isinstance(came, FedsshError):
        return CheckFinding(
            cluster=name,
            topic="journey",
            state="problem",
            text=f"a federated object did not arrive within {_SECONDS} s: {came.message}",
            leads_to="what is federated does not reach this cluster",
            hint="See what else is said of it, and of the engine.",
        )
    if isinstance(gone, FedsshError):
        return CheckFinding(
            cluster=name,
            topic="journey",
            state="problem",
            text=f"a federated object arrived after {came:.1f} s, and was not gone after {_SECONDS} s: {gone.message}",
            leads_to=f"the namespace {space} is left there",
            hint=f"If it does not go by itself: kubectl delete namespace {space}",
        )
    text = f"a federated object arrived after {came:.1f} s, and was gone {gone:.1f} s after it was taken back"
    return CheckFinding(cluster=name, topic="journey", state="ok", text=text)
