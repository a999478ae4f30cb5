from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from fedssh import errors
from fedssh.federation.report import ClusterReport, Report
from fedssh.output.documents import render_json
from tests.fakes.reports import (
    EXAMPLE,
    FAILED,
    GRANT,
    HOST,
    INSTALL,
    LONG,
    NOT_READY,
    SCHEMA,
    read_document,
    report,
    show_report,
)

DOCS = Path(__file__).parents[3] / "docs"
DOCUMENT = (DOCS / "report.md").read_text()

BARE: dict[str, Any] = {
    "role": "member",
    "proven": False,
    "apiServer": "",
    "labels": {},
    "plan": [],
    "changes": [],
    "notices": [],
    "message": "",
    "error": None,
    "furtherErrors": [],
    "aftermath": [],
    "reason": "",
    "kubernetesVersion": "",
    "tls": "",
    "credential": {"issued": "", "ends": ""},
    "inInventory": True,
    "findings": [],
    "residue": [],
}
PLANNED = replace(HOST, changes=(), plan=(INSTALL, GRANT))


def test_json_is_all_that_stdout_gets(capsys: pytest.CaptureFixture[str]) -> None:
    """With everything in it; errors are told on stderr as well."""
    show_report(report(HOST, NOT_READY, FAILED), "json")
    out, err = capsys.readouterr()
    told = read_document(out)
    assert told.pop("clusters")[1:] == [
        {**BARE, "name": LONG, "state": "NotReady", "labels": {"zone": "a", "region": "eu"}, "message": "gone"},
        {
            **BARE,
            "name": "member2",
            "state": "Failed",
            "error": {
                "message": "it is another cluster",
                "machine": "member2",
                "step": "prove",
                "hint": "Correct it.\nOr leave it.",
                "exitCode": 6,
            },
            "aftermath": ["What had been created on member2 is gone again."],
        },
    ]
    assert told == {
        "apiVersion": "fedssh/v1",
        "kind": "Report",
        "verb": "status",
        "dryRun": False,
        "exitCode": 3,
        "changed": True,
        "kubefedVersion": "0.10.0",
        "error": None,
    }
    assert "error: member2" in err


def test_a_plan_is_in_the_document() -> None:
    """Each change with what a run would call it when it is done."""
    told = read_document(render_json(report(PLANNED, dry_run=True, exit_code=0)))
    assert (told["dryRun"], told["changed"]) == (True, False)
    assert told["clusters"][0]["plan"][1] == {
        "step": "grant",
        "text": "grant access",
        "change": "granted access",
        "why": "there is no ServiceAccount member1",
        "needs": "the new token is proven first",
    }


def test_the_engines_version_is_called_by_its_name() -> None:
    """Whatever federates; the schema knows the one there is."""
    assert json.loads(render_json(report(engine="other", engine_version="1")))["otherVersion"] == "1"


def test_yaml_is_the_same_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands in it."""
    made = report(HOST, NOT_READY, replace(FAILED, further=(errors.StepError("on: \u00fc", hint="a\nb"),)))
    show_report(made, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == read_document(render_json(made))


@pytest.mark.parametrize(
    "made",
    [
        report(HOST, exit_code=0),
        report(replace(FAILED, further=(errors.StepError("no"),))),
        report(PLANNED, FAILED, dry_run=True, exit_code=6),
        report(exit_code=4, error=errors.UnreachableError("no answer")),
        report(exit_code=2, verb="", engine_version="", error=errors.ConfigurationError("no")),
        EXAMPLE,
    ],
)
def test_the_schema_takes_every_report(made: Report) -> None:
    """Of a run and of a dry run, of one that went well, and of one that did not."""
    read_document(render_json(made))


@pytest.mark.parametrize(
    "path",
    [
        (),
        ("clusters", 0),
        ("clusters", 0, "plan", 0),
        ("clusters", 1, "error"),
    ],
)
def test_the_schema_is_closed(path: tuple[str | int, ...]) -> None:
    """At no place may there be more, or less, than it says."""
    whole = read_document(render_json(report(PLANNED, FAILED, dry_run=True)))
    part = whole
    for step in path:
        part = part[step]
    part["more"] = 1
    with pytest.raises(ValidationError, match="'more'"):
        read_document(json.dumps(whole))
    del part["more"]
    for key in list(part):
        kept = part.pop(key)
        with pytest.raises(ValidationError):
            read_document(json.dumps(whole))
        part[key] = kept
    read_document(json.dumps(whole))


@pytest.mark.parametrize(
    "wrong",
    [
        report(ClusterReport(name="m", role="member", state="Failed")),
        report(ClusterReport(name="m", role="guest", state="Ready")),  # type: ignore[arg-type]  # what must not be
        report(PLANNED),
        report(HOST, dry_run=True),
        report(exit_code=0, error=errors.StepError("no")),
        report(exit_code=7),
    ],
    ids=["failed without an error", "a role", "a plan of a run", "a changing dry run", "0 with an error", "a code"],
)
def test_the_schema_refuses_what_cannot_be(wrong: Report) -> None:
    """A program may rely on it."""
    with pytest.raises(ValidationError):
        read_document(render_json(wrong))


def test_the_schema_is_one_and_knows_every_exit_code() -> None:
    """It is valid itself; the codes are those of the errors, of signals, and 0."""
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    kinds = [errors.FedsshError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    codes = {kind.exit_code for kind in kinds} | {130, 143}
    assert set(schema["$defs"]["Error"]["properties"]["exitCode"]["enum"]) == codes
    assert set(schema["$defs"]["Report"]["properties"]["exitCode"]["enum"]) == codes | {0}


def test_every_field_is_documented_and_no_other() -> None:
    """The tables of docs/report.md, one for each part of the schema, in the schema's order."""
    tables = DOCUMENT.split("\n| Field | Meaning |\n")[1:]
    named = [re.findall(r"^\| `(\w+)` \|", table.split("\n\n")[0], re.MULTILINE) for table in tables]
    parts = json.loads(SCHEMA.read_text())["$defs"].values()
    assert named == [list(part["properties"]) for part in parts]


def test_the_example_is_a_real_report() -> None:
    """The one in docs/report.md is printed as it stands there."""
    [shown] = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert shown == render_json(EXAMPLE)


def test_every_report_that_is_shown_is_one() -> None:
    """In the other documents, too."""
    text = (DOCS / "exit-codes.md").read_text()
    [shown] = re.findall(r"^\{\n.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    assert read_document(shown)["exitCode"] == 2
