"""A real sshd for every test that wants one, and the keys that go with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.inventory import Machine
from fedssh.ssh import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SSHD = "/usr/sbin/sshd"


@dataclass
class Sshd:
    """A running sshd: where it listens, its keys, what it logged."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = 0
    address: str = "127.0.0.1"
    launcher: tuple[str, ...] = ()
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def identity(self) -> Path:
        """The private key it lets in."""
        return self.folder / "identity"

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file that knows it."""
        return self.folder / "known_hosts"

    @property
    def host_key(self) -> str:
        """Its public host key: type and base64."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its host key, from ssh-keygen."""
        listed = subprocess.check_output(["ssh-keygen", "-lf", self.folder / "host_key.pub"], text=True)
        return listed.split()[1]

    def start(self) -> Sshd:
        """Start it, or start it again on the same port."""
        if not self.port:
            self.port = free_port()
        config = self.folder / "sshd_config"
        config.write_text(
            "\n".join(
                [
                    # What comes first counts.
                    *self.options,
                    f"ListenAddress {self.address}:{self.port}",
                    f"HostKey {self.folder}/host_key",
                    f"AuthorizedKeysFile {self.folder}/authorized_keys",
                    "PidFile none",
                    "LogLevel VERBOSE",
                    f"SetEnv HOME={self.folder}",
                    "StrictModes no",
                    "UsePAM no",
                    "UseDNS no",
                    "PermitRootLogin prohibit-password",
                    "PasswordAuthentication no",
                    "",
                ]
            )
        )
        logged = len(self._raw_log())
        process = subprocess.Popen([*self.launcher, SSHD, "-D", "-f", config, "-E", self.folder / "log"])
        self.processes.append(process)
        deadline = time.monotonic() + 10
        while "Server listening" not in self._raw_log()[logged:]:
            assert process.poll() is None, self._raw_log()
            assert time.monotonic() < deadline, self._raw_log()
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """End it and every session it made; what is known about it stays."""
        for process in self.processes:
            for child in children(process.pid):
                with suppress(ProcessLookupError):
                    child.kill()
            process.kill()
            process.wait()
        self.processes.clear()

    def sessions(self) -> list[Process]:
        """Return the processes that serve its connections."""
        return [child for process in self.processes for child in children(process.pid)]

    def log(self) -> str:
        """Return what it logged; an empty log would make every count a lie."""
        text = self._raw_log()
        assert text, "sshd logged nothing"
        return text

    def machine(self, **changes: Any) -> Machine:
        """Return the machine as hosts.yaml would name it."""
        machine = Machine(
            name="member1",
            address=self.address,
            port=self.port,
            user="root",
            identity_file=self.identity,
            known_hosts=self.known_hosts,
        )
        return replace(machine, **changes)

    def know(self, *lines: str) -> None:
        """Write its known_hosts file; {key} and {port} stand for its own."""
        self.known_hosts.write_text("".join(line.format(key=self.host_key, port=self.port) + "\n" for line in lines))

    def _raw_log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@dataclass(frozen=True)
class Process:
    """A process on this machine."""

    pid: int

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def cmdline(self) -> bytes:
        """Return its title or arguments; nothing if it has ended."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return b""


def children(pid: int) -> list[Process]:
    """Return the children of a process, and theirs."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                found += [Process(int(child)), *children(int(child))]
    return found


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair at ``path`` and ``path.pub``."""
    subprocess.run(
        ["ssh-keygen", "-q", "-a", "1", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


@pytest.fixture
def keygen(tmp_path: Path) -> Callable[..., Path]:
    """Makes a key pair by name, kind and passphrase; returns the path of its private half."""
    return lambda name, **how: make_key(tmp_path / name, **how)


@pytest.fixture
def start_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Sshd]]:
    """Starts sshds with lines of sshd_config of one's choice."""
    started: list[Sshd] = []
    Path("/run/sshd").mkdir(exist_ok=True)

    def start(*options: str, address: str = "127.0.0.1", launcher: tuple[str, ...] = ()) -> Sshd:
        server = Sshd(tmp_path_factory.mktemp("sshd"), options, address=address, launcher=launcher)
        make_key(server.folder / "host_key")
        make_key(server.identity)
        (server.folder / "authorized_keys").write_text(server.identity.with_suffix(".pub").read_text())
        started.append(server)
        server.start()
        server.know(f"[{address}]:{{port}} {{key}}")
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def sshd(start_sshd: Callable[..., Sshd]) -> Sshd:
    """A plain sshd."""
    return start_sshd()


@pytest.fixture
def closed_port() -> int:
    """A port nobody listens on."""
    return free_port()


@pytest.fixture
def connections() -> Iterator[Connections]:
    """The connections of a run."""
    with Connections() as connections:
        yield connections
