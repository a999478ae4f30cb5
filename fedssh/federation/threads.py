"""Many clusters at the same time, within a limit: what goes wrong for one goes wrong for that one alone."""

from __future__ import annotations

import queue
import threading
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fedssh.errors import BugError, FedsshError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")


def at_once(tasks: Mapping[str, Callable[[], T]], *, limit: int) -> dict[str, T | FedsshError]:
    """Run every cluster's task, ``limit`` of them at the same time; return what each returned, or why it failed."""
    found = dict(as_they_end(tasks, limit=limit))
    return {name: found[name] for name in tasks}


def as_they_end(tasks: Mapping[str, Callable[[], T]], *, limit: int) -> Iterator[tuple[str, T | FedsshError]]:
    """Run every cluster's task, ``limit`` at the same time; yield what each returned, or why it failed, when it ends.

    They begin in their order. The threads are daemons, so that Ctrl-C ends the program without waiting for a machine
    that does not answer; what has not begun by then does not begin any more.
    """
    outcomes: queue.SimpleQueue[tuple[str, T | FedsshError]] = queue.SimpleQueue()
    waiting = deque(tasks.items())

    def work() -> None:
        while True:
            try:
                name, task = waiting.popleft()
            except IndexError:
                return
            outcomes.put((name, contained(name, task)))

    for number in range(min(limit, len(tasks))):
        threading.Thread(target=work, name=f"fedssh {number}", daemon=True).start()
    try:
        for _ in tasks:
            yield outcomes.get()
    finally:
        waiting.clear()


def contained(name: str, task: Callable[[], T]) -> T | FedsshError:
    """Return what a cluster's task returns, or why it failed; what is no ``FedsshError`` is a bug of that cluster."""
    try:
        return task()
    except FedsshError as error:
        return error
    except Exception as error:  # noqa: BLE001  (whatever a machine makes of us must not end the others' run)
        return _bug(name, error)


def _bug(name: str, error: Exception) -> BugError:
    # Its text is not told: it may hold a secret.
    place = traceback.extract_tb(error.__traceback__)[-1]
    bug = BugError(
        f"a bug in fedssh ({type(error).__name__} at {Path(place.filename).name}:{place.lineno})",
        machine=name,
        hint="FEDSSH_DEBUG=1 shows more. Other clusters are not concerned.",
    )
    bug.__cause__ = error
    return bug
