"""The command line: a table of verbs, from which Invoke's tasks are made, and the program that runs them.

``tasks.py`` gives the same collection to ``invoke``; ``main`` is the program ``fedssh``. Here errors become exit codes,
and nowhere else.
"""

from __future__ import annotations

from fedssh.cli.program import FedsshConfig, FedsshProgram
from fedssh.cli.tasks import namespace

__all__ = ["main", "namespace"]


def main() -> None:
    """Run ``fedssh``."""
    from importlib.metadata import version  # noqa: PLC0415  (slow, and only needed here)

    FedsshProgram(
        name="fedssh", binary="fedssh", namespace=namespace, version=version("fedssh"), config_class=FedsshConfig
    ).run()
