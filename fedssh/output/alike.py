"""What is the same for many clusters: gathered, so that people on a terminal are told of it once."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fedssh.federation.report import Progress

_ADDRESS: Final = re.compile(r"https?://[^\s,;]+|\S+ port \d+|\d+(?:\.\d+){3}(?::\d+)?")
_OWN: Final = "\0"
_PLAIN_WORDS: Final = re.compile(r"(?:[a-z',-]+(?: |$))+", re.IGNORECASE)
_TOLD_AT_ONCE: Final = {"failed", "aftermath"}


def kind_of(text: str, cluster: str) -> str:
    """Return what a text says of a cluster, whatever that cluster's name and addresses are."""
    return _ADDRESS.sub("@", text.replace(cluster, _OWN))


def step_of(text: str, cluster: str) -> str:
    """Return the words with which a step's text begins, up to what each cluster has of its own, as a name or a number.

    "wrote context member1" and "wrote context member2" are the same step: "wrote context".
    """
    text = " ".join(text.replace(cluster, _OWN).split())
    found = _PLAIN_WORDS.match(text)
    return (found[0] if found else text.replace(_OWN, cluster)).rstrip(", ")


class Gathering:
    """The events of many clusters, those that are alike together; events may come from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: dict[tuple[str, str], dict[tuple[str, str], Progress]] = {}
        self._is_open = True

    def take(self, event: Progress) -> bool:
        """Return whether an event need not be told now: it is told at the end, together with those that are like it.

        Of failures and of what becomes of them, the first of a kind is to be told at once nevertheless. A change that
        is taken back is not told at all.
        """
        if event.state not in {"changed", "confirmed", "undone", *_TOLD_AT_ONCE}:
            return False
        kind, key = _kind(event), (event.cluster, event.text)
        with self._lock:
            if not self._is_open:
                return False
            group = self._groups.setdefault(kind, {})
            if event.state == "undone":
                group.pop(key, None)
                return True
            group[key] = event
            return event.state not in _TOLD_AT_ONCE or len(group) > 1

    def close(self) -> list[list[Progress]]:
        """Take nothing more; return what is to be told now, a group for each kind, the failures last."""
        with self._lock:
            self._is_open = False
            kinds = sorted(self._groups, key=lambda kind: kind[0] in _TOLD_AT_ONCE)
            groups = [(state in _TOLD_AT_ONCE, [*self._groups[state, what].values()]) for state, what in kinds]
        return [group for is_told, group in groups if len(group) > is_told]


def _kind(event: Progress) -> tuple[str, str]:
    if event.state in _TOLD_AT_ONCE:
        hint = event.error.hint if event.error else ""
        return event.state, kind_of(f"{event.text}\n{hint}", event.cluster)
    return "changed" if event.state == "undone" else event.state, step_of(event.text, event.cluster)
