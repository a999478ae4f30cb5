"""Many clusters at the same time, each on its own: what goes wrong for one goes wrong for that one alone."""

from __future__ import annotations

import queue
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from fedssh.errors import BugError, FedsshError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")


def at_once(tasks: Mapping[str, Callable[[], T]]) -> dict[str, T | FedsshError]:
    """Run every cluster's task in a thread of its own; return what each returned, or why it failed."""
    found = dict(as_they_end(tasks))
    return {name: found[name] for name in tasks}


def as_they_end(tasks: Mapping[str, Callable[[], T]]) -> Iterator[tuple[str, T | FedsshError]]:
    """Run every cluster's task in a thread of its own; yield what each returned, or why it failed, when it ends.

    The threads are daemons, so that Ctrl-C ends the program without waiting for a machine that does not answer.
    """
    outcomes: queue.SimpleQueue[tuple[str, T | FedsshError]] = queue.SimpleQueue()

    def work(name: str, task: Callable[[], T]) -> None:
        outcomes.put((name, contained(name, task)))

    for name, task in tasks.items():
        threading.Thread(target=work, args=(name, task), name=f"fedssh {name}", daemon=True).start()
    for _ in tasks:
        yield outcomes.get()


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
