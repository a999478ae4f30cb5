"""The documents say what is so: exit codes, keys, flags, targets, links, pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fedssh import errors
from fedssh.cli import namespace
from fedssh.inventory.hostsfile import HostsFile, parse_hosts_file
from tests.fakes.world import World

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
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


def rows(text: str) -> set[str]:
    """Return the names in the first column of the tables in a text."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def modules(folder: Path) -> set[str]:
    """Return the modules and packages in a folder."""
    return {path.stem for path in folder.iterdir() if path.name[0] != "_" and path.suffix in {".py", ""}}


def test_every_room_is_documented() -> None:
    """The tables of architecture.md name the modules there are: all rooms, and the files of the two largest."""
    part = ARCHITECTURE.split("## Rooms")[1].split("\n## ")[0]
    rooms, federation, kubernetes = part.split("\n### In ")
    assert rows(rooms) == modules(ROOT / "fedssh")
    assert rows(federation) == modules(ROOT / "fedssh/federation")
    assert rows(kubernetes) == modules(ROOT / "fedssh/kubernetes")


def test_every_module_and_function_of_the_walks_is_there() -> None:
    """What is named as code in the walks and under "Where does it go?" is a file, or stands in the sources."""
    sources = "\n".join(path.read_text() for path in (ROOT / "fedssh").rglob("*.py"))
    part = ARCHITECTURE.split("## Where does it go?")[1].split("\n## Connections")[0]
    named = {word for word in re.findall(r"`([\w./]+)`", part) if "tests/" not in word}
    files = {word for word in named if word.endswith((".py", "/"))}
    assert len(named) > 40
    for word in files:
        assert list((ROOT / "fedssh").glob(f"**/{word.rstrip('/')}")), word
    for word in named - files - {"engines/kubefed"}:
        assert all(re.search(rf"\b{name}\b", sources) for name in word.split(".")), word


def executions(world: World, member: str) -> tuple[int, int]:
    """Return how many executions the last run had on a member and on the host, its lock included."""
    return len(world.shells[member].runs), len(world.shells["fedhost"].runs) + len(world.shells["fedhost"].holds)


def test_the_executions_are_those_that_are_counted(world: World) -> None:
    """For every row of the table in architecture.md; a member that takes no part has none."""
    table = re.findall(r"^\| (`\w+`.*?) \| ([\d\u2013]+) \| (\d+) \|$", ARCHITECTURE, re.MULTILINE)
    told = {run: (0 if member == "\u2013" else int(member), int(host)) for run, member, host in table}
    empty = World()
    empty.prepare()
    counted = {"`prepare`, everything new": executions(empty, "member1")}
    empty.prepare()
    counted["`prepare`, nothing to do"] = executions(empty, "member1")
    empty.status()
    counted["`status`"] = executions(empty, "member1")
    world.federate("member1")
    counted["`federate`, everything new"] = executions(world, "member1")
    world.federate("member2")
    counted["`federate`, a member more, KubeFed installed"] = executions(world, "member2")
    world.federate("member1", "member2")
    counted["`federate`, nothing to do"] = executions(world, "member1")
    assert told == counted


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
