"""Installing the engine on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssh.engines.protocol import Engine, EngineState
    from fedssh.federation.steps import Install
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.kubectl import Target
    from fedssh.shell import Command, Result, Shell


def install_part(
    shell: Shell, step: Install, inventory: Inventory, *, engine: Engine, state: EngineState, target: Target
) -> None:
    """Install a part of the engine, or wait for it: its commands run one after the other while they succeed.

    Raises:
        StepError: A download, Helm or the rollout failed (3). Running it again goes on from there.
    """
    results: list[Result] = []
    for command in state.part_commands(step.part, inventory, target=target):
        stages: list[Command | list[Command]] = [command]
        results += shell.run(*stages, timeout_seconds=engine.PART_SECONDS)
        if not results[-1].ok:
            break
    engine.check_part(step.part, results, inventory, machine=shell.name)
