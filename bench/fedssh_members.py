"""fedssh's work on members alone, as a program: look at each, and let it grant access. The argument is a hosts.yaml.

It is what ``federate`` does on a member, by the same functions, one thread a member: connect, look, decide which
objects are missing, make them, read the token. What the host does with the answer is left out.
"""

from __future__ import annotations

import sys
from functools import partial

from fedssh.engines import load_engine
from fedssh.errors import FedsshError
from fedssh.federation.act.grants import grant_access
from fedssh.federation.grants import needed_grant
from fedssh.federation.look.members import look_at_member
from fedssh.federation.threads import at_once
from fedssh.inventory import Cluster, load_inventory
from fedssh.ssh import Connections


def main() -> None:
    """Grant access on all members, or end with the first error."""
    inventory = load_inventory(sys.argv[1])
    with Connections() as connections:
        tasks = {one.name: partial(_grant, connections, one) for one in inventory.members}
        found = at_once(tasks, limit=inventory.concurrency)
    for name, outcome in found.items():
        if isinstance(outcome, FedsshError):
            sys.exit(f"{name}: {outcome} ({outcome.__cause__!r})")


def _grant(connections: Connections, member: Cluster) -> str:
    """Return the address of a member's API server; its token has come, too."""
    shell = connections.connect(member.machine)
    facts = look_at_member(shell, member, load_engine())
    if facts.gaps:
        raise facts.gaps[0]
    step = needed_grant(facts, adopt=False)
    if step is None or not grant_access(shell, step, member):
        raise SystemExit(f"{member.name}: there was nothing to grant")
    return facts.server


if __name__ == "__main__":
    main()
