"""Granting access on a member, and undoing it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.errors import StepError
from fedssh.kubernetes.account import grant_commands, parse_grant, undo_commands
from fedssh.kubernetes.account_tokens import TOKEN_WAIT_SECONDS, mint_command, parse_minted
from fedssh.kubernetes.kubectl import Target, explain

if TYPE_CHECKING:
    from fedssh.federation.access_steps import Grant, RevokeToken
    from fedssh.federation.grants import Undo
    from fedssh.inventory import Cluster
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Shell


def grant_access(shell: Shell, step: Grant, cluster: Cluster) -> Sensitive:
    """Make what is missing on a member, and return its token.

    Raises:
        StepError: An object could not be made, or its token did not come (3).
        RefusedError: What came is not its token (6).
    """
    target = Target(kubeconfig=cluster.kubeconfig or "")
    # What others have changed is theirs to the API server: without force, applying it again is a conflict.
    force = bool(step.taken or step.mended)
    name, number, is_stored = cluster.name, step.number, step.is_stored
    commands = grant_commands(name, number, is_stored=is_stored, anew=step.anew, force=force, target=target)
    results = shell.run(*commands, timeout_seconds=60 + TOKEN_WAIT_SECONDS)
    return parse_grant(results, name, number, is_stored=is_stored)


def mint_token(shell: Shell, cluster: Cluster) -> Sensitive:
    """Ask a member for a token that ends after ten minutes.

    Raises:
        StepError: It gives none (3).
        RefusedError: What came is not the account's (6).
    """
    target = Target(kubeconfig=cluster.kubeconfig or "")
    (result,) = shell.run(mint_command(cluster.name, target=target))
    return parse_minted(result, cluster.name)


def revoke_tokens(shell: Shell, step: RevokeToken, cluster: Cluster) -> None:
    """Delete the Secrets of tokens that are not in use any more.

    Raises:
        StepError: They could not be deleted (3).
    """
    names = [f"secret/{name}" for name in step.secrets]
    commands = undo_commands(created=names, taken={}, target=Target(kubeconfig=cluster.kubeconfig or ""))
    for result in shell.run(*commands):
        if not result.ok:
            raise explain(result, machine=cluster.name, step="revoke the old token")


def undo_grant(shell: Shell, undo: Undo, cluster: Cluster) -> str:
    """Undo what granting access has done: delete what was created, make what was taken over what it was.

    Returns:
        What has been undone, in a sentence or two.

    Raises:
        StepError: It could not be undone (3); it names what is left.
    """
    name = undo.cluster
    target = Target(kubeconfig=cluster.kubeconfig or "")
    commands = undo_commands(created=undo.created, taken=undo.taken, target=target)
    failed = [result for result in shell.run(*commands) if not result.ok]
    if failed:
        hints = [f"Delete it there: kubectl delete {' '.join(undo.created)}"] * bool(undo.created)
        hints += [f"What was taken over there and is fedssh's now: {', '.join(undo.taken)}"] * bool(undo.taken)
        error = explain(failed[0], machine=name, step="take the access back")
        raise StepError(error.message, machine=error.machine, step=error.step, hint="\n".join(hints))
    created = f"What had been created on {name} is gone again." if undo.created else ""
    restored = f"What had been taken over on {name} is as it was." if undo.taken else ""
    return " ".join(filter(None, [created, restored]))
