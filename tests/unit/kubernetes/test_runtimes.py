"""The scripts that ask nodes for images and give them one, run on this machine with tools that only note their calls.

The places where runtimes have their sockets are moved into the test's folder.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import StepError
from fedssh.kubernetes.runtimes import FoundImages, find_images_command, import_command, parse_found_images
from tests.fakes.shells import LocalShell, install_tool, path_with, result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fedssh.shell import Command, Result

IMAGES = "quay.io/x/kubefed:v0.10.0\ndocker.io/library/busybox:1\nsha256:abc\n"
CONTENT = b"an archive"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NONE = 92

DOCKER = "docker images --format {{.Repository}}:{{.Tag}}"
PODMAN = "podman images --format {{.Repository}}:{{.Tag}}"
CRIO = "/var/run/crio/crio.sock"
CONTAINERD = "/run/containerd/containerd.sock"
RKE2 = "/var/lib/rancher/rke2/bin/ctr"
# What there is, and how it is asked.
RUNTIMES = [
    (["k3s", "ctr", CONTAINERD, RKE2], "k3s ctr -n k8s.io images ls -q"),
    ([RKE2, "ctr", CONTAINERD], "ctr -a /run/k3s/containerd/containerd.sock -n k8s.io images ls -q"),
    (["microk8s", "k0s", "docker", "/var/run/dockershim.sock"], "microk8s ctr -n k8s.io images ls -q"),
    (["k0s", "podman", CRIO, "ctr", CONTAINERD], "k0s ctr -n k8s.io images ls -q"),
    (["podman", CRIO, "docker", "ctr"], PODMAN),
    (["podman", CRIO, "docker", "ctr", CONTAINERD], PODMAN),
    (["podman", CRIO, "docker", "/var/run/dockershim.sock", "/run/cri-dockerd.sock"], PODMAN),
    (["docker", "/var/run/dockershim.sock", "ctr", CONTAINERD], DOCKER),
    (["docker", "/var/run/cri-dockerd.sock", "ctr", CONTAINERD], DOCKER),
    (["docker", "/run/cri-dockerd.sock", "ctr", CONTAINERD], DOCKER),
    (["ctr", CONTAINERD, "docker", "podman"], "ctr -n k8s.io images ls -q"),
]

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) for tool in ("k3s", "microk8s", "k0s")),
    reason="this machine's own runtime would be found first",
)


@dataclass
class Node:
    """A node that is this machine, with runtimes that are put there.

    Attributes:
        folder: The test's folder.
        shell: Runs its programs.
        patch: Goes to folders.
        sockets: Holds its sockets.
    """

    folder: Path
    shell: LocalShell
    patch: pytest.MonkeyPatch
    sockets: ExitStack

    def put(self, *things: str, says: str = "cat {here}/images") -> None:
        """Have tools that note how they are called and then do what is said, and sockets."""
        does = f'echo "${{0##*/}} $*" >>{self.folder}/log\n{says.replace("{here}", str(self.folder))}'
        for thing in things:
            path = self.folder / "root" / thing.removeprefix("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if not thing.startswith("/"):
                install_tool(self.folder / "bin", thing, does)
            elif thing == RKE2:
                install_tool(path.parent, path.name, does)
            else:
                self.patch.chdir(path.parent)  # a socket's address is a short one
                self.sockets.enter_context(socket.socket(socket.AF_UNIX)).bind(path.name)

    def run(self, command: Command) -> Result:
        """Run a command that looks for its places here."""
        line = re.sub(r"(?<=[ =])(?=/(var/)?(run|lib/rancher)/)", f"{self.folder}/root", command.line)
        assert line.count(f"{self.folder}/root/") == 7
        return self.shell.run(replace(command, line=line))[0]

    @property
    def called(self) -> list[str]:
        """How its tools were called."""
        log = self.folder / "log"
        return log.read_text().replace(f"{self.folder}/root", "").splitlines() if log.exists() else []


@pytest.fixture
def node(tmp_path: Path, local: LocalShell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node without any runtime."""
    (tmp_path / "images").write_text(IMAGES)
    install_tool(tmp_path / "bin", "uname", '[ "$*" != -m ] || echo x86_64')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    with ExitStack() as sockets:
        yield Node(folder=tmp_path, shell=local, patch=monkeypatch, sockets=sockets)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive that was uploaded."""
    path = tmp_path / "up loads" / SHA256
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    return path


def parse(answer: Result) -> FoundImages:
    """Read the answer of a node with a runtime."""
    found = parse_found_images(answer, machine="node2", step="import images")
    assert found
    return found


@pytest.mark.parametrize(("there", "called"), RUNTIMES)
def test_the_runtime_that_kubernetes_uses_is_asked(node: Node, there: list[str], called: str) -> None:
    """Whatever else is on the node: a containerd that is Docker's own does not have Kubernetes's images."""
    node.put(*there)
    found = parse(node.run(find_images_command()))
    assert node.called == [called]
    assert found.architecture == "amd64"
    assert set(IMAGES.split()) <= found.names


@pytest.mark.parametrize(("there", "asked"), RUNTIMES)
def test_an_archive_is_given_to_the_same_runtime(*, node: Node, archive: Path, there: list[str], asked: str) -> None:
    """And is gone then; what the runtime prints is not told."""
    node.put(*there, says='for last; do :; done; cat "$last" >{here}/given; cat {here}/images')
    done = node.run(import_command(str(archive), SHA256))
    loads = re.sub(r"(docker|podman) .*", rf"\1 load --quiet --input {archive}", asked)
    assert node.called == [loads.replace("ls -q", f"import {archive}")]
    assert (done.code, done.stdout, archive.exists()) == (0, "", False)
    assert (node.folder / "given").read_bytes() == CONTENT


def test_an_archive_that_is_refused_is_gone_too(node: Node, archive: Path) -> None:
    """The runtime's words and its code are told."""
    node.put("k3s", says="echo no space left >&2; exit 7")
    done = node.run(import_command(str(archive), SHA256))
    assert (done.code, done.stderr, archive.exists()) == (7, "no space left\n", False)


def test_an_archive_with_another_checksum_is_not_imported(node: Node, archive: Path) -> None:
    """It is removed, so that the next upload begins anew."""
    node.put("k3s")
    archive.write_bytes(CONTENT + b"x")
    done = node.run(import_command(str(archive), SHA256))
    assert (done.code, done.stderr) == (1, "what was uploaded has another checksum\n")
    assert (node.called, archive.exists()) == ([], False)


@pytest.mark.parametrize("there", [[], ["docker", "podman", "ctr"], [CONTAINERD.replace("containerd.sock", "other")]])
def test_a_node_without_a_runtime_that_is_known_is_an_error(node: Node, archive: Path, there: list[str]) -> None:
    """Its images are not known; an import fails, with what was looked for. A tool without its socket is no runtime."""
    node.put(*there)
    assert parse_found_images(node.run(find_images_command()), machine="node2", step="import images") is None
    done = node.run(import_command(str(archive), SHA256))
    assert done.code == NONE
    said = "neither k3s, RKE2, MicroK8s, k0s, CRI-O (podman), Docker nor containerd (ctr) was found\n"
    assert done.stderr == said
    assert node.called == []


def test_a_node_with_cri_o_and_without_podman_is_not_taken_for_another(node: Node) -> None:
    """The containerd beside it is somebody else's."""
    node.put(CRIO, "ctr", CONTAINERD, "docker", "/run/cri-dockerd.sock")
    assert parse_found_images(node.run(find_images_command()), machine="node2", step="import images") is None
    assert node.called == []


def test_a_runtime_that_does_not_answer_is_an_error(node: Node) -> None:
    """In its own last words; there is nothing to be done by hand."""
    node.put("microk8s", says="echo one; echo two >&2; echo microk8s is not running >&2; exit 1")
    with pytest.raises(StepError, match=r"its images are not known: two\nmicrok8s is not running$") as caught:
        parse(node.run(find_images_command()))
    assert (caught.value.hint, caught.value.exit_code) == ("", 3)


def test_a_failure_without_words_has_its_code() -> None:
    """What the node says is escaped."""
    with pytest.raises(StepError, match="its images are not known: exit code 4"):
        parse(result(code=4))
    with pytest.raises(StepError) as caught:
        parse(result(code=5, stderr="\x1b[31mgone\n"))
    assert caught.value.message == r"its images are not known: \x1b[31mgone"


@pytest.mark.parametrize(
    ("processor", "architecture"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("s390x", "s390x"), ("ppc64le", "ppc64le"), ("\x1b[0m", r"\x1b[0m")],
)
def test_a_processor_is_called_as_go_calls_it(processor: str, architecture: str) -> None:
    """One that is not known keeps its name, made visible; a node may have no images."""
    assert parse(result(f"{processor}\n")) == FoundImages(architecture=architecture, names=frozenset())
    assert parse(result()) == FoundImages(architecture="", names=frozenset())


def test_an_image_of_docker_hub_is_known_by_its_full_name() -> None:
    """Docker leaves out the registry, and the folder of official images; an image of another registry is not one."""
    said = "x86_64\nmesosphere/kubefed:v1\nalpine:3\nquay.io/x/y:1\n10.0.0.1:5000/z:1\n"
    names = parse(result(said)).names
    assert {"docker.io/mesosphere/kubefed:v1", "docker.io/library/alpine:3", *said.split()[1:]} <= names
    assert not {"docker.io/x/y:1", "docker.io/library/y:1", "docker.io/library/z:1", "docker.io/z:1"} & names
