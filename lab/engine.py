"""The Docker engine, and the images it holds."""

import os
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lab.archives import write_context
from lab.errors import LabError
from lab.steps import LINES_SHOWN

# The image of testcontainers' reaper cannot be pulled, and a lab outlives the process that starts it.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

import docker
import docker.errors
from testcontainers.core.docker_client import DockerClient


@cache
def engine() -> docker.DockerClient:
    """Return a client of the engine that testcontainers uses, too."""
    try:
        client = DockerClient(timeout=600).client
        client.ping()
    except docker.errors.DockerException as error:
        raise LabError("no Docker engine answers: run lab/engine.sh") from error
    return client


def has_image(tag: str) -> bool:
    """Tell whether the engine holds an image of this name."""
    try:
        engine().images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def import_image(archive: Path, tag: str) -> None:
    """Make an image of a file system in an archive."""
    repository, _, version = tag.rpartition(":")
    engine().api.import_image(src=str(archive), repository=repository, tag=version)


def build_image(tag: str, files: Mapping[str, Path], arguments: Mapping[str, str]) -> None:
    """Build an image from the `Dockerfile` among `files`."""
    with tempfile.TemporaryFile() as context:
        write_context(context, files)
        context.seek(0)
        try:
            engine().images.build(
                fileobj=context,
                custom_context=True,
                tag=tag,
                buildargs=dict(arguments),
                rm=True,
                forcerm=True,
            )
        except docker.errors.BuildError as error:
            said = [str(line.get("stream", line)).rstrip() for line in error.build_log]
            raise LabError("\n".join([f"building the image {tag} failed:", *said[-LINES_SHOWN:]])) from error
