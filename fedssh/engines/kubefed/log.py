"""The log of KubeFed's controller: what failed in the last hour, each kind once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.install import CONTROLLER, NAMESPACE
from fedssh.engines.kubefed.pods import finding, is_of
from fedssh.errors import visible
from fedssh.kubernetes.kubectl import Target, section
from fedssh.shell import Command, Result, last_words, script

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fedssh.engines.protocol import CheckFinding

_MOST_KINDS: Final = 3
_LONGEST_LINE: Final = 200
_AT_START: Final = ("failed calling webhook",)
_PODS: Final = "--selector=kubefed-control-plane=controller-manager"

# Errors alone, of the containers that run and of those that have crashed before them.
_READ: Final = """
    log() { kubectl "$@" --tail=2000 --since=1h; }
    words=$(log "$@") || exit
    { printf '%s\\n' "$words"; log "$@" --previous 2>/dev/null; } | grep -E '^[EF][0-9]{4} ' | tail -n 300
    :
"""
_KLOG: Final = re.compile(r"[EF](\d\d)(\d\d) (\d\d:\d\d:\d\d)\.\d+ +\d+ [^\]]*\] (.*)")


def log_command(*, target: Target) -> Command:
    """Return the command whose answer ``check_log`` reads."""
    where = f"--namespace={NAMESPACE}"
    return script(_READ, *target.flags(), "--request-timeout=20s", "logs", where, _PODS, title="kubectl logs")


def check_log(log: Result, pods: Sequence[Mapping[str, Any]], host: str, *, now: str) -> Iterator[CheckFinding]:
    """Return which errors the controller has logged in the last hour, the frequent ones first."""
    if not log.ok:
        why = last_words(log.stderr, lines=1)
        yield finding(host, "problem", f"its controller's log could not be looked at: {why}")
        return
    lines = [parsed.groups() for line in log.stdout.splitlines() if (parsed := _KLOG.match(line))]
    started = max((_started(pod) for pod in pods if is_of(pod, CONTROLLER)), default="")
    kinds: Counter[str] = Counter()
    latest: dict[str, tuple[str, str]] = {}
    for month, day, clock, words in lines:
        time = f"{now[:4]}-{month}-{day}T{clock}Z"
        # Controller and webhook start together, and one of them is the first.
        if any(start in words for start in _AT_START) and started and time < _later(started):
            continue
        kind = re.sub(r'"[^"]*"|[0-9a-f]{8,}|\d+', "…", words)
        kinds[kind] += 1
        latest[kind] = (time, words)
    if not kinds:
        yield finding(host, "ok", "its controller has logged no error in the last hour")
        return
    told = [_log_line(*latest[kind], number) for kind, number in kinds.most_common(_MOST_KINDS)]
    head = f"its controller has logged {_times(kinds.total())} in the last hour that something failed"
    text = "\n".join([head, *told])
    which = "all of them" if len(kinds) > len(told) else "them"
    hint = f"See {which} on the host: kubectl -n {NAMESPACE} logs deployment/{CONTROLLER} --since=1h"
    yield finding(host, "notice", text, hint=hint)


def _log_line(time: str, words: str, number: int) -> str:
    shown = visible(words[:_LONGEST_LINE]) + "…" * (len(words) > _LONGEST_LINE)
    return f"{_times(number)}, last at {time}: {shown}"


def _times(number: int) -> str:
    return f"{number} times" if number > 1 else "once"


def _started(pod: Mapping[str, Any]) -> str:
    return str(section(pod, "status").get("startTime") or "")


def _later(time: str) -> str:
    """Return a time a minute later, near enough to be compared: what is after 59 minutes is the next hour's."""
    hour, minute = int(time[11:13] or 0), int(time[14:16] or 0) + 1
    return f"{time[:11]}{hour + minute // 60:02}:{minute % 60:02}{time[16:]}"
