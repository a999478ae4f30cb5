"""The generations of Kubernetes that a lab's clusters can be of: each has a folder in `lab/generations/`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.versions import SOURCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """A version of Kubernetes, and the versions of KubeFed that its clusters can run; hosts install the first."""

    name: str
    kubernetes: str
    kubefed: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """What its machines are made of and boot with, besides what all machines have."""
        return SOURCE / "generations" / self.name


NEW: Final = Generation(name="1.33", kubernetes="1.33.13", kubefed=("0.10.0",))
OLD: Final = Generation(name="1.21", kubernetes="1.21.14", kubefed=("0.7.0", "0.10.0"))
GENERATIONS: Final = {one.name: one for one in (NEW, OLD)}
