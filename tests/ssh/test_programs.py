"""The batch program in the shells that machines have, and what surrounds it there: rows 24 to 28 of the faults."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedssh.errors import StepError, UnknownOutcomeError
from fedssh.shell import command, last_words, script
from fedssh.shell.program import NO_BUILTIN_PRINTF, parse_answer, render_hold, render_program
from tests.fakes.shells import run_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.shell import Shell
    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd

SHELLS = ("dash", "bash", "busybox")


def shell_folder(folder: Path, kind: str) -> Path:
    """Return a folder whose ``sh`` is the shell called ``kind``."""
    found = shutil.which(kind)
    assert found
    folder.mkdir()
    (folder / "sh").symlink_to(found)
    return folder


@pytest.fixture(params=SHELLS)
def machine(
    request: pytest.FixtureRequest, start_sshd: Callable[..., Sshd], connections: Connections, tmp_path: Path
) -> Shell:
    """A machine whose ``sh`` is each of the shells in turn."""
    folder = shell_folder(tmp_path / "bin", request.param)
    return connections.connect(start_sshd(f"SetEnv HOME={tmp_path} PATH={folder}:{os.environ['PATH']}").machine())


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The path of an ``sh`` that is each of the shells in turn."""
    return shell_folder(tmp_path / "bin", request.param) / "sh"


def test_answers_are_exact(machine: Shell) -> None:
    """Trailing newlines, 300 kB on both streams, secrets' odd characters and nothing at all come back as they were."""
    text = "a'b\"c$d`e\\n\\\\ %s\t\n\n\n"
    big = "x" * 299_999 + "\n"
    noisy = 'head -c 300000 /dev/zero | tr "\\0" e >&2; cat'
    results = machine.run(
        command("cat", stdin=text),
        [script(noisy, title="both", stdin=big), command("printf", text.replace("%", "%%").replace("\\", "\\\\"))],
        command("false"),
    )
    assert [result.code for result in results] == [0, 0, 0, 1]
    assert results[0].stdout == text
    assert results[1].stdout == big
    assert results[1].stderr == "e" * 300_000
    assert results[2].stdout == text
    assert results[3].stdout == ""


def test_a_stage_runs_at_the_same_time(machine: Shell) -> None:
    """Commands of one stage do not wait for each other; stages do."""
    started = time.monotonic()
    results = machine.run([command("sleep", "0.5") for _ in range(4)], command("echo", "later"))
    assert 0.5 <= time.monotonic() - started < 1.5
    assert results[4].stdout == "later\n"


def test_fault_28_invalid_utf8_and_escapes(machine: Shell) -> None:
    """Bytes that are no text are replaced, escape sequences are written out wherever words are shown."""
    [result] = machine.run(script("printf 'a\\377b\\033[2J\\rc\\n'; exit 1", title="hostile"))
    assert result.stdout == "a\ufffdb\x1b[2J\rc\n"
    assert last_words(result.stdout) == "a\ufffdb\\x1b[2J\nc"


def test_fault_27_endless_output(machine: Shell) -> None:
    """Endless output ends at the cap, in seconds and without memory, and takes nothing else along."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    with pytest.raises(StepError, match=r"member1: yes printed more than 4 MiB") as caught:
        machine.run(command("yes"))
    assert caught.value.exit_code == 3
    assert time.monotonic() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000
    assert machine.run(command("true"))[0].ok


def test_a_truncated_program_runs_nothing(sh: Path, tmp_path: Path) -> None:
    """Wherever a program is cut off, none of its commands runs."""
    file = tmp_path / "ran"
    program = render_program([command("touch", str(file))], separator="S" * 8)
    for cut in range(program.index("m(){"), len(program) - 3, 19):
        end(start(sh, program[:cut]))
        assert not file.exists(), program[:cut]
    hold = render_hold(f"touch {file}", separator="S" * 8)
    for cut in range(0, len(hold) - len("h; exit $?\n"), 5):
        end(start(sh, hold[:cut]))
        assert not file.exists(), hold[:cut]


def test_the_end_of_stdin_ends_everything(sh: Path) -> None:
    """When stdin ends, so does every process the program started; nothing of it is left."""
    program = render_program([[command("sleep", "987"), command("sleep", "987")]], separator="S" * 8)
    process = start(sh, program)
    deadline = time.monotonic() + 5
    while group(process.pid).count("sleep\x00987\x00") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    end(process)
    while group(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(sh: Path, program: str) -> subprocess.Popen[bytes]:
    """Start a program as sshd does: in a session of its own, its stdin open after the last byte."""
    process = subprocess.Popen(
        [sh], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdin
    with suppress(BrokenPipeError):
        process.stdin.write(program.encode())
        process.stdin.flush()
    return process


def end(process: subprocess.Popen[bytes]) -> int:
    """End a program's stdin, as sshd does when the connection goes; return its exit code."""
    process.communicate(timeout=10)
    return process.returncode


def group(leader: int) -> list[str]:
    """Return the arguments of the processes in a process group."""
    listed = subprocess.check_output(["ps", "-eo", "pgid=,pid=,stat="], text=True)
    found = []
    for line in listed.splitlines():
        pgid, pid, state = line.split()
        if pgid == str(leader) and not state.startswith("Z"):
            path = Path(f"/proc/{pid}/cmdline")
            found += [path.read_text()] if path.exists() else []
    return found


def test_a_shell_without_printf_does_nothing(tmp_path: Path) -> None:
    """Where printf is no builtin a secret would stand in argv: the program stops before any command."""
    program = render_program([command("touch", str(tmp_path / "ran"))], separator="S" * 8)
    program = program.replace("type printf", "echo printf is /usr/bin/printf; true")
    assert end(start(Path("sh"), program)) == NO_BUILTIN_PRINTF
    assert not (tmp_path / "ran").exists()


def test_secrets_are_in_no_process_list(machine: Shell) -> None:
    """What a command reads from stdin shows in no process's argv or environment meanwhile."""
    look = script(
        "cat >/dev/null; sleep 0.3; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr -d '\\0'",
        title="look",
        stdin="xyzzy-on-stdin",
    )
    [result] = machine.run(look)
    assert "sleep" in result.stdout or result.stdout
    assert "xyzzy-on-stdin" not in result.stdout


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_fault_42_arguments_reach_a_command_as_they_are(sh: Path, arguments: list[str]) -> None:
    """No argument, `a;id` and newlines included, is ever more than an argument; framing survives all of them."""
    one, separator = command("printf", "%s|", *arguments), "0123456789abcdef"
    program = render_program([one, [one, one]], separator=separator)
    answer = run_program([str(sh)], program.encode(), separator=separator)
    results = parse_answer(answer, [one, [one, one]], separator=separator, machine="m")
    assert [result.stdout for result in results] == ["".join(f"{text}|" for text in arguments)] * 3


@pytest.fixture
def noisy(start_sshd: Callable[..., Sshd], tmp_path: Path) -> Callable[[str], Sshd]:
    """An sshd with a banner for a user whose .bashrc is as given."""

    def start(bashrc: str) -> Sshd:
        (tmp_path / ".bashrc").write_text(bashrc)
        (tmp_path / "banner").write_text("Authorised users \033[2J only\r\n" * 20)
        return start_sshd(f"Banner {tmp_path}/banner", f"SetEnv HOME={tmp_path} LANG=tr_TR.UTF-8", "PrintMotd yes")

    return start


def test_fault_24_noisy_login(noisy: Callable[[str], Sshd], connections: Connections) -> None:
    """Banners, and a .bashrc that prints, traces and changes things, change nothing in the answers."""
    sshd = noisy("echo welcome; echo warning >&2; printf 'no newline'; set -x; alias cat=false; export PS4='$(date)'\n")
    shell = connections.connect(sshd.machine())
    [result] = shell.run(script("cat; echo $LC_ALL", title="x", stdin="text"))
    assert (result.stdout, result.stderr) == ("textC\n", "")
    with shell.hold("echo mine; cat") as held:
        assert held.first_line == "mine"


def test_fault_24_a_login_that_eats_the_program(noisy: Callable[[str], Sshd], connections: Connections) -> None:
    """A .bashrc that reads stdin leaves no answer, which is unknown and never taken for success."""
    shell = connections.connect(noisy("echo 'press a key'; head -c 100000 >/dev/null\n").machine())
    with pytest.raises((UnknownOutcomeError, StepError)) as caught:
        shell.run(command("true"), timeout_seconds=2)
    assert caught.value.exit_code == 3


def test_fault_27_endless_noise(noisy: Callable[[str], Sshd], connections: Connections) -> None:
    """A login that never stops printing is stopped, on either stream."""
    for stream, match in (("1", "no answer; stopped"), ("2", "did not end within 2 s")):
        with pytest.raises(StepError, match=match):
            connections.connect(noisy(f"yes >&{stream}\n").machine()).run(command("true"), timeout_seconds=2)


def test_fault_25_other_login_shells(start_sshd: Callable[..., Sshd], connections: Connections, tmp_path: Path) -> None:
    """A restricted PATH and a ForceCommand that hands the command to another login shell change nothing."""
    login = tmp_path / "login"
    login.write_text('#!/bin/sh\nexec busybox ash -c "$SSH_ORIGINAL_COMMAND"\n')
    login.chmod(0o755)
    sshd = start_sshd(f"SetEnv HOME={tmp_path} PATH=/bin", f"ForceCommand {login}")
    [result] = connections.connect(sshd.machine()).run(script("command -v flock; command -v sshd", title="which"))
    assert result.ok


def test_fault_25_no_shell_at_all(start_sshd: Callable[..., Sshd], connections: Connections) -> None:
    """An account without a shell says so, in its own words."""
    sshd = start_sshd("ForceCommand echo This account is not available.; exit 1")
    with pytest.raises(StepError, match="This account is not available") as caught:
        connections.connect(sshd.machine()).run(command("true"))
    assert caught.value.exit_code == 3


def test_fault_48_our_stdin_is_left_alone(sshd: Sshd, connections: Connections) -> None:
    """What stands on fedssh's own stdin is not read, and a closed one does no harm."""
    reading, writing = os.pipe()
    os.write(writing, b"mine")
    saved = os.dup(0)
    try:
        os.dup2(reading, 0)
        assert connections.connect(sshd.machine()).run(command("cat"))[0].stdout == ""
        assert os.read(reading, 10) == b"mine"
        os.close(0)
        with type(connections)() as later:
            assert later.connect(sshd.machine()).run(command("cat"))[0].stdout == ""
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, reading, writing):
            os.close(descriptor)


def test_no_thread_outlives_its_connections(sshd: Sshd) -> None:
    """After close, nothing of fedssh's own keeps running."""
    from fedssh.ssh import Connections  # noqa: PLC0415 - as the command line does it

    with Connections() as connections:
        connections.connect(sshd.machine()).run(command("true"))
    deadline = time.monotonic() + 3
    while any("paramiko" in thread.name or "fedssh" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.05)
