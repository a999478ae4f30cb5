"""From what was found and done to what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fedssh.errors import StepError
from fedssh.federation.report import ClusterReport, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.kubefed.clusters import JoinedCluster
    from fedssh.errors import FedsshError


def cluster_report(
    name: str,
    joined: JoinedCluster | None,
    *,
    role: Literal["host", "member"],
    changes: Sequence[str] = (),
    notices: Sequence[str] = (),
    error: FedsshError | None = None,
) -> ClusterReport:
    """Return what is told of one cluster."""
    state: State = "NotJoined" if joined is None else "Ready" if joined.ready else "NotReady"
    return ClusterReport(
        name=name,
        role=role,
        state="Failed" if error else state,
        api_server=joined.api_server if joined else "",
        labels=joined.labels if joined else {},
        changes=tuple(changes),
        notices=tuple(notices),
        message=joined.message if joined else "",
        error=error,
    )


def exit_code(clusters: Sequence[ClusterReport]) -> int:
    """Return the exit code: 0 when all are Ready; an error's own when it is every member's; else 3."""
    if all(one.state == "Ready" for one in clusters):
        return 0
    codes = {one.error.exit_code if one.error else 0 for one in clusters if one.role == "member"}
    return codes.pop() or StepError.exit_code if len(codes) == 1 else StepError.exit_code
