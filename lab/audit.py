"""What a cluster's API server was asked to change, and by whom: its audit log, as values.

The log holds every create, update, patch and delete; reads, heartbeats and events are left out (`node/audit.yaml`).
The API server writes a line before its answer is complete, so what a program did is there when the program has ended.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from lab.errors import LabError
from lab.machine import Machine

LOG: Final = "/var/log/audit.log"
# Questions that are asked by creating something that is never stored.
REVIEWS: Final = frozenset(
    {
        "localsubjectaccessreviews",
        "selfsubjectaccessreviews",
        "selfsubjectreviews",
        "selfsubjectrulesreviews",
        "subjectaccessreviews",
        "tokenreviews",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One request that changes something, or a review.

    `verb` is Kubernetes's (`deletecollection` among them), `resource` holds the subresource, as in
    `serviceaccounts/token`; `code` is the HTTP status of the answer. `name` is empty where the request has none.
    """

    machine: str
    time: str
    user: str
    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    dry_run: bool

    @property
    def is_review(self) -> bool:
        """Whether it only asked something."""
        return self.resource in REVIEWS


def mark(machine: Machine) -> int:
    """Return the place in the machine's audit log from which events are new."""
    return int(machine.check("stat", "-c", "%s", LOG))


def events_since(machine: Machine, place: int) -> list[Event]:
    """Return what was asked of a machine's API server since `mark`, whether it was granted or not."""
    # A log that has become shorter is another one: what stood in between is lost.
    script = 'test "$(stat -c %s "$1")" -ge "$2" && tail -c +"$(($2 + 1))" "$1"'
    result = machine.exec("sh", "-c", script, "sh", LOG, str(place))
    if result.code != 0:
        raise LabError(f"{machine.name}: its audit log does not go back to {place}: {result.stderr.strip()}")
    return parse_events(machine.name, result.stdout)


def parse_events(machine: str, text: str) -> list[Event]:
    """Read an audit log: one JSON document a line."""
    return [_parse(machine, json.loads(line)) for line in text.splitlines()]


def _parse(machine: str, event: dict[str, Any]) -> Event:
    target = event.get("objectRef", {})
    parts = (target.get("resource", ""), target.get("subresource", ""))
    return Event(
        machine=machine,
        time=event["requestReceivedTimestamp"],
        user=event["user"].get("username", ""),
        agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource="/".join(part for part in parts if part),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        dry_run="dryRun=" in event["requestURI"],
    )
