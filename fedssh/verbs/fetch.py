"""``fetch``: on this computer, everything that a host without internet is given."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.artefacts import fetch
from fedssh.artefacts.cache import cache_folder
from fedssh.engines import load_engine
from fedssh.errors import FedsshError
from fedssh.federation.journal import Journal
from fedssh.federation.outcomes import failed_run
from fedssh.federation.report import Report

if TYPE_CHECKING:
    from fedssh.artefacts import Artefact, Fetched
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Reporter
    from fedssh.federation.wishes import Wishes


_HERE: Final = "this computer"


def run(wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
    """Fetch what hosts.yaml's engine is installed from into the cache; no machine is connected to.

    Args:
        wishes: What hosts.yaml says, and whether images are wanted, too.
        connect: Opens a connection to a machine; it is not called.
        report: Told of every step.
    """
    del connect
    engine, journal = load_engine(), Journal(report)

    def get(artefact: Artefact) -> Fetched:
        journal.begin(_HERE, f"fetching {artefact.title}")
        fetched = fetch(artefact, partial(journal.progress, _HERE))
        journal.confirm(_HERE, f"{artefact.title} is there")
        return fetched

    try:
        supplies = {name: get(artefact) for name, artefact in engine.artefacts(wishes.inventory).items()}
        images = [get(image) for image in engine.images(wishes.inventory, supplies)] if wishes.with_images else []
    except FedsshError as error:
        return failed_run("fetch", wishes, engine, error)
    files = len(supplies) + len(images)
    return Report(
        verb="fetch",
        engine=engine.NAME,
        exit_code=0,
        summary=f"{files} files for {engine.TITLE} are in {cache_folder()}",
        has_table=False,
        error=None,
    )
