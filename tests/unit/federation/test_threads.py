"""Work for many clusters: no more at the same time than is wanted, and each on its own."""

from __future__ import annotations

import threading
from functools import partial

from fedssh.errors import BugError, StepError
from fedssh.federation.threads import as_they_end, at_once


def test_no_more_are_at_work_than_the_limit() -> None:
    """All are done all the same, and told in their order."""
    lock, running, most = threading.Lock(), set[str](), [0]
    meeting = threading.Barrier(3, timeout=10)

    def work(name: str) -> str:
        with lock:
            running.add(name)
            most[0] = max(most[0], len(running))
        meeting.wait()
        with lock:
            running.remove(name)
        return name.upper()

    names = [f"m{number}" for number in range(9)]
    assert at_once({name: partial(work, name) for name in names}, limit=3) == {name: name.upper() for name in names}
    assert most == [3]


def test_who_hangs_holds_nobody() -> None:
    """The others go on, one after the other, beside it."""
    release = threading.Event()
    tasks = {"hangs": partial(release.wait, 10), **{f"m{number}": partial(bool, 1) for number in range(20)}}
    seen = []
    for name, outcome in as_they_end(tasks, limit=2):
        seen.append(name)
        assert outcome
        if len(seen) == 20:
            release.set()
    assert seen == [*[f"m{number}" for number in range(20)], "hangs"]


def test_what_goes_wrong_is_one_clusters() -> None:
    """An error is told; anything else is a bug of that cluster."""

    def work(error: Exception | None) -> int:
        if error:
            raise error
        return 7

    wrong = StepError("no", machine="m1")
    errors = {"m1": wrong, "m2": KeyError(), "m3": None}
    found = at_once({name: partial(work, error) for name, error in errors.items()}, limit=9)
    assert found["m1"] is wrong
    assert found["m3"] == 7
    assert isinstance(found["m2"], BugError)


def test_what_has_not_begun_when_a_run_ends_does_not_begin() -> None:
    """Ctrl-C ends the work: whoever waits for a turn has none."""
    begun = []
    release = threading.Event()

    def work(name: str) -> None:
        begun.append(name)
        if len(begun) > 1:
            release.wait(10)

    ends = as_they_end({name: partial(work, name) for name in "abcdef"}, limit=1)
    assert next(ends) == ("a", None)
    ends.close()  # type: ignore[attr-defined]  # a generator
    release.set()
    assert begun in (["a"], ["a", "b"])
