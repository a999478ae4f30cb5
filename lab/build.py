"""Builds the images of the lab's machines from Debian packages and Go modules."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from lab import parts
from lab.cache import digest_of, one_builder
from lab.engine import build_image, has_image, import_image
from lab.generations import NEW, Generation
from lab.steps import step
from lab.toolchain import build_program
from lab.versions import SOURCE

NODE: Final = SOURCE / "node"


@dataclass(frozen=True, kw_only=True, slots=True)
class Images:
    """The names of the images that machines are made from; each holds the hash of all it was made from."""

    base: str
    nodes: Mapping[str, str]  # by the generation's name
    artefacts: str


def build(*generations: Generation) -> Images:
    """Build whatever is missing for clusters of some generations; do nothing where nothing is."""
    images = _name_images(frozenset(generations or {NEW}))
    if all(has_image(name) for name in (*images.nodes.values(), images.artefacts)):
        return images
    with one_builder():
        _build_base(images)
        for generation in generations or (NEW,):
            _build_node(images, generation)
        _build_artefacts(images, generations or (NEW,))
    return images


@cache
def _name_images(generations: frozenset[Generation]) -> Images:
    base = parts.base_digest()
    recipe: tuple[str | Path, ...] = (base, NODE, Path(__file__))

    def node(generation: Generation) -> str:
        programs = [one.digest() for one in (parts.kubernetes(generation), parts.kubectl(generation))]
        pods = parts.pod_images_digest(generation)
        return digest_of(*recipe, *_settings(generation), *programs, parts.PROGRAM_HELM.digest(), pods)

    return Images(
        base=f"fedssh-lab/base:{base}",
        nodes={one.name: f"fedssh-lab/node-{one.name}:{node(one)}" for one in generations},
        artefacts=f"fedssh-lab/artefacts:{digest_of(*recipe, parts.website_digest(generations))}",
    )


def _settings(generation: Generation) -> list[Path]:
    """Return the files with which the machines of a generation boot, besides those that all machines have."""
    return sorted(path for path in generation.folder.iterdir() if path.is_file())


def _build_base(images: Images) -> None:
    if has_image(images.base):
        return
    archive = parts.base_system()
    with step("importing the base system"):
        import_image(archive, images.base)


def _build_node(images: Images, generation: Generation) -> None:
    image = images.nodes[generation.name]
    if has_image(image):
        return
    files = {path.name: path for path in (*NODE.iterdir(), *_settings(generation))} | {
        "bin/kube": build_program(parts.kubernetes(generation)),
        "bin/kubectl": build_program(parts.kubectl(generation)),
        "bin/helm": build_program(parts.PROGRAM_HELM),
        "images": parts.pod_images(generation),
    }
    with step(f"building the image of the machines (Kubernetes {generation.name})"):
        build_image(image, files, {"BASE": images.base})


def _build_artefacts(images: Images, generations: Collection[Generation]) -> None:
    if has_image(images.artefacts):
        return
    files = {
        "Dockerfile": NODE / "Dockerfile.artefacts",
        "nginx.conf": NODE / "nginx.conf",
        "registry.yaml": NODE / "registry.yaml",
        "www": parts.website(generations),
    }
    with step("building the image of the artefact server"):
        build_image(images.artefacts, files, {"BASE": images.base})
