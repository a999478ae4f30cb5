"""A host and three members in memory, and a run of federate over them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fedssh.errors import UnreachableError
from fedssh.federation.wishes import Wishes
from fedssh.inventory import Inventory, Machine, parse_inventory
from tests.fakes.hosts import Host
from tests.fakes.kubernetes import Member
from tests.fakes.shells import ScriptedShell
from fedssh.verbs import federate

if TYPE_CHECKING:
    from fedssh.federation.report import ClusterReport, Progress, Report

NAMES = ("member1", "member2", "member3")
GRANTED = [f"{kind}/member1" for kind in ("serviceaccount", "clusterrole", "clusterrolebinding")] + [
    "secret/member1-fedssh-1"
]


@dataclass
class World:
    """The machines of an inventory."""

    members: dict[str, Member] = field(default_factory=lambda: {name: Member(name) for name in NAMES})
    unreachable: set[str] = field(default_factory=set)
    events: list[Progress] = field(default_factory=list)
    labels: str = ""

    def __post_init__(self) -> None:
        own = Member("fedhost")
        self.host = Host(clusters=[*self.members.values(), own])
        answers = {"fedhost": self.host.answer, **{name: one.answer for name, one in self.members.items()}}
        self.shells = {name: ScriptedShell(name, answer) for name, answer in answers.items()}
        self.connected: list[str] = []
        self.meeting = threading.Barrier(1)

    @property
    def inventory(self) -> Inventory:
        """The hosts.yaml."""
        members = "".join(f"  {name}: {{address: {name}.example.com{self.labels}}}\n" for name in self.members)
        return parse_inventory(f"host: {{name: fedhost, address: h}}\nmembers:\n{members}", path=Path("hosts.yaml"))

    def connect(self, machine: Machine) -> ScriptedShell:
        """Connect to a machine."""
        self.connected.append(machine.name)
        self.meeting.wait()
        if machine.name in self.unreachable:
            raise UnreachableError("no answer", machine=machine.name)
        return self.shells[machine.name]

    def federate(self, *names: str, adopt: bool = False, dry_run: bool = False) -> Report:
        """Federate members; all when none is named. What the members are asked is counted anew."""
        for shell in self.shells.values():
            shell.runs.clear()
        self.events.clear()
        chosen = tuple(self.inventory.member(name) for name in names or self.members)
        wishes = Wishes(inventory=self.inventory, members=chosen, adopt=adopt, dry_run=dry_run)
        return federate.run(wishes, connect=self.connect, report=self.events.append)

    def told(self, name: str) -> list[str]:
        """Return what was reported of a cluster."""
        return [one.text for one in self.events if one.cluster == name]


def by_name(report: Report) -> dict[str, ClusterReport]:
    """Return the clusters of a report."""
    return {one.name: one for one in report.clusters}
