"""Installing the engine on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines.protocol import Uploaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.artefacts import Fetched
    from fedssh.engines.protocol import Engine, EngineState
    from fedssh.federation.steps import Install
    from fedssh.inventory import Inventory
    from fedssh.kubernetes.kubectl import Target
    from fedssh.shell import Result, Shell

_MEGA = 1_000_000


def install_part(
    shell: Shell,
    step: Install,
    inventory: Inventory,
    *,
    engine: Engine,
    state: EngineState,
    target: Target,
    supply: Fetched | None,
    told: Callable[[str], None],
) -> None:
    """Install a part of the engine, or wait for it: its stages run one after the other while they succeed.

    Args:
        shell: The host.
        step: Which part.
        inventory: What hosts.yaml says.
        engine: The engine.
        state: What there is of it.
        target: How the host's tools reach the host's cluster.
        supply: What the part is installed from, where that is to be uploaded.
        told: Told how much of it is there.

    Raises:
        StepError: An upload, a download, Helm or the rollout failed (3). Running it again goes on from there.
        UnreachableError: The connection was lost (4).
    """
    uploaded = None
    if supply:
        uploaded = Uploaded(path=upload(shell, supply, told), sha256=supply.sha256)
    results: list[Result] = []
    for stage in state.part_stages(step.part, inventory, target=target, uploaded=uploaded):
        results += shell.run(stage, timeout_seconds=engine.PART_SECONDS)
        if not results[-1].ok:
            break
    state.check_part(step.part, results, inventory)


def upload(shell: Shell, file: Fetched, told: Callable[[str], None]) -> str:
    """Upload a file to a machine, and tell how far that is; return its path there."""
    total = file.path.stat().st_size // _MEGA
    return shell.upload(
        file.path, sha256=file.sha256, sent=lambda there: told(f"uploading, {there // _MEGA} of {total} MB")
    )
