"""What federates: one folder an engine, and one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from fedssh.engines.protocol import Engine

DEFAULT: Final = "kubefed"
_FOLDERS: Final = {"kubefed": "fedssh.engines.kubefed"}


def load_engine(name: str = DEFAULT) -> Engine:
    """Return the engine of that name, which is the name of its section in hosts.yaml."""
    return cast("Engine", import_module(_FOLDERS[name]))
