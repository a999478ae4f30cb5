"""What one run has done to each cluster, and what went wrong there; many clusters at the same time."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from fedssh.errors import FedsshError
from fedssh.federation.report import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.federation.report import Reporter

T = TypeVar("T")


class Ledger:
    """The changes, the notices and the errors of a run, by cluster; every entry is reported as it is made.

    Attributes:
        changes: What was done, in order, as in "granted access".
        notices: What has to be said about it, as in "nobody verifies its certificate".
        errors: What went wrong; a cluster that stands here takes no further part.
    """

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self.changes: dict[str, list[str]] = defaultdict(list)
        self.notices: dict[str, list[str]] = defaultdict(list)
        self.errors: dict[str, FedsshError] = {}

    def begin(self, cluster: str, step: str) -> None:
        """Report that a step begins."""
        self._report(Progress(cluster=cluster, text=step, state="running"))

    def change(self, cluster: str, done: str) -> None:
        """Enter what was done."""
        self.changes[cluster].append(done)
        self._report(Progress(cluster=cluster, text=done, state="changed"))

    def notice(self, cluster: str, text: str) -> None:
        """Enter what has to be said at the end of every run, for as long as it is so."""
        self.notices[cluster].append(text)

    def check(self, cluster: str, text: str) -> None:
        """Report a check that went well, for those who want to know each."""
        self._report(Progress(cluster=cluster, text=text, state="checked"))

    def confirm(self, cluster: str, text: str) -> None:
        """Report what was found to be as it should after a change."""
        self._report(Progress(cluster=cluster, text=text, state="confirmed"))

    def fail(self, cluster: str, error: FedsshError) -> None:
        """Enter what went wrong; the first error of a cluster counts."""
        if cluster not in self.errors:
            self.errors[cluster] = error
            self._report(Progress(cluster=cluster, text=str(error), state="failed"))

    def without_failed(self, found: Mapping[str, T]) -> dict[str, T]:
        """Return the entries of the clusters that still take part."""
        return {name: one for name, one in found.items() if name not in self.errors}

    def run_all(self, tasks: Mapping[str, Callable[[], T]]) -> dict[str, T]:
        """Run every cluster's task in a thread of its own; return what those returned that did not fail.

        The threads are daemons, so that Ctrl-C ends the program without waiting for a machine that does not answer.

        Raises:
            BaseException: Whatever a task raised that is not a ``FedsshError``: a bug.
        """
        outcomes: queue.SimpleQueue[tuple[str, T | BaseException]] = queue.SimpleQueue()

        def work(name: str, task: Callable[[], T]) -> None:
            try:
                outcomes.put((name, task()))
            except BaseException as error:  # noqa: BLE001  (raised again below, in the caller's thread)
                outcomes.put((name, error))

        for name, task in tasks.items():
            threading.Thread(target=work, args=(name, task), name=f"fedssh {name}", daemon=True).start()
        found: dict[str, T] = {}
        for _ in tasks:
            name, outcome = outcomes.get()
            if isinstance(outcome, FedsshError):
                self.fail(name, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                found[name] = outcome
        return {name: found[name] for name in tasks if name in found}
