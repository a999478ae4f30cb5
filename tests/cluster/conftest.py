"""Real clusters for the tests: a lab of their own, fedssh run as a program, and kubectl on the masters as the oracle.

The lab is shared by all tests of a session. Each test states what it starts from (``joined``, ``unjoined``) and leaves
machines that work, whether it passes or fails.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from lab.clusters import start_lab, stop_lab
from lab.generations import NEW
from tests.cluster.files import restore
from tests.cluster.oracle import Federation, Run, quick_inventory
from tests.cluster.records import Records, furnish
from tests.cluster.records import record as record_calls
from tests.cluster.states import Known
from tests.warm import FEDSSH, run_python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from lab.clusters import Lab
    from lab.machine import Machine

# Two checkouts can test side by side, and so can the workers of one session: each has a lab of its own.
PREFIX: Final = "-".join(
    filter(None, (os.environ.get("FEDSSH_TEST_PREFIX", "fedssh-test"), os.environ.get("PYTEST_XDIST_WORKER")))
)
SECONDS: Final = 240
FIRST_TOKEN: Final = "secret/member1-fedssh-1"  # noqa: S105  (a name)
"""The token Secret of a fresh account: one that was deleted or rotated is followed by another number."""

_JOIN: Final = ("federate", "--member", "member1")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of a host and two members; what an interrupted session left is removed first."""
    stop_lab(PREFIX)
    started = start_lab(PREFIX, [NEW, NEW], tmp_path_factory.mktemp("lab"))
    furnish(started)
    yield started
    stop_lab(PREFIX)


@pytest.fixture(scope="session")
def federation(lab: Lab) -> Federation:
    """The oracle."""
    return Federation(lab=lab)


@pytest.fixture(scope="session")
def records(lab: Lab) -> Records:
    """What the machines' tools were called with."""
    return Records(lab)


@pytest.fixture(scope="session")
def known() -> Known:
    """The last state that was known to be good."""
    return Known()


@pytest.fixture
def record() -> Callable[[Machine, str], None]:
    """Let a tool's calls be recorded from now on."""
    return record_calls


@pytest.fixture
def inventory(lab: Lab) -> dict[str, Any]:
    """The lab's hosts.yaml as data, for a test to change before it runs fedssh."""
    return quick_inventory(lab)


@pytest.fixture
def runs(leaks: Any, records: Records) -> Iterator[list[Run]]:
    """The runs of a test; whatever they print is searched for every token that was really minted."""
    runs: list[Run] = []
    yield runs
    tokens, recorded = records.take()
    for token in tokens:
        leaks.forbid(token)
    for one in runs:
        leaks.look(one.stdout, "fedssh's stdout")
        leaks.look(one.stderr, "fedssh's stderr")
    for name, text in recorded.items():
        leaks.look(text, f"argv or environment of a tool on {name}")


@pytest.fixture
def fedssh(
    inventory: Mapping[str, Any], tmp_path: Path, runs: list[Run], federation: Federation, known: Known,
    request: pytest.FixtureRequest,
) -> Callable[..., Run]:  # fmt: skip
    """Runs ``fedssh`` with ``inventory``; a Python statement can set one of its constants before."""

    def run(*arguments: str, seconds: float = SECONDS, setting: str = "") -> Run:
        hosts = tmp_path / "hosts.yaml"
        text = yaml.safe_dump(dict(inventory), sort_keys=False)
        if not hosts.exists() or hosts.read_text() != text:  # another run may be reading it
            hosts.write_text(text)
        program = [FEDSSH]
        if setting:
            program = ["-c", f"{setting}\nfrom fedssh.cli import main\nmain()"]
        env = {**os.environ, "FEDSSH_DEBUG": "1"}
        done = run_python([*program, *arguments], cwd=tmp_path, env=env, timeout=seconds)
        runs.append(Run(code=done.returncode, stdout=done.stdout, stderr=done.stderr))
        # A test that begins with member1 joined is followed by its like, which then has nothing to run.
        wanted = done.returncode == 0 and arguments[: len(_JOIN)] == _JOIN and "--dry-run" not in arguments
        if wanted and "joined" in request.fixturenames and inventory == quick_inventory(federation.lab):
            known.learn(federation)
        return runs[-1]

    return run


@pytest.fixture
def logins(lab: Lab) -> Callable[[], dict[str, tuple[int, int]]]:
    """Counts, per machine, the connections and sessions since the last call; a log that says nothing is a failure."""
    seen = {one.name: len(one.sshd_log()) for one in lab.machines}

    def count() -> dict[str, tuple[int, int]]:
        found = {}
        for machine in lab.machines:
            log = machine.sshd_log()
            assert log, f"sshd on {machine.name} has logged nothing"
            new = log[seen[machine.name] :]
            seen[machine.name] = len(log)
            found[machine.name] = (new.count("Accepted publickey"), new.count("Starting session"))
        return found

    return count


@pytest.fixture
def bare(federation: Federation) -> Federation:
    """The state before anything: no KubeFed, either."""
    federation.forget("fedhost", "member1", "member2")
    federation.uninstall()
    return federation


@pytest.fixture
def unjoined(federation: Federation) -> Federation:
    """The state before fedssh: nothing joined, nothing granted, the host's kubeconfig as kubeadm wrote it."""
    federation.forget("fedhost", "member1", "member2")
    return federation


@pytest.fixture
def joined(federation: Federation, fedssh: Callable[..., Run], known: Known) -> Federation:
    """The state after a federate of member1, whatever the tests before have left; member2 has not joined.

    Where they have left it as such a run did, to the last object and file, there is nothing to run.
    """
    is_first = FIRST_TOKEN in federation.objects()
    if is_first and known.is_joined(federation):
        return federation
    ready, contexts = federation.ready(), federation.contexts()
    if "member2" in {*ready, *contexts} or federation.objects("member2"):
        federation.forget("member2")
    if not is_first or ready.get("member1") != "True" or "member1" not in contexts:
        federation.forget("member1")
    done = fedssh(*_JOIN)
    assert done.code == 0, done.stderr
    return federation


@pytest.fixture
def standing(federation: Federation, fedssh: Callable[..., Run]) -> Federation:
    """member1 has joined, verified in whatever way the test before has left."""
    if federation.ready().get("member1") != "True" or "member1" not in federation.contexts():
        done = fedssh(*_JOIN)
        assert done.code == 0, done.stderr
    return federation


@pytest.fixture
def unwritten(federation: Federation, fedssh: Callable[..., Run]) -> Iterator[Federation]:
    """member1 has joined, and the host's kubeconfig is as kubeadm wrote it: the next run has to write it."""
    if federation.ready().get("member1") != "True":
        done = fedssh(*_JOIN)
        assert done.code == 0, done.stderr
    restore(federation.host)
    yield federation
    restore(federation.host)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds; fails the test when it does not within two minutes.

    That is no claim about anybody's speed: controllers of nine clusters share the processors of one machine.
    """

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not holds():
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.5)

    return wait
