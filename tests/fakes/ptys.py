"""Programs on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.warm import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.conftest import Leaks

ESCAPE: Final = re.compile(r"\x1b\[[?\d;]*[A-Za-z]")
_SECONDS: Final = 60


@dataclass(frozen=True)
class Typed:
    """What stood on a terminal.

    Attributes:
        code: The program's exit code.
        raw: All that was written, escapes included.
    """

    code: int
    raw: str

    @property
    def text(self) -> str:
        """All that was written, without escapes; what was drawn again and again is there as often."""
        return ESCAPE.sub("", self.raw).replace("\r\n", "\n").replace("\r", "")

    @property
    def drawn(self) -> list[str]:
        """Every line that was written, each as often as it was drawn."""
        return re.split(r"[\r\n]+", ESCAPE.sub("", self.raw))


def type_at(
    argv: Sequence[str],
    folder: Path,
    leaks: Leaks,
    *,
    answers: Mapping[str, str] | None = None,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
) -> Typed:
    """Run a program on a terminal of its own, and answer its questions.

    Args:
        argv: The program.
        folder: Where it runs.
        leaks: Looks at what it writes.
        answers: What is typed, by the end of the question that it answers; each once, in this order.
        columns: How wide the terminal is.
        environment: What is different in its environment.
    """
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.chdir(folder)
        changed = {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **(environment or {})}
        os.execve(argv[0], list(argv), {**os.environ, **changed})  # noqa: S606  (the program under test)
    questions, written, deadline = list((answers or {}).items()), b"", time.monotonic() + _SECONDS
    while True:
        assert time.monotonic() < deadline, written.decode(errors="replace")
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux says so where the other side is closed
            break
        if not chunk:
            break
        written += chunk
        if questions and written.rstrip().endswith(questions[0][0].encode()):
            os.write(terminal, questions.pop(0)[1].encode())
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    text = written.decode(errors="replace")
    leaks.look(text, "what the program wrote on its terminal")
    assert "Traceback" not in text, text
    assert not questions, f"not asked: {questions}\n{text}"
    return Typed(os.waitstatus_to_exitcode(status), text)


FEDSSH: Final = [
    sys.executable, "-P", "-c", "import sys; sys.argv[0] = 'fedssh'; from fedssh.cli import main; main()",
]  # fmt: skip
