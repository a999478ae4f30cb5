"""Python programs, forked from a process that has imported fedssh: importing is most of what a short run takes.

They are the programs themselves, each in a process of its own that ends as every Python does. A start as a user does
it, imports and all, is for the tests that say ``subprocess``.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
FEDSSH = str(Path(sys.executable).with_name("fedssh"))
"""The program as it is installed."""

_asking = threading.Lock()


def run_python(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run ``python ARGUMENT...``, where the first one is ``-c``, ``-m`` or a script; its stdin is empty.

    Raises:
        subprocess.TimeoutExpired: It took longer than ``timeout`` seconds, and was killed.
    """
    request = {"arguments": arguments, "cwd": str(cwd), "env": dict(env)}
    ours, theirs = socket.socketpair()
    with ours, tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with _asking, theirs:
            socket.send_fds(_server().requests, [b"."], [theirs.fileno(), out.fileno(), err.fileno()])
        ours.sendall(json.dumps(request).encode())
        ours.shutdown(socket.SHUT_WR)
        pid, code = _await_end(ours, timeout)
        if code is None:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(arguments, timeout)
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


def _await_end(reply: socket.socket, timeout: float) -> tuple[int, int | None]:
    """Return a program's number, and its exit code; None if it did not end in time."""
    with reply.makefile() as lines:
        pid = int(lines.readline())
        reply.settimeout(timeout)
        try:
            return pid, int(lines.readline())
        except TimeoutError:
            return pid, None


class _Server(NamedTuple):
    """The process that forks, and how it is asked."""

    process: subprocess.Popen[bytes]
    requests: socket.socket

    def end(self) -> None:
        """End it."""
        self.requests.close()
        self.process.wait()


@functools.cache
def _server() -> _Server:
    """Start the process that forks."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    server = _Server(process, ours)
    atexit.register(server.end)
    return server


def _serve(requests: socket.socket) -> dict[str, Any]:
    """Fork for each request; return it in the process that is to become the program."""
    import fedssh  # noqa: PLC0415  (only this process imports it for others)

    for module in pkgutil.walk_packages(fedssh.__path__, "fedssh."):
        if not module.name.endswith("__main__"):
            __import__(module.name)
    gc.freeze()  # what is shared stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait for programs
    while True:
        _, files, _, _ = socket.recv_fds(requests, 1, 3)
        if not files:
            sys.exit()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            return _wait_for_program(*files)
        for file in files:
            os.close(file)


def _wait_for_program(reply: int, out: int, err: int) -> dict[str, Any]:
    """Fork once more, and tell how that process ends; return the request in it."""
    with socket.socket(fileno=reply) as answers, answers.makefile() as asked:
        request: dict[str, Any] = json.loads(asked.read())
        pid = os.fork()
        if pid:
            answers.sendall(f"{pid}\n".encode())
            status = os.waitpid(pid, 0)[1]
            answers.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            os._exit(0)
    for number, file in ((1, out), (2, err)):
        os.dup2(file, number)
        os.close(file)
    return request


def _become(arguments: Sequence[str], cwd: str, env: Mapping[str, str]) -> None:
    """Be the program from now on."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    what, *others = [one for one in arguments if one != "-P"]
    if "-P" not in arguments:
        sys.path.insert(0, str(Path(what).parent) if others and what[0] != "-" else "")
    if what == "-c":
        code, *others = others
        sys.argv = ["-c", *others]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102  (the program is that text)
    elif what == "-m":
        sys.argv = others
        runpy.run_module(others[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [what, *others]
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    _become(asked["arguments"], asked["cwd"], asked["env"])
