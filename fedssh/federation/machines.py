"""The machines of a run: how one is reached."""

from __future__ import annotations

from collections.abc import Callable

from fedssh.inventory import Machine
from fedssh.shell import Shell

Connect = Callable[[Machine], Shell]
"""Opens a connection to a machine; raises what ``fedssh.ssh`` raises where it cannot."""
