"""``prepare``: what federates is on the host, and nothing else is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fedssh import engines
from fedssh.errors import FedsshError
from fedssh.federation.prepare import prepare
from fedssh.verbs import ended_early, refuse_dry_run

if TYPE_CHECKING:
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Report, Reporter
    from fedssh.federation.wishes import Wishes


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Install the engine and its tools on the host; what is there stays untouched."""
    try:
        refuse_dry_run(wishes)
        found = prepare(wishes.inventory, connect=connect, report=report)
    except FedsshError as error:
        return ended_early("prepare", wishes, error)
    host = wishes.inventory.host.name
    installed = f"{engines.DISPLAY_NAME} {found.engine_version} and its tools are installed on {host}."
    return replace(
        found,
        engine=engines.DEFAULT,
        summary=installed if found.changed else f"Nothing to do: {installed}",
        has_table=False,
    )
