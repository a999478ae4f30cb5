"""Installing the engine on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssh.engines.protocol import Engine, EngineState
    from fedssh.federation.steps import Install
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.kubectl import Target
    from fedssh.shell import Result, Shell


def install_part(
    shell: Shell, step: Install, inventory: Inventory, *, engine: Engine, state: EngineState, target: Target
) -> None:
    """Install a part of the engine, or wait for it: its stages run one after the other while they succeed.

    Raises:
        StepError: A download, Helm or the rollout failed (3). Running it again goes on from there.
    """
    results: list[Result] = []
    for stage in state.part_stages(step.part, inventory, target=target):
        results += shell.run(stage, timeout_seconds=engine.PART_SECONDS)
        if not results[-1].ok:
            break
    state.check_part(step.part, results, inventory)
