"""The command line: a table of verbs, from which Invoke's tasks are made, and the program that runs them.

``tasks.py`` gives the same collection to ``invoke``; ``main`` is the program ``fedssh``. Here errors become exit codes,
and nowhere else.
"""

from __future__ import annotations

from fedssh.cli.program import FedsshProgram
from fedssh.cli.tasks import namespace

__all__ = ["main", "namespace"]


def main() -> None:
    """Run ``fedssh``."""
    FedsshProgram().run()
