"""``fetch``: on this computer, everything that a host without internet is given."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.artefacts import fetch, find
from fedssh.artefacts.cache import STEP, cache_folder
from fedssh.artefacts.images import NoSuchImageError
from fedssh.engines import load_engine
from fedssh.errors import FedsshError, StepError
from fedssh.federation.journal import Journal
from fedssh.federation.outcomes import failed_run
from fedssh.federation.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedssh.artefacts import Artefact, Fetched, Image
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
        wanted = engine.images(wishes.inventory, supplies) if wishes.with_images else []
        if wishes.with_images and not wanted:
            hint = "Name them in hosts.yaml, or fetch without --images."
            raise StepError(f"what {engine.TITLE} is installed from names no images", step=STEP, hint=hint)
        images = [file for some in _by_reference(wanted) for file in _get_image(some, get, journal)]
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


def _by_reference(images: Sequence[Image]) -> list[list[Image]]:
    found: dict[str, list[Image]] = {}
    for image in images:
        found.setdefault(image.reference, []).append(image)
    return list(found.values())


def _get_image(images: Sequence[Image], get: Callable[[Artefact], Fetched], journal: Journal) -> list[Fetched]:
    """Return one image for those of the processors for which it is there; where that is not all, it is told.

    Raises:
        NoSuchImageError: It is there for none of them (3).
        StepError: It could not be fetched (3).
    """
    found: dict[str, Fetched] = {}
    missing: list[StepError] = []
    # Offline, what was fetched before is all that there is.
    is_known = any(find(image) for image in images)
    for image in images:
        try:
            found[image.architecture] = get(image)
        except StepError as error:
            if not (is_known or isinstance(error, NoSuchImageError)):
                raise
            missing.append(error)
    if not found:
        raise missing[0]
    if missing:
        journal.confirm(_HERE, f"the image {images[0].reference} is there for {', '.join(found)} only")
    return list(found.values())
