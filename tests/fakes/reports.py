"""Reports as verbs make them, and the schema of what programs are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

import fedssh
from fedssh.errors import RefusedError, UnreachableError
from fedssh.federation.report import ClusterReport, PlannedChange, Report
from fedssh.output import Messages, closing_lines, show_result, show_troubles

if TYPE_CHECKING:
    from fedssh.output import Format

SCHEMA: Final = Path(fedssh.__file__).with_name("report.schema.json")

HOST: Final = ClusterReport(
    name="fedhost", role="host", state="Ready", api_server="https://fedhost.example.com:6443", changes=("joined",)
)
SUMMARY: Final = "1 of 3 Ready"
LONG: Final = "a-member-whose-name-is-as-long-as-names-get-to-be"
REFUSED: Final = RefusedError(
    "it is another cluster", machine="member2", step="prove", hint="Correct it.\nOr leave it."
)
NOT_READY: Final = ClusterReport(
    name=LONG, role="member", state="NotReady", labels={"zone": "a", "region": "eu"}, message="gone"
)
FAILED: Final = ClusterReport(
    name="member2",
    role="member",
    state="Failed",
    error=REFUSED,
    aftermath=("What had been created on member2 is gone again.",),
)

INSTALL: Final = PlannedChange(
    step="install", text="install the tools", change="installed the tools", why="they are not there"
)
GRANT: Final = PlannedChange(
    step="grant",
    text="grant access",
    change="granted access",
    why="there is no ServiceAccount member1",
    needs="the new token is proven first",
)

# What docs/report.md shows.
EXAMPLE: Final = Report(
    verb="federate",
    clusters=(
        ClusterReport(
            name="fedhost", role="host", state="Ready", proven=True, api_server="https://fedhost.example.com:6443"
        ),
        ClusterReport(
            name="member1",
            role="member",
            state="Ready",
            proven=True,
            api_server="https://member1.example.com:6443",
            labels={"region": "eu"},
            changes=("granted access", "joined", "labelled"),
        ),
        ClusterReport(
            name="member2",
            role="member",
            state="Failed",
            error=UnreachableError(
                "member2.example.com port 22: Connection refused",
                machine="member2",
                step="connect",
                hint="Check address and port, and that sshd runs on the machine.",
            ),
        ),
    ),
    engine="kubefed",
    engine_version="0.10.0",
    exit_code=3,
)


def report(*clusters: ClusterReport, **changes: Any) -> Report:
    """Return a report of status."""
    values = {"verb": "status", "engine": "kubefed", "engine_version": "0.10.0", "exit_code": 3, "summary": SUMMARY}
    return Report(clusters=clusters, **{**values, **changes})


def show_report(report: Report, output: Format) -> None:
    """Show the end of a run as the command line does: the result, what is not well, and what it has come to."""
    messages = Messages()
    show_result(report, output)
    show_troubles(report, messages)
    for line in closing_lines(report, seconds=2.44):
        messages.say(line)


def read_document(text: str) -> Any:
    """Return what stands on stdout with ``-o json``: exactly one document, and as the schema says."""
    document = json.loads(text)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    return document
