"""``prepare``: KubeFed and kubefedctl on the host, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.federation.host import install_kubefed, open_host
from fedssh.federation.ledger import Ledger
from fedssh.federation.report import Report
from fedssh.federation.reports import cluster_report

if TYPE_CHECKING:
    from fedssh.federation.host import Connect
    from fedssh.federation.report import Reporter
    from fedssh.inventory import Inventory


def prepare(inventory: Inventory, *, connect: Connect, report: Reporter) -> Report:
    """Install KubeFed on the host, and kubefedctl beside it; what is there stays untouched.

    Raises:
        FedsshError: It could not be done.
    """
    ledger, name = Ledger(report), inventory.host.name
    ledger.begin(name, "looking at the host")
    host = open_host(inventory, connect)
    install_kubefed(host, inventory, ledger)
    told = cluster_report(name, host.state.joined.get(name), role="host", changes=ledger.changes[name])
    return Report(verb="prepare", clusters=(told,), kubefed_version=inventory.kubefed.version, exit_code=0)
