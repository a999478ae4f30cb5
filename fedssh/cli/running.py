"""From a command line that is understood to a report: what is wished for, the connections, and the verb's work."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from fedssh.cli.flags import (
    ADOPT,
    ALL,
    CONCURRENCY,
    DEEP,
    DELETE_WORKLOADS,
    DRY_RUN,
    HOSTS,
    IMAGES,
    LABEL,
    MEMBER,
    OFFLINE,
    OLDER_THAN,
    UNINSTALL,
    UPGRADE,
    YES,
)
from fedssh.cli.interruption import parse_age
from fedssh.cli.questions import ask_beside
from fedssh.errors import ConfigurationError
from fedssh.federation.report import Progress
from fedssh.federation.wishes import Wishes
from fedssh.inventory import choose_hosts_file, load_inventory, read_inventory
from fedssh.inventory.choice import choose_beyond, choose_members
from fedssh.inventory.forms import MOST_CONCURRENCY
from fedssh.output import ProgressView, count, show_plan
from fedssh.ssh import Connections, ask_on_terminal, has_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.cli.table import Verb
    from fedssh.federation.machines import Connect
    from fedssh.federation.report import Report, Reporter
    from fedssh.inventory import Cluster, Inventory, Machine
    from fedssh.output import Messages
    from fedssh.shell import Shell

_LONGEST_NUMBER: Final = len(str(MOST_CONCURRENCY))
_STDIN: Final = "-"
_MOST_NAMED: Final = 5


class RunVerb(Protocol):
    """``run`` in each module of ``fedssh.verbs``, once it knows whom to ask."""

    def __call__(self, wishes: Wishes, *, connect: Connect, report: Reporter) -> Report:
        """Do what is wished for; return how it ended, in every case. Only a bug raises."""


def load_wishes(verb: Verb, given: Mapping[str, Any], messages: Messages) -> Wishes:
    """Return what the command line and hosts.yaml say together, and tell which file that is.

    Args:
        verb: The verb.
        given: The values of its flags.
        messages: Where the file and its counts are told.

    Raises:
        ConfigurationError: It cannot be (2).
    """
    named = given[HOSTS.name] or os.environ.get("FEDSSH_HOSTS", "")
    if named == _STDIN:
        inventory = read_inventory(sys.stdin.buffer, path=Path("stdin"))
    else:
        inventory = load_inventory(choose_hosts_file(named))
    inventory = replace(inventory, concurrency=_concurrency(given.get(CONCURRENCY.name, ""), inventory))
    members, others = _choose(inventory, verb, given) if MEMBER in verb.flags else ((), ())
    adopt, dry_run = given.get(ADOPT.name, False), given.get(DRY_RUN.name, False)
    if adopt and not (dry_run or given[YES.name] or has_terminal()):
        raise ConfigurationError(
            "--adopt takes over what fedssh did not make, and there is no terminal on which to ask",
            hint="Look at the plan (--dry-run), then say --yes.",
        )
    if verb.always_asks and not (dry_run or given[YES.name] or has_terminal()):
        raise ConfigurationError(
            f"{verb.name} asks before it changes anything, and there is no terminal on which to ask",
            hint="Look at the plan (--dry-run), then say --yes.",
        )
    uninstall = given.get(UNINSTALL.name, False)
    if uninstall and not given[ALL.name]:
        raise ConfigurationError(f"{UNINSTALL.option} goes with {ALL.option} only: members would be left without it")
    meant = f"{len(members)} of " if members else ""
    messages.say(f"{inventory.shown}: host {inventory.host.name}, {meant}{count(len(inventory.members), 'member')}")
    offline, deep = given.get(OFFLINE.name, False), given.get(DEEP.name, False)
    if offline and deep:
        raise ConfigurationError(f"{OFFLINE.option} and {DEEP.option} exclude each other")
    age = given.get(OLDER_THAN.name, "")
    return Wishes(
        inventory=inventory,
        members=members,
        adopt=adopt,
        dry_run=dry_run,
        others=others,
        is_all=given.get(ALL.name, False),
        delete_workloads=given.get(DELETE_WORKLOADS.name, False),
        uninstall=uninstall,
        older_than_seconds=parse_age(age) if age else 0,
        offline=offline,
        deep=deep,
        upgrade=given.get(UPGRADE.name, False),
        with_images=given.get(IMAGES.name, False),
    )


def run_verb(verb: Verb, wishes: Wishes, *, messages: Messages, also_tell: Reporter, yes: bool) -> Report:
    """Run a verb over connections, with its progress on the terminal; return its report.

    Args:
        verb: The verb.
        wishes: What is wanted of it.
        messages: Where its progress is told.
        also_tell: Told of every step, too.
        yes: Whether everything that would be asked is agreed to.
    """
    progress = ProgressView(messages)

    def report(event: Progress) -> None:
        also_tell(event)
        progress(event)

    def agree(planned: Report) -> bool:
        if yes:
            return True
        show_plan(planned, messages)
        with progress.paused():
            answer = ask_on_terminal("Do this? [y/N] ", threading.Event(), is_shown=True)
            return answer is not None and answer.reveal().strip().lower() in {"y", "yes"}

    def connect(machine: Machine) -> Shell:
        reached = ", ".join(f"{key} {value}" for key, value in connections.describe(machine).items())
        progress(
            Progress(cluster=machine.name, text=f"reached as hosts.yaml and ssh_config say: {reached}", state="checked")
        )
        return connections.connect(machine)

    # A verb is imported only when it is run: by its name, which is all that the table knows of it.
    work = importlib.import_module(f"fedssh.verbs.{verb.name}").run
    run: RunVerb = partial(work, agree=agree) if YES in verb.flags else work
    # The terminal is given back first: closing may take a second, and a second Ctrl-C ends that, too.
    with Connections(ask_beside(progress)) as connections, progress:
        run = partial(work, examine=connections.examine) if OFFLINE in verb.flags else run
        return run(wishes, connect=connect, report=report)


def _concurrency(given: str, inventory: Inventory) -> int:
    if not given:
        return inventory.concurrency
    number = int(given) if given.isascii() and given.isdecimal() and len(given) <= _LONGEST_NUMBER else 0
    if not 0 < number <= MOST_CONCURRENCY:
        raise ConfigurationError(f"{CONCURRENCY.option}: expected a number from 1 to {MOST_CONCURRENCY}")
    return number


def _choose(inventory: Inventory, verb: Verb, given: Mapping[str, Any]) -> tuple[tuple[Cluster, ...], tuple[str, ...]]:
    """Return the members that the command line means, and names and patterns for clusters of the federation.

    There are no members for the whole federation, where a verb can do that.
    """
    names, labels = given[MEMBER.name], given[LABEL.name]
    if ALL not in verb.flags:
        return (choose_members(inventory, names, labels) if names or labels else ()), ()
    if given[ALL.name] and (names or labels):
        raise ConfigurationError(f"{ALL.option} excludes {MEMBER.option} and {LABEL.option}")
    if not (given[ALL.name] or names or labels):
        raise ConfigurationError(
            "which members? Name them by --member NAME or --label KEY=VALUE, or say --all",
            hint=" or ".join([*(f"--member {member.name}" for member in inventory.members[:_MOST_NAMED]), "--all"]),
        )
    if verb.takes_strangers and names and not labels:
        return choose_beyond(inventory, names)
    return choose_members(inventory, names, labels), ()
