"""The times of a run of fedssh's, from the lines that it tells with ``--log-format json``."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

GRANTED: Final = "granted access"
JOINED: Final = "joined"


def last(log: str, message: str) -> float | None:
    """Return when a change was told for the last time, in seconds since 1970; None where it never was."""
    times = [time for time, state, said in _events(log) if state == "changed" and said == message]
    return max(times, default=None)


def _events(log: str) -> Iterator[tuple[float, str, str]]:
    """Yield the time, the state and the message of each line that is JSON; others are tables."""
    for line in log.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if "time" in event:
                yield datetime.fromisoformat(event["time"]).timestamp(), event.get("state", ""), event["message"]
