"""Executing the installation of the engine: its images on nodes, its parts on the host."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fedssh.errors import FedsshError, StepError
from fedssh.federation.act.images import count_nodes, import_images
from fedssh.federation.act.installation import install_part
from fedssh.federation.findings import notice
from fedssh.federation.steps import ImportImages, Install

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import HostState
    from fedssh.federation.journal import Journal
    from fedssh.federation.wishes import Wishes
    from fedssh.shell import Shell


def install(
    steps: Sequence[ImportImages | Install],
    machines: Mapping[str, Shell],
    *,
    wishes: Wishes,
    host: HostState,
    engine: Engine,
    journal: Journal,
) -> None:
    """Install the engine on the host, part after part.

    Args:
        steps: What is missing, in order.
        machines: The host's machine, and those of its nodes that are reached.
        wishes: What hosts.yaml says, and what is uploaded.
        host: What there is on the host.
        engine: The engine.
        journal: Told of every step.

    Raises:
        FedsshError: The host's own part failed (3, 4). Another node that fails is told, and left out.
    """
    for step in steps:
        if isinstance(step, ImportImages):
            _import(step, machines, wishes=wishes, host=host, journal=journal)
            continue
        journal.begin(step.cluster, step.part.running)
        install_part(
            machines[step.cluster],
            step,
            wishes.inventory,
            engine=engine,
            state=host.engine,
            target=host.target,
            supply=wishes.supplies.get(step.part.name),
            told=partial(journal.progress, step.cluster),
        )
        journal.done(step)


def _import(
    step: ImportImages, machines: Mapping[str, Shell], *, wishes: Wishes, host: HostState, journal: Journal
) -> None:
    name, imported = step.cluster, list[str]()
    for node in step.nodes:
        if node not in machines:
            continue  # that has been told
        journal.begin(name, f"importing images on {node}")
        try:
            images = import_images(machines[node], wishes.images, partial(journal.progress, name))
        except FedsshError as error:
            if node == name and not isinstance(error, StepError):
                raise
            # Its pods may find a registry all the same: whether they come up is seen then.
            journal.find([notice(name, f"its node {node} has not got the images: {error.message}")])
            continue
        imported += [node] if images else []
        if images is None:
            text = f"{node} has no container runtime that is known here: give it {', '.join(step.images)} by hand"
            journal.find([notice(name, text)])
    if imported:
        journal.done(replace(step, nodes=tuple(imported)))
    nodes = count_nodes(machines[name], target=host.target)
    if nodes > len(step.nodes):
        text = f"{nodes - len(step.nodes)} of its {nodes} nodes have not got the images: "
        journal.find([notice(name, text + "they need a registry, or a line in host.nodes")])
