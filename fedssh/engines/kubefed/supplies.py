"""What KubeFed is installed from, as it is fetched on the laptop for machines that reach no internet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.artefacts import Chart, Download, Image
from fedssh.artefacts.charts import read_values
from fedssh.engines.kubefed.charts import CHART, chart_images, chart_repository, chart_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.artefacts import Artefact, Fetched
    from fedssh.inventory import Inventory, KubeFed

CHART_PART: Final = "chart"
UPGRADE_PART: Final = "upgrade"
"""The parts that are installed from KubeFed's chart."""

_COMMON: Final = ("amd64", "arm64")
"""The processors for which something is fetched that nobody has asked for by name."""


def chart_of(wanted: KubeFed, version: str) -> Chart | Download:
    """Return KubeFed's chart."""
    title, sha256 = f"KubeFed's chart {version}", wanted.chart_sha256 or ""
    if wanted.chart_url:
        return Download(title=title, url=wanted.chart_url, sha256=sha256)
    return Chart(title=title, repository=chart_repository(wanted), name=CHART, version=version, sha256=sha256)


def tool_url(wanted: KubeFed, version: str, architecture: str) -> str:
    """Return where kubefedctl lies."""
    return wanted.kubefedctl_url or wanted.source.kubefedctl_url(version, architecture)


def tool_of(wanted: KubeFed, version: str, architecture: str) -> Download:
    """Return kubefedctl for a processor."""
    url, sha256 = tool_url(wanted, version, architecture), wanted.kubefedctl_sha256 or ""
    title = f"kubefedctl {version}"
    return Download(title=title, url=url, sha256=sha256, checksum_url="" if sha256 else f"{url}.sha")


def artefacts(inventory: Inventory) -> dict[str, Artefact]:
    """Return what hosts.yaml's KubeFed is installed from, for every processor that is common.

    A checksum in hosts.yaml is that of one file: kubefedctl is then the one for the first processor alone.
    """
    wanted = inventory.kubefed
    version = wanted.version or wanted.source.version
    found: dict[str, Artefact] = {CHART_PART: chart_of(wanted, version)}
    released = [architecture for architecture in _COMMON if architecture in wanted.source.architectures]
    for architecture in released[:1] if wanted.kubefedctl_sha256 else released:
        tool = tool_of(wanted, version, architecture)
        found |= {} if tool in found.values() else {f"tool for {architecture}": tool}
    return found


def images(inventory: Inventory, supplies: Mapping[str, Fetched]) -> list[Image]:
    """Return the images of KubeFed's pods, for every processor that is common; none where its chart is not supplied.

    Whether a registry has them for it is another matter than for which processors kubefedctl is released.
    """
    chart = supplies.get(CHART_PART) or supplies.get(UPGRADE_PART)
    if chart is None:
        return []
    wanted = inventory.kubefed
    return [
        Image(reference=reference, architecture=architecture)
        for reference in chart_images(read_values(chart.path), chart_values(wanted))
        for architecture in _COMMON
    ]
