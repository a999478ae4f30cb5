"""What a user wants of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssh.inventory import Cluster, Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What hosts.yaml and the command line say together.

    Attributes:
        inventory: The whole hosts.yaml.
        members: Those of its members that are meant, in the order of the command line.
        adopt: Whether objects and kubeconfig entries of the wanted names that fedssh did not make are taken over.
        dry_run: Whether the run only tells what it would do.
    """

    inventory: Inventory
    members: tuple[Cluster, ...] = ()
    adopt: bool = False
    dry_run: bool = False
