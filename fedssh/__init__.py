"""Federate Kubernetes clusters over nothing but SSH.

The names below are what other programs may use; each is imported when it is asked for, since most are slow to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fedssh.cli.tasks import namespace as tasks
    from fedssh.errors import (
        AuthenticationError,
        BusyError,
        ConfigurationError,
        ConnectionLostError,
        FedsshError,
        HostKeyError,
        RefusedError,
        StepError,
        UnknownOutcomeError,
        UnreachableError,
    )
    from fedssh.federation.report import CheckFinding, ClusterReport, PlannedChange, Progress, Report, Residue
    from fedssh.inventory import Inventory, load_inventory
    from fedssh.library import check, federate, fetch, prepare, rotate, status, unfederate

    __version__: str

__all__ = [
    "AuthenticationError",
    "BusyError",
    "CheckFinding",
    "ClusterReport",
    "ConfigurationError",
    "ConnectionLostError",
    "FedsshError",
    "HostKeyError",
    "Inventory",
    "PlannedChange",
    "Progress",
    "RefusedError",
    "Report",
    "Residue",
    "StepError",
    "UnknownOutcomeError",
    "UnreachableError",
    "__version__",
    "check",
    "federate",
    "fetch",
    "load_inventory",
    "prepare",
    "rotate",
    "status",
    "tasks",
    "unfederate",
]

_HOMES: Final = {
    "check": "fedssh.library",
    "federate": "fedssh.library",
    "fetch": "fedssh.library",
    "prepare": "fedssh.library",
    "rotate": "fedssh.library",
    "status": "fedssh.library",
    "unfederate": "fedssh.library",
    "load_inventory": "fedssh.inventory",
    "Inventory": "fedssh.inventory",
    "CheckFinding": "fedssh.federation.report",
    "ClusterReport": "fedssh.federation.report",
    "PlannedChange": "fedssh.federation.report",
    "Progress": "fedssh.federation.report",
    "Report": "fedssh.federation.report",
    "Residue": "fedssh.federation.report",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'fedssh' has no attribute {name!r}")
    if name == "__version__":
        return import_module("importlib.metadata").version("fedssh")
    if name == "tasks":
        return import_module("fedssh.cli.tasks").namespace
    return getattr(import_module(_HOMES.get(name, "fedssh.errors")), name)
