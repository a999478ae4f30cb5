"""What one run has done to each cluster, and what went wrong there; every entry is reported as it is made."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from fedssh.federation.report import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fedssh.errors import FedsshError
    from fedssh.federation.findings import Finding
    from fedssh.federation.report import Reporter
    from fedssh.federation.steps import Step

T = TypeVar("T")


class Journal:
    """The entries of a run, by cluster.

    Attributes:
        changes: What was done, in order, as in "granted access".
        notices: What has to be said about it, as in "nobody verifies its certificate".
        errors: What went wrong first; a cluster that stands here takes no further part. An error is never changed.
        further: What else is wrong with it.
        aftermath: What has become, after an error, of what had been done.
        ended: Why the run as a whole has ended early, or None.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self.changes: dict[str, list[str]] = defaultdict(list)
        self.notices: dict[str, list[str]] = defaultdict(list)
        self.errors: dict[str, FedsshError] = {}
        self.further: dict[str, list[FedsshError]] = defaultdict(list)
        self.aftermath: dict[str, list[str]] = defaultdict(list)
        self.ended: FedsshError | None = None

    def begin(self, cluster: str, step: str) -> None:
        """Report that a step begins."""
        self._report(Progress(cluster=cluster, text=step, state="running"))

    def progress(self, cluster: str, text: str) -> None:
        """Report how far the step is that has begun."""
        self._report(Progress(cluster=cluster, text=text, state="progressing"))

    def wait(self, cluster: str) -> None:
        """Report that nothing is left to do for a cluster until the others have come as far."""
        self._report(Progress(cluster=cluster, text="waiting for the others", state="waiting"))

    def done(self, step: Step) -> None:
        """Enter a step that was done, where it has changed something."""
        if step.done:
            self.changes[step.cluster].append(step.done)
            self._report(Progress(cluster=step.cluster, text=step.done, state="changed"))

    def undone(self, step: Step, words: str) -> None:
        """Enter that nothing is left of a step, and what is to be said of it."""
        self.withdraw(step)
        self.left(step.cluster, words)

    def withdraw(self, step: Step) -> None:
        """Enter that nothing is left of a step."""
        if step.done in self.changes[step.cluster]:  # a grant that failed half-way was never done
            self.changes[step.cluster].remove(step.done)
            self._report(Progress(cluster=step.cluster, text=step.done, state="undone"))

    def left(self, cluster: str, words: str) -> None:
        """Enter what has become, after an error, of what had been done."""
        self.aftermath[cluster].append(words)
        self._report(Progress(cluster=cluster, text=words, state="aftermath"))

    def find(self, findings: Iterable[Finding]) -> None:
        """Enter what the rules have found."""
        for finding in findings:
            if finding.error:
                self.fail(finding.cluster, finding.error)
            elif finding.state == "notice":
                self.notices[finding.cluster].append(finding.text)
            else:
                self._report(Progress(cluster=finding.cluster, text=finding.text, state="checked"))

    def confirm(self, cluster: str, text: str) -> None:
        """Report what was found to be as it should after a change."""
        self._report(Progress(cluster=cluster, text=text, state="confirmed"))

    def fail(self, cluster: str, error: FedsshError) -> None:
        """Enter what went wrong, once; the first error of a cluster counts, the others are told with it."""
        if any(error is known for known in (self.errors.get(cluster), *self.further[cluster])):
            return
        if cluster in self.errors:
            self.further[cluster].append(error)
        else:
            self.errors[cluster] = error
        self._report(Progress(cluster=cluster, text=str(error), state="failed", error=error))

    def end(self, cluster: str, error: FedsshError) -> None:
        """Enter what went wrong for one cluster, and ends the run for all."""
        self.fail(cluster, error)
        self.ended = self.ended or self.errors[cluster]

    def without_failed(self, found: Mapping[str, T]) -> dict[str, T]:
        """Return the entries of the clusters that still take part."""
        return {name: entry for name, entry in found.items() if name not in self.errors}
