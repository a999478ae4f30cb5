from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh import errors
from fedssh.errors import FedsshError, StepError, visible
from tests.fakes.machine_output import repeated, soon


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("done\rerror", r"done\rerror"),
        ("a\bb\x7f\0", r"a\x08b\x7f\x00"),
        ("safe\u202etxt.exe\u2066", r"safe\u202etxt.exe\u2066"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("line\u2028next\x85", r"line\u2028next\x85"),
        (b"\xff".decode("utf-8", "surrogateescape"), r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
        ("a\n\tb", "a\n\tb"),
        ("Gr\u00fc\u00dfe \u4e16\u754c \U0001f600 \ufffd", "Gr\u00fc\u00dfe \u4e16\u754c \U0001f600 \ufffd"),
    ],
)
def test_what_could_act_on_a_terminal_is_written_out(text: str, expected: str) -> None:
    """Escape sequences, overwriting, text that runs backwards or is not seen; other text stays."""
    assert visible(text) == expected


@given(st.text(st.characters()))
def test_nothing_but_printable_text_is_left(text: str) -> None:
    """Whatever comes in; and a second time changes nothing."""
    shown = visible(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    shown.encode()
    assert visible(shown) == shown


@pytest.mark.parametrize("piece", ["\x1b", "a", "a\x1b", "\n", "\u202e", "\ud800"], ids=repr)
def test_megabytes_take_no_long_time(piece: str) -> None:
    """Each character that occurs is looked at once."""
    text = repeated(piece)
    with soon():
        shown = visible(text)
    assert shown == visible(piece) * (len(text) // len(piece))


@pytest.mark.parametrize(
    ("machine", "step", "expected"),
    [
        ("", "", "it failed"),
        ("m1", "", "m1: it failed"),
        ("", "join", "join: it failed"),
        ("m1", "join", "m1: join: it failed"),
    ],
)
def test_an_error_says_where(machine: str, step: str, expected: str) -> None:
    """As far as it is known; the hint is not part of it."""
    error = StepError("it failed", machine=machine, step=step, hint="try this")
    assert (str(error), error.message, error.hint) == (expected, "it failed", "try this")


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ConfigurationError", 2),
        ("StepError", 3),
        ("UnknownOutcomeError", 3),
        ("UnreachableError", 4),
        ("ConnectionLostError", 4),
        ("AuthenticationError", 5),
        ("HostKeyError", 5),
        ("RefusedError", 6),
        ("BusyError", 75),
    ],
)
def test_each_class_has_its_exit_code(kind: str, code: int) -> None:
    """They are part of the command line's interface."""
    found = getattr(errors, kind)
    assert issubclass(found, FedsshError)
    assert found("x").exit_code == code


def test_a_lost_connection_is_both_unreachable_and_unknown() -> None:
    """Whoever catches either gets it."""
    error = errors.ConnectionLostError("x")
    assert isinstance(error, errors.UnreachableError)
    assert isinstance(error, errors.UnknownOutcomeError)
