"""The documents say what is so: exit codes, keys, flags, targets, links, pictures."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from docs.manual import PAGE, render_manual
from fedssh import errors
from fedssh.cli.help import render_help, render_verb_help
from fedssh.cli.tasks import TASKS
from fedssh.inventory import load_inventory, parse_inventory
from fedssh.inventory.hostsfile import HostsFile, parse_hosts_file
from tests.fakes.world import World

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()
COMMANDS = (ROOT / "docs/commands.md").read_text()
HOSTS_YAML = (ROOT / "docs/hosts-yaml.md").read_text()
EXAMPLE = ROOT / "docs/hosts.example.yaml"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
INVENTORIES = [
    (document, shown)
    for document in DOCUMENTS
    for shown in re.findall(r"```yaml\n(.*?)```", document.read_text(), re.DOTALL)
    if "host:" in shown
]
LONGEST_README = 120


def subclasses(kind: type[errors.FedsshError]) -> set[type[errors.FedsshError]]:
    """Return a class's subclasses, at any depth."""
    direct = set(kind.__subclasses__())
    return direct.union(*(subclasses(one) for one in direct))


def keys_of_hosts_yaml() -> set[str]:
    """Return the keys that the schema knows in all sections."""
    return {key for section in HostsFile.model_json_schema()["$defs"].values() for key in section["properties"]}


def test_readme_is_short() -> None:
    """What a newcomer does not need is in docs/."""
    assert len(README.splitlines()) <= LONGEST_README


def test_every_exit_code_is_documented_and_no_other() -> None:
    """The table and the headings of exit-codes.md hold the codes of the errors, and 0, 1, 130 and 143."""
    codes = {0, 1, 130, 143} | {one.exit_code for one in subclasses(errors.FedsshError)}
    text = (ROOT / "docs/exit-codes.md").read_text()
    assert {int(one) for one in re.findall(r"^\| \[(\d+)\]\(#", text, re.MULTILINE)} == codes
    assert {int(one) for one in re.findall(r"^##+ (\d+)", text, re.MULTILINE)} == codes


def test_every_key_of_hosts_yaml_is_documented_and_no_other() -> None:
    """The tables of hosts-yaml.md name the keys of the schema."""
    tables = [
        HOSTS_YAML[found.end() :].split("\n\n")[0]
        for found in re.finditer(r"^\| Key \| Meaning \|\n", HOSTS_YAML, re.MULTILINE)
    ]
    named = {one for table in tables for one in re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)}
    assert named == keys_of_hosts_yaml()


def test_every_verb_and_flag_is_documented() -> None:
    """commands.md knows what the command line knows."""
    for name, task in TASKS.items():
        assert f"| `fedssh {name}" in COMMANDS
        for flag in task.get_arguments():
            for one in flag.names:
                written = f"--{one}" if len(one) > 1 else f"-{one}"
                assert re.search(rf"`{written}[ `]", COMMANDS), written


def test_every_help_that_is_shown_is_real() -> None:
    """The program's in README, and each verb's in commands.md, as 80 columns show it."""
    shown = {}
    for document in DOCUMENTS:
        for verb, text in re.findall(r"```console\n\$ fedssh (\w* ?)--help\n(.*?)```", document.read_text(), re.DOTALL):
            name = verb.strip()
            assert text == (render_verb_help(TASKS[name].verb, 80) if name else render_help(80)), document
            shown[name, document.name] = text
    assert shown.keys() >= {("", "README.md"), *((name, "commands.md") for name in TASKS)}


def test_the_man_page_is_that_of_the_table() -> None:
    """docs/manual.py makes it; what would be man(7)'s own commands is written out."""
    assert PAGE.read_text() == render_manual()
    assert not re.search(r"(?m)^['.](?!TH|SH|SS|TP|PP|B |I |RS|RE|BR)", render_manual())
    for task in TASKS.values():
        assert f".SS {task.verb.name}\n" in render_manual()


def test_the_wheel_has_the_man_page_and_the_types() -> None:
    """What the build is told to put into it is there."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {PAGE.relative_to(ROOT).as_posix(): "share/man/man1/fedssh.1"}
    assert (ROOT / "fedssh/py.typed").exists()


@pytest.mark.parametrize("shown", INVENTORIES, ids=lambda one: one.name if isinstance(one, Path) else "")
def test_every_inventory_shown_is_one(shown: tuple[Path, str]) -> None:
    """What the documents show as hosts.yaml loads."""
    document, text = shown
    parse_hosts_file(text, source=document.name)


def test_the_newcomers_documents_show_an_inventory() -> None:
    """README and hosts-yaml.md do."""
    assert {document.name for document, _ in INVENTORIES} >= {"README.md", "hosts-yaml.md"}


def test_the_example_is_for_clusters_of_ones_own() -> None:
    """It loads, and installs what is installed without its section ``kubefed``; it shows every key there is."""
    text = EXAMPLE.read_text()
    parse_hosts_file(text, source=EXAMPLE.name)
    inventory = load_inventory(EXAMPLE)
    assert len(inventory.members) > 1
    assert inventory.kubefed == parse_inventory("host: {name: h, address: a}\n", path=EXAMPLE).kubefed
    assert set(re.findall(r"^ *(?:# )?(\w+):(?: |$)", text, re.MULTILINE)) >= keys_of_hosts_yaml()


def test_the_labs_inventory_says_what_it_is() -> None:
    """In its first line, with what to take instead; and it loads."""
    path = ROOT / "hosts.yaml"
    first, second, *_ = path.read_text().splitlines()
    assert "lab" in first
    assert "fedssh init" in first
    assert str(EXAMPLE.relative_to(ROOT)) in first
    assert second.startswith("# yaml-language-server: $schema=")
    assert load_inventory(path).members


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
    world.rotate("member1")
    counted["`rotate`"] = executions(world, "member1")
    assert told == counted


def anchors(text: str) -> set[str]:
    """Return what links can name in a document: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.name)
def test_targets_and_links_lead_somewhere(document: Path) -> None:
    """Every make target that a document names exists, and every relative link."""
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in re.findall(r"`make ([a-z-]+)", text):
        assert command in targets
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        linked = document.parent / link if link else document
        assert linked.exists(), link
        assert not anchor or anchor in anchors(linked.read_text()), f"{link}#{anchor}"


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/*.svg")), ids=lambda one: one.name)
def test_pictures_fetch_nothing(picture: Path) -> None:
    """Whoever looks at a picture tells nobody."""
    assert not re.search(r"url\(\s*[\"']?http|@font-face|href=\"http", picture.read_text())
