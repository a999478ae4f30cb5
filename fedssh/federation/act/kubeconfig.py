"""The host's kubeconfig on its machine: hold the locks, write all entries at once."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fedssh.errors import RefusedError, StepError
from fedssh.federation.look.host import advise_host
from fedssh.kubernetes.account_tokens import NAMESPACE
from fedssh.kubernetes.kubeconfig.entries import put_member
from fedssh.kubernetes.kubeconfig.file import (
    check_kubectls_lock,
    check_lock,
    kubectls_lock_line,
    lock_line,
    parse_file,
    parse_write,
    read_command,
    remove_copies_command,
    write_command,
)
from fedssh.sensitive import Sensitive
from fedssh.shell import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.federation.access_steps import RemoveCopies
    from fedssh.federation.machines import Connect
    from fedssh.inventory import Inventory, Machine
    from fedssh.kubernetes.credentials import Credential
    from fedssh.kubernetes.kubeconfig import Kubeconfig
    from fedssh.kubernetes.kubeconfig.file import KubeconfigFile
    from fedssh.shell import Held, Shell

WRITE_ATTEMPTS: Final = 5
"""How often a write begins anew because somebody else has changed the file meanwhile."""


def connect_and_lock(connect: Connect, inventory: Inventory) -> Connect:
    """Return a ``connect`` that also takes fedssh's lock on the host, for as long as the connection lives.

    It raises BusyError (75) where another run holds the lock.
    """

    def locked(machine: Machine) -> Shell:
        shell = connect(machine)
        if machine.name == inventory.host.name:
            try:
                check_lock(shell.hold(lock_line(path=inventory.host.kubeconfig)), machine=shell.name)
            except RefusedError as error:
                raise advise_host(shell, error, inventory) from None
        return shell

    return locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is going to stand in the host's kubeconfig where nobody else changes it meanwhile.

    Attributes:
        change: Changes a document to that, and tells whether anything was to be changed.
        is_changed: What it told of the document that was read.
        text: What it made of it.
    """

    change: Callable[[Kubeconfig], bool]
    is_changed: bool
    text: Sensitive


def draft(document: Kubeconfig, change: Callable[[Kubeconfig], bool]) -> Draft:
    """Return what a change makes of a kubeconfig as it was read; that one stays as it is.

    Raises:
        RefusedError: ``change`` refuses it (6).
    """
    changed = document.copy()
    is_changed = change(changed)
    return Draft(change=change, is_changed=is_changed, text=Sensitive(changed.render()))


def draft_entries(
    document: Kubeconfig,
    inventory: Inventory,
    engine: Engine,
    accesses: Mapping[str, tuple[Credential, str]],
    *,
    adopt: bool,
) -> Draft:
    """Return the kubeconfig with the entries of members.

    Args:
        document: The kubeconfig as it was read.
        inventory: What hosts.yaml says.
        engine: How the entries are called.
        accesses: Each member's credential and its cluster's UID. The token of one whose credentials are ephemeral is
            left out.
        adopt: Whether kubeconfig entries that fedssh did not write are taken over.

    Raises:
        RefusedError: Somebody else has written one of the entries (6).
    """
    ephemeral = {member.name for member in inventory.members if member.is_ephemeral}

    def put(document: Kubeconfig) -> bool:
        changed = [document.name_host_context(inventory.host.name, how=inventory.host_context)]
        changed += [
            put_member(
                document,
                engine.entry_names(name),
                credential,
                cluster_uid=uid,
                namespace=NAMESPACE,
                adopt=adopt,
                is_stored=name not in ephemeral,
            )
            for name, (credential, uid) in accesses.items()
        ]
        return any([*changed, document.mend_current_context(inventory.host.name)])

    return draft(document, put)


def write_draft(
    shell: Shell,
    file: KubeconfigFile,
    inventory: Inventory,
    new: Draft,
    *,
    goes_on: bool = False,
    begin: Callable[[str], None],
) -> Sensitive:
    """Replace the host's kubeconfig at once; make the change anew when somebody else has changed the file.

    Args:
        shell: The host.
        file: The kubeconfig as it was read.
        inventory: What hosts.yaml says.
        new: What was made of it; every credential in it is proven.
        goes_on: As for ``write_command``.
        begin: Told of the file when it is going to be written.

    Returns:
        What stands in the file now.

    Raises:
        BusyError: kubectl's lock is held (75).
        StepError: It could not be written, or is never left alone (3); the old file is as it was.
        RefusedError: Somebody else has written one of the entries meanwhile (6).
    """
    for attempt in range(WRITE_ATTEMPTS):
        # A kubectl config that has read the file before drops what was written meanwhile (kubernetes#23964). Once one
        # has interfered, all are kept out for the time between reading and writing, and those under way fail.
        with _kubectls_lock(shell, file) if attempt else nullcontext():
            if attempt:
                file = _read_locked(shell, inventory)
                new = draft(file.document(), new.change)
            if not new.is_changed and not file.is_open:
                return file.text
            if not attempt:
                begin(file.path)
            (result,) = shell.run(write_command(file, new.text, locked=attempt > 0, goes_on=goes_on))
            if parse_write(result, file, new.text, machine=shell.name):
                return new.text
    raise StepError(
        f"{file.path} was changed by somebody else {WRITE_ATTEMPTS} times in a row",
        machine=shell.name,
        step="write the kubeconfig",
        hint="Run this again when it is left alone.",
    )


def remove_copies(shell: Shell, step: RemoveCopies, *, path: str) -> None:
    """Remove copies of the host's kubeconfig, which is at ``path``.

    Raises:
        StepError: One could not be removed (3).
    """
    (result,) = shell.run(remove_copies_command(path, also_clean=step.also_clean))
    if not result.ok:
        raise failure(result, machine=step.cluster, step="remove the copies")


def _kubectls_lock(shell: Shell, file: KubeconfigFile) -> Held:
    held = shell.hold(kubectls_lock_line(file))
    check_kubectls_lock(held, file, machine=shell.name)
    return held


def _read_locked(shell: Shell, inventory: Inventory) -> KubeconfigFile:
    (result,) = shell.run(read_command(path=inventory.host.kubeconfig, locked=True))
    return parse_file(result, machine=shell.name)
