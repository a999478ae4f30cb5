"""Whose tokens are, and when they end, by what stands in them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from fedssh.kubernetes.tokens import token_end, token_subject
from fedssh.sensitive import Sensitive


def token(claims: Any) -> Sensitive:
    """Return a token with these claims."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return Sensitive(f"e30.{part}.x")


@pytest.mark.parametrize(
    ("held", "end"),
    [
        (token({"sub": "x"}), "never"),
        (token({"exp": 1_795_912_775}), "2026-11-29T00:39:35Z"),
        (token({"exp": "soon"}), ""),
        (token({"exp": 10**30}), ""),
        (token({"exp": True}), "1970-01-01T00:00:01Z"),
        (token([]), ""),
        (Sensitive("no token"), ""),
        (Sensitive("a.b.c"), ""),
        (Sensitive(""), ""),
    ],
)
def test_a_token_has_an_end_or_none(held: Sensitive, end: str) -> None:
    """A legacy one never ends; what is no token has none that is known."""
    assert token_end(held) == end


@pytest.mark.parametrize(
    ("held", "subject"),
    [
        (token({"sub": "system:serviceaccount:default:x"}), "system:serviceaccount:default:x"),
        (token({"sub": 7}), ""),
        (token({}), ""),
        (token(9), ""),
        (token([1]), ""),
        (Sensitive("a.!.c"), ""),
        (Sensitive("x"), ""),
        (Sensitive(""), ""),
    ],
)
def test_a_token_is_somebodys_or_nobodys(held: Sensitive, subject: str) -> None:
    """Whatever stands in a Secret."""
    assert token_subject(held) == subject
