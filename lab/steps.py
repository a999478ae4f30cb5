"""Long steps tell what they do, how long it takes, and, when they fail, what they last said."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.versions import STATE

LOGS: Final = STATE / "logs"
LINES_SHOWN: Final = 20
# Without a terminal nobody sees a clock: a line now and then says that it is alive.
HEARTBEAT_SECONDS: Final = 60


@contextmanager
def step(title: str, hint: str = "") -> Iterator[None]:
    """Show `title` with a running clock on a terminal, or as plain lines elsewhere."""
    started = time.monotonic()
    over = threading.Event()
    show = _tick if sys.stderr.isatty() else _report
    clock = threading.Thread(target=show, args=(f"{title} …", hint, started, over), daemon=True)
    clock.start()
    outcome = "failed after "
    try:
        yield
        outcome = ""
    finally:
        over.set()
        clock.join()
        start_of_line = "\r\x1b[K" if sys.stderr.isatty() else ""
        _say(f"{start_of_line}{title} … {outcome}{_elapsed(started)}\n")


def run_logged(
    title: str,
    argv: Sequence[str],
    *,
    log: str,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a command whose output goes to `.lab/logs/<log>.log`; its last lines tell why it failed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    with path.open("wb") as sink:
        code = subprocess.run(
            argv,
            check=False,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        ).returncode
    if code != 0:
        last = path.read_text(errors="replace").splitlines()[-LINES_SHOWN:]
        raise LabError("\n".join([f"{title} failed (exit {code}):", *last, f"The full log: {path}"]))


def _tick(title: str, hint: str, started: float, over: threading.Event) -> None:
    """Redraw one line every second."""
    note = f" ({hint})" if hint else ""
    while True:
        _say(f"\r\x1b[K{title} {_elapsed(started)}{note}")
        if over.wait(1):
            return


def _report(title: str, hint: str, started: float, over: threading.Event) -> None:
    """Say what starts if it takes a moment, and every minute that it still runs."""
    if over.wait(1):
        return
    _say(f"{title} {hint}".rstrip() + "\n")
    while not over.wait(HEARTBEAT_SECONDS):
        _say(f"{title} {_elapsed(started)} so far\n")


def _elapsed(started: float) -> str:
    """Render the time since `started` as a person would: 0.4s, 12s, 5m12s."""
    seconds = time.monotonic() - started
    if seconds < 10:  # noqa: PLR2004 - from ten seconds on, tenths say nothing
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
