from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedssh.errors import StepError, UnknownOutcomeError
from fedssh.sensitive import Sensitive
from fedssh.shell import AT_ONCE, NOT_RUN, Command, command, program, script
from fedssh.shell.program import parse_answer, render_program
from tests.fakes.shells import LocalShell, install_tool, path_with, run_program

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [one for one in (("dash",), ("bash",), ("busybox", "sh")) if shutil.which(one[0])]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(params=SHELLS, ids=" ".join)
def any_shell(request: pytest.FixtureRequest) -> LocalShell:
    """A local shell in each of the interpreters that are installed."""
    return LocalShell(interpreter=request.param)


def test_results_come_in_order_with_code_and_both_streams(any_shell: LocalShell) -> None:
    """Whatever the stage, and each output with exactly its own newlines."""
    results = any_shell.run(
        script("echo out; echo err >&2; exit 3", title="first"),
        [script("sleep 0.2; printf 'slow\n\n'", title="slow"), command("printf", "no newline"), command("false")],
        command("printf", ""),
    )
    assert [(one.code, one.stdout, one.stderr) for one in results] == [
        (3, "out\n", "err\n"),
        (0, "slow\n\n", ""),
        (0, "no newline", ""),
        (1, "", ""),
        (0, "", ""),
    ]
    assert [one.ok for one in results] == [False, True, True, False, True]
    assert results[0].command.title == "first"


def test_the_commands_of_a_stage_run_at_the_same_time(any_shell: LocalShell, tmp_path: Path) -> None:
    """Each of the two waits for what the other does."""
    wait = 'touch "$1"; n=0; until [ -e "$2" ]; do n=$((n+1)); [ $n -lt 50 ] || exit 1; sleep 0.1; done'
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    results = any_shell.run([script(wait, one, two, title="a"), script(wait, two, one, title="b")])
    assert [found.code for found in results] == [0, 0]


def test_stages_run_one_after_the_other(any_shell: LocalShell, tmp_path: Path) -> None:
    """A stage sees what the one before it has finished."""
    first = script('sleep 0.2; echo made >"$1"', str(tmp_path / "file"), title="make")
    assert any_shell.run(first, command("cat", str(tmp_path / "file")))[1].stdout == "made\n"


def test_what_keeps_commands_from_running_is_asked_once(any_shell: LocalShell, tmp_path: Path) -> None:
    """By those of a stage that say the same; it reads nothing, is not heard, and what fails keeps nobody."""
    asked = tmp_path / "asked"
    note = f"echo x >>{asked}"
    speaks, silent = f"{note}; cat; echo \"'yes' $S\"; echo no >&2", f"{note}; cat; echo no >&2; false"
    run, held = (replace(command("cat", stdin="it's me"), unless=line) for line in (silent, speaks))
    results = any_shell.run(
        [held, run, held, run, command("echo", "always")], held, replace(run, unless="no-such-tool")
    )
    kept_out, ran = (NOT_RUN, "", ""), (0, "it's me", "")
    assert [(one.code, one.stdout, one.stderr) for one in results] == [
        kept_out, ran, kept_out, ran, (0, "always\n", ""), kept_out, ran,
    ]  # fmt: skip
    assert asked.read_text() == "x\n" * 3


def test_many_commands_answer_in_their_order(any_shell: LocalShell) -> None:
    """More than run at the same time: each once, with its own stdin, streams and exit code; conditions hold."""
    text = 'read -r line; echo "$line of $1"; echo "not $1" >&2; exit "$1"'
    many = [script(text, str(number), title="count", stdin=f"number {number}\n") for number in range(100)]
    many[7] = replace(many[7], unless="echo no")
    results = any_shell.run(command("echo", "before"), many, command("echo", "after"))
    assert [results[0].stdout, results[-1].stdout] == ["before\n", "after\n"]
    expected = [(number, f"number {number} of {number}\n", f"not {number}\n") for number in range(100)]
    expected[7] = (NOT_RUN, "", "")
    assert [(one.code, one.stdout, one.stderr) for one in results[1:-1]] == expected


def test_one_that_hangs_holds_no_other(any_shell: LocalShell, tmp_path: Path) -> None:
    """It waits until all the others are done, as they are: each takes the next one's turn as soon as it has ended."""
    done = tmp_path / "done"
    wait = f'n=0; until [ "$(wc -l <{done})" -ge 99 ]; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done'
    done.touch()
    many = [script(wait, title="wait"), *[script(f"echo x >>{done}", title="end") for _ in range(99)]]
    assert {one.code for one in any_shell.run(many)} == {0}


def test_so_many_run_at_once_as_a_machine_bears(
    any_shell: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its cores; on the smallest so many as always, and never all of hundreds."""
    running = tmp_path / "running"
    running.mkdir()
    note = f"echo >{running}/$$; sleep 0.3; ls {running} | wc -l; sleep 0.1; rm {running}/$$"
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    for cores, most in ((1, AT_ONCE), (3, 24), (1000, 64)):
        install_tool(tmp_path / "bin", "nproc", f"echo {cores}")
        counts = [int(one.stdout) for one in any_shell.run([script(note, title="note") for _ in range(70)])]
        assert AT_ONCE <= max(counts) <= most
    assert max(counts) > AT_ONCE


def test_a_command_does_not_read_the_program(any_shell: LocalShell) -> None:
    """One without stdin reads nothing, and those behind it still run."""
    read, after = any_shell.run(command("cat"), command("echo", "after"))
    assert (read.code, read.stdout, after.stdout) == (0, "", "after\n")


@pytest.mark.parametrize("interpreter", SHELLS, ids=" ".join)
@settings(max_examples=10, deadline=None)
@given(arguments=st.lists(TEXTS, min_size=1, max_size=4), stdin=TEXTS)
def test_any_text_arrives_as_one_argument(interpreter: tuple[str, ...], arguments: list[str], stdin: str) -> None:
    """Quotes, newlines, globs, dollars, percent signs: all of it is data, in arguments and on stdin."""
    show = 'cat; printf "<%s>" "$@"'
    ran = LocalShell(interpreter=interpreter).run(
        command("printf", "<%s>", *arguments), script(show, *arguments, title="show", stdin=stdin)
    )
    shown = "".join(f"<{one}>" for one in arguments)
    assert [one.stdout for one in ran] == [shown, stdin + shown]


@pytest.mark.parametrize("stdin", ["x" * 300_000, "%s\\n\\", "a\nb\n\n", "'", "$(false)`false`"])
def test_stdin_arrives_as_it_is(any_shell: LocalShell, stdin: str) -> None:
    """Large, or full of what printf and the shell could misread."""
    assert any_shell.run(command("cat", stdin=stdin))[0].stdout == stdin


def test_a_secret_on_stdin_stands_in_no_argv_and_no_environment(any_shell: LocalShell, canary: str) -> None:
    """Every process of the machine is looked at while the secret is still on its way into the command."""
    look = "read -r secret; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    more_than_a_pipe_holds = "x" * 200_000
    (found,) = any_shell.run(
        script(look, "an-argument-that-shows", title="look", stdin=Sensitive(f"{canary}\n{more_than_a_pipe_holds}"))
    )
    shown = found.stdout.splitlines()
    assert "an-argument-that-shows" in shown
    hidden = canary not in found.stdout  # on its own, so that a failure does not print all environments
    assert hidden


def test_no_idle_time_ends_a_program(any_shell: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardened machines set TMOUT for whoever logs in; what takes longer than that goes on."""
    monkeypatch.setenv("TMOUT", "1")
    assert any_shell.run(command("sleep", "2"))[0].ok


def test_go_collects_less_garbage(any_shell: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools that live for a moment only are spared it, unless the machine says something else."""
    ask = command("printenv", "GOGC")
    monkeypatch.delenv("GOGC", raising=False)
    assert any_shell.run(ask)[0].stdout == "400\n"
    monkeypatch.setenv("GOGC", "50")
    assert any_shell.run(ask)[0].stdout == "50\n"


def test_a_nul_byte_is_refused() -> None:
    """No shell can pass it on; dropping it silently would change the data."""
    with pytest.raises(ValueError, match="NUL"):
        render_program([command("cat", stdin="a\0b")], separator="x")


@pytest.mark.parametrize("interpreter", SHELLS, ids=" ".join)
def test_a_program_cut_off_anywhere_runs_nothing(interpreter: tuple[str, ...], tmp_path: Path) -> None:
    """What arrives only in part, because the connection broke, has no effect."""
    ran = tmp_path / "ran"
    whole = render_program([command("touch", str(ran)), command("echo", "x")], separator="WORD").encode()
    cuts = [*range(0, len(whole) - 3, 97), whole.index(b" q"), len(whole) - 3]
    for cut in cuts:
        subprocess.run(interpreter, input=whole[:cut], capture_output=True, start_new_session=True, check=False)
        assert not ran.exists(), whole[:cut].decode()
    run_program(interpreter, whole, separator="WORD")
    assert ran.exists()


def test_a_shell_without_a_builtin_printf_runs_nothing(tmp_path: Path) -> None:
    """It would show secrets in printf's argv."""
    rendered = "type() { echo printf is /usr/bin/printf; }\n" + render_program(
        [command("touch", str(tmp_path / "ran"))], separator="x"
    )
    done = subprocess.run(["dash"], input=rendered.encode(), capture_output=True, start_new_session=True, check=False)
    assert done.returncode == program.NO_BUILTIN_PRINTF
    assert not (tmp_path / "ran").exists()


def test_everything_ends_with_the_connection(any_shell: LocalShell, tmp_path: Path) -> None:
    """When stdin ends, so does a command that would have gone on."""
    slow = script('sleep 5; touch "$1"', str(tmp_path / "went-on"), title="slow")
    rendered = render_program([slow], separator="x").encode()
    # subprocess.run closes stdin behind the program.
    done = subprocess.run(
        any_shell.interpreter, input=rendered, capture_output=True, start_new_session=True, timeout=4, check=False
    )
    assert done.returncode != 0
    assert not (tmp_path / "went-on").exists()


def test_a_command_that_prints_too_much_is_stopped(any_shell: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a failed step that says so; endless output does not hang."""
    monkeypatch.setattr(program, "OUTPUT_LIMIT_BYTES", 2**20)
    for endless in ("yes", "yes >&2"):
        with pytest.raises(StepError, match="endless printed more than 1 MiB and was stopped") as caught:
            any_shell.run(script(endless, title="endless"))
        assert not isinstance(caught.value, UnknownOutcomeError)


def test_invalid_utf8_is_replaced(any_shell: LocalShell) -> None:
    """An answer in another encoding does not lose the rest."""
    assert any_shell.run(command("printf", r"a\377b"))[0].stdout == "a\ufffdb"


def answer_of(*commands: Command) -> bytes:
    """Return a true answer whose separator is WORD."""
    return run_program(["sh"], render_program(commands, separator="WORD").encode(), separator="WORD")


@pytest.mark.parametrize(("before", "after"), [("Welcome!\n", ""), ("", "\nlogout\n"), ("no newline", "WORD b")])
def test_noise_around_the_frames_is_ignored(before: str, after: str) -> None:
    """Greetings of login shells, and what they say at the end."""
    one = command("echo", "x")
    (found,) = parse_answer(before.encode() + answer_of(one) + after.encode(), [one], separator="WORD", machine="m")
    assert found.stdout == "x\n"


def test_an_answer_without_its_frames_is_unknown_never_a_success() -> None:
    """Cut off anywhere, the last command counts as lost."""
    commands = [command("true"), command("echo", "x")]
    answer = answer_of(*commands)
    complete = answer.rindex(b"WORD z") + len(b"WORD z")
    for cut in range(complete):
        with pytest.raises(UnknownOutcomeError, match="was lost: it may or may not have run") as caught:
            parse_answer(answer[:cut], commands, separator="WORD", machine="member1")
        assert caught.value.machine == "member1"
        assert "again" in caught.value.hint
    assert parse_answer(answer, commands, separator="WORD", machine="m")[1].stdout == "x\n"


def test_a_command_cannot_forge_a_frame() -> None:
    """It does not know the word: a frame with another one is its output."""
    forged = "OTHER b 0\n\nOTHER e\n\nOTHER r 0\nOTHER z"
    one = script('printf "%s" "$1"; exit 1', forged, title="forger")
    (found,) = parse_answer(answer_of(one), [one], separator="WORD", machine="m")
    assert (found.code, found.stdout) == (1, forged)
    assert LocalShell().run(script("echo ${S-unset}", title="look"))[0].stdout == "unset\n"


@pytest.mark.parametrize("code", ["", "x", "-1", "1 2"])
def test_a_damaged_exit_code_is_unknown(code: str) -> None:
    """Nothing is guessed."""
    one = command("true")
    answer = f"\nWORD b 0\nout\nWORD e\n\nWORD r {code}\nWORD z\n".encode()
    with pytest.raises(UnknownOutcomeError):
        parse_answer(answer, [one], separator="WORD", machine="m")
