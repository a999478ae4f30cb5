"""A value that must not be seen: tokens, keys, kubeconfigs."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Sensitive:
    """Holds a secret text; printing, formatting, logging or pickling it never shows it.

    It is not a ``str`` on purpose: a secret goes into a command or a file only where ``reveal()`` is written.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sensitive):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Sensitive, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sensitive value is not pickled")
