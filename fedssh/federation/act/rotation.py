"""Replacing credentials: what is made and removed on the clusters, and what the engine is given on the host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fedssh.engines.protocol import NOW, EngineAccount
from fedssh.errors import StepError
from fedssh.kubernetes.account import new_token_commands, parse_grant, undo_commands
from fedssh.kubernetes.account_tokens import TOKEN_WAIT_SECONDS, token_secret
from fedssh.kubernetes.kubectl import Target, explain
from fedssh.shell import Command, patience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import Engine, JoinedCluster
    from fedssh.errors import FedsshError
    from fedssh.federation.rotation.facts import Rotation
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Result, Shell

_STEP: Final = "rotate"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTokens:
    """The tokens that take over for a cluster; None where nothing of the kind is rotated.

    Attributes:
        own: fedssh's own.
        engine: The engine's own.
    """

    own: Sensitive | None = None
    engine: Sensitive | None = None


def make_tokens(shell: Shell, name: str, rotation: Rotation, *, engine: Engine, target: Target) -> NewTokens:
    """Make the new tokens on a cluster; those that are there already are returned, and the old ones stay.

    Raises:
        StepError: Something could not be made, or a token did not come (3).
        RefusedError: What came is not the account's token (6).
    """
    own, other, commands = rotation.own, rotation.engine, list[Command]()
    if own and own.token is None:
        commands += new_token_commands(name, own.number, target=target)
    first = len(commands)
    if other and not other.is_in_use:
        commands += engine.make_account_commands(other.new, other.old, other.found, target=target)
    results = shell.run(*commands, timeout_seconds=60 + 2 * TOKEN_WAIT_SECONDS) if commands else []
    token, credential = own.token if own else None, other.cluster.token if other else None
    if own and first:
        token = parse_grant(results[:first], name, own.number)
    if other and results[first:]:
        credential = engine.parse_made_account(results[first:], other.new, machine=name)
    return NewTokens(own=token, engine=credential)


def unmake_tokens(
    shell: Shell, name: str, rotation: Rotation, *, keeps_account: bool, engine: Engine, target: Target
) -> None:
    """Remove what ``make_tokens`` has made; what it has found there stays.

    Args:
        shell: The cluster's machine.
        name: The cluster.
        rotation: What was to be rotated.
        keeps_account: Whether the engine's new account stays: the engine may still use it.
        engine: What federates.
        target: The cluster's API.

    Raises:
        StepError: It could not be removed (3).
    """
    own, other, commands = rotation.own, rotation.engine, list[Command]()
    if own and not own.is_half_way:
        secret = f"secret/{token_secret(name, own.number)}"
        commands += undo_commands(created=[secret], taken={}, target=target)
    if other and other.found is None and not keeps_account:
        made = EngineAccount(name=other.new, created="", secrets=(other.new,), bindings=other.old.bindings)
        commands += engine.remove_account_commands(made, target=target)
    _run_all(shell, commands, name, step="take the new credentials back")


def revoke(shell: Shell, name: str, rotation: Rotation, *, engine: Engine, target: Target) -> None:
    """Remove the old tokens on a cluster, and the engine's old account with its rights.

    Raises:
        StepError: Something could not be removed (3).
    """
    commands: list[Command] = []
    if rotation.own:
        secrets = [f"secret/{token_secret(name, number)}" for number in sorted(rotation.own.old)]
        commands += undo_commands(created=secrets, taken={}, target=target)
    if rotation.engine:
        commands += engine.remove_account_commands(rotation.engine.old, target=target)
    _run_all(shell, commands, name, step="revoke the old credentials")


def swap(
    shell: Shell,
    tokens: Mapping[str, tuple[JoinedCluster, Sensitive]],
    names: Sequence[str],
    *,
    is_new: bool,
    engine: Engine,
    target: Target,
) -> tuple[dict[str, FedsshError], str]:
    """Give the engine other tokens, and have it connect anew.

    Args:
        shell: The host.
        tokens: The clusters, as the engine has them, and the tokens, by name.
        names: Whom it connects to anew.
        is_new: Whether the tokens are new, and not those that it had before.
        engine: What federates.
        target: The host cluster.

    Returns:
        For whom that failed, and why; and the host's time afterwards.

    Raises:
        StepError: The host told no time (3).
    """
    rotated_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if is_new else ""
    swaps = [
        engine.swap_command(cluster, token, rotated_at=rotated_at, target=target) for cluster, token in tokens.values()
    ]
    anew = engine.reconnect_command(names, target=target)
    *swapped, told, clock = shell.run(
        swaps, anew, Command(line=NOW, title="date"), timeout_seconds=patience(len(swaps), each=60)
    )
    failed: dict[str, FedsshError] = dict(engine.parse_reconnect(told, names, machine=shell.name))
    failed |= {
        name: explain(result, machine=name, step=f"give {engine.TITLE} the credential")
        for name, result in zip(tokens, swapped, strict=True)
        if not result.ok
    }
    now = clock.stdout.strip()
    if not _TIME.fullmatch(now):  # without it, a health check from before would count
        raise StepError("date printed no time", machine=shell.name, step=_STEP)
    return failed, now


def _run_all(shell: Shell, commands: Sequence[Command], name: str, *, step: str) -> None:
    results: list[Result] = shell.run(*commands) if commands else []
    for result in results:
        if not result.ok:
            raise explain(result, machine=name, step=step)
