"""Bringing images to the nodes of the host's cluster that are reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.errors import StepError
from fedssh.federation.act.installation import upload
from fedssh.kubernetes.kubectl import Target, kubectl
from fedssh.kubernetes.runtimes import find_images_command, import_command, parse_found_images
from fedssh.shell import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fedssh.artefacts import Fetched, Image
    from fedssh.shell import Shell

_STEP: Final = "import images"
_IMPORT_SECONDS: Final = 300.0


def count_nodes(shell: Shell, *, target: Target) -> int:
    """Return how many nodes the host's cluster has; 0 where it does not tell."""
    (result,) = shell.run(kubectl("get", "nodes", "-o", "name", target=target))
    return len(result.stdout.split()) if result.ok else 0


def import_images(
    shell: Shell, images: Sequence[tuple[Image, Fetched]], told: Callable[[str], None]
) -> list[str] | None:
    """Import the images that a node lacks, of those that are for its processor.

    Args:
        shell: The node.
        images: The images, with their archives.
        told: Told how much of an archive is there.

    Returns:
        Their names; None where the node has no container runtime that is known.

    Raises:
        StepError: None of them is for its processor, or it did not take one (3).
        UnreachableError: The connection was lost (4).
    """
    found = parse_found_images(shell.run(find_images_command())[0], machine=shell.name, step=_STEP)
    if found is None:
        return None
    fitting = [(image, file) for image, file in images if image.architecture == found.architecture]
    if not fitting:
        raise StepError(
            f"none of the images is for its processor ({found.architecture})",
            machine=shell.name,
            step=_STEP,
            hint="Bring the engine's images for it to the node, or to a registry that it reaches.",
        )
    missing = [(image, file) for image, file in fitting if image.name not in found.names]
    for _, file in missing:
        path = upload(shell, file, told)
        (result,) = shell.run(import_command(path, file.sha256), timeout_seconds=_IMPORT_SECONDS)
        if not result.ok:
            raise failure(result, machine=shell.name, step=_STEP)
    return [image.name for image, _ in missing]
