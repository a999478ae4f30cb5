"""The host's kubeconfig on its machine: hold the locks, write all entries at once."""

from __future__ import annotations

from contextlib import nullcontext
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
    from fedssh.federation.facts import HostFacts, HostState
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


def render_entries(
    host: HostFacts,
    inventory: Inventory,
    engine: Engine,
    accesses: Mapping[str, tuple[Credential, str]],
    *,
    adopt: bool,
) -> Sensitive:
    """Return what ``write_entries`` would write where nobody else changes the file meanwhile.

    Raises:
        RefusedError: Somebody else has written one of the entries (6).
    """
    document = host.known.document.copy()
    _put(document, inventory, engine, accesses, adopt=adopt)
    return Sensitive(document.render())


def write_entries(
    shell: Shell,
    host: HostFacts,
    inventory: Inventory,
    engine: Engine,
    accesses: Mapping[str, tuple[Credential, str]],
    *,
    adopt: bool,
    goes_on: bool = False,
    begin: Callable[[str], None],
) -> Sensitive:
    """Write all entries at once; begin anew when somebody else has changed the file meanwhile.

    Args:
        shell: The host.
        host: What was found there.
        inventory: What hosts.yaml says.
        engine: How the entries are called.
        accesses: Each member's credential and its cluster's UID; all proven. The token of one whose credentials are
            ephemeral is not written.
        adopt: Whether kubeconfig entries that fedssh did not write are taken over.
        goes_on: As for ``write_command``.
        begin: Told of the file when it is going to be written.

    Returns:
        What stands in the file now.

    Raises:
        BusyError: kubectl's lock is held (75).
        StepError: It could not be written, or is never left alone (3); the old file is as it was.
        RefusedError: Somebody else has written one of the entries meanwhile (6).
    """

    def put(document: Kubeconfig) -> bool:
        return _put(document, inventory, engine, accesses, adopt=adopt)

    return rewrite(shell, host.known, inventory, put, goes_on=goes_on, begin=begin)


def rewrite(
    shell: Shell,
    state: HostState,
    inventory: Inventory,
    change: Callable[[Kubeconfig], bool],
    *,
    goes_on: bool = False,
    begin: Callable[[str], None],
) -> Sensitive:
    """Change the host's kubeconfig at once; begin anew when somebody else has changed it.

    Args:
        shell: The host.
        state: The kubeconfig as it was read.
        inventory: What hosts.yaml says.
        change: Changes a document, and tells whether anything was to be changed.
        goes_on: As for ``write_command``.
        begin: Told of the file when it is going to be written.

    Returns:
        What stands in the file now.

    Raises:
        BusyError: kubectl's lock is held (75).
        StepError: It could not be written, or is never left alone (3); the old file is as it was.
        RefusedError: ``change`` refuses it (6).
    """
    file, document = state.file, state.document.copy()
    for attempt in range(WRITE_ATTEMPTS):
        if attempt:
            file = _read(shell, inventory)
            document = file.document()
        if not change(document) and not file.is_open:
            return file.text
        if not attempt:
            begin(file.path)
        # A kubectl config that has read the file before drops what was written meanwhile (kubernetes#23964). Once one
        # has interfered, all are kept out for the time between reading and writing, and those under way fail.
        with _kubectls_lock(shell, file) if attempt else nullcontext():
            if attempt:
                file = _read(shell, inventory, locked=True)
                document = file.document()
                change(document)
            text = Sensitive(document.render())
            (result,) = shell.run(write_command(file, text, locked=attempt > 0, goes_on=goes_on))
            if parse_write(result, file, text, machine=shell.name):
                return text
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


def _put(
    document: Kubeconfig,
    inventory: Inventory,
    engine: Engine,
    accesses: Mapping[str, tuple[Credential, str]],
    *,
    adopt: bool,
) -> bool:
    changed = [document.name_host_context(inventory.host.name, how=inventory.host_context)]
    changed += [
        put_member(
            document,
            engine.entry_names(name),
            credential,
            cluster_uid=uid,
            namespace=NAMESPACE,
            adopt=adopt,
            is_stored=not inventory.member(name).is_ephemeral,
        )
        for name, (credential, uid) in accesses.items()
    ]
    return any([*changed, document.mend_current_context(inventory.host.name)])


def _kubectls_lock(shell: Shell, file: KubeconfigFile) -> Held:
    held = shell.hold(kubectls_lock_line(file))
    check_kubectls_lock(held, file, machine=shell.name)
    return held


def _read(shell: Shell, inventory: Inventory, *, locked: bool = False) -> KubeconfigFile:
    (result,) = shell.run(read_command(path=inventory.host.kubeconfig, locked=locked))
    return parse_file(result, machine=shell.name)
