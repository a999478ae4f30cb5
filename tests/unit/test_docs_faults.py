"""docs/faults.md and the tests that bear a fault's number are in step."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from fedssh.errors import FedsshError

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\| (?P<number>\d+b?) \| (?P<fault>.+?) \| (?P<codes>[\d, ]+) \| (?P<text>.+?) \| (?P<tests>.+) \|")
ROWS = [found for line in (ROOT / "docs/faults.md").read_text().splitlines() if (found := ROW.fullmatch(line))]


def in_the_table() -> list[str]:
    """Return the tests of the table, as file::function."""
    named = []
    for row in ROWS:
        digits = row["number"].rstrip("b")
        prefix = f"test_fault_{int(digits):02}{row['number'][len(digits) :]}_"
        for part in row["tests"].split("; ") if row["tests"] != "none yet" else []:
            file, *names = re.findall(r"`([\w/]+)`", part)
            named += [f"{file}::{prefix}{name}" for name in names]
    return named


def in_the_tests() -> list[str]:
    """Return every test function that bears a fault's number, as file::function."""
    return [
        f"{path.relative_to(ROOT / 'tests').with_suffix('')}::{node.name}"
        for path in ROOT.glob("tests/**/test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_fault_")
    ]


def test_the_table_names_the_tests_there_are() -> None:
    """All of them, each once, and no others."""
    named, written = Counter(in_the_table()), Counter(in_the_tests())
    assert not written - named, "write these into docs/faults.md"
    assert not named - written, "these are in docs/faults.md and nowhere else"


def test_every_fault_has_one_row() -> None:
    """In order; of the later ones those that can happen already."""
    numbers = [row["number"] for row in ROWS]
    later = (*range(4, 50), *range(51, 69), *range(72, 78))
    assert numbers == ["1", "2", "3", "3b", *(str(number) for number in later)]
    assert len(ROWS) == (ROOT / "docs/faults.md").read_text().count("\n| ") - 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["number"])
def test_the_exit_codes_exist(row: re.Match[str]) -> None:
    """Those of the errors, and how a run ends without one."""
    kinds = [FedsshError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert {int(code) for code in row["codes"].split(", ")} <= {one.exit_code for one in kinds} | {0, 130, 143}
