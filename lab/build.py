"""Builds the images of the lab's machines from Debian packages and Go modules."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from lab import parts
from lab.cache import digest_of, one_builder
from lab.engine import build_image, has_image, import_image
from lab.steps import step
from lab.toolchain import build_program
from lab.versions import SOURCE

NODE: Final = SOURCE / "node"


@dataclass(frozen=True, kw_only=True, slots=True)
class Images:
    """The names of the images that machines are made from; each holds the hash of all it was made from."""

    base: str
    node: str
    artefacts: str


def build() -> Images:
    """Build whatever is missing; do nothing where nothing is."""
    images = _name_images()
    if has_image(images.node) and has_image(images.artefacts):
        return images
    with one_builder():
        _build_base(images)
        _build_node(images)
        _build_artefacts(images)
    return images


@cache
def _name_images() -> Images:
    base = parts.base_digest()
    programs = [one.digest() for one in (parts.PROGRAM_KUBERNETES, parts.PROGRAM_KUBECTL, parts.PROGRAM_HELM)]
    recipe: tuple[str | Path, ...] = (base, NODE, Path(__file__))
    return Images(
        base=f"fedssh-lab/base:{base}",
        node=f"fedssh-lab/node:{digest_of(*recipe, *programs, parts.pod_images_digest())}",
        artefacts=f"fedssh-lab/artefacts:{digest_of(*recipe, parts.website_digest())}",
    )


def _build_base(images: Images) -> None:
    if has_image(images.base):
        return
    archive = parts.base_system()
    with step("importing the base system"):
        import_image(archive, images.base)


def _build_node(images: Images) -> None:
    if has_image(images.node):
        return
    files = {path.name: path for path in NODE.iterdir()} | {
        "bin/kube": build_program(parts.PROGRAM_KUBERNETES),
        "bin/kubectl": build_program(parts.PROGRAM_KUBECTL),
        "bin/helm": build_program(parts.PROGRAM_HELM),
        "images": parts.pod_images(),
    }
    with step("building the image of the machines"):
        build_image(images.node, files, {"BASE": images.base})


def _build_artefacts(images: Images) -> None:
    if has_image(images.artefacts):
        return
    files = {
        "Dockerfile": NODE / "Dockerfile.artefacts",
        "nginx.conf": NODE / "nginx.conf",
        "www": parts.website(),
    }
    with step("building the image of the artefact server"):
        build_image(images.artefacts, files, {"BASE": images.base})
