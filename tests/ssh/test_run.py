"""Batches of commands over a real sshd."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import StepError, UnknownOutcomeError
from fedssh.shell import command, script

if TYPE_CHECKING:
    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd


def test_one_connection_and_one_session_serve_a_batch(sshd: Sshd, connections: Connections) -> None:
    """Stages, parallel commands, exit codes and both streams come back from one login and one session."""
    shell = connections.connect(sshd.machine())
    first, second, third = shell.run(
        command("echo", "one"),
        [script("echo two; echo oops >&2; exit 3", title="two"), command("cat", stdin="three\n\n")],
    )
    assert (first.code, first.stdout) == (0, "one\n")
    assert (second.code, second.stdout, second.stderr) == (3, "two\n", "oops\n")
    assert (third.code, third.stdout) == (0, "three\n\n")
    assert connections.connect(sshd.machine()) is shell
    assert sshd.log().count("Accepted publickey") == 1
    assert shell.run() == []
    assert sshd.log().count("Starting session") == 1


def test_runs_share_one_session(sshd: Sshd, connections: Connections) -> None:
    """One after the other; PATH is the same in each."""
    shell = connections.connect(sshd.machine())
    ask = script("cat; echo $PATH", title="ask", stdin="mine")
    first, second, third = (shell.run(ask, command("false"))[0].stdout for _ in range(3))
    assert first == second == third
    with shell.hold("echo mine; cat") as held:
        assert held.first_line == "mine"
        assert shell.run(command("true"))[0].ok
    assert sshd.log().count("Starting session") == 2  # what is held has the first to itself


def test_a_session_that_has_ended_is_not_used(sshd: Sshd, connections: Connections) -> None:
    """An sh that somebody has ended between two runs is no loss: the next run has another one."""
    shell = connections.connect(sshd.machine())
    leader = int(shell.run(script("ps -o sid= -p $$", title="session"))[0].stdout)
    os.kill(leader, signal.SIGKILL)
    time.sleep(0.5)
    assert shell.run(command("true"))[0].ok
    assert sshd.log().count("Starting session") == 2


def test_a_session_that_fails_is_not_used_again(sshd: Sshd, connections: Connections) -> None:
    """What is left of a run that was stopped, or whose sh was ended, reads nothing of the next one."""
    shell = connections.connect(sshd.machine())
    with pytest.raises(StepError, match="did not end within 1 s"):
        shell.run(command("sleep", "10"), timeout_seconds=1)
    assert shell.run(command("echo", "next"))[0].stdout == "next\n"
    with pytest.raises(UnknownOutcomeError):
        shell.run(script("kill -9 0", title="end of all"))
    assert shell.run(command("echo", "next"))[0].stdout == "next\n"
