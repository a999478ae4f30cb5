"""Fetching an artefact of any kind, or finding it in the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.artefacts.charts import Chart, fetch_chart, find_chart
from fedssh.artefacts.downloads import Download, fetch_download, find_download
from fedssh.artefacts.images import Image, fetch_image, find_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.artefacts.cache import Fetched

Artefact = Download | Chart | Image


def find(wanted: Artefact) -> Fetched | None:
    """Return an artefact from the cache, or None; no server is asked."""
    if isinstance(wanted, Chart):
        return find_chart(wanted)
    return find_image(wanted) if isinstance(wanted, Image) else find_download(wanted)


def fetch(wanted: Artefact, told: Callable[[str], None]) -> Fetched:
    """Return an artefact from the cache, where it is put now if it is not there yet.

    Args:
        wanted: The artefact.
        told: Told how much of it has come.

    Raises:
        StepError: It could not be fetched, or is not what it should be (3); nothing of it is kept.
    """
    if found := find(wanted):
        return found
    if isinstance(wanted, Chart):
        return fetch_chart(wanted, told)
    return fetch_image(wanted, told) if isinstance(wanted, Image) else fetch_download(wanted, told)
