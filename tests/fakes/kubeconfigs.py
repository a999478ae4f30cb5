"""The kubeconfig of this machine's user, read by the real program, for the tests that replace and lock it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.kubernetes.kubeconfig.file import KubeconfigFile, parse_file, read_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.shells import LocalShell

OLD = "apiVersion: v1\n# of the user\n\n\n"


def read(shell: LocalShell, path: str | None = None) -> KubeconfigFile:
    """Read the kubeconfig by the real program."""
    return parse_file(shell.run(read_command(path=path))[0], machine=shell.name)


def beside(path: Path) -> list[str]:
    """Return what else lies in the file's folder."""
    return sorted(found.name for found in path.parent.iterdir() if found != path)
