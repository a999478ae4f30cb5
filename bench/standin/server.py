"""The stand-in tools on the machines' side, and the server that knows their answers."""

from __future__ import annotations

import shutil
import socketserver
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.standin.calls import parse_call, render_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.standin.calls import Answer, Call

TOOL_MILLISECONDS: Final = 80
"""How long each call of a tool takes."""

VARIABLE: Final = "FEDSSH_BENCH"
"""The variable that names the server's socket."""

TOOLS: Final = ("kubectl", "kubefedctl", "helm")

_SOURCE: Final = Path(__file__).with_name("tool.c")
_WAITING: Final = 4096  # calls that are not accepted yet


@contextmanager
def tools(folder: Path, answer: Callable[[Call], Answer]) -> Iterator[dict[str, str]]:
    """Have the tools in ``folder``, which say what ``answer`` says, for as long as the context lasts.

    Yields:
        The environment that machines need: with it, the stand-ins come before the real tools.
    """
    places = folder / "bin"
    places.mkdir()
    program = places / TOOLS[0]
    subprocess.run(["gcc", "-O2", "-static", "-o", program, _SOURCE], check=True)
    for name in TOOLS[1:]:
        shutil.copy(program, places / name)

    class Answering(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            message = b""
            while part := self.request.recv(65_536):
                message += part
            said = answer(parse_call(message))
            self.request.sendall(render_answer(said, milliseconds=TOOL_MILLISECONDS))

    class Server(socketserver.ThreadingUnixStreamServer):
        request_queue_size = _WAITING
        daemon_threads = True

    socket = folder / "socket"
    with Server(str(socket), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield {
                VARIABLE: str(socket),
                "PATH": f"{places}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            }
        finally:
            server.shutdown()
