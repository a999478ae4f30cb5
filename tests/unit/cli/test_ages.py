from __future__ import annotations

import pytest

from fedssh.cli.interruption import parse_age
from fedssh.errors import ConfigurationError

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 30 * DAY), ("2w", 14 * DAY), ("1d12h", 1.5 * DAY), ("90m", 5400), ("0.5d", DAY / 2)]
)
def test_an_age_may_be_in_days_and_weeks(text: str, seconds: float) -> None:
    """As with --timeout, and longer."""
    assert parse_age(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "30 d", "d", "0d", "-1d", "30days", "999999999w", "1y"])
def test_what_is_no_age_is_refused(text: str) -> None:
    """With what it can be."""
    with pytest.raises(ConfigurationError, match=r"--older-than is .*; it can be a time such as 30d"):
        parse_age(text)
