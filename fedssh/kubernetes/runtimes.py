"""Container runtimes of nodes: which images they have, and giving them one from an archive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fedssh.errors import StepError, visible
from fedssh.shell import Command, last_words, script

if TYPE_CHECKING:
    from fedssh.shell import Result

_NONE: Final = 92
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}

# The surest sign comes first: a distribution's own program, then a socket that only the kubelet has a use for, then
# containerd's, which may be Docker's own. Kubernetes's images are in containerd's namespace k8s.io. k3s, RKE2, MicroK8s
# and k0s bring a containerd and its ctr along. CRI-O shares its images with podman; where that is not there, nothing
# else is the right one. The socket by which the kubelet speaks to Docker tells that it does (dockershim before
# Kubernetes 1.24, cri-dockerd since).
_RUNTIME: Final = f"""
    rke2=/var/lib/rancher/rke2/bin/ctr
    none() {{
        echo "neither k3s, RKE2, MicroK8s, k0s, CRI-O (podman), Docker nor containerd (ctr) was found" >&2
        exit {_NONE}
    }}
    if command -v k3s >/dev/null; then list() {{ k3s ctr -n k8s.io images "$@"; }}
    elif [ -x $rke2 ]; then list() {{ $rke2 -a /run/k3s/containerd/containerd.sock -n k8s.io images "$@"; }}
    elif command -v microk8s >/dev/null; then list() {{ microk8s ctr -n k8s.io images "$@"; }}
    elif command -v k0s >/dev/null; then list() {{ k0s ctr -n k8s.io images "$@"; }}
    elif [ -S /var/run/crio/crio.sock ]; then
        command -v podman >/dev/null || none
        list() {{
            if [ "$1" = import ]; then podman load --quiet --input "$2"
            else podman images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'
            fi
        }}
    elif [ -S /var/run/dockershim.sock ] || [ -S /var/run/cri-dockerd.sock ] || [ -S /run/cri-dockerd.sock ]; then
        list() {{
            if [ "$1" = import ]; then docker load --quiet --input "$2"
            else docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'
            fi
        }}
    elif [ -S /run/containerd/containerd.sock ] && command -v ctr >/dev/null; then
        list() {{ ctr -n k8s.io images "$@"; }}
    else none
    fi
"""
_FIND: Final = f"""{_RUNTIME}
    uname -m
    list ls -q
"""
_IMPORT: Final = f"""{_RUNTIME}
    actual=$(sha256sum <"$1")
    [ "${{actual%% *}}" = "$2" ] || {{ rm -f "$1"; echo "what was uploaded has another checksum" >&2; exit 1; }}
    list import "$1" >/dev/null
    done=$?
    rm -f "$1"
    exit $done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImages:
    """What a node has.

    Attributes:
        architecture: Its processor, as Go calls it.
        names: Its images, by name and tag.
    """

    architecture: str
    names: frozenset[str]


def find_images_command() -> Command:
    """Return the command that asks a node's container runtime for its images."""
    return script(_FIND, title="list of images")


def parse_found_images(result: Result, *, machine: str, step: str) -> FoundImages | None:
    """Return what the answer to ``find_images_command`` says; None where no container runtime is known.

    Raises:
        StepError: The container runtime does not answer (3).
    """
    if result.code == _NONE:
        return None
    if not result.ok:
        words = last_words(result.stderr, lines=2) or f"exit code {result.code}"
        raise StepError(f"its images are not known: {words}", machine=machine, step=step)
    processor, *names = result.stdout.split() or [""]
    # Docker leaves out Docker Hub's name, and its folder of official images.
    known = {*names, *(f"docker.io/{name}" for name in names), *(f"docker.io/library/{name}" for name in names)}
    return FoundImages(architecture=architecture_of(visible(processor)), names=frozenset(known))


def architecture_of(processor: str) -> str:
    """Return what Go, and with it every image, calls a processor that ``uname -m`` calls so."""
    return _ARCHITECTURES.get(processor, processor)


def import_command(path: str, sha256: str) -> Command:
    """Return the command that gives a node's container runtime an archive that was uploaded, and removes that."""
    return script(_IMPORT, path, sha256, title="import of an image")
