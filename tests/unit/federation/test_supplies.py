"""What is fetched for a host that reaches no internet, and which of its nodes are connected to."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fedssh.artefacts import Image, cache, find, images
from fedssh.engines import load_engine
from fedssh.engines.kubefed.kubefedctl import Tool
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import StepError, UnreachableError
from fedssh.federation.journal import Journal
from fedssh.federation.supplies import connect_nodes, supply
from fedssh.federation.wishes import Wishes
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.helm import Release
from tests.fakes.facts import facts, host, member
from tests.fakes.shells import Answer, ScriptedShell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.artefacts import Fetched
    from fedssh.federation.facts import Facts
    from fedssh.federation.report import Progress
    from fedssh.inventory import Machine

DEPLOYMENT = {"repository": "quay.io/x", "image": "kubefed", "tag": "v0.10.0"}
IMAGE = Image(reference="quay.io/x/kubefed:v0.10.0", architecture="amd64")
TOOL = (Tool(path="/usr/local/bin/kubefedctl", version="0.10.0"),)
INSTALLED = KubeFedState(
    machine="fedhost",
    release=Release(version="0.10.0", status="deployed", revision=1),
    is_running=True,
    serves=True,
    tools=TOOL,
)


@dataclass
class Site:
    """A web server with a chart and a kubefedctl, and which of them it was asked for."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def wishes(self, *, dry_run: bool = False, **said: Any) -> Wishes:
        """Return the wish that KubeFed is installed from there, by what is uploaded."""
        addresses = {"chart_url": f"{self.url}/chart.tgz", "kubefedctl_url": f"{self.url}/kubefedctl.tgz"}
        kubefed = json.dumps({"artefacts": "upload", **addresses, **said})
        nodes = "{node2: {address: n2}, node3: {address: n3}}"
        text = f"host: {{name: fedhost, address: h, nodes: {nodes}}}\nkubefed: {kubefed}\n"
        return Wishes(inventory=parse_inventory(text, path=Path("hosts.yaml")), dry_run=dry_run)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The server; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Site(folder=tmp_path / "site")
    made.folder.mkdir()
    values = yaml.safe_dump({"controllermanager": {"controller": DEPLOYMENT, "webhook": DEPLOYMENT}}).encode()
    with tarfile.open(made.folder / "chart.tgz", "w:gz") as archive:
        about = tarfile.TarInfo("kubefed/values.yaml")
        about.size = len(values)
        archive.addfile(about, io.BytesIO(values))
    (made.folder / "kubefedctl.tgz").write_text("kubefedctl")
    checksum = cache.sha256_of(made.folder / "kubefedctl.tgz")
    (made.folder / "kubefedctl.tgz.sha").write_text(f"{checksum}  kubefedctl.tgz\n")

    class Handler(SimpleHTTPRequestHandler):
        """Serves files, and notes which."""

        def log_message(self, *_: object) -> None:
            """Note what was asked."""
            made.asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(made.folder))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


def found(state: KubeFedState) -> Facts:
    """Return that the host has this of KubeFed."""
    known = host()
    return facts(member(), replace(known, state=replace(known.known, engine=state)))


def supplied(wishes: Wishes, state: KubeFedState | None = None) -> tuple[Wishes, list[Progress]]:
    """Return the wishes with what is supplied, and what was told."""
    events: list[Progress] = []
    empty = KubeFedState(machine="fedhost", processor="x86_64")
    return supply(wishes, found(state or empty), load_engine(), Journal(events.append)), events


def keep_image(image: Image = IMAGE) -> Fetched:
    """Put the archive of an image into the cache."""

    def write(path: Path) -> None:
        path.write_text("an image")

    return cache.keep(images._key(image), images._file(image), write)


def test_a_host_that_downloads_is_supplied_with_nothing(site: Site) -> None:
    """The wishes are as they were, and nobody is asked, whatever the cache holds."""
    keep_image()
    wishes = site.wishes(artefacts="download")
    assert supplied(wishes) == (wishes, [])
    assert site.asked == []


def test_what_is_missing_is_fetched_before_anything_is_changed(site: Site) -> None:
    """By the names of the parts that are installed from it; each is told. The second time it is there."""
    first, events = supplied(site.wishes())
    assert list(first.supplies) == ["tool", "chart"]
    content = {name: file.path.read_bytes() for name, file in first.supplies.items()}
    assert content == {"tool": b"kubefedctl", "chart": (site.folder / "chart.tgz").read_bytes()}
    assert [event.text for event in events if event.state == "running"] == [
        "fetching kubefedctl 0.10.0 on this computer",
        "fetching KubeFed's chart 0.10.0 on this computer",
    ]
    assert {(event.cluster, event.text) for event in events if event.state == "progressing"} == {
        ("fedhost", "0 of 0 MB")
    }
    assert site.asked == ["/kubefedctl.tgz.sha", "/kubefedctl.tgz", "/chart.tgz"]
    second, events = supplied(site.wishes())
    assert (second.supplies, second.images) == (first.supplies, ())
    assert (len(site.asked), {event.state for event in events}) == (3, {"running"})


def test_a_host_that_has_everything_is_supplied_with_nothing(site: Site) -> None:
    """Its images, too, are there: KubeFed runs."""
    keep_image()
    wishes, events = supplied(site.wishes(), INSTALLED)
    assert (wishes.supplies, wishes.images, events, site.asked) == ({}, (), [], [])


def test_pods_that_still_wait_are_supplied_with_their_images(site: Site) -> None:
    """The chart is installed, and is not uploaded again: it tells which images they are."""
    supplied(site.wishes())  # the chart is in the cache by now
    file = keep_image()
    wishes, _ = supplied(site.wishes(), replace(INSTALLED, serves=False))
    assert (wishes.supplies, wishes.images) == ({}, ((IMAGE, file),))


def test_an_upgrade_is_supplied_with_the_chart(site: Site) -> None:
    """And with its images."""
    file = keep_image()
    release = Release(version="0.9.2", status="deployed", revision=1)
    wishes, _ = supplied(site.wishes(), replace(INSTALLED, release=release).to_upgrade())
    assert (list(wishes.supplies), wishes.images) == (["upgrade"], ((IMAGE, file),))


def test_images_are_taken_where_they_have_been_fetched(site: Site) -> None:
    """No registry is asked: a host may well have one of its own."""
    assert supplied(site.wishes())[0].images == ()
    file = keep_image()
    assert supplied(site.wishes())[0].images == ((IMAGE, file),)
    file.path.write_text("damaged")
    assert supplied(site.wishes())[0].images == ()


def test_a_dry_run_fetches_nothing(site: Site) -> None:
    """It tells of what is in the cache alone."""
    keep_image()
    wishes, events = supplied(site.wishes(dry_run=True))
    assert (wishes.supplies, wishes.images, events, site.asked) == ({}, (), [], [])
    supplied(site.wishes())
    site.asked.clear()
    wishes, events = supplied(site.wishes(dry_run=True))
    assert (list(wishes.supplies), len(wishes.images)) == (["tool", "chart"], 1)
    assert (events, site.asked) == ([], [])


def test_what_cannot_be_fetched_is_the_runs_error(site: Site) -> None:
    """What was fetched before it stays for the next run."""
    (site.folder / "chart.tgz").unlink()
    with pytest.raises(StepError, match=r"cannot download .*/chart\.tgz: 404 File not found"):
        supplied(site.wishes())
    state = KubeFedState(machine="fedhost", processor="x86_64")
    assert find(state.supplies(site.wishes().inventory)["tool"])


class Nodes:
    """Machines of nodes, some of which are not reached or show a bug; and which were connected to."""

    def __init__(self, **failing: Exception) -> None:
        self.failing = failing
        self.connected: list[str] = []

    def connect(self, machine: Machine) -> ScriptedShell:
        """Connect to a machine."""
        self.connected.append(machine.name)
        if machine.name in self.failing:
            raise self.failing[machine.name]
        return ScriptedShell(machine.name, lambda _: Answer())


def test_the_hosts_other_nodes_are_connected_to(site: Site) -> None:
    """Where images are to be imported; one after the other, and each is told."""
    wishes, nodes = replace(site.wishes(), images=((IMAGE, keep_image()),)), Nodes()
    events: list[Progress] = []
    reached = connect_nodes(wishes, nodes.connect, Journal(events.append))
    assert {name: shell.name for name, shell in reached.items()} == {"node2": "node2", "node3": "node3"}
    told = [(event.cluster, event.text, event.state) for event in events]
    assert told == [("fedhost", f"connecting to {name}", "running") for name in ("node2", "node3")]


def test_without_images_no_node_is_connected_to(site: Site) -> None:
    """Nor in a dry run."""
    nodes, journal = Nodes(), Journal(lambda _: None)
    for wishes in (site.wishes(), replace(site.wishes(dry_run=True), images=((IMAGE, keep_image()),))):
        assert connect_nodes(wishes, nodes.connect, journal) == {}
    assert nodes.connected == []


def test_a_node_that_is_not_reached_is_told(site: Site) -> None:
    """It is a notice of the host's; the other one takes part. A bug is one of that node alone."""
    wishes = replace(site.wishes(), images=((IMAGE, keep_image()),))
    for error, words in ((UnreachableError("no answer", machine="node2"), "no answer"), (KeyError("x"), "a bug in")):
        nodes, journal = Nodes(node2=error), Journal(lambda _: None)
        assert list(connect_nodes(wishes, nodes.connect, journal)) == ["node3"]
        (notice,) = journal.notices["fedhost"]
        assert notice.startswith(f"its node node2 is not reached: {words}")
        assert (journal.errors, nodes.connected) == ({}, ["node2", "node3"])
