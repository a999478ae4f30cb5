from __future__ import annotations

import pytest
from hypothesis import given

from fedssh.versions import parse_version
from tests.fakes.machine_output import MANY_DIGITS, repeated, soon, versions


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("v1.33.9+k3s1", (1, 33, 9)),
        ("1.21", (1, 21, 0)),
        ("v3.18.4", (3, 18, 4)),
        ("v3.9.4+gdbc6d8e\n", (3, 9, 4)),
        ("v3.0.0-rc.1", (3, 0, 0)),
        ("v1.27.3-gke.100", (1, 27, 3)),
        ("v3.18+unreleased", (3, 18, 0)),
        ("0.10.0", (0, 10, 0)),
    ],
)
def test_a_version_is_its_numbers(text: str, numbers: tuple[int, int, int]) -> None:
    """Whatever stands behind them."""
    assert parse_version(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        *("", "v", "soon", "1", "v1", "1.", "1.2.", "1.2.3.4", "vv1.2", "1.-2", "1.2x", "-1.2", "1 .2"),
        *("\u0661.\u0662", "1.2\0", "1.2-\x1b[31m", "1.2-a\nb"),
        *(f"1.{MANY_DIGITS}", f"{MANY_DIGITS}.1", "123456.1", "1.2-" + "a" * 200),
    ],
)
def test_anything_else_is_no_version(text: str) -> None:
    """However many digits it has."""
    assert parse_version(text) is None


@given(versions())
def test_no_text_breaks_the_parser(text: str) -> None:
    """There are three numbers of a few digits, or none."""
    found = parse_version(text)
    assert found is None or all(0 <= number < 100_000 for number in found)


@pytest.mark.parametrize("piece", ["1", "1.", "v1.2-", " ", "\n"])
def test_a_long_text_is_refused_at_once(piece: str) -> None:
    """It is not searched."""
    with soon(0.1):
        assert parse_version(repeated(piece)) is None
