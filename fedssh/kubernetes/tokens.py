"""What stands in a token (RFC 7519) about its time. Nobody verifies it here: the API server does."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fedssh.sensitive import Sensitive

NEVER: Final = "never"
"""The end of a token that has none: a ServiceAccount's from a Secret."""


def token_end(token: Sensitive) -> str:
    """Return when a token ends, as Kubernetes writes times; ``NEVER``; or "" where it is no token."""
    try:
        part = token.reveal().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        end = claims.get("exp")
        if end is None:
            return NEVER
        return datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError, OSError, RecursionError):
        return ""
