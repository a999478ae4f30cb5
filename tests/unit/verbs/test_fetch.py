"""``fetch``: everything that a host without internet is given, from a server on loopback."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import yaml

from fedssh.artefacts import find
from fedssh.engines import load_engine
from fedssh.errors import StepError
from fedssh.federation.wishes import Wishes
from fedssh.inventory import parse_inventory
from fedssh.verbs import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.federation.report import Progress, Report
    from fedssh.inventory import Inventory, Machine

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DEPLOYMENT = {"repository": "quay.io/x", "image": "kubefed", "tag": "v1"}
TOOL, CHART, IMAGE = "/kubefedctl.tgz", "/charts/kubefed-0.12.2.tgz", "/v2/team/kubefed/manifests/v1"


def digest_of(content: bytes) -> str:
    """Return how a registry calls a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def chart(deployment: object = DEPLOYMENT) -> bytes:
    """Return a chart's archive."""
    values = yaml.safe_dump({"controllermanager": {"controller": deployment, "webhook": deployment}}).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("kubefed/values.yaml")
        member.size = len(values)
        archive.addfile(member, io.BytesIO(values))
    return packed.getvalue()


@dataclass
class Site:
    """A server that is a Helm repository, a place for downloads, and a registry.

    Attributes:
        cache: The folder of the laptop's cache.
        host: Its address and port.
        files: What it has, by path: a kind, and a content.
        asked: Which paths it was asked for.
        events: What the last run has told.
    """

    cache: Path
    host: str = ""
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    events: list[Progress] = field(default_factory=list)

    def fill(self) -> None:
        """Have everything."""
        archive, tool = chart(), b"kubefedctl"
        entry = {"version": "0.12.2", "digest": digest_of(archive)[7:], "urls": [CHART.rpartition("/")[2]]}
        config, layer = b"{}", b"a layer"
        about = [{"digest": digest_of(blob), "size": len(blob)} for blob in (config, layer)]
        manifest = json.dumps({"config": about[0], "layers": about[1:]}).encode()
        platforms = [{"os": "linux", "architecture": processor} for processor in ("amd64", "arm64")]
        index = {"manifests": [{"digest": digest_of(manifest), "platform": platform} for platform in platforms]}
        said = {
            "/charts/index.yaml": yaml.safe_dump({"entries": {"kubefed": [entry]}}).encode(),
            CHART: archive,
            TOOL: tool,
            f"{TOOL}.sha": digest_of(tool)[7:].encode(),
            "/v2/": b"{}",
            **{f"/v2/team/kubefed/blobs/{digest_of(blob)}": blob for blob in (config, layer)},
        }
        self.files = {path: ("text/plain", content) for path, content in said.items()}
        self.files[IMAGE] = (INDEX, json.dumps(index).encode())
        self.files[f"/v2/team/kubefed/manifests/{digest_of(manifest)}"] = (MANIFEST, manifest)

    def list_images(self, *processors: str) -> None:
        """Have the image for these processors alone."""
        kind, index = self.files[IMAGE]
        (digest, *_) = [entry["digest"] for entry in json.loads(index)["manifests"]]
        platforms = [{"os": "linux", "architecture": processor} for processor in processors]
        listed = {"manifests": [{"digest": digest, "platform": platform} for platform in platforms]}
        self.files[IMAGE] = (kind, json.dumps(listed).encode())

    def inventory(self, **said: Any) -> Inventory:
        """Return a hosts.yaml whose KubeFed is the fork's, from here, unless it says otherwise."""
        here = {"chart_repository": f"http://{self.host}/charts", "kubefedctl_url": f"http://{self.host}{TOOL}"}
        kubefed = {"source": "nutanix", "image": f"{self.host}/team/kubefed", "image_tag": "v1", **here, **said}
        text = f"host: {{name: fedhost, address: h}}\nkubefed: {json.dumps(kubefed)}\n"
        return parse_inventory(text, path=Path("hosts.yaml"))

    def run(self, *, with_images: bool = False, **said: Any) -> Report:
        """Fetch what that KubeFed is installed from."""
        self.asked.clear()
        self.events.clear()
        wishes = Wishes(inventory=self.inventory(**said), with_images=with_images)
        report = fetch.run(wishes, connect=nobody, report=self.events.append)
        assert (report.verb, report.engine, report.clusters, report.has_table) == ("fetch", "kubefed", (), False)
        return report

    @property
    def kept(self) -> list[str]:
        """The names of the files in the cache."""
        return sorted(path.name for path in self.cache.glob("*/*") if path.name[0] != ".")

    def told(self, state: str) -> list[str]:
        """Return what was told of a kind."""
        assert {event.cluster for event in self.events} <= {"this computer"}
        return [event.text for event in self.events if event.state == state]


def nobody(machine: Machine) -> NoReturn:
    """Connect to nobody."""
    raise AssertionError(machine)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The server; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = Site(tmp_path / "fedssh")
    made.fill()

    class Handler(BaseHTTPRequestHandler):
        """Gives what ``made`` has."""

        def do_GET(self) -> None:
            """Answer."""
            made.asked.append(self.path)
            kind, content = made.files.get(self.path, ("", b""))
            self.send_response(200 if kind else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.host = f"127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


def test_chart_and_tool_are_fetched(site: Site) -> None:
    """It is told what is begun, how far it is, and what is there; at the end, where it lies. No registry is asked."""
    report = site.run()
    assert (report.exit_code, report.error) == (0, None)
    assert report.summary == f"2 files for KubeFed are in {site.cache}"
    assert site.kept == ["kubefed-0.12.2.tgz", "kubefedctl.tgz"]
    things = ["KubeFed's chart 0.12.2", "kubefedctl 0.12.2"]
    assert site.told("running") == [f"fetching {thing}" for thing in things]
    assert site.told("confirmed") == [f"{thing} is there" for thing in things]
    assert set(site.told("progressing")) == {"0 of 0 MB"}
    assert site.asked == ["/charts/index.yaml", CHART, f"{TOOL}.sha", TOOL]


def test_images_are_fetched_where_they_are_wanted(site: Site) -> None:
    """Those of hosts.yaml, or of the chart, for each common processor."""
    report = site.run(with_images=True)
    assert (report.exit_code, report.summary) == (0, f"4 files for KubeFed are in {site.cache}")
    assert site.kept == [
        "kubefed-0.12.2.tgz",
        "kubefed-v1-amd64.tar",
        "kubefed-v1-arm64.tar",
        "kubefedctl.tgz",
    ]
    named = [f"the image {site.host}/team/kubefed:v1 ({processor})" for processor in ("amd64", "arm64")]
    assert site.told("confirmed")[2:] == [f"{name} is there" for name in named]
    assert site.asked.count(IMAGE) == 2


@pytest.mark.parametrize("there", ["amd64", "arm64"])
def test_an_image_that_is_there_for_one_processor_is_fetched_for_that(site: Site, there: str) -> None:
    """Which is told; it counts once, and the next run says the same. KubeFed's own project has made amd64's alone."""
    site.list_images(there)
    for _ in range(2):
        report = site.run(with_images=True, source="upstream", version="0.12.2")
        assert (report.exit_code, report.summary) == (0, f"3 files for KubeFed are in {site.cache}")
        assert site.kept == ["kubefed-0.12.2.tgz", f"kubefed-v1-{there}.tar", "kubefedctl.tgz"]
        name = f"the image {site.host}/team/kubefed:v1"
        assert site.told("confirmed")[2:] == [f"{name} ({there}) is there", f"{name} is there for {there} only"]


def test_what_was_fetched_is_enough_for_a_computer_that_is_offline(site: Site) -> None:
    """The registry is not reached any more; for which processors its image is there was seen before."""
    site.list_images("amd64")
    assert site.run(with_images=True).exit_code == 0
    site.files.clear()
    report = site.run(with_images=True)
    assert (report.exit_code, report.summary) == (0, f"3 files for KubeFed are in {site.cache}")
    assert site.asked == [IMAGE]  # whether there is one for arm64 by now


def test_an_image_that_is_there_for_no_processor_is_the_runs_error(site: Site) -> None:
    """Nothing is told of it that is not so."""
    site.list_images("s390x")
    report = site.run(with_images=True)
    assert isinstance(report.error, StepError)
    assert (report.exit_code, len(site.told("confirmed"))) == (3, 2)
    named = f"the image {site.host}/team/kubefed:v1 (amd64)"
    assert report.error.message == f"cannot fetch {named}: there is none for linux/amd64"


def test_every_image_has_processors_of_its_own(site: Site) -> None:
    """One that is there for both is no excuse for one that is there for none."""
    values = {"controllermanager": {"webhook": {"tag": "v2"}}}
    site.files[IMAGE.replace("v1", "v2")] = (INDEX, b'{"manifests": []}')
    report = site.run(with_images=True, values=values)
    assert report.error
    assert "kubefed:v2 (amd64): there is none" in report.error.message


def test_a_chart_that_names_no_images_is_an_error_where_they_are_wanted(site: Site) -> None:
    """Nobody is to believe that they were fetched."""
    site.files["/other"] = ("text/plain", chart({"replicas": 1}))
    said: dict[str, Any] = {"chart_url": f"http://{site.host}/other", "chart_repository": None}
    said |= {"image": None, "image_tag": None}
    assert site.run(**said).exit_code == 0
    report = site.run(with_images=True, **said)
    assert isinstance(report.error, StepError)
    assert (report.exit_code, report.error.step, report.summary) == (3, "fetch", "")
    assert report.error.message == "what KubeFed is installed from names no images"
    assert report.error.hint == "Name them in hosts.yaml, or fetch without --images."


def test_what_is_there_is_not_fetched_again(site: Site) -> None:
    """The report is the same, and nobody is asked; what has been damaged is fetched alone."""
    first = site.run(with_images=True)
    site.files.clear()
    assert site.run(with_images=True).summary == first.summary
    assert (site.asked, len(site.told("confirmed"))) == ([], 4)
    site.fill()
    next(site.cache.glob("*/kubefedctl.tgz")).write_text("damaged")
    assert site.run(with_images=True).exit_code == 0
    assert site.asked == [f"{TOOL}.sha", TOOL]


def test_what_is_fetched_is_what_a_host_is_given(site: Site) -> None:
    """By the engine's own words for what it lacks: nothing is left to be fetched when it is prepared."""
    site.run(with_images=True)
    engine = load_engine()
    supplies = {name: find(wanted) for name, wanted in engine.artefacts(site.inventory()).items()}
    assert None not in supplies.values()
    images = engine.images(site.inventory(), {name: file for name, file in supplies.items() if file})
    assert len([image for image in images if find(image)]) == len(images) == 2


@pytest.mark.parametrize(
    ("missing", "kept", "words"),
    [
        ("/charts/index.yaml", [], "cannot download"),
        (f"{TOOL}.sha", ["kubefed-0.12.2.tgz"], "cannot download"),
        (IMAGE, ["kubefed-0.12.2.tgz", "kubefedctl.tgz"], "cannot fetch the image"),
    ],
)
def test_what_cannot_be_fetched_is_the_runs_error(site: Site, missing: str, kept: list[str], words: str) -> None:
    """What was fetched before it stays, and the next run goes on from there."""
    gone = site.files.pop(missing)
    report = site.run(with_images=True)
    assert isinstance(report.error, StepError)
    assert (report.exit_code, report.summary, site.kept) == (3, "", kept)
    assert words in report.error.message
    assert len(site.told("confirmed")) == len(kept)
    site.files[missing] = gone
    assert site.run(with_images=True).exit_code == 0
    assert len(site.kept) == 4


def test_a_file_that_is_no_chart_names_no_images(site: Site) -> None:
    """Without images it is none of ``fetch``'s business what the file is."""
    site.files["/other"] = ("text/plain", b"no chart")
    said: dict[str, Any] = {"chart_url": f"http://{site.host}/other", "chart_repository": None}
    assert site.run(**said).exit_code == 0
    report = site.run(with_images=True, **said)
    assert report.error
    assert (report.exit_code, "is no chart" in report.error.message) == (3, True)
