"""fedssh's ``federate`` with members in memory, as a program, so that the host's part can be measured for hundreds.

The host is a machine, reached by SSH. The members are those of the tests: no sshd for each of them takes part, whose
work on this computer would hide the host's. The arguments are hosts.yaml; each event is told as a line of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.standin.cluster import CA, uid_of
from fedssh.federation.wishes import Wishes
from fedssh.inventory import load_inventory
from fedssh.ssh import Connections
from fedssh.verbs import federate
from tests.fakes.kubernetes import Member
from tests.fakes.shells import ScriptedShell

if TYPE_CHECKING:
    from fedssh.federation.report import Progress, Report
    from fedssh.inventory import Machine
    from fedssh.shell import Shell

_lock = threading.Lock()


def main() -> None:
    """Federate all members; end with the report's exit code."""
    inventory = load_inventory(sys.argv[1])
    shells = {one.name: _member(one.name, one.machine) for one in inventory.members}
    with Connections() as connections:

        def connect(machine: Machine) -> Shell:
            return shells.get(machine.name) or connections.connect(machine)

        wishes = Wishes(inventory=inventory, members=inventory.members, adopt=False, dry_run=False)
        report = federate.run(wishes, connect=connect, report=_tell, agree=_agree)
    for error in filter(None, [report.error, *(cluster.error for cluster in report.clusters)]):
        print(error)
    sys.exit(report.exit_code)


def _member(name: str, machine: Machine) -> ScriptedShell:
    cluster = Member(
        name, server=f"https://{machine.address}:6443", uid=uid_of(name, "namespace", "kube-system"), ca=CA
    )
    return ScriptedShell(name, cluster.answer)


def _agree(report: Report) -> bool:
    return not report.error


def _tell(event: Progress) -> None:
    line = {"time": datetime.now(UTC).isoformat(), "state": event.state, "message": event.text}
    with _lock:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
