"""A host and three members in memory, and runs of fedssh's verbs over them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fedssh.errors import UnreachableError
from fedssh.federation.wishes import Wishes
from fedssh.inventory import Inventory, Machine, parse_inventory
from fedssh.verbs import federate, prepare, rotate, status
from tests.fakes.hosts import HOST_SERVER, Host
from tests.fakes.kubernetes import Member
from tests.fakes.shells import ScriptedShell

if TYPE_CHECKING:
    from fedssh.federation.report import ClusterReport, Progress, Report
    from tests.fakes.lines import Call, Key

NAMES = ("member1", "member2", "member3")
GRANTED = [f"{kind}/member1" for kind in ("serviceaccount", "clusterrole", "clusterrolebinding")] + [
    "secret/member1-fedssh-1"
]


@dataclass
class World:
    """The machines of an inventory.

    Attributes:
        members: The members, by name.
        unreachable: Whose machine does not answer.
        events: What the last run has told on its way.
        asked: The plans that the last run asked about.
        labels: What hosts.yaml says of every member, after its address.
        said: What it says of one, by name; instead of ``labels``.
        context: How the host's context gets its name.
    """

    members: dict[str, Member] = field(default_factory=lambda: {name: Member(name) for name in NAMES})
    unreachable: set[str] = field(default_factory=set)
    events: list[Progress] = field(default_factory=list)
    asked: list[Report] = field(default_factory=list)
    labels: str = ""
    said: dict[str, str] = field(default_factory=dict)
    context: str = "rename"

    def __post_init__(self) -> None:
        own = Member("fedhost", server=HOST_SERVER)
        self.host = Host(own=own, clusters=[*self.members.values(), own])
        self.shells = {"fedhost": ScriptedShell("fedhost", self.host.answer)}
        self.shells |= {name: ScriptedShell(name, member.answer) for name, member in self.members.items()}
        self.connected: list[str] = []
        self.meeting = threading.Barrier(1)

    @property
    def inventory(self) -> Inventory:
        """The hosts.yaml."""
        said = {name: self.said.get(name, self.labels) for name in self.members}
        members = "".join(f"  {name}: {{address: {name}.example.com{more}}}\n" for name, more in said.items())
        text = f"host: {{name: fedhost, address: h, context: {self.context}}}\nmembers:\n{members}"
        return parse_inventory(text, path=Path("hosts.yaml"))

    def wishes(self, *names: str, adopt: bool = False, dry_run: bool = False) -> Wishes:
        """Return what is wanted of some members; of all when none is named."""
        inventory = self.inventory
        chosen = tuple(inventory.member(name) for name in names or self.members)
        return Wishes(inventory=inventory, members=chosen, adopt=adopt, dry_run=dry_run)

    def connect(self, machine: Machine) -> ScriptedShell:
        """Connect to a machine."""
        self.connected.append(machine.name)
        self.meeting.wait()
        if machine.name in self.unreachable:
            raise UnreachableError("no answer", machine=machine.name)
        return self.shells[machine.name]

    def federate(self, *names: str, adopt: bool = False, dry_run: bool = False, agreed: bool = True) -> Report:
        """Federate members; all when none is named. What the machines are asked is counted anew."""
        self._forget()
        wishes = self.wishes(*names, adopt=adopt, dry_run=dry_run)
        self.asked.clear()

        def agree(planned: Report) -> bool:
            self.asked.append(planned)
            return agreed

        return _checked(federate.run(wishes, connect=self.connect, report=self.events.append, agree=agree))

    def rotate(self, *names: str, dry_run: bool = False, older_than: float = 0) -> Report:
        """Rotate the credentials of members; of all, and the host's, when none is named."""
        self._forget()
        wishes = self.wishes(*names, dry_run=dry_run)
        wishes = replace(wishes, is_all=not names, older_than_seconds=older_than)
        return _checked(rotate.run(wishes, connect=self.connect, report=self.events.append))

    def prepare(self, *, dry_run: bool = False) -> Report:
        """Install the engine on the host."""
        self._forget()
        wishes = replace(self.wishes(dry_run=dry_run), members=())
        return _checked(prepare.run(wishes, connect=self.connect, report=self.events.append))

    def status(self, *names: str) -> Report:
        """Ask the host how the federation is; of some members, or of all that has to do with it."""
        self._forget()
        wishes = self.wishes(*names) if names else replace(self.wishes(), members=())
        return _checked(status.run(wishes, connect=self.connect, report=self.events.append))

    def told(self, name: str) -> list[str]:
        """Return what was reported of a cluster."""
        return [event.text for event in self.events if event.cluster == name]

    def called(self, name: str) -> list[Call]:
        """Return what was called on a machine in the last run."""
        return self.host.calls if name == "fedhost" else self.members[name].calls

    @property
    def mutations(self) -> list[Key]:
        """What was called in the last run that changes something anywhere."""
        return [call.key for name in ("fedhost", *self.members) for call in self.called(name) if call.mutates]

    @property
    def locks(self) -> int:
        """How many locks the last run has taken, its own and kubectl's."""
        return sum(len(shell.holds) for shell in self.shells.values())

    def _forget(self) -> None:
        self.events.clear()
        for shell in self.shells.values():
            shell.runs.clear()
            shell.holds.clear()
        for name in ("fedhost", *self.members):
            self.called(name).clear()


def by_name(report: Report) -> dict[str, ClusterReport]:
    """Return the clusters of a report."""
    return {cluster.name: cluster for cluster in report.clusters}


def _checked(report: Report) -> Report:
    """Return a report, unless a fake was asked something that it does not know."""
    for error in [report.error, *(cluster.error for cluster in report.clusters)]:
        if error and isinstance(error.__cause__, AssertionError):
            raise error.__cause__
    return report
