"""What is to be done for a rotation: from facts and wishes to a plan. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.federation.access_steps import Prove, RevokeToken, WriteEntries
from fedssh.federation.plan import Plan, Stage
from fedssh.federation.rotation.steps import (
    MakeCredential,
    MakeToken,
    ProveRefusal,
    RevokeCredential,
    SwapCredential,
)
from fedssh.federation.steps import AwaitReady, Reconnect, Step
from fedssh.kubernetes.account_tokens import token_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.federation.rotation.facts import EngineRotation, OwnRotation, Rotation

_HALF_WAY = "an earlier rotation stopped half-way"
_ASKED = "its credentials are to be replaced"


def plan_rotate(rotations: Mapping[str, Rotation], engine: Engine) -> Plan:
    """Return how the credentials of clusters are replaced.

    Nothing is revoked before its successor is in use and proven; until then everything can be undone.
    """
    own = {name: rotation.own for name, rotation in rotations.items() if rotation.own}
    others = {name: rotation.engine for name, rotation in rotations.items() if rotation.engine}
    stages = [
        [*_makes(own, others, engine), *_proofs([*own, *others])],
        _swaps(others, engine),
        _writes(own, engine),
        [*_revokes(own, others, engine), *_refusals([*own, *others])],
    ]
    return Plan(stages=tuple(Stage(steps=tuple(steps)) for steps in stages if steps))


def _makes(own: Mapping[str, OwnRotation], others: Mapping[str, EngineRotation], engine: Engine) -> list[Step]:
    steps: list[Step] = [
        MakeToken(cluster=name, why=_why(is_half_way=rotation.is_half_way))
        for name, rotation in own.items()
        if rotation.token is None
    ]
    steps += [
        MakeCredential(cluster=name, why=_why(is_half_way=rotation.is_half_way), title=engine.TITLE)
        for name, rotation in others.items()
        if not rotation.is_in_use
    ]
    return steps


def _proofs(names: list[str]) -> list[Step]:
    return [Prove(cluster=name, why="nothing is used that has not been proven") for name in dict.fromkeys(names)]


def _swaps(others: Mapping[str, EngineRotation], engine: Engine) -> list[Step]:
    title = engine.TITLE
    steps: list[Step] = [
        SwapCredential(cluster=name, why=f"{title} has the old one", needs="the new one is proven first", title=title)
        for name, rotation in others.items()
        if not rotation.is_in_use
    ]
    for name in others:
        why = f"{title} keeps its old connection"
        steps.append(Reconnect(cluster=name, why=why, title=title, is_told=False))
        steps.append(AwaitReady(cluster=name, why=f"{title} must find it healthy", is_changed=True))
    return steps


def _writes(own: Mapping[str, OwnRotation], engine: Engine) -> list[Step]:
    return [
        WriteEntries(
            cluster=name,
            why="its token is a new one",
            needs="the new token is proven from the host first",
            context=engine.entry_names(name).context,
        )
        for name, rotation in own.items()
        if not rotation.is_written
    ]


def _revokes(own: Mapping[str, OwnRotation], others: Mapping[str, EngineRotation], engine: Engine) -> list[Step]:
    needs = "the new one is in use first"
    steps: list[Step] = []
    for name, rotation in own.items():
        secrets = tuple(token_secret(name, number) for number in sorted(rotation.old))
        steps.append(RevokeToken(cluster=name, why="there is a new one", needs=needs, secrets=secrets))
    steps += [
        RevokeCredential(cluster=name, why="there is a new one", needs=needs, title=engine.TITLE) for name in others
    ]
    return steps


def _refusals(names: list[str]) -> list[Step]:
    return [
        ProveRefusal(cluster=name, why="a token counts as revoked when it is refused") for name in dict.fromkeys(names)
    ]


def _why(*, is_half_way: bool) -> str:
    return _HALF_WAY if is_half_way else _ASKED
