"""What a rule has found about a cluster: values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fedssh.engines.protocol import Topic
    from fedssh.errors import FedsshError

Seek = Literal["address", "trust", ""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a rule has found.

    Attributes:
        cluster: Whom it concerns.
        state: Whether it is as it should be, has to be said at every run, or forbids to go on.
        text: What was found; of a refusal, its message.
        error: Why going on is refused; None unless it is.
        seek: What may work instead, to be tried from the host before the refusal is told: another address, or another
            way to verify; "" where nothing is to be tried.
        topic: To what ``check`` counts it; "" where its error, or nothing, tells.
    """

    cluster: str
    state: Literal["checked", "notice", "refused"]
    text: str
    error: FedsshError | None = None
    seek: Seek = ""
    topic: Topic | Literal[""] = ""


def refusals(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return the first refusal of each cluster that has one."""
    found: dict[str, Finding] = {}
    for finding in findings:
        if finding.state == "refused":
            found.setdefault(finding.cluster, finding)
    return found


def refused(cluster: str, error: FedsshError, seek: Seek = "") -> Finding:
    """Return that going on would be wrong for a cluster."""
    return Finding(cluster=cluster, state="refused", text=error.message, error=error, seek=seek)


def notice(cluster: str, text: str, topic: Topic | Literal[""] = "") -> Finding:
    """Return what has to be said of a cluster at every run."""
    return Finding(cluster=cluster, state="notice", text=text, topic=topic)
