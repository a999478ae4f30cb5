"""Runs that are killed, interrupted or cut off at a remote execution: a sample of what ``make test-kills`` sweeps.

Whatever has been done by then, the next run of the same verb ends where an undisturbed one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cluster.kills.points import CUT_AFTER, CUT_DURING, INTERRUPTED, KILLED_DURING
from tests.cluster.kills.stand import Stand
from tests.cluster.kills.starts import TWO_AT_ONCE, VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from tests.cluster.kills.stand import Reference

    from .oracle import Federation, Run

NAMED = {verb.name: verb for verb in VERBS}


@pytest.fixture
def stand(federation: Federation, inventory: Mapping[str, Any], runs: list[Run], tmp_path: Path) -> Stand:
    """The lab, and how fedssh is run on it."""
    (tmp_path / "hosts.yaml").write_text(yaml.safe_dump(dict(inventory), sort_keys=False))
    return Stand(federation=federation, folder=tmp_path, runs=runs)


@pytest.fixture(scope="session")
def references() -> dict[str, Reference]:
    """The undisturbed runs, by verb."""
    return {}


def converges(stand: Stand, references: dict[str, Reference], name: str, kind: str, machine: str, title: str) -> None:
    """Disturb a verb's run at the execution with a command of that title, and check the end of the next run."""
    verb = NAMED[name]
    if name not in references:
        references[name] = stand.undisturbed(verb)
    found = [
        one for one in references[name].executions if one.machine == machine and any(title in two for two in one.titles)
    ]
    assert found, f"{name} has no execution of {title} on {machine}"
    problem = stand.disturbed(verb, kind, found[-1], references[name])
    assert not problem, f"{found[-1].shown}: {problem}"


def test_fault_11_an_interrupted_installation_is_finished_by_the_next(
    stand: Stand, references: dict[str, Reference]
) -> None:
    """Helm is ended with the run that called it; the next one installs anew and does not wait for it."""
    converges(stand, references, "prepare", INTERRUPTED, "fedhost", "helm install")


@pytest.mark.parametrize(
    ("kind", "machine", "title"),
    [(KILLED_DURING, "member1", "kubectl apply"), (INTERRUPTED, "fedhost", "kubefedctl join")],
)
def test_fault_09_a_run_that_ended_is_finished_by_the_next(
    kind: str, machine: str, title: str, stand: Stand, references: dict[str, Reference]
) -> None:
    """Nothing of it is left on the machines, and the next run ends where an undisturbed one does."""
    converges(stand, references, "federate", kind, machine, title)


@pytest.mark.parametrize(
    ("name", "kind", "title"),
    [("federate", CUT_AFTER, "write of /root/.kube/config"), ("unfederate", CUT_DURING, "write of /root/.kube/config")],
)
def test_fault_60_a_run_that_was_cut_off_is_finished_by_the_next(
    name: str, kind: str, title: str, stand: Stand, references: dict[str, Reference]
) -> None:
    """The connection goes while a machine works, or with its answer: 3 or 4, and the next run finds out."""
    converges(stand, references, name, kind, "fedhost", title)


def test_fault_61_runs_for_different_members_at_once(stand: Stand) -> None:
    """One is at work, the others end with 75 until it is their turn; the end is that of one after the other."""
    assert stand.together(TWO_AT_ONCE.commands, TWO_AT_ONCE.start) == ""
