"""The containers of a lab, as tests see them: machines that are clusters, and servers beside them."""

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docker.errors import NotFound
from docker.models.containers import Container

from lab.engine import engine
from lab.errors import LabError

READY_SECONDS: Final = 180
LINES_SHOWN: Final = 20
ADDRESS: Final = "127.0.0.1"

_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BRIEF: Final = "GOGC=off"
"""Of programs in Go that live for a moment: they do not collect garbage, which is a third of their time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a command on a machine ended, and what it said."""

    code: int
    stdout: str
    stderr: str


def _find_process(container: str) -> str:
    """Return the number of a container's first process; "" where the engine's processes are not this machine's."""
    try:
        found = engine().containers.get(container)
        pid = str(found.attrs["State"]["Pid"])
        return pid if str(found.id) in Path(f"/proc/{pid}/cgroup").read_text() else ""
    except (NotFound, OSError):
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A container of a lab; `name` is how the others reach it."""

    name: str
    container: str

    def exec(self, *argv: str, stdin: bytes = b"") -> Result:
        """Run a command in the container, past SSH: the oracle of tests."""
        # Into files: a daemon that it starts would keep a pipe open.
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            done = subprocess.run([*self._door(), *argv], check=False, input=stdin, stdout=stdout, stderr=stderr)
            for said in (stdout, stderr):
                said.seek(0)
            return Result(
                code=done.returncode,
                stdout=stdout.read().decode(errors="replace"),
                stderr=stderr.read().decode(errors="replace"),
            )

    def _door(self) -> list[str]:
        """Return the words that run a command in the container.

        Root goes through its namespaces: the engine takes 60 ms for each command, and tests run thousands.
        """
        pid = _find_process(self.container) if os.geteuid() == 0 else ""
        if not pid:
            return ["docker", "exec", "--interactive", "--env", _BRIEF, self.container]
        into = ["nsenter", f"--target={pid}", "--all", "--root", "--wd"]
        return [*into, "env", "-i", "HOME=/root", f"PATH={_PATH}", _BRIEF]

    def check(self, *argv: str, stdin: bytes = b"") -> str:
        """Run a command that has to succeed; return what it wrote to stdout."""
        result = self.exec(*argv, stdin=stdin)
        if result.code != 0:
            raise LabError(f"{self.name}: {' '.join(argv)} failed ({result.code}): {result.stderr.strip()}")
        return result.stdout

    def stop(self) -> None:
        """Stop it as a power button would."""
        self._container().stop()

    def start(self) -> None:
        """Start it after a stop."""
        self._container().start()

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        self._container().pause()

    def unpause(self) -> None:
        """Let it go on."""
        self._container().unpause()

    def _container(self) -> Container:
        try:
            return engine().containers.get(self.container)
        except NotFound as error:
            raise LabError(f"there is no {self.container}: start the lab first") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine(Server):
    """A server that one logs in to; `address` and `port` are where its sshd answers."""

    port: int
    address: str = ADDRESS

    def start(self) -> None:
        """Start it after a stop, and wait until it is of use."""
        self._container().start()
        self.wait_until_ready()

    def is_ready(self) -> bool:
        """Tell whether it has booted since it last started; a cluster's machine, to a Ready cluster."""
        return self._container().status == "running" and self.exec("test", "-e", "/run/lab-ready").code == 0

    def wait_until_ready(self) -> None:
        """Wait for the end of its boot; show the last lines of it if it does not come."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self._container().status == "exited" or time.monotonic() > deadline:
                raise LabError(f"{self.name} did not become ready; its boot ended with:\n{self._boot_log()}")
            time.sleep(0.2)

    def sshd_log(self) -> str:
        """Return what the machine's sshd has logged since the machine was made."""
        return self.exec("cat", "/var/log/sshd.log").stdout.replace("\r\n", "\n")

    def _boot_log(self) -> str:
        log: bytes = self._container().logs(tail=LINES_SHOWN)
        return log.decode(errors="replace").strip()
