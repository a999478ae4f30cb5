from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.shell import command, failure, last_words, script
from tests.fakes.machine_output import LONG, repeated, soon
from tests.fakes.shells import result

KLOG = "E1123 07:19:38.693503    5025 memcache.go:265] no\n"


def test_command_and_script_quote_their_arguments() -> None:
    """The title of a command is its first two words unless said otherwise."""
    one = command("kubectl", "get", "a b", "$HOME")
    assert (one.line, one.title) == ("kubectl get 'a b' '$HOME'", "kubectl get")
    assert shlex.split(script('echo "$1"', "a b", title="t").line) == ["sh", "-c", 'echo "$1"', "sh", "a b"]


def test_what_may_be_secret_is_not_in_a_repr(canary: str) -> None:
    """Of a command its stdin, of a result its streams."""
    shown = repr(command("cat", stdin=canary)) + repr(result(canary, stderr=canary))
    assert canary not in shown


def test_a_failure_tells_the_last_words_of_stderr() -> None:
    """With title, exit code, machine and step; escape sequences are written out."""
    said = "".join(f"line {number}\n" for number in range(9)) + "\n  \x1b[31mred  \n"
    error = failure(result(code=7, stderr=said, title="helm list"), machine="fedhost", step="look", hint="do")
    assert str(error) == (
        "fedhost: look: helm list failed with exit code 7: line 5\nline 6\nline 7\nline 8\n  \\x1b[31mred"
    )
    assert (error.hint, error.exit_code) == ("do", 3)


def test_a_failure_never_shows_stdout(canary: str) -> None:
    """A kubectl that is killed after it printed a Secret leaves it there, and nothing on stderr."""
    error = failure(result(f'{{"token": "{canary}"}}', code=137), machine="fedhost", step="look")
    assert str(error) == "fedhost: look: kubectl get failed with exit code 137: it said nothing"


def test_last_words_skips_empty_lines() -> None:
    """And gives as many as are asked for."""
    assert last_words("a\n\nb\n \nc\n\n", lines=2) == "b\nc"
    assert last_words("") == ""


def test_last_words_leave_log_lines_out() -> None:
    """Where there is anything else."""
    assert last_words(f"a\n{KLOG}b\n{KLOG * 9}") == "a\nb"
    assert last_words(KLOG * 9, lines=2) == (KLOG * 2).strip()


def test_a_long_line_is_cut() -> None:
    """At 500 characters, as they are shown."""
    assert last_words("x" * 500 + "\ny") == "x" * 500 + "\ny"
    assert last_words("x" * 501 + "\ny") == "x" * 500 + "…\ny"
    assert last_words("\x1b" * 126) == r"\x1b" * 125 + "…"
    assert last_words("x" * LONG) == "x" * 500 + "…"


def test_of_megabytes_only_the_end_is_told() -> None:
    """Beginning with a whole line."""
    assert last_words("begin\n" + "\n" * LONG) == ""
    assert last_words(f"begin {'x' * 65_530}\nend") == "end"
    assert last_words(repeated("said\n") + repeated(KLOG), lines=1) == KLOG.strip()


@pytest.mark.parametrize("piece", ["\x1b", "\n", " ", " \n", "a", "a\n", "\u202e", KLOG, "E", "\r"], ids=repr)
def test_last_words_of_megabytes_take_no_long_time(piece: str) -> None:
    """They are five lines of at most 500 characters."""
    words = repeated(piece)
    with soon(0.1):
        said = last_words(words)
    assert len(said.splitlines()) <= 5
    assert len(said) <= 5 * 502


@given(st.text(st.characters()), st.integers(1, 5))
def test_last_words_are_safe_to_show(text: str, lines: int) -> None:
    """Whatever is said."""
    said = last_words(text, lines=lines)
    assert all(line.isprintable() for line in said.replace("\t", "").split("\n"))
    assert said.count("\n") < lines
