from __future__ import annotations

import copy
import json
import logging
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that holds a secret, as the modules' values do."""

    token: Sensitive


@pytest.mark.parametrize("render", [str, repr, ascii, "{}".format, "{!r}".format, "{:>9}".format, "%s".__mod__])
def test_no_rendering_shows_it(canary: str, render: object) -> None:
    """Neither alone nor inside of something else."""
    assert callable(render)
    secret = Sensitive(canary)
    for shown in (render(secret), repr([secret]), repr({secret: secret}), repr(Holder(secret))):
        assert "***" in shown
        assert canary not in shown


def test_a_log_record_does_not_show_it(canary: str, caplog: pytest.LogCaptureFixture) -> None:
    """As an argument or inside of a message."""
    secret = Sensitive(canary)
    logging.getLogger("x").warning("%s %r %s", secret, [secret], f"{secret}")
    assert caplog.messages == ["*** [***] ***"]


def test_it_cannot_be_written_by_accident(canary: str) -> None:
    """It is no text, has no attributes to dump, and is neither pickled, copied nor turned into JSON."""
    secret = Sensitive(canary)
    assert str not in Sensitive.__mro__
    assert not hasattr(secret, "__dict__")
    writers: list[Callable[[Any], object]] = [pickle.dumps, copy.deepcopy, json.dumps, "".join]
    for write in writers:
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert canary not in str(caught.value)


def test_reveal_gives_it(canary: str) -> None:
    """The one way to it."""
    assert Sensitive(canary).reveal() == canary


def test_equal_when_the_secrets_are() -> None:
    """And only with its like; it can be a key."""
    assert Sensitive("a\u00e9") == Sensitive("a\u00e9")
    assert Sensitive("a") != Sensitive("b")
    assert Sensitive("a") != "a"
    assert {Sensitive("a"): 1}[Sensitive("a")] == 1
    assert hash(Sensitive("a")) != hash("a")


def test_an_empty_secret_is_false() -> None:
    """So that "no token" reads as it does with a text."""
    assert not Sensitive("")
    assert Sensitive("0")
