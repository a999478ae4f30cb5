"""``status``: the federation as KubeFed sees it. Only the host is asked, and nothing is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.federation.host import probe_host
from fedssh.federation.report import Progress, Report
from fedssh.federation.reports import cluster_report, exit_code

if TYPE_CHECKING:
    from fedssh.federation.host import Connect
    from fedssh.federation.report import Reporter
    from fedssh.inventory import Inventory


def status(inventory: Inventory, *, connect: Connect, report: Reporter) -> Report:
    """Tell, for every cluster of hosts.yaml and of the federation, whether it has joined and is Ready.

    Raises:
        FedsshError: The host could not be asked.
    """
    report(Progress(cluster=inventory.host.name, text="asking the host", state="running"))
    state = probe_host(connect(inventory.host.machine), inventory, only_look=True)
    # What has joined without standing in hosts.yaml is part of the federation, too.
    names = dict.fromkeys([inventory.host.name, *(one.name for one in inventory.members), *state.joined])
    clusters = [
        cluster_report(name, state.joined.get(name), role="host" if name == inventory.host.name else "member")
        for name in names
    ]
    release = state.installation.release
    return Report(
        verb="status",
        clusters=tuple(clusters),
        kubefed_version=release.version if release else "",
        exit_code=exit_code(clusters),
    )
