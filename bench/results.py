"""All that a run of the bench has measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.tables import Samples


@dataclass
class Results:
    """What was measured; what was left out is empty.

    Attributes:
        computer: What it was measured on, in lines.
        rounds: How often each way was run at most.
        rtt: The round trip, in milliseconds, of all parts but those by its length.
        real: Federating real members.
        real_idle: Nothing to do on them.
        members: The members' part, by round trip in milliseconds and number of members.
        host: The host's part, by number of members.
        idle: Nothing to do, by number of members.
        start: What takes no machine.
        memory: MiB at the most, by number of members and what was run.
        times: What each part took, in words.
        ssh: What ``bench.latency`` and ``bench.uploads`` print.
    """

    computer: list[str]
    rounds: int
    rtt: int
    real: Samples = field(default_factory=dict)
    real_idle: Samples = field(default_factory=dict)
    members: dict[tuple[int, int], Samples] = field(default_factory=dict)
    host: dict[int, Samples] = field(default_factory=dict)
    idle: dict[int, Samples] = field(default_factory=dict)
    start: Samples = field(default_factory=dict)
    memory: dict[int, dict[str, float]] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)
    ssh: str = ""
