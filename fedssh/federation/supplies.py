"""What is uploaded to the host because its machine reaches no internet: fetched before anything is changed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fedssh.artefacts import fetch, find
from fedssh.errors import FedsshError
from fedssh.federation.findings import notice
from fedssh.federation.threads import contained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.artefacts import Artefact, Fetched
    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts
    from fedssh.federation.journal import Journal
    from fedssh.federation.machines import Connect
    from fedssh.federation.wishes import Wishes
    from fedssh.shell import Shell


def supply(wishes: Wishes, facts: Facts, engine: Engine, journal: Journal) -> Wishes:
    """Return the wishes with what the missing parts of the engine are installed from, as far as that is to be uploaded.

    A dry run fetches nothing. Images are taken from the cache alone, where ``fetch`` has put them: a host may well have
    a registry.

    Raises:
        FedsshError: Something could not be fetched, or is not what it should be (3).
    """
    if not wishes.inventory.uploads:
        return wishes
    host, state = facts.host.name, facts.host.known.engine
    supplies: dict[str, Fetched] = {}
    for part, artefact in state.supplies(wishes.inventory).items():
        found = find(artefact) if wishes.dry_run else _fetch(artefact, host, journal)
        supplies |= {part: found} if found else {}
    # Also where nothing is to be uploaded any more: pods may have waited for their images since the last run.
    of_pods = {part: file for part, one in state.pods_artefacts(wishes.inventory).items() if (file := find(one))}
    images = engine.images(wishes.inventory, of_pods)
    there = [(image, file) for image in images if (file := find(image))]
    return replace(wishes, supplies=supplies, images=tuple(there))


def connect_nodes(wishes: Wishes, connect: Connect, journal: Journal) -> Mapping[str, Shell]:
    """Connect to the host's other nodes, where images are to be imported; one that is not reached is told."""
    nodes: dict[str, Shell] = {}
    if not wishes.images or wishes.dry_run:
        return nodes
    host = wishes.inventory.host
    for node in host.nodes:
        journal.begin(host.name, f"connecting to {node.name}")
        reached = contained(node.name, partial(connect, node))
        if isinstance(reached, FedsshError):
            journal.find([notice(host.name, f"its node {node.name} is not reached: {reached.message}")])
        else:
            nodes[node.name] = reached
    return nodes


def _fetch(artefact: Artefact, host: str, journal: Journal) -> Fetched:
    journal.begin(host, f"fetching {artefact.title} on this computer")
    return fetch(artefact, partial(journal.progress, host))
