"""What is the same for many clusters."""

from __future__ import annotations

import re
from typing import Final

_OWN: Final = "\0"
_PLAIN_WORDS: Final = re.compile(r"(?:[a-z',-]+(?: |$))+", re.IGNORECASE)


def step_of(text: str, cluster: str) -> str:
    """Return the words with which a step's text begins, up to what each cluster has of its own, as a name or a number.

    "wrote context member1" and "wrote context member2" are the same step: "wrote context".
    """
    text = " ".join(text.replace(cluster, _OWN).split())
    found = _PLAIN_WORDS.match(text)
    return (found[0] if found else text.replace(_OWN, cluster)).rstrip(", ")
