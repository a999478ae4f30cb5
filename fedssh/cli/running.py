"""From a command line that is understood to a report: what is wished for, the connections, and the verb's work."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fedssh.cli.flags import ADOPT, ALL, DRY_RUN, FORMATS, MEMBER
from fedssh.errors import ConfigurationError
from fedssh.federation.report import Progress
from fedssh.federation.wishes import Wishes
from fedssh.inventory import find_hosts_file, load_inventory
from fedssh.output import ProgressView
from fedssh.ssh import Connections, ask_on_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

    from invoke.context import Context

    from fedssh.cli.table import Verb
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Report, Reporter
    from fedssh.inventory import Cluster, Inventory, Machine
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Shell


class RunVerb(Protocol):
    """``run`` in each module of ``fedssh.verbs``."""

    def __call__(self, wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
        """Do what is wished for; return how it ended, in every case. Only a bug raises."""


def check_door(c: Context) -> None:
    """Refuse Invoke's own ``-f``, which is given before the verb.

    To Invoke it is a file with its configuration. By the time a task runs it has been read, and a ``.py`` has been
    executed; that cannot be changed under ``invoke``, and under ``fedssh`` it is not so.

    Raises:
        ConfigurationError: It was given.
    """
    named = c.config._runtime_path  # noqa: SLF001  (Invoke tells it nowhere else)
    if named is not None and named != os.environ.get("INVOKE_RUNTIME_CONFIG"):
        raise ConfigurationError(
            "-f before the verb is Invoke's and names a file with Invoke's configuration: nothing was done",
            hint=f"Name the inventory behind the verb: --hosts {named}, or -f {named}",
        )


def load_wishes(verb: Verb, given: Mapping[str, Any]) -> Wishes:
    """Return what the command line and hosts.yaml say together.

    Args:
        verb: The verb.
        given: The values of its flags.

    Raises:
        ConfigurationError: It cannot be.
    """
    if given["output"] not in FORMATS:
        raise ConfigurationError(f"--output is {given['output']!r}; it can be {' or '.join(FORMATS)}")
    named = given["hosts"] or os.environ.get("FEDSSH_HOSTS", "")
    inventory = load_inventory(Path(named) if named else find_hosts_file(Path.cwd()))
    chooses = MEMBER in verb.flags
    return Wishes(
        inventory=inventory,
        members=_choose(inventory, given[MEMBER.name], everyone=given[ALL.name]) if chooses else (),
        adopt=given.get(ADOPT.name, False),
        dry_run=given[DRY_RUN.name],
    )


def run_verb(verb: Verb, wishes: Wishes, *, verbose: bool, also_tell: Reporter) -> Report:
    """Run a verb over connections, with its progress on the terminal; return its report.

    Args:
        verb: The verb.
        wishes: What is wanted of it.
        verbose: Whether every check is shown.
        also_tell: Told of every step, too.
    """
    # A verb is imported only when it is run: by its name, which is all that the table knows of it.
    run: RunVerb = importlib.import_module(f"fedssh.verbs.{verb.name}").run
    progress = ProgressView(verbose=verbose)

    def report(event: Progress) -> None:
        also_tell(event)
        progress(event)

    def ask(question: str, cancelled: Event) -> Sensitive | None:
        with progress.paused():
            return ask_on_terminal(question, cancelled)

    def connect(machine: Machine) -> Shell:
        reached = ", ".join(f"{key} {value}" for key, value in connections.describe(machine).items())
        progress(
            Progress(cluster=machine.name, text=f"reached as hosts.yaml and ssh_config say: {reached}", state="checked")
        )
        return connections.connect(machine)

    # The terminal is given back first: closing may take a second, and a second Ctrl-C ends that, too.
    with Connections(ask) as connections, progress:
        return run(wishes, connect=connect, report=report)


def _choose(inventory: Inventory, names: list[str], *, everyone: bool) -> tuple[Cluster, ...]:
    if everyone == bool(names):
        raise ConfigurationError(
            "which members? Name them by --member NAME (several times, if need be), or say --all",
            hint=" or ".join([*(f"--member {member.name}" for member in inventory.members), "--all"]),
        )
    if everyone and not inventory.members:
        raise ConfigurationError(f"{inventory.path.name} has no members")
    return tuple(inventory.members) if everyone else tuple(inventory.member(name) for name in dict.fromkeys(names))
