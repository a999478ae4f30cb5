"""Answers that no honest machine gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.errors import FedsshError, StepError, UnknownOutcomeError
from fedssh.shell import OUTPUT_LIMIT_BYTES, Result, command
from fedssh.shell.program import parse_answer
from tests.fakes.machine_output import MANY_DIGITS, damaged, mixed, repeated, soon

WORD = "0123456789abcdef" * 2
COMMANDS = [command("true"), command("echo", "x")]
STREAMS = st.binary(max_size=30)


def frame(number: int | str, *, stdout: bytes = b"", stderr: bytes = b"", code: int | str = 0) -> bytes:
    """Return a frame as the program prints it."""
    head, middle, end = f"\n{WORD} b {number}\n", f"\n{WORD} e\n", f"\n{WORD} r {code}\n{WORD} z\n"
    return head.encode() + stdout + middle.encode() + stderr + end.encode()


def parse(answer: bytes) -> list[Result]:
    """Parse the answer to both commands."""
    return parse_answer(answer, COMMANDS, separator=WORD, machine="member1")


def check(answer: bytes) -> None:
    """Check that an answer gives two results, or an error of that machine's."""
    try:
        results = parse(answer)
    except FedsshError:
        return
    assert [result.command for result in results] == COMMANDS
    assert all(0 <= result.code <= 255 for result in results)


ANSWER = frame(0, stdout=b"out\n", stderr=b"err\n") + frame(1, stdout=b"x\n", code=3)
PARTS = [f"\n{WORD} {part}".encode() for part in ("b 0\n", "b 1\n", "e\n", "r 0", "z\n", f"b {MANY_DIGITS}\n", "r 999")]


@given(st.lists(st.tuples(STREAMS, STREAMS, st.integers(0, 255)), min_size=2, max_size=2))
def test_what_a_program_prints_comes_back(said: list[tuple[bytes, bytes, int]]) -> None:
    """Any bytes on both streams, any exit code; bytes that are no UTF-8 are replaced."""
    answer = b"".join(frame(number, stdout=out, stderr=err, code=code) for number, (out, err, code) in enumerate(said))
    assert [(found.stdout, found.stderr, found.code) for found in parse(answer)] == [
        (out.decode(errors="replace"), err.decode(errors="replace"), code) for out, err, code in said
    ]


@given(st.one_of(st.binary(), damaged(ANSWER), mixed(*PARTS)))
def test_fault_72_no_answer_breaks_the_parser(answer: bytes) -> None:
    """Arbitrary bytes, a true answer with pieces cut out, doubled or replaced, its parts in any order."""
    check(answer)


@pytest.mark.parametrize("number", [MANY_DIGITS, "-1", "00000000000", "0x0", "\u0660", "", " 0", "0 "])
def test_a_damaged_frame_number_is_no_frame(number: str) -> None:
    """However many digits it has: the frame's command counts as lost, and the other frames count."""
    good = frame(0) + frame(1)
    assert [found.code for found in parse(frame(number) + good)] == [0, 0]
    with pytest.raises(UnknownOutcomeError):
        parse(frame(number) + frame(1))


@pytest.mark.parametrize("code", [MANY_DIGITS, "256", "999", "0255", "-1", "\u0661", "1\n", "", " 1"])
def test_an_exit_code_that_no_shell_gives_is_unknown(code: str) -> None:
    """It is 0 to 255; nothing is made of anything else."""
    with pytest.raises(UnknownOutcomeError):
        parse(frame(0, code=code) + frame(1))


def test_a_frame_in_which_another_begins_was_cut_off() -> None:
    """The second one's exit code is not the first one's."""
    half = frame(0, stdout=b"half").partition(b" e\n")[0]
    with pytest.raises(UnknownOutcomeError, match="the answer to true was lost"):
        parse(half + frame(1))
    assert [found.stdout for found in parse(half + frame(0, stdout=b"whole") + frame(1))] == ["whole", ""]


@pytest.mark.parametrize("text", ["x", "\u00e9", "\u20ac"])
def test_the_limit_counts_bytes(text: str) -> None:
    """Whatever language a command prints too much of."""
    endless = (text * OUTPUT_LIMIT_BYTES).encode()[: OUTPUT_LIMIT_BYTES + 256]
    for answer in (
        f"\n{WORD} b 0\n".encode() + endless + f"\n{WORD} z\n".encode(),
        frame(0, stderr=endless).replace(f"\n{WORD} r 0".encode(), b""),
    ):
        with pytest.raises(StepError, match="true printed more than 4 MiB") as caught:
            parse(answer + frame(1))
        assert not isinstance(caught.value, UnknownOutcomeError)


@pytest.mark.parametrize("before", ["", f"\n{WORD} b 0\n"], ids=["outside", "inside"])
@pytest.mark.parametrize(
    "piece",
    [
        f"\n{WORD} b 0\n",
        f"{WORD} b 0\n",
        f"\n{WORD} b 0",
        f"\n{WORD}",
        f"\n{WORD} ",
        f"\n{WORD} b 0\n\n{WORD} z\n",
        f"\n{WORD} z",
        f"\n{WORD} e\n",
        f"\n{WORD} r 0",
        f"\n{WORD[:-1]}",
        "\n",
        "9",
    ],
    ids=repr,
)
@pytest.mark.parametrize("after", ["", f"\n{WORD} z\n"], ids=["without an end", "with an end"])
def test_fault_72_a_long_answer_takes_no_long_time(before: str, piece: str, after: str) -> None:
    """Two megabytes of whatever could begin, end or divide a frame: it is read once."""
    answer = f"{before}{repeated(piece)}{after}".encode()
    with soon():
        check(answer)
