from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.cli.table import VERBS
from fedssh.errors import BusyError
from fedssh.federation.report import ClusterReport, Report
from fedssh.federation.wishes import Wishes
from fedssh.inventory import parse_inventory
from tests.fakes.reports import HOST, NOT_READY

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [verb.name for verb in VERBS]
WORKING = ClusterReport(name="member1", role="member", state="Ready")
DONE = ClusterReport(name="fedhost", role="host", state="Ready", proven=True)


def wish(**wishes: Any) -> Wishes:
    """Return wishes of an inventory of one member."""
    text = "host: {name: fedhost, address: h}\nmembers: {member1: {address: m}}\n"
    inventory = parse_inventory(text, path=Path("hosts.yaml"))
    return Wishes(inventory=inventory, members=inventory.members, **wishes)


def run(monkeypatch: pytest.MonkeyPatch, verb: str, work: Callable[..., Report], **wishes: Any) -> Report:
    """Run a verb whose work is made up."""
    module = importlib.import_module(f"fedssh.verbs.{verb}")
    monkeypatch.setattr(module, verb, work)
    report: Report = module.run(wish(**wishes), connect=lambda _: pytest.fail("nobody connects"), report=print)
    return report


@pytest.mark.parametrize("verb", NAMES)
def test_an_error_becomes_a_report(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """With its exit code, and without a table that would be empty."""
    error = BusyError("another run is at work")

    def work(*_: object, **__: object) -> Report:
        raise error

    report = run(monkeypatch, verb, work)
    assert report == Report(verb=verb, engine="kubefed", exit_code=75, has_table=False, error=error)


@pytest.mark.parametrize("verb", NAMES)
def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """What is no ``FedsshError`` goes on."""

    def work(*_: object, **__: object) -> Report:
        raise KeyError(verb)

    with pytest.raises(KeyError):
        run(monkeypatch, verb, work)


@pytest.mark.parametrize("verb", ["federate", "prepare"])
def test_there_is_no_dry_run_yet(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Nothing is done; the report says that it was one."""
    report = run(monkeypatch, verb, lambda *_, **__: pytest.fail("it runs"), dry_run=True)
    assert (report.dry_run, report.exit_code, "no dry run yet" in str(report.error)) == (True, 2, True)


@pytest.mark.parametrize(
    ("verb", "clusters", "found", "summary"),
    [
        ("status", (DONE,), {}, ""),
        ("status", (DONE, WORKING), {}, "Ready is what KubeFed says; federate proves it."),
        ("status", (NOT_READY,), {"exit_code": 3}, ""),
        (
            "status",
            (),
            {"engine_version": "", "exit_code": 3},
            "KubeFed is not installed yet. Next: federate --all, or --member NAME",
        ),
        ("federate", (HOST, NOT_READY), {"exit_code": 3}, ""),
        ("federate", (HOST,), {}, "fedhost are federated."),
        ("federate", (HOST, WORKING), {}, "fedhost and member1 are federated."),
        ("federate", (DONE, WORKING, WORKING), {}, "Nothing to do: fedhost, member1 and member1 are federated."),
        ("prepare", (HOST,), {}, "KubeFed 0.10.0 and its tools are installed on fedhost."),
        ("prepare", (DONE,), {}, "Nothing to do: KubeFed 0.10.0 and its tools are installed on fedhost."),
    ],
)
def test_the_last_line_says_how_it_ended(
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    clusters: tuple[ClusterReport, ...],
    found: dict[str, Any],
    summary: str,
) -> None:
    """Where all is well, or where something has to be known to read the table. prepare has no table."""
    made = Report(**{"verb": verb, "clusters": clusters, "engine_version": "0.10.0", **found})
    report = run(monkeypatch, verb, lambda *_, **__: made)
    assert (report.summary, report.has_table, report.engine) == (summary, verb != "prepare", "kubefed")
    assert (report.clusters, report.exit_code) == (made.clusters, made.exit_code)


def test_federate_is_given_what_is_wished_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inventory, the members, and whether to adopt."""

    def work(inventory: object, members: object, **given: object) -> Report:
        wishes = wish()
        assert (inventory, members, given["adopt"]) == (wishes.inventory, wishes.members, True)
        return Report(verb="federate", clusters=(HOST,))

    assert run(monkeypatch, "federate", work, adopt=True).exit_code == 0
