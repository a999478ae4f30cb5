"""Answers of kubectl's that no honest cluster gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.errors import StepError
from fedssh.kubernetes.kubectl import (
    check_version,
    explain,
    find_item,
    has_lost_context,
    parse_items,
    parse_json,
    parse_object,
    render_list,
)
from tests.fakes.machine_output import LONG, MANY_DIGITS, answers, damaged_text, repeated, soon, versions
from tests.fakes.shells import result

SECRET: dict[str, Any] = {"kind": "Secret", "metadata": {"name": "a", "uid": "1"}, "data": {"token": "eA=="}}
FORBIDDEN = 'Error from server (Forbidden): User "x" cannot get resource "secrets" in API group ""\n'


@given(answers(SECRET, {"kind": "List", "items": [SECRET, SECRET]}))
def test_no_json_breaks_what_reads_objects(printed: str) -> None:
    """They are mappings with metadata and a name, which can be looked at and sent again; or there is an error."""
    try:
        items = parse_items(result(printed), machine="m", step="s")
    except StepError:
        return
    for item in items:
        name = item["metadata"]["name"]
        assert isinstance(name, str)
        assert name.isprintable()
        assert 0 < len(name) <= 253
        find_item(items, "Secret", name)
    assert json.loads(render_list(items), parse_constant=pytest.fail)["items"] == items


@pytest.mark.parametrize("name", [None, 5, "", [], {}, True, ["a"], "\x1b[31m", "a\nb", "x" * 254])
def test_an_object_without_a_name_is_no_item(name: object) -> None:
    """A name is printable text of a length that Kubernetes allows."""
    other = {"metadata": {"name": name}}
    listed = json.dumps({"items": [other, SECRET]})
    assert parse_items(result(listed), machine="m", step="s") == [SECRET]
    assert parse_items(result(json.dumps(other)), machine="m", step="s") == []


def deep(levels: int, *, before: str = '{"a":', after: str = "}") -> str:
    """Return a document of so many levels."""
    return before * levels + "{}" + after * levels


@pytest.mark.parametrize(
    "value",
    [
        *(MANY_DIGITS, f"-{MANY_DIGITS}", "9" * 400, "NaN", "Infinity", "-Infinity", "1e999", "-1e999"),
        *(deep(100), deep(500), deep(500, before="[", after="]"), deep(100_000)),
    ],
    ids=lambda value: value[:20],
)
def test_json_that_breaks_who_looks_at_it_is_a_failed_step(value: str) -> None:
    """Numbers that Python does not read, or JSON cannot say again; levels that a recursion would not survive."""
    with pytest.raises(StepError, match="did not print a JSON object"):
        parse_object(result(f'{{"a": {value}}}'), machine="m", step="s")


@pytest.mark.parametrize("value", ["-9223372036854775808", "18446744073709551615", "1.5", "1e300", deep(90), '"NaN"'])
def test_json_that_a_cluster_may_print_is_read(value: str) -> None:
    """Numbers of 64 bits, and more levels than any object has."""
    assert parse_json(f'{{"a": {value}}}') == {"a": json.loads(value)}


@pytest.mark.parametrize(
    "piece", ["[", "{}", "[[],", '{"a":', "9", "9,", '"', "\\", " ", '{"metadata":{"name":"a"}},'], ids=repr
)
@pytest.mark.parametrize(("before", "after"), [("", ""), ('{"items": [', "0]}")], ids=["alone", "items"])
def test_a_long_document_takes_no_long_time(before: str, piece: str, after: str) -> None:
    """Two megabytes, valid or not."""
    with soon(2):
        try:
            parse_items(result(before + repeated(piece) + after), machine="m", step="s")
        except StepError as error:
            told = str(error)
        else:
            told = ""
    assert len(told) < 100


@given(st.one_of(versions(), versions().map(lambda said: json.dumps({"clientVersion": {"gitVersion": said}}))))
def test_no_version_breaks_the_check(said: str) -> None:
    """One that cannot be read is let through; a kubectl that is too old is one that says so."""
    try:
        check_version(result(said), machine="m", step="s")
    except StepError as error:
        told = str(error)
    else:
        return
    assert "and fedssh needs 1.19 or newer" in told


def test_a_version_of_many_digits_is_let_through() -> None:
    """It is none."""
    for said in (f"v1.{MANY_DIGITS}", f"v{MANY_DIGITS}.1", "v1.18" + "0" * LONG):
        check_version(result(json.dumps({"gitVersion": said})), machine="m", step="s")


@given(damaged_text(FORBIDDEN * 3))
def test_no_words_break_an_explanation(stderr: str) -> None:
    """Whatever kubectl says."""
    error = explain(result(code=1, stderr=stderr), machine="m", step="s")
    assert len(error.hint) < 5000
    assert error.hint.isprintable()
    has_lost_context(stderr)


def test_many_missing_rights_are_cut() -> None:
    """Ten are named."""
    denied = "".join(FORBIDDEN.replace("secrets", f"thing{number}") for number in range(20_000))
    with soon():
        error = explain(result(code=1, stderr=denied), machine="m", step="s")
    assert "get thing9, …: fedssh needs" in error.hint
    assert "thing10" not in error.hint


@pytest.mark.parametrize(
    "piece",
    ["cannot ", "cannot a", 'cannot a resource "', 'context "', '"', "a", "(Forbidden)", "\x1b", "\n"],
    ids=repr,
)
def test_a_long_complaint_takes_no_long_time(piece: str) -> None:
    """It is searched once, and quoted in part."""
    words = "(Forbidden)" + repeated(piece)
    with soon():
        error = explain(result(code=1, stderr=words), machine="m", step="s")
        has_lost_context(words)
        check_version(result(repeated('"gitVersion": "')), machine="m", step="s")
    assert len(str(error)) + len(error.hint) < 6000
