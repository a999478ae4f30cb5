"""The command line: a table of verbs, from which Invoke's tasks are made, and the program that runs them.

``tasks.py`` gives the tasks to ``invoke``; ``main`` is the program ``fedssh``. Only here errors become exit codes.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from fedssh.cli.interruption import leave

__all__ = ["main"]


def main() -> None:
    """Run ``fedssh``."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, leave)
    # A stream that the shell has closed (``>&-``) is one that nobody reads.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  (as long as the program lasts)
    from fedssh.cli.program import FedsshProgram  # noqa: PLC0415  (Invoke is slow to import)

    FedsshProgram().run()
