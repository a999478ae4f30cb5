"""Tables of what was measured, in Markdown: medians with their spread, and fedssh's share of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.measuring import Sample, Spread, spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Samples = dict[str, list[Sample]]
"""What was measured of each way to do something; none for one that failed."""

_SHORT: Final = 10  # seconds; from there on, one decimal is enough


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: what its first column is about, its other columns' heads, and its rows."""

    corner: str
    heads: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]

    def render(self) -> str:
        """Return it as Markdown."""
        lines = [(self.corner, self.heads), ("---", ["---:"] * len(self.heads)), *self.rows]
        return "".join(f"| {' | '.join([first, *cells])} |\n" for first, cells in lines)


def compare(
    corner: str,
    columns: Mapping[str, Samples],
    *,
    own: str,
    what: str = "seconds",
    guesses: Mapping[str, Samples] | None = None,
) -> Table:
    """Return a table with a row for each way, and a column for each circumstance.

    Args:
        corner: What the ways are of.
        columns: The samples, by the head of their column.
        own: Which row the others are compared with.
        what: Which of a sample's values is meant: an attribute, or a key of its ``more``.
        guesses: Samples that were not measured but calculated, by the head of their column; told with a ``~``.
    """
    guesses = guesses or {}
    rows = []
    for way in dict.fromkeys(way for samples in columns.values() for way in samples):
        cells = []
        for head, samples in columns.items():
            found, base = spread(samples.get(way, []), what), spread(samples.get(own, []), what)
            guessed = spread(guesses.get(head, {}).get(way, []), what)
            mark = "" if found.values else "~" * bool(guessed.values)
            cells.append(_cell(found if found.values else guessed, base, mark=mark, is_own=way == own))
        rows.append((way, cells))
    return Table(corner=corner, heads=list(columns), rows=rows)


def extrapolate(found: Mapping[int, Samples], way: str) -> dict[int, Samples]:
    """Return, for the sizes at which a way was not run, what it would take: it does one thing after the other.

    The line leads through the medians of the smallest and of the largest size at which it was run.
    """
    known = {size: spread(samples[way]).median for size, samples in found.items() if samples.get(way)}
    if not known:
        return {}
    (small, low), (large, high) = min(known.items()), max(known.items())
    slope = (high - low) / (large - small) if large > small else low / small
    wanted = [size for size, samples in found.items() if way not in samples]
    return {size: {way: [Sample(seconds=high + slope * (size - large))]} for size in wanted}


def seconds(value: float) -> str:
    """Return a number of seconds with as many digits as mean something."""
    return f"{value:.2f}" if value < _SHORT else f"{value:.1f}" if value < _SHORT**2 else f"{value:.0f}"


def _cell(found: Spread, base: Spread, *, mark: str, is_own: bool) -> str:
    if not found.values:
        return "-"
    text = mark + seconds(found.median)
    if len(found.values) > 1:
        text += f" ({seconds(found.least)}-{seconds(found.most)})"
    if not is_own and base.values and found.median:
        text += f" · {base.median / found.median:.2f}"
    return text
