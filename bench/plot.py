"""The drawing of a run of the bench: the members' part by distance, real members, and the host's part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench import svg
from bench.measuring import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.results import Results
    from bench.tables import Samples

_WIDTH: Final = 960
_PANEL: Final = 300
_MARGIN: Final = 16


def draw(results: Results) -> str:
    """Return the SVG."""
    ways = [way for samples in results.members.values() for way in samples]
    ways += [*results.real, *(way for samples in results.host.values() for way in samples)]
    names = list(dict.fromkeys(ways))
    colours = {name: svg.COLOURS[number % len(svg.COLOURS)] for number, name in enumerate(names)}
    rtts = sorted({rtt for rtt, _ in results.members})
    width = (_WIDTH - 2 * _MARGIN) / max(len(rtts), 1)
    parts = [svg.legend(_MARGIN, 20, _WIDTH - 2 * _MARGIN, colours)]
    for number, rtt in enumerate(rtts):
        box = svg.Box(_MARGIN + number * width, 70, width, _PANEL)
        at = {size: samples for (one, size), samples in results.members.items() if one == rtt}
        parts.append(svg.lines(box, f"members' part at {rtt} ms, seconds", _series(at), colours, "members"))
    half = (_WIDTH - 3 * _MARGIN) / 2
    row = 90 + _PANEL * bool(rtts)
    real = {way: spread(samples).median for way, samples in results.real.items() if samples}
    parts.append(svg.bars(svg.Box(_MARGIN, row, half, _PANEL), "real members federated, seconds", real, colours))
    box = svg.Box(2 * _MARGIN + half, row, half, _PANEL)
    title = f"host's part at {results.rtt} ms, seconds"
    parts.append(svg.lines(box, title, _series(results.host), colours, "members"))
    return svg.document(_WIDTH, row + _PANEL + _MARGIN, parts)


def _series(found: Mapping[int, Samples]) -> dict[str, dict[int, float]]:
    """Return each way's medians by the number of members; those that failed are left out."""
    series: dict[str, dict[int, float]] = {}
    for size, samples in found.items():
        for way, taken in samples.items():
            if taken:
                series.setdefault(way, {})[size] = spread(taken).median
    return series
