"""The picture on a terminal: a row for each cluster; where they are more than fit, a summary of them."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.text import Text

from fedssh.output.alike import step_of
from fedssh.output.console import room_of, styled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions
    from rich.spinner import Spinner

    from fedssh.federation.report import Progress

FAILED: Final = "failed"

_MOST_NAMED: Final = 10
"""How many clusters a summary names: enough to see what the run waits for, while what was told above is in sight."""

_ORDER: Final = {"failed": 0, "running": 1}
_COUNTED: Final = {"failed": FAILED, "confirmed": "done", "aftermath": "stopped"}


@dataclass(frozen=True, slots=True)
class Row:
    """What a cluster is at, since when, as what a summary counts it, and how far its step is."""

    event: Progress
    since: float
    counted: str
    share: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn; the terminal's size is asked for at each drawing, and no row is wider than that.

    Attributes:
        rows: The clusters, in the order in which they appeared.
        steps: What clusters have been counted as, in the order in which a summary tells it.
        spinner: What turns beside a step that runs.
    """

    rows: tuple[Row, ...]
    steps: tuple[str, ...]
    spinner: Spinner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines, those that matter most first."""
        width, room = options.max_width, room_of(options.size.height)
        if len(self.rows) > room:
            yield from self._summary(width, room)
            return
        for row in sorted(self.rows, key=lambda row: _ORDER.get(row.event.state, len(_ORDER))):
            yield self._line(row, width)

    def _summary(self, width: int, room: int) -> Iterator[Text]:
        """Yield how many clusters are at which step, the latest failures, and the slowest steps that run."""
        counted = self._counts(width, most=max(1, room // 2))
        yield from counted
        named = self._matter_most(min(_MOST_NAMED, room - len(counted) - 1))
        for row in named:
            yield self._line(row, width)
        if named:
            yield _unwrapped(styled((f"  and {len(self.rows) - len(named)} more", "dim")))

    def _counts(self, width: int, *, most: int) -> list[Text]:
        counts = Counter(row.counted for row in self.rows)
        told = [f"{counts[step]} {step}" for step in self.steps if counts[step]]
        lines = [f"{len(self.rows)} clusters:"]
        for part in [*(f"{part}," for part in told[:-1]), *told[-1:]]:
            if cell_len(f"{lines[-1]} {part}") <= width:
                lines[-1] += f" {part}"
            else:
                lines.append(f"  {part}")
        if len(lines) > most:  # then the last one is cut off
            lines[most - 1] += "".join(line[1:] for line in lines[most:])
            del lines[most:]
        texts = [_unwrapped(styled(line)) for line in lines]
        for text in texts:
            text.highlight_regex(rf"\b\d+ {FAILED}\b", "red")
        return texts

    def _matter_most(self, most: int) -> Sequence[Row]:
        """Return failed clusters, the latest first, and running ones, the slowest first; of each half, or more."""
        if most <= 0:
            return []
        failed = [row for row in self.rows if row.event.state == "failed"]
        running = [row for row in self.rows if row.event.state == "running"]
        named = heapq.nlargest(max(most // 2, most - len(running)), failed, key=_since)
        return [*named, *heapq.nsmallest(most - len(named), running, key=_since)]

    def _line(self, row: Row, width: int) -> Text:
        event, seconds = row.event, time.monotonic() - row.since
        first, *_ = (event.error.message if event.error else event.text).split("\n")
        first = " ".join(first.split())  # a tab is wider than it is counted
        first += f": {row.share}" if row.share else ""
        line = Text.assemble(self._mark(event), " ", styled((event.cluster, "bold"), f"  {first}"))
        duration = f" {seconds:.0f} s" if event.state == "running" else ""
        line.truncate(max(0, width - len(duration)), overflow="ellipsis")
        return _unwrapped(line.append(duration, style="dim"))

    def _mark(self, event: Progress) -> Text:
        if event.state == "running":
            frame = self.spinner.render(time.monotonic())
            return frame if isinstance(frame, Text) else Text()
        if event.state == "waiting":
            return Text(" ")
        return Text("✗", style="red") if event.error else Text("✓", style="green")


def row_of(event: Progress) -> Row:
    """Return the row of a cluster from an event on; it is counted as at a step, or as what has become of it."""
    counted = _COUNTED.get(event.state) or step_of(event.text, event.cluster)
    return Row(event, time.monotonic(), counted)


def _since(row: Row) -> float:
    return row.since


def _unwrapped(line: Text) -> Text:
    """Return a line that stays one, however narrow the terminal is."""
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
