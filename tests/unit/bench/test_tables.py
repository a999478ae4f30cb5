"""The bench's arithmetic and what is made of it: medians, shares, lines that go on, Markdown, SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from bench import events, plot, report
from bench.measuring import FailedError, Sample, in_turns, spread
from bench.results import Results
from bench.tables import Samples, compare, extrapolate
from bench.targets import targets


def samples(*seconds: float) -> list[Sample]:
    """Return samples that took so long."""
    return [Sample(seconds=one, more=(("whole", 2 * one),)) for one in seconds]


FOUND: Samples = {"fedssh": samples(1, 3, 2), "script, one ssh a command": samples(8), "pyinfra": []}
RESULTS = Results(
    computer=["a computer"],
    rounds=3,
    rtt=50,
    real=FOUND,
    members={(50, 1): FOUND, (50, 50): {"fedssh": samples(2.4)}},
    host={1: FOUND, 100: {"fedssh": samples(4)}},
    memory={500: {"the first federate": 100}},
)


def test_a_spread_knows_its_median_and_its_ends() -> None:
    """Of seconds, or of other times that were taken."""
    found = spread(samples(1, 3, 2))
    assert (found.least, found.median, found.most) == (1, 2, 3)
    assert spread(samples(1), "whole").values == (2,)


def test_ways_take_turns_and_one_that_fails_is_left_out() -> None:
    """The others go on; one that takes very long is not run again."""
    order = []

    def way(name: str, seconds: float) -> Sample:
        order.append(name)
        if not seconds:
            raise FailedError("no")
        return Sample(seconds=seconds)

    ways = {"a": lambda: way("a", 1), "b": lambda: way("b", 0), "c": lambda: way("c", 99)}
    found = in_turns(ways, rounds=2, title="x", cell_seconds=60)
    assert order == ["a", "b", "c", "a"]
    assert {name: len(taken) for name, taken in found.items()} == {"a": 2, "b": 0, "c": 1}


def test_a_cell_is_the_median_the_ends_and_the_share() -> None:
    """What failed is a dash."""
    assert compare("way", {"1": FOUND}, own="fedssh").render().splitlines() == [
        "| way | 1 |",
        "| --- | ---: |",
        "| fedssh | 2.00 (1.00-3.00) |",
        "| script, one ssh a command | 8.00 · 0.25 |",
        "| pyinfra | - |",
    ]


def test_what_does_one_thing_after_the_other_goes_on_as_a_line() -> None:
    """Through the smallest and the largest that were measured; one that failed is not guessed."""
    found: dict[int, Samples] = {1: {"s": samples(3), "t": []}, 10: {"s": samples(21), "t": []}, 50: {}}
    assert extrapolate(found, "s") == {50: {"s": [Sample(seconds=101)]}}
    assert extrapolate(found, "t") == {}


def test_the_targets_are_told() -> None:
    """Those about which something was measured, and whether each is met."""
    found = {one.text: one.is_met for one in targets(RESULTS)}
    assert found["one machine at 50 ms: fedssh's share of script, one ssh a command"]
    assert not found["host phase of 100 members, seconds"]
    assert found["memory for 500 members, the first federate, MiB"]


def test_the_report_has_all_parts_and_the_drawing_is_xml() -> None:
    """What was not measured is left out."""
    told = report.render(RESULTS)
    assert "## The host's part" in told
    assert "## Start" not in told
    assert ET.fromstring(plot.draw(RESULTS)).tag.endswith("svg")  # noqa: S314  (it is our own)
    assert plot.draw(Results(computer=[], rounds=1, rtt=50))


def test_the_last_change_counts() -> None:
    """Lines that are no events are passed over."""
    line = '{"time": "2026-01-01T00:00:0%d.500Z", "state": "%s", "message": "joined"}\n'
    log = "CLUSTER\n" + line % (1, "changed") + line % (3, "changed") + line % (5, "running")
    assert events.last(log, events.JOINED) == 1767225603.5
    assert events.last(log, events.GRANTED) is None
