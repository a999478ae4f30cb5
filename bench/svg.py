"""Drawings as plain SVG: lines on logarithmic scales, and bars; readable on light and on dark."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLOURS: Final = (
    "#e8590c",
    "#1c7ed6",
    "#2f9e44",
    "#ae3ec9",
    "#0c8599",
    "#c29100",
    "#868e96",
    "#d6336c",
    "#66a80f",
    "#b08968",
)
"""Of the ways in the order in which they are named: each is seen on white and on black."""

_STYLE: Final = """
text { font: 12px sans-serif; fill: #333 } .title { font-weight: bold } .grid { stroke: #999; stroke-opacity: .3 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
"""
_LEFT, _TOP, _BOTTOM, _RIGHT = 44, 26, 24, 12
_LINE: Final = 20  # pixels from one line of text to the next
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True)
class Box:
    """A part of the drawing, in pixels."""

    x: float
    y: float
    width: float
    height: float


def document(width: int, height: int, parts: Sequence[str]) -> str:
    """Return a whole SVG file."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def lines(
    box: Box, title: str, series: Mapping[str, Mapping[int, float]], colours: Mapping[str, str], unit: str
) -> str:
    """Return lines over whole numbers, both on logarithmic scales.

    Args:
        box: Where.
        title: What stands above.
        series: By the name of a line, its values by number; all positive.
        colours: By the name of a line, its colour.
        unit: What the numbers are of.
    """
    numbers = sorted({number for values in series.values() for number in values})
    values = [value for found in series.values() for value in found.values()]
    if not values:
        return ""
    low, high = _around(min(values), max(values))

    def across(number: float) -> float:
        room = box.width - _LEFT - _RIGHT
        return box.x + _LEFT + room * _place(number, numbers[0], numbers[-1])

    def up(value: float) -> float:
        return box.y + box.height - _BOTTOM - (box.height - _TOP - _BOTTOM) * _place(value, low, high)

    parts = [text(box.x + _LEFT, box.y + 14, title, style="title")]
    for tick in _ticks(low, high):
        y = up(tick)
        parts.append(f'<path class="grid" d="M{box.x + _LEFT:.1f} {y:.1f}H{box.x + box.width - _RIGHT:.1f}"/>')
        parts.append(text(box.x + _LEFT - 6, y + 4, f"{tick:g}", anchor="end"))
    parts += [text(across(number), box.y + box.height - 6, str(number), anchor="middle") for number in numbers]
    parts.append(text(box.x + box.width - _RIGHT, box.y + 14, unit, anchor="end"))
    for name, found in series.items():
        points = [(across(number), up(value)) for number, value in sorted(found.items())]
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="{path}" fill="none" stroke="{colours[name]}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colours[name]}"/>' for x, y in points]
    return "\n".join(parts)


def bars(box: Box, title: str, values: Mapping[str, float], colours: Mapping[str, str]) -> str:
    """Return a bar for each value, from 0 on, the value behind it."""
    parts = [text(box.x, box.y + 14, title, style="title")]
    label, room = 230, 50
    most = max(values.values(), default=1)
    for number, (name, value) in enumerate(values.items()):
        y = box.y + _TOP + number * _LINE
        width = (box.width - label - room) * value / most
        parts.append(text(box.x + label - 8, y + 12, name, anchor="end"))
        parts.append(f'<rect x="{box.x + label}" y="{y + 2}" width="{width:.1f}" height="13" fill="{colours[name]}"/>')
        parts.append(text(box.x + label + width + 6, y + 13, f"{value:.1f}"))
    return "\n".join(parts)


def legend(x: float, y: float, width: float, colours: Mapping[str, str]) -> str:
    """Return the names of the lines, each with its colour, as many in a row as there is room for."""
    parts, place = [], x
    for name, colour in colours.items():
        taken = 30 + 7 * len(name)
        if place + taken > x + width:
            place, y = x, y + _LINE
        parts.append(f'<rect x="{place}" y="{y - 9}" width="14" height="10" fill="{colour}"/>')
        parts.append(text(place + 20, y, name))
        place += taken
    return "\n".join(parts)


def text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> str:
    """Return words at a place."""
    named = f' class="{style}"' * bool(style)
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def _place(value: float, low: float, high: float) -> float:
    """Return where a value stands between two others on a logarithmic scale, from 0 to 1."""
    return math.log(value / low) / math.log(high / low) if high > low else 0.5


def _around(low: float, high: float) -> tuple[float, float]:
    """Return the next round numbers below and above."""
    rounds = _ticks(low / 10, high * 10)
    return max(one for one in rounds if one <= low), min(one for one in rounds if one >= high)


def _ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 of each power of ten between two numbers, both included."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [round(step * 10.0**power, 9) for power in powers for step in _STEPS]
    return [one for one in found if low <= one <= high]
