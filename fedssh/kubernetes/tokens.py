"""What stands in a token (RFC 7519): whose it is, and when it ends. Nobody verifies it here: the API server does."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fedssh.sensitive import Sensitive

NEVER: Final = "never"
"""The end of a token that has none: a ServiceAccount's from a Secret."""


def token_end(token: Sensitive) -> str:
    """Return when a token ends, as Kubernetes writes times; ``NEVER``; or "" where it is no token."""
    claims = _claims(token)
    if claims is None:
        return ""
    if claims.get("exp") is None:
        return NEVER
    try:
        return datetime.fromtimestamp(claims["exp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def token_subject(token: Sensitive) -> str:
    """Return whose token it is, as in ``system:serviceaccount:default:member1``; "" where that cannot be read."""
    subject = (_claims(token) or {}).get("sub")
    return subject if isinstance(subject, str) else ""


def _claims(token: Sensitive) -> dict[str, Any] | None:
    try:
        part = token.reveal().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (LookupError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
