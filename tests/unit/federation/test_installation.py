"""The installation of the engine: its parts on the host, its images on nodes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.artefacts import Fetched, Image
from fedssh.engines import load_engine
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import FedsshError, StepError, UnreachableError
from fedssh.federation.installation import install
from fedssh.federation.journal import Journal
from fedssh.federation.steps import ImportImages, Install
from fedssh.federation.wishes import Wishes
from fedssh.inventory import parse_inventory
from tests.fakes.facts import host
from tests.fakes.shells import Answer, ScriptedShell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.federation.report import Progress
    from fedssh.shell import Command

NAME = "quay.io/x/kubefed:v0.10.0"
OTHER = "quay.io/x/kubefed:own"
NODES = ("fedhost", "node2", "node3")
LIST, GIVE, COUNT = "list of images", "import of an image", "kubectl get"
STATE = KubeFedState(machine="fedhost", processor="x86_64")
INVENTORY = parse_inventory(
    "host: {name: fedhost, address: h}\nkubefed: {artefacts: upload, chart_url: 'http://c/chart.tgz'}\n",
    path=Path("hosts.yaml"),
)
FAILED = Answer(code=1, stderr="no space left on device")
UNKNOWN = Answer(code=92, stderr="neither containerd (ctr) nor k3s was found")


@dataclass
class Machines:
    """The host's machine and its nodes.

    Attributes:
        folder: Where the laptop's files lie.
        has: What a node answers when it is asked for its images; amd64 and nothing unless said otherwise.
        failing: Answers, or errors that are raised, by a machine and a command's title.
        events: What was told.
    """

    folder: Path
    has: dict[str, str] = field(default_factory=dict)
    failing: Mapping[tuple[str, str], Answer | FedsshError] = field(default_factory=dict)
    events: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shells = {name: ScriptedShell(name, partial(self._answer, name)) for name in NODES}
        self.journal = Journal(self.events.append)

    def file(self, content: str) -> Fetched:
        """Return a file of the laptop's."""
        path = self.folder / content
        path.write_text(content)
        return Fetched(path=path, sha256=hashlib.sha256(content.encode()).hexdigest())

    def install(
        self,
        *steps: ImportImages | Install,
        images: Sequence[str] = (NAME,),
        reached: Sequence[str] = NODES,
        supplies: Sequence[str] = (),
    ) -> Journal:
        """Install, with images for two processors and supplies for some parts."""
        archives = tuple(
            (Image(reference=name, architecture=processor), self.file(f"{name[-3:]}-{processor}.tar"))
            for name in images
            for processor in ("amd64", "arm64")
        )
        files = {name: self.file(name) for name in supplies}
        known = replace(host().known, engine=STATE)
        wishes = Wishes(inventory=INVENTORY, supplies=files, images=archives)
        machines = {name: shell for name, shell in self.shells.items() if name in reached}
        install(steps, machines, wishes=wishes, host=known, engine=load_engine(), journal=self.journal)
        return self.journal

    def titles(self, name: str) -> list[str]:
        """Return what was run on a machine."""
        return [command.title for run in self.shells[name].runs for command in run]

    def uploads(self, name: str) -> list[str]:
        """Return what was uploaded to a machine."""
        return self.shells[name].uploads

    def _answer(self, name: str, command: Command) -> Answer:
        failing = self.failing.get((name, command.title))
        if isinstance(failing, FedsshError):
            raise failing
        answers = {
            LIST: Answer(self.has.get(name, "x86_64\n")),
            COUNT: Answer("".join(f"node/{node}\n" for node in NODES)),
            "installation of kubefedctl": Answer('version.Info{Version:"v0.10.0"}\n'),
        }
        return failing or answers.get(command.title, Answer())


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """Three nodes of amd64 that have no images, all of which are reached."""
    return Machines(tmp_path)


def parts(*names: str) -> list[Install]:
    """Return the steps that install parts, in their order."""
    missing = STATE.missing(INVENTORY)
    return [Install(cluster="fedhost", why=part.why, part=part) for part in missing if part.name in names]


def importing(*nodes: str, images: Sequence[str] = (NAME,)) -> ImportImages:
    """Return the step that imports images."""
    return ImportImages(cluster="fedhost", why="x", images=tuple(images), nodes=nodes or NODES)


def test_parts_are_installed_in_their_order(machines: Machines) -> None:
    """What is supplied is uploaded before its part; each is told, and entered where it has changed something."""
    journal = machines.install(*parts("tool", "chart", "rollout"), supplies=("tool", "chart"))
    assert journal.changes["fedhost"] == ["installed kubefedctl 0.10.0", "installed KubeFed 0.10.0"]
    assert machines.uploads("fedhost") == ["tool", "chart"]
    titles = machines.titles("fedhost")
    assert titles[0] == "installation of kubefedctl"
    assert titles[1:4] == ["making of KubeFed's configuration", "helm install", "rm -f"]
    assert titles[4:] == ["kubectl rollout"] * 2
    running = ["installing kubefedctl", "installing KubeFed", "waiting for KubeFed to serve"]
    assert [event.text for event in machines.events if event.state == "running"] == running
    assert {event.text for event in machines.events if event.state == "progressing"} == {"uploading, 0 of 0 MB"}
    assert {event.cluster for event in machines.events} == {"fedhost"}


def test_a_part_without_a_supply_is_downloaded_there(machines: Machines) -> None:
    """Nothing is uploaded for it; it may be another one that is."""
    machines.install(*parts("tool", "chart"), supplies=("tool",))
    assert machines.uploads("fedhost") == ["tool"]
    runs = machines.shells["fedhost"].runs
    assert any("http://c/chart.tgz" in command.line for run in runs for command in run)
    assert "rm -f" not in machines.titles("fedhost")


@pytest.mark.parametrize("title", ["making of KubeFed's configuration", "helm install"])
def test_a_part_that_fails_ends_the_installation(machines: Machines, title: str) -> None:
    """Its later stages are not run, nor are later parts; what is done is entered."""
    machines.failing = {("fedhost", title): FAILED}
    with pytest.raises(StepError, match="no space left on device"):
        machines.install(*parts("tool", "chart", "rollout"), supplies=("tool", "chart"))
    assert machines.journal.changes["fedhost"] == ["installed kubefedctl 0.10.0"]
    assert machines.titles("fedhost")[-1] == title


def test_the_images_that_a_node_lacks_are_imported(machines: Machines) -> None:
    """Those for its processor; a node that has them is given nothing, and is not named."""
    machines.has = {"fedhost": f"x86_64\n{NAME}\n", "node2": "aarch64\nquay.io/y:1\n", "node3": f"x86_64\n{OTHER}\n"}
    journal = machines.install(importing(images=(NAME, OTHER)), images=(NAME, OTHER))
    assert machines.uploads("fedhost") == ["own-amd64.tar"]
    assert machines.uploads("node2") == ["0.0-arm64.tar", "own-arm64.tar"]
    assert machines.uploads("node3") == ["0.0-amd64.tar"]
    assert machines.titles("node2") == [LIST, GIVE, GIVE]
    assert journal.changes["fedhost"] == [f"imported {NAME}, {OTHER} on fedhost, node2, node3"]
    assert (journal.notices, journal.errors) == ({}, {})
    begun = [event.text for event in machines.events if event.state == "running"]
    assert begun == [f"importing images on {name}" for name in NODES]


def test_what_is_imported_is_what_was_uploaded(machines: Machines) -> None:
    """By its path there, and by its checksum."""
    machines.install(importing("node2"))
    sha256 = machines.file("0.0-amd64.tar").sha256
    line = machines.shells["node2"].runs[1][0].line
    assert line.endswith(f"sh /root/.cache/fedssh/{sha256} {sha256}")


def test_nodes_that_have_all_images_are_no_change(machines: Machines) -> None:
    """Only the one that lacks something is named."""
    machines.has = dict.fromkeys(NODES, f"x86_64\n{NAME}\n")
    journal = machines.install(importing())
    assert (journal.changes, journal.notices) == ({}, {})
    assert [machines.uploads(name) for name in NODES] == [[], [], []]
    machines.has["node3"] = "x86_64\n"
    assert machines.install(importing()).changes["fedhost"] == [f"imported {NAME} on node3"]


@pytest.mark.parametrize("title", [LIST, GIVE])
@pytest.mark.parametrize("error", [FAILED, UnreachableError("no answer", machine="node2")])
def test_another_node_that_fails_is_told_and_left_out(
    machines: Machines, title: str, error: Answer | FedsshError
) -> None:
    """The others are given the images, and the parts are installed; its pods may find a registry."""
    machines.failing = {("node2", title): error}
    journal = machines.install(importing(), *parts("tool"), supplies=("tool",))
    assert journal.changes["fedhost"] == [f"imported {NAME} on fedhost, node3", "installed kubefedctl 0.10.0"]
    (failed,) = journal.notices["fedhost"]
    assert failed.startswith("its node node2 has not got the images: ")
    assert ("no answer" if isinstance(error, FedsshError) else "no space left on device") in failed
    assert journal.errors == {}


@pytest.mark.parametrize("name", NODES)
def test_a_node_whose_runtime_is_not_known_is_told_what_it_needs(machines: Machines, name: str) -> None:
    """The host's own machine, too: that ends nothing. The others are given the images, and the parts are installed."""
    machines.failing = {(name, LIST): UNKNOWN}
    images = (NAME, OTHER)
    journal = machines.install(importing(images=images), *parts("tool"), images=images, supplies=("tool",))
    (text,) = journal.notices["fedhost"]
    assert text == f"{name} has no container runtime that is known here: give it {NAME}, {OTHER} by hand"
    others = ", ".join(node for node in NODES if node != name)
    assert journal.changes["fedhost"] == [f"imported {NAME}, {OTHER} on {others}", "installed kubefedctl 0.10.0"]
    assert (journal.errors, LIST in machines.titles(name), GIVE in machines.titles(name)) == ({}, True, False)


def test_a_host_whose_connection_is_lost_ends_the_installation(machines: Machines) -> None:
    """No other node is looked at, and no part is installed."""
    machines.failing = {("fedhost", GIVE): UnreachableError("no answer", machine="fedhost")}
    with pytest.raises(UnreachableError, match="no answer"):
        machines.install(importing(), *parts("tool"))
    assert (machines.journal.changes, machines.titles("node2"), machines.titles("fedhost")) == ({}, [], [LIST, GIVE])


def test_a_host_that_takes_no_image_is_told_and_gone_on_with(machines: Machines) -> None:
    """Its pods may find a registry all the same: the wait for them tells."""
    machines.failing = {("fedhost", GIVE): FAILED}
    journal = machines.install(importing(), *parts("tool"), supplies=("tool",))
    assert journal.changes["fedhost"] == [f"imported {NAME} on node2, node3", "installed kubefedctl 0.10.0"]
    (failed,) = journal.notices["fedhost"]
    assert failed.startswith("its node fedhost has not got the images: ")
    assert "no space left on device" in failed


@pytest.mark.parametrize("node", ["fedhost", "node3"])
def test_a_node_of_another_processor_is_told(machines: Machines, node: str) -> None:
    """The host's own machine, too; the others are given the images."""
    machines.has = {node: "s390x\n"}
    (notice,) = machines.install(importing()).notices["fedhost"]
    assert notice == f"its node {node} has not got the images: none of the images is for its processor (s390x)"


def test_nodes_that_hosts_yaml_does_not_name_are_counted(machines: Machines) -> None:
    """The cluster alone knows them; one that was not reached was told then."""
    journal = machines.install(importing("fedhost", "node2"), reached=["fedhost"])
    assert journal.changes["fedhost"] == [f"imported {NAME} on fedhost"]
    (notice,) = journal.notices["fedhost"]
    assert notice == "1 of its 3 nodes have not got the images: they need a registry, or a line in host.nodes"
    assert machines.titles("fedhost")[-1] == COUNT
    assert machines.titles("node2") == []


def test_a_cluster_that_does_not_tell_its_nodes_is_no_failure(machines: Machines) -> None:
    """Nothing is said of those that nobody knows."""
    machines.failing = {("fedhost", COUNT): FAILED}
    assert machines.install(importing("fedhost")).notices == {}
