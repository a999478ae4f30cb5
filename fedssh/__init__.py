"""Federate Kubernetes clusters over nothing but SSH."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_HOMES: Final = {"tasks": ("fedssh.cli", "namespace")}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("fedssh")
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'fedssh' has no attribute {name!r}")
