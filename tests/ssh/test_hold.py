"""A command that stays, as the lock on the host does."""

from __future__ import annotations

import fcntl
import gc
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import StepError, UnreachableError
from fedssh.shell import command
from fedssh.ssh.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd


def lock(path: Path) -> str:
    """Return the line that holds the lock on ``path``, or exits with 75."""
    return f"flock -n -E 75 {path} sh -c 'echo locked; cat'"


def locked(path: Path) -> bool:
    """Whether some process holds the lock on ``path``."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_lock_is_held_until_it_is_released(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """The first line comes at once, other commands run beside it, a second holder gets 75; release frees the lock."""
    shell = connections.connect(sshd.machine())
    line = lock(tmp_path / "lock")
    with shell.hold(line) as held:
        assert (held.first_line, held.code) == ("locked", None)
        assert shell.run(command("echo", "beside"))[0].stdout == "beside\n"
        with shell.hold(line) as second:
            assert (second.first_line, second.code) == ("", 75)
    assert held.code == 0
    with shell.hold(line) as again:
        assert again.first_line == "locked"


def test_a_lock_is_held_though_nobody_refers_to_it(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """What was held stays held until the connection ends, whoever has forgotten what it got."""
    shell = connections.connect(sshd.machine())
    assert shell.hold(lock(tmp_path / "lock")).first_line == "locked"
    gc.collect()
    assert shell.run(command("true"))[0].ok
    assert locked(tmp_path / "lock")


def test_a_lock_ends_with_its_connection(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """When the connection goes, so does the lock, within a second."""
    line = lock(tmp_path / "lock")
    connections.connect(sshd.machine()).hold(line)
    connections.connect(sshd.machine()).close()
    shell = connections.connect(sshd.machine())
    deadline = time.monotonic() + 1
    while not shell.hold(line).first_line:
        assert time.monotonic() < deadline
    assert sshd.log().count("Accepted publickey") == 2


def test_fault_12_a_killed_fedssh_leaves_nothing(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """When fedssh itself is killed, its lock is free and what it ran has ended, within a second."""
    line = lock(tmp_path / "lock")
    running = tmp_path / "running"
    running.touch()
    code = f"""
from pathlib import Path
from fedssh.inventory import Machine
from fedssh.shell import command
from fedssh.ssh.session import Session
from fedssh.ssh import Connections
shell = Connections().connect(Machine(name="m", address="127.0.0.1", port={sshd.port}, user="root",
    identity_file=Path({str(sshd.identity)!r}), known_hosts=Path({str(sshd.known_hosts)!r})))
with shell.hold({line!r}):
    shell.run(command("flock", {str(running)!r}, "sleep", "30"))
"""
    fedssh = subprocess.Popen([sys.executable, "-c", code])
    shell = connections.connect(sshd.machine())
    deadline = time.monotonic() + 10
    while not locked(running):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert shell.hold(line).code == 75
    fedssh.kill()
    fedssh.wait()
    deadline = time.monotonic() + 1
    while locked(running) or not shell.hold(line).first_line:
        assert time.monotonic() < deadline


def test_a_held_command_that_says_nothing_is_ended(sshd: Sshd, connections: Connections) -> None:
    """Without a first line in time it is a step that failed."""
    with pytest.raises(StepError, match="within 1 s"):
        connections.connect(sshd.machine()).hold("cat", timeout_seconds=1)


def test_holding_on_a_dead_connection_says_so(sshd: Sshd, connections: Connections) -> None:
    """Nothing was run: unreachable."""
    shell = connections.connect(sshd.machine())
    sshd.stop()
    with pytest.raises(UnreachableError):
        shell.hold("echo here; cat")


def test_a_connection_that_has_just_gone_is_an_end_like_any_other(
    sshd: Sshd, connections: Connections, tmp_path: Path
) -> None:
    """Also in the moment before anybody has been told: what is written then comes to nothing."""
    shell = connections.connect(sshd.machine())
    assert isinstance(shell, Session)
    held = shell.hold(lock(tmp_path / "lock"))
    shell._link.transport.sock.shutdown(socket.SHUT_WR)
    held.release()
    with pytest.raises(UnreachableError):
        shell.run(command("true"))
