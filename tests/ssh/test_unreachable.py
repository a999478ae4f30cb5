"""Machines that do not answer, stop answering or end connections: rows 4 to 11 of the faults."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import ConnectionLostError, StepError, UnreachableError
from fedssh.shell import command, script
from fedssh.ssh import Connections, connecting, link, sockets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ssh.conftest import Sshd


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def filtered_port() -> Iterator[int]:
    """A port that swallows every packet: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        first.connect(server.getsockname())
        yield server.getsockname()[1]


def until(condition: Callable[[], bool], *, seconds: float = 5) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid_file: Path) -> bool:
    """Whether the process whose pid stands in the file lives; a dead one may still wait for init to reap it."""
    try:
        state = Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text()
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def test_fault_04_port_closed(sshd: Sshd, connections: Connections, closed_port: int) -> None:
    """A closed port is tried a few times and named; other machines are not held up."""
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"member2: connect: .*Connection refused") as caught:
        connections.connect(sshd.machine(name="member2", port=closed_port))
    assert time.monotonic() - started < sockets.CONNECT_TIMEOUT_SECONDS
    assert caught.value.exit_code == 4
    assert caught.value.hint
    assert connections.connect(sshd.machine()).run(command("true"))[0].ok


def test_fault_04_name_not_found(sshd: Sshd, connections: Connections) -> None:
    """An unknown name is unreachable and is not tried twice."""
    with pytest.raises(UnreachableError, match=r"the name nowhere\.invalid was not found") as caught:
        connections.connect(sshd.machine(address="nowhere.invalid"))
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("address", ["a" * 64 + ".example", "..", "é" * 70])
def test_fault_04_name_that_cannot_be(sshd: Sshd, connections: Connections, address: str) -> None:
    """A name DNS cannot hold is an unknown name, not a traceback."""
    with pytest.raises(UnreachableError, match="was not found"):
        connections.connect(sshd.machine(address=address))


def test_fault_04_filtered(
    sshd: Sshd, connections: Connections, filtered_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that swallows packets is given up at the connect timeout, once."""
    monkeypatch.setattr(sockets, "CONNECT_TIMEOUT_SECONDS", 1.0)
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="did not answer within 1 s"):
        connections.connect(sshd.machine(port=filtered_port))
    assert 1 <= time.monotonic() - started < 2


def test_fault_05_dropped_connections_are_tried_again(
    start_sshd: Callable[..., Sshd], connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    """A machine that drops connections (MaxStartups) is connected to in the end; the log tells of the attempts."""
    caplog.set_level(logging.INFO, "fedssh.ssh")
    sshd = start_sshd("MaxStartups 1")
    with socket.create_connection(("127.0.0.1", sshd.port)) as hog:
        hog.recv(100)
        threading.Timer(1, lambda: hog.shutdown(socket.SHUT_RDWR)).start()
        assert connections.connect(sshd.machine()).run(command("true"))[0].ok
    assert f"attempt 1 of 4: 127.0.0.1 port {sshd.port} ended the connection" in caplog.text


def test_fault_06_no_banner(
    sshd: Sshd, connections: Connections, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that never says that it speaks SSH is given up at the banner timeout, once."""
    monkeypatch.setattr(connecting, "BANNER_TIMEOUT_SECONDS", 1)
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="said nothing within 1 s"):
        connections.connect(sshd.machine(port=silent_port))
    assert time.monotonic() - started < 3


def test_fault_06_banner_of_something_else(sshd: Sshd, connections: Connections) -> None:
    """A port that speaks another protocol is unreachable."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(4):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"220 mail\x1b[2J ready\r\n" * 10)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(UnreachableError, match="ended the connection before the login") as caught:
            connections.connect(sshd.machine(port=server.getsockname()[1]))
        thread.join()
    assert "\x1b" not in str(caught.value)


@dataclass(frozen=True)
class Cable:
    """A machine of one's own at the end of a cable that can be pulled: a network namespace."""

    space: str
    address: str

    def pull(self) -> None:
        """Have it swallow everything from now on."""
        ip(f"-n {self.space} link set eth0 down")


def ip(arguments: str) -> None:
    """Change the network."""
    subprocess.run(["ip", *arguments.split()], check=True)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A cable to another machine; its names are those of this process, since tests may run side by side."""
    pid = os.getpid()
    cable = Cable(f"fedssh-{pid}", f"198.{18 + pid % 2}.{pid // 2 % 256}.{pid // 512 % 64 * 4 + 2}")
    ip(f"netns add {cable.space}")
    try:
        ip(f"link add fedssh{pid} type veth peer name eth0 netns {cable.space}")
        near = ".".join([*cable.address.split(".")[:3], str(int(cable.address.split(".")[3]) - 1)])
        ip(f"addr add {near}/30 dev fedssh{pid}")
        ip(f"link set fedssh{pid} up")
        ip(f"-n {cable.space} addr add {cable.address}/30 dev eth0")
        ip(f"-n {cable.space} link set eth0 up")
        yield cable
        ip(f"link del fedssh{pid}")  # what was never acknowledged would keep it for minutes
    finally:
        ip(f"netns del {cable.space}")


def test_fault_07_black_hole(start_sshd: Callable[..., Sshd], connections: Connections, cable: Cable) -> None:
    """A link that swallows everything in the middle of a command is noticed within 15 s; nobody knows what ran."""
    sshd = start_sshd(address=cable.address, launcher=("ip", "netns", "exec", cable.space))
    shell = connections.connect(sshd.machine())
    threading.Timer(0.5, cable.pull).start()
    started = time.monotonic()
    with pytest.raises(ConnectionLostError, match=r"member1: sleep 30: .* outcome is unknown") as caught:
        shell.run(command("sleep", "30"))
    assert time.monotonic() - started < 15
    assert caught.value.exit_code == 4
    assert "again" in caught.value.hint


def test_a_busy_silence_is_no_silence(sshd: Sshd, connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints nothing for long keeps its connection: sshd answers for it."""
    monkeypatch.setattr(link, "SILENCE_SECONDS", 1.2)
    monkeypatch.setattr(link, "_ASK_AFTER_SECONDS", 0.2)
    monkeypatch.setattr(link, "_LOOK_EVERY_SECONDS", 0.1)
    assert connections.connect(sshd.machine()).run(command("sleep", "1.5"))[0].ok


def test_fault_08_session_killed(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """A killed session leaves the outcome unknown, ends what ran, and the next connect makes a new connection."""
    shell = connections.connect(sshd.machine())
    pid = tmp_path / "pid"
    with ThreadPoolExecutor() as pool:
        run = pool.submit(shell.run, script('echo $$ > "$1"; exec sleep 30', str(pid), title="sleep"))
        until(lambda: pid.exists() and bool(pid.read_text()))
        for session in sshd.sessions():
            if session.cmdline().startswith(b"sshd: root"):
                session.kill()
        with pytest.raises(ConnectionLostError, match=r"sleep: .*unknown"):
            run.result(5)
    until(lambda: not runs(pid))
    with pytest.raises(UnreachableError, match="nothing was run"):
        shell.run(command("true"))
    assert connections.connect(sshd.machine()).run(command("true"))[0].ok


def test_fault_08_shell_killed(sshd: Sshd, connections: Connections) -> None:
    """When only the sh dies, the connection stays and the outcome is unknown."""
    shell = connections.connect(sshd.machine())
    with pytest.raises(StepError, match="may or may not have run") as caught:
        shell.run(script("kill -KILL 0", title="suicide"))
    assert caught.value.step == "suicide"
    assert caught.value.exit_code == 3
    assert shell.run(command("true"))[0].ok


def test_fault_10_restart(sshd: Sshd, connections: Connections) -> None:
    """A machine that is down for a moment is connected to when it comes back."""
    sshd.stop()
    with ThreadPoolExecutor() as pool:
        connect = pool.submit(connections.connect, sshd.machine())
        time.sleep(0.7)
        sshd.start()
        assert connect.result(10).run(command("true"))[0].ok


def test_fault_11_closing_ends_a_running_command(sshd: Sshd, tmp_path: Path) -> None:
    """Closing from another thread ends a waiting run and what it started on the machine, within 2 s."""
    pid = tmp_path / "pid"
    connections = Connections()
    shell = connections.connect(sshd.machine())
    with ThreadPoolExecutor() as pool:
        run = pool.submit(shell.run, script('echo $$ > "$1"; exec sleep 30', str(pid), title="sleep"))
        until(lambda: pid.exists() and bool(pid.read_text()))
        started = time.monotonic()
        connections.close()
        with pytest.raises(ConnectionLostError):
            run.result(2)
        until(lambda: not runs(pid), seconds=2)
        assert time.monotonic() - started < 2
    with pytest.raises(UnreachableError):
        connections.connect(sshd.machine())


@pytest.mark.parametrize("where", ["filtered_port", "silent_port", "closed_port"])
def test_fault_11_closing_ends_a_connect(sshd: Sshd, request: pytest.FixtureRequest, where: str) -> None:
    """Closing ends a connect in each of its phases, and the wait between two attempts, within 2 s."""
    port = request.getfixturevalue(where)
    connections = Connections()
    with ThreadPoolExecutor() as pool:
        connect = pool.submit(connections.connect, sshd.machine(port=port))
        time.sleep(0.5)
        connections.close()
        with pytest.raises(UnreachableError):
            connect.result(2)


def test_a_command_that_takes_too_long_is_ended(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """The step that was running is named, and nothing of it stays on the machine."""
    pid = tmp_path / "pid"
    slow = script('echo $$ > "$1"; exec sleep 30', str(pid), title="slow")
    with pytest.raises(StepError, match="member1: slow: it did not end within 1 s") as caught:
        connections.connect(sshd.machine()).run(command("true"), slow, command("false"), timeout_seconds=1)
    assert caught.value.exit_code == 3
    until(lambda: not runs(pid), seconds=2)


def test_many_machines_at_once(sshd: Sshd, connections: Connections) -> None:
    """Threads that want the same machine share one connection, on which each has a session while the others run."""
    with ThreadPoolExecutor(8) as pool:
        shells = list(pool.map(lambda _: connections.connect(sshd.machine()), range(8)))
        assert all(pool.map(lambda shell: shell.run(command("sleep", "1"))[0].ok, shells))
    assert sshd.log().count("Accepted publickey") == 1
    assert sshd.log().count("Starting session") == 8


def test_more_sessions_than_sshd_allows(start_sshd: Callable[..., Sshd], connections: Connections) -> None:
    """A session too many is a step that failed, with the setting to look at."""
    shell = connections.connect(start_sshd("MaxSessions 1").machine())
    with shell.hold("echo here; cat"), pytest.raises(StepError) as caught:
        shell.run(command("true"))
    assert "MaxSessions" in caught.value.hint
