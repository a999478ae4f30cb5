"""What KubeFed is installed from, for machines that reach no internet."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fedssh.artefacts import Chart, Download, Fetched, Image
from fedssh.engines.kubefed.kubefedctl import Tool
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.engines.kubefed.supplies import CHART_PART, UPGRADE_PART, artefacts, chart_of, images, tool_of
from fedssh.errors import StepError
from fedssh.inventory import parse_inventory
from fedssh.inventory.sources import NUTANIX, UPSTREAM
from fedssh.kubernetes.helm import Release

if TYPE_CHECKING:
    from fedssh.inventory import Inventory

SHA256 = "ab" * 32
RELEASES = "https://github.com/kubernetes-sigs/kubefed/releases/download"
FORK = "https://github.com/nutanix-cloud-native/kubefed/releases/download"
OWN_TOOL = "http://mirror/kubefedctl.tgz"
OWN_CHART = "http://mirror/chart.tgz"
DEPLOYMENT = {"repository": "quay.io/kubernetes-multicluster", "image": "kubefed", "tag": "v0.10.0"}
IMAGE = "quay.io/kubernetes-multicluster/kubefed:v0.10.0"


def inventory(**said: Any) -> Inventory:
    """Return a hosts.yaml that says this of KubeFed."""
    text = f"host: {{name: fedhost, address: h}}\nkubefed: {json.dumps(said)}\n"
    return parse_inventory(text, path=Path("hosts.yaml"))


@pytest.fixture
def chart(tmp_path: Path) -> Fetched:
    """A chart in the cache, with its own values."""
    values = yaml.safe_dump({"controllermanager": {"controller": DEPLOYMENT, "webhook": DEPLOYMENT}}).encode()
    with tarfile.open(tmp_path / "chart.tgz", "w:gz") as archive:
        member = tarfile.TarInfo("kubefed/values.yaml")
        member.size = len(values)
        archive.addfile(member, io.BytesIO(values))
    return Fetched(path=tmp_path / "chart.tgz", sha256=SHA256)


def test_the_chart_is_in_the_sources_repository() -> None:
    """Its index tells the checksum, unless hosts.yaml does."""
    repository, title = UPSTREAM.chart_repository, "KubeFed's chart 0.10.0"
    known = Chart(title=title, repository=repository, name="kubefed", version="0.10.0")
    assert chart_of(inventory().kubefed, "0.10.0") == known
    found = chart_of(inventory(source="nutanix", chart_sha256=SHA256).kubefed, "0.12.2")
    assert isinstance(found, Chart)
    assert (found.repository, found.version, found.sha256) == (NUTANIX.chart_repository, "0.12.2", SHA256)


def test_the_chart_may_be_in_another_repository_or_at_an_address() -> None:
    """Those of hosts.yaml; an address has no checksum but hosts.yaml's."""
    found = chart_of(inventory(chart_repository="http://mirror/charts", source="nutanix").kubefed, "0.9.2")
    assert isinstance(found, Chart)
    assert found.repository == "http://mirror/charts"
    for said in ({}, {"chart_sha256": SHA256}):
        found = chart_of(inventory(chart_url=OWN_CHART, **said).kubefed, "0.9.2")
        sha256 = said.get("chart_sha256", "")
        assert found == Download(title="KubeFed's chart 0.9.2", url=OWN_CHART, sha256=sha256)


def test_kubefedctl_is_in_the_sources_releases() -> None:
    """For a processor; its checksum lies beside it."""
    url = f"{RELEASES}/v0.10.0/kubefedctl-0.10.0-linux-amd64.tgz"
    known = Download(title="kubefedctl 0.10.0", url=url, checksum_url=f"{url}.sha")
    assert tool_of(inventory().kubefed, "0.10.0", "amd64") == known
    url = f"{FORK}/v0.12.2/kubefedctl-0.12.2-linux-arm64.tgz"
    found = tool_of(inventory(source="nutanix").kubefed, "0.12.2", "arm64")
    assert (found.url, found.checksum_url) == (url, f"{url}.sha")


def test_a_kubefedctl_of_ones_own_is_for_every_processor() -> None:
    """Its checksum is hosts.yaml's where that names one, and else lies beside it."""
    found = tool_of(inventory(kubefedctl_url=OWN_TOOL).kubefed, "0.10.0", "s390x")
    assert (found.url, found.sha256, found.checksum_url) == (OWN_TOOL, "", f"{OWN_TOOL}.sha")
    found = tool_of(inventory(kubefedctl_url=OWN_TOOL, kubefedctl_sha256=SHA256).kubefed, "0.10.0", "s390x")
    assert (found.url, found.sha256, found.checksum_url) == (OWN_TOOL, SHA256, "")


@pytest.mark.parametrize(
    ("said", "version", "tools"),
    [
        ({}, "0.10.0", ["tool for amd64"]),
        ({"version": "0.9.2"}, "0.9.2", ["tool for amd64"]),
        ({"source": "nutanix"}, "0.12.2", ["tool for amd64", "tool for arm64"]),
        ({"source": "nutanix", "version": "0.11.3"}, "0.11.3", ["tool for amd64", "tool for arm64"]),
        ({"source": "nutanix", "kubefedctl_url": OWN_TOOL}, "0.12.2", ["tool for amd64"]),
        ({"source": "nutanix", "kubefedctl_sha256": SHA256}, "0.12.2", ["tool for amd64"]),
        ({"kubefedctl_url": OWN_TOOL, "kubefedctl_sha256": SHA256}, "0.10.0", ["tool for amd64"]),
    ],
)
def test_everything_that_may_be_needed_is_named(said: dict[str, Any], version: str, tools: list[str]) -> None:
    """The chart first; a tool for each common processor for which it is released, and the same one once.

    A checksum is that of one tool: the others would not have it.
    """
    found = artefacts(inventory(**said))
    assert list(found) == ["chart", *tools]
    wanted = inventory(**said).kubefed
    assert found[CHART_PART] == chart_of(wanted, version)
    assert [found[name] for name in tools] == [tool_of(wanted, version, name.split()[-1]) for name in tools]


@pytest.mark.parametrize("part", [CHART_PART, UPGRADE_PART])
def test_the_images_are_the_charts(chart: Fetched, part: str) -> None:
    """For each common processor, whether kubefedctl is released for it or not; to be installed and to be upgraded."""
    for source in ("upstream", "nutanix"):
        found = images(inventory(source=source), {part: chart, "tool": chart})
        assert found == [Image(reference=IMAGE, architecture=processor) for processor in ("amd64", "arm64")]


def test_the_images_are_hosts_yamls_before(chart: Fetched) -> None:
    """By its own keys, or by the chart's values."""
    values = {"controllermanager": {"webhook": {"tag": "v3"}}}
    said = inventory(image="mirror.local/x/kubefed", image_tag="v2", values=values)
    found = [image.reference for image in images(said, {CHART_PART: chart})]
    assert list(dict.fromkeys(found)) == ["mirror.local/x/kubefed:v2", "mirror.local/x/kubefed:v3"]


def test_without_a_chart_there_are_no_images(chart: Fetched, tmp_path: Path) -> None:
    """Nothing is installed then; a file that is no chart is an error."""
    assert images(inventory(), {}) == []
    assert images(inventory(), {"tool": chart}) == []
    (tmp_path / "other").write_text("no chart")
    with pytest.raises(StepError, match="is no chart"):
        images(inventory(), {CHART_PART: Fetched(path=tmp_path / "other", sha256=SHA256)})


@pytest.mark.parametrize(("processor", "architecture"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("", "amd64")])
def test_an_empty_host_is_given_the_tool_for_its_processor_and_the_chart(processor: str, architecture: str) -> None:
    """By the names of the parts that are installed from them; the usual processor where its own is not known."""
    said = inventory(source="nutanix", artefacts="upload")
    supplies = KubeFedState(machine="fedhost", processor=processor).supplies(said)
    wanted = said.kubefed
    assert supplies == {"tool": tool_of(wanted, "0.12.2", architecture), "chart": chart_of(wanted, "0.12.2")}


def test_a_host_is_given_what_it_lacks_alone() -> None:
    """Of the version that is installed, where hosts.yaml names none; an upgrade is made from the chart."""
    release = Release(version="0.9.2", status="deployed", revision=1)
    tool = Tool(path="/usr/local/bin/kubefedctl", version="0.9.2")
    state = KubeFedState(machine="fedhost", release=release, is_running=True, serves=True, processor="x86_64")
    assert state.supplies(inventory()) == {"tool": tool_of(inventory().kubefed, "0.9.2", "amd64")}
    state = KubeFedState(machine="fedhost", release=release, is_running=True, serves=True, tools=(tool,))
    assert state.supplies(inventory()) == {}
    upgrade = state.to_upgrade().supplies(inventory())
    assert list(upgrade) == ["tool", "upgrade"]
    assert upgrade["upgrade"] == chart_of(inventory().kubefed, "0.10.0")
