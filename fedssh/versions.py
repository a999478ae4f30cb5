"""Versions as tools tell them. Pure."""

from __future__ import annotations

import re
from typing import Final

_LONGEST: Final = 100
_VERSION: Final = re.compile(r"v?([0-9]{1,5})\.([0-9]{1,5})(?:\.([0-9]{1,5}))?(?:[-+][0-9A-Za-z.+-]*)?")


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Return the numbers of a version (``v1.33.9+k3s1``, ``1.21``), None where a text is none.

    What follows the numbers does not count: of ``v3.0.0-rc.1`` they are 3, 0, 0.
    """
    if len(text) > _LONGEST:
        return None
    found = _VERSION.fullmatch(text.strip())
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
