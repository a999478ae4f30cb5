from __future__ import annotations

import shlex

from fedssh.shell import command, failure, last_words, script
from tests.fakes.shells import result


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
