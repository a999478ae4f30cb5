"""kubectl: its command lines, its answers, its failures.

kubectl runs on the machines, never on the laptop, with that machine's own kubeconfig unless another is named.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from fedssh.errors import StepError, visible
from fedssh.shell import Command, Result, command, failure
from fedssh.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.sensitive import Sensitive

REQUEST_TIMEOUT_SECONDS: Final = 20
"""How long one request to an API server may take; kubectl's own default is for ever."""

OLDEST_VERSION: Final = (1, 19)
"""The oldest kubectl that works: before it, jsonpath did not print objects as JSON (kubernetes#89660)."""

NOT_FOUND: Final = 127
"""What a POSIX shell answers when there is no such command."""

TIMED_OUT: Final = 124
"""What ``timeout`` answers for a command that it has ended (coreutils)."""

_DEEPEST: Final = 100  # Kubernetes's own objects have some twenty levels
_LONGEST_INT: Final = 20  # of 64 bits, with a sign
_LONGEST_NAME: Final = 253
_MOST_RIGHTS: Final = 10
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)

_HINTS: Final = {
    "was refused - did you specify the right host or port": "Is the cluster's API server running?",
    "Unable to connect to the server": "Is the cluster's API server running, and does its name resolve there?",
    "i/o timeout": "Is the cluster's API server running, and does a firewall let the machine reach it?",
    "must be logged in to the server": "The machine's kubeconfig is not accepted by its own cluster: renew it there.",
    "current-context must exist": "Log in as a user who has a kubeconfig there, or name one: kubeconfig: /path",
    "unknown flag": "The machine's kubectl is too old: install that of its cluster's version there.",
    "no configuration has been provided": "Name the machine's kubeconfig in hosts.yaml (kubeconfig: /path).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which cluster a tool on a machine talks to.

    Attributes:
        kubeconfig: A path on the machine; "" leaves the choice to the tool.
        context: A context of that kubeconfig; "" is its current one.
    """

    kubeconfig: str = ""
    context: str = ""

    def flags(self, *, context_flag: str = "--context") -> list[str]:
        """Return the flags that say so; Helm spells the context's differently."""
        flags = {"--kubeconfig": self.kubeconfig, context_flag: self.context}
        return [f"{flag}={value}" for flag, value in flags.items() if value]


OWN: Final = Target()
"""The cluster of the machine's own kubeconfig."""


def kubectl(
    *arguments: str,
    target: Target = OWN,
    stdin: str | Sensitive = "",
    request_timeout_seconds: int = REQUEST_TIMEOUT_SECONDS,
) -> Command:
    """Return the command for ``kubectl arguments…``.

    Args:
        *arguments: The verb and what follows.
        target: The cluster; the machine's own unless said otherwise.
        stdin: What kubectl reads, for ``-f -``.
        request_timeout_seconds: The limit of each single request; 0 is none.
    """
    limit = [f"--request-timeout={request_timeout_seconds}s"] * bool(request_timeout_seconds)
    return command("kubectl", *target.flags(), *limit, *arguments, stdin=stdin, title=f"kubectl {arguments[0]}")


def versions_command(*, target: Target) -> Command:
    """Return the command that prints kubectl's version and its cluster's; where that does not answer, its own alone.

    ``check_version``, ``own_version`` and ``cluster_version`` read the answer.
    """
    return kubectl("version", "--output=json", target=target)


def own_version(result: Result) -> str:
    """Return kubectl's own version from the answer to ``versions_command``, or ""."""
    said = re.search(r'"gitVersion": ?"([^"]{1,60})"', result.stdout)
    return visible(said[1]) if said else ""


def cluster_version(result: Result) -> str:
    """Return the cluster's version from the answer to ``versions_command``, as in ``v1.33.1``, or ""."""
    said = re.search(r'"serverVersion":\s?\{[^{}]{0,2000}"gitVersion":\s?"([^"]{1,60})"', result.stdout)
    return visible(said[1]) if said else ""


def check_version(result: Result, *, machine: str, step: str) -> None:
    """Check that kubectl is there and new enough; one that does not tell its version is let through.

    Raises:
        StepError: It is missing or too old.
    """
    if result.code == NOT_FOUND:
        raise missing_tool("kubectl", machine=machine, step=step)
    version = parse_version(own_version(result))
    if version and version[:2] < OLDEST_VERSION:
        found, oldest = (".".join(map(str, numbers)) for numbers in (version[:2], OLDEST_VERSION))
        raise StepError(
            f"kubectl is version {found}, and fedssh needs {oldest} or newer",
            machine=machine,
            step=step,
            hint=f"Install kubectl of the cluster's own version on the machine of {machine}.",
        )


def explain(result: Result, *, machine: str, step: str) -> StepError:
    """Return the error for a kubectl that failed, with what to do next where its words tell."""
    if result.code == NOT_FOUND:
        return missing_tool("kubectl", machine=machine, step=step)
    if result.code == TIMED_OUT:
        problem = f"{result.command.title} got no answer from the API server in time"
        return StepError(problem, machine=machine, step=step, hint=_HINTS["Unable to connect to the server"])
    hints = _missing_rights(result.stderr)
    hints += [hint for words, hint in _HINTS.items() if words in result.stderr]
    return failure(result, machine=machine, step=step, hint=hints[0] if hints else "")


def has_lost_context(words: str) -> bool:
    """Whether kubectl did not get to a context: a ``kubectl config`` has the file half written, or has dropped it."""
    missing = r'context "[^"]*" does not exist|context was not found for specified context|cannot locate context'
    return bool(re.search(missing + "|error loading config file", words))


def _missing_rights(stderr: str) -> list[str]:
    if "(Forbidden)" not in stderr:
        return []
    found = re.findall(r'cannot ([a-z]{1,30}) resource "([a-z0-9./-]{1,300})"', stderr)
    named = list(dict.fromkeys(f"{verb} {resource}" for verb, resource in found))
    missing = ", ".join(named[:_MOST_RIGHTS]) + (", …" if len(named) > _MOST_RIGHTS else "")
    needed = "fedssh needs a cluster administrator's kubeconfig on the machine."
    return [f"The one used there may not {missing}: {needed}" if missing else needed]


def missing_tool(tool: str, *, machine: str, step: str) -> StepError:
    """Return the error for a tool that a machine does not have."""
    return StepError(
        f"{tool} is not there",
        machine=machine,
        step=step,
        hint=f"Install {tool} on the machine of {machine}, or link it into /usr/local/bin.",
    )


def parse_object(result: Result, *, machine: str, step: str) -> dict[str, Any]:
    """Return the JSON object that kubectl printed; {} when it printed nothing (``--ignore-not-found``).

    Raises:
        StepError: kubectl failed, or printed something else. Its output is not quoted: it may hold a token.
    """
    if not result.ok:
        raise explain(result, machine=machine, step=step)
    if not result.stdout.strip():
        return {}
    try:
        parsed = parse_json(result.stdout)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise StepError(f"{result.command.title} did not print a JSON object", machine=machine, step=step)
    return parsed


def parse_items(result: Result, *, machine: str, step: str) -> list[dict[str, Any]]:
    """Return the objects that kubectl printed, be they a List, one alone, or none; all have metadata with a name.

    Raises:
        StepError: As ``parse_object`` raises it.
    """
    parsed = parse_object(result, machine=machine, step=step)
    items = parsed.get("items", [parsed])
    items = items if isinstance(items, list) else []
    return [item for item in items if isinstance(item, dict) and _is_name(section(item, "metadata").get("name"))]


def parse_json(text: str) -> Any:
    """Return what a JSON document of a machine's says.

    Raises:
        ValueError: It is none, or has what no answer has: a number that is none or of too many digits, too many levels
            for whoever looks at it. Nothing else is raised: a member must not end the run of the others.
    """
    try:
        parsed = json.loads(text, parse_constant=_refuse, parse_int=_parse_int, parse_float=_parse_float)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    level: Iterable[Any] = [parsed]
    for _ in range(_DEEPEST):
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
        if not level:
            return parsed
    raise ValueError("it is nested too deeply")


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()


def _children(parent: Any) -> Iterable[Any]:
    if isinstance(parent, dict):
        return parent.values()
    return parent if isinstance(parent, list) else ()


def _parse_int(digits: str) -> int:
    return int(digits) if len(digits) <= _LONGEST_INT else _refuse(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant[:10]} is no number of JSON's")


def section(item: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the mapping at the end of ``keys``; {} where there is none, or something else."""
    found: Any = item
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def parse_created(item: Mapping[str, Any]) -> str:
    """Return when an object was made (RFC 3339, UTC, whole seconds: times that compare as texts); "" for no time."""
    created = section(item, "metadata").get("creationTimestamp")
    return created if isinstance(created, str) and _TIME.fullmatch(created) else ""


def find_item(items: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any] | None:
    """Return the object of that kind and name, or None."""
    for item in items:
        if item.get("kind") == kind and section(item, "metadata").get("name") == name:
            return item
    return None


def render_list(objects: Sequence[Mapping[str, Any]]) -> str:
    """Return objects as one text for ``kubectl -f -``: a List.

    Documents with ``---`` between them will not do: kubectl 1.21 takes what begins with ``{`` for JSON alone.
    """
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
