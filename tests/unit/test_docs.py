"""The documents say what is so: exit codes, keys, flags, targets, links, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fedssh import errors
from fedssh.cli import namespace
from fedssh.inventory.hostsfile import HostsFile, parse_hosts_file

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def subclasses(kind: type[errors.FedsshError]) -> set[type[errors.FedsshError]]:
    """Return a class's subclasses, at any depth."""
    direct = set(kind.__subclasses__())
    return direct.union(*(subclasses(one) for one in direct))


def test_every_exit_code_is_documented_and_no_other() -> None:
    """README's table and the headings of exit-codes.md hold the codes of the errors, and 0, 1 and 130."""
    codes = {0, 1, 130} | {one.exit_code for one in subclasses(errors.FedsshError)}
    table = README[README.index("## Exit codes") : README.index("## Security")]
    assert {int(one) for one in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} >= codes
    headings = re.findall(r"^##+ (\d+)", (ROOT / "docs/exit-codes.md").read_text(), re.MULTILINE)
    assert {int(one) for one in headings} >= codes


def test_every_key_of_hosts_yaml_is_documented_and_no_other() -> None:
    """The tables of README name the keys of the schema."""
    schema = HostsFile.model_json_schema()["$defs"]
    keys = {key for section in schema.values() for key in section["properties"]}
    part = README[README.index("## What hosts.yaml can say") : README.index("## What happens")]
    tables = [
        part[found.end() :].split("\n\n")[0] for found in re.finditer(r"^\| Key \| Meaning \|\n", part, re.MULTILINE)
    ]
    named = {one for table in tables for one in re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)}
    assert named == keys


def test_every_verb_and_flag_is_documented() -> None:
    """README knows what the command line knows."""
    for name in namespace.task_names:
        assert f"fedssh {name}" in README
        for flag in namespace[name].get_arguments():
            long, *shorts = flag.names
            assert f"--{long}" in README or any(f"-{short} " in README for short in shorts)


def test_every_inventory_shown_is_one() -> None:
    """What README shows as hosts.yaml loads, and so does the one at the top."""
    shown = [one for one in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "host:" in one]
    assert shown
    for text in [*shown, (ROOT / "hosts.yaml").read_text()]:
        parse_hosts_file(text, source="hosts.yaml")


def test_every_room_is_documented() -> None:
    """The table of architecture.md names the modules there are."""
    table = (ROOT / "docs/architecture.md").read_text().split("## Rooms")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if line[:3] == "| `")))
    found = {
        one.stem for one in (ROOT / "fedssh").iterdir() if not one.name.startswith("_") and one.suffix in {".py", ""}
    }
    assert named == found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_targets_and_links_lead_somewhere(document: Path) -> None:
    """Every make target that a document names exists, and every relative link."""
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in re.findall(r"`make ([a-z-]+)", text):
        assert command in targets
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/*.svg")), ids=lambda one: one.name)
def test_pictures_fetch_nothing(picture: Path) -> None:
    """Whoever looks at a picture tells nobody."""
    assert not re.search(r"url\(\s*[\"']?http|@font-face|href=\"http", picture.read_text())
