"""What ``check`` has found, for tests to look something up in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cluster.oracle import Run


def findings(done: Run) -> dict[tuple[str, str, str], str]:
    """Return what was found, by cluster, topic and text, and how bad it is."""
    return {
        (cluster["name"], found["topic"], found["text"]): found["state"]
        for cluster in done.report["clusters"]
        for found in cluster["findings"]
    }


def named(done: Run, cluster: str, topic: str, words: str) -> str:
    """Return the state of the finding of a cluster and a topic that has these words, or ""."""
    found = [
        state
        for (name, about, text), state in findings(done).items()
        if (name, about) == (cluster, topic) and words in text
    ]
    return found[0] if found else ""
