"""The command line: Invoke tasks that load, call and print; here errors become exit codes, and nowhere else.

``tasks.py`` gives the same collection to ``invoke``; ``main`` is the program ``fedssh``.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from invoke.collection import Collection
from invoke.config import Config
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.tasks import Task, task

from fedssh import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event
    from types import FrameType

    from invoke.context import Context
    from invoke.parser.argument import Argument

    from fedssh.federation.host import Connect
    from fedssh.federation.report import Report, Reporter
    from fedssh.inventory import Cluster, Inventory, Machine
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Shell

_SIGNALLED: Final = 128  # and the signal's number, as shells have it: 130 for Ctrl-C, 143 for SIGTERM
_FORMATS: Final = ("table", "json")
_SHORT_FLAGS: Final = {"member": "m", "output": "o", "verbose": "v"}
_HELP: Final = {
    "member": "A member of hosts.yaml; may be given several times.",
    "all": "All members of hosts.yaml.",
    "hosts": "The inventory; by default hosts.yaml, looked for from here upwards (also FEDSSH_HOSTS).",
    "output": "table (default) or json.",
    "adopt": "Take over objects and kubeconfig entries of the members' names that fedssh did not make.",
    "verbose": "Show every check, and every attempt to connect.",
}


class Verb(Task):  # type: ignore[type-arg]  # Invoke's generic parameter is the function's type
    """A task with the short flags of ``_SHORT_FLAGS`` and no others; Invoke's own choice would take ``-h``."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the arguments, so that a repeatable flag without a value is an error."""
        arguments: list[Argument] = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if short := _SHORT_FLAGS.get(argument.name or ""):
                argument.names += (short,)
            if argument.kind is list:
                argument.raw_value = None
        return arguments


def _verb(*flags: str, iterable: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Verb]:
    made: Callable[[Callable[..., None]], Verb] = task(
        klass=Verb,
        positional=[],
        iterable=list(iterable),
        auto_shortflags=False,
        help={flag: _HELP[flag] for flag in flags},
    )
    return made


@_verb("member", "all", "hosts", "adopt", "output", "verbose", iterable=("member",))
def federate(
    c: Context,
    member: list[str],
    all: bool = False,
    hosts: str = "",
    adopt: bool = False,
    output: str = "table",
    verbose: bool = False,
) -> None:
    """Federate members with the host: install KubeFed, grant, prove, join. What is done stays as it is."""
    with _run(c, output, verbose=verbose) as show:
        inventory = _load(hosts)
        members = _choose(inventory, member, everyone=all)
        from fedssh.federation.federate import federate as work  # noqa: PLC0415  (imported when needed: start-up)

        show(lambda connect, report: work(inventory, members, connect=connect, report=report, adopt=adopt))


@_verb("hosts", "output", "verbose")
def prepare(c: Context, hosts: str = "", output: str = "table", verbose: bool = False) -> None:
    """Install KubeFed and kubefedctl on the host, nothing else."""
    with _run(c, output, verbose=verbose) as show:
        inventory = _load(hosts)
        from fedssh.federation.prepare import prepare as work  # noqa: PLC0415  (imported when needed: start-up)

        show(lambda connect, report: work(inventory, connect=connect, report=report))


@_verb("hosts", "output", "verbose")
def status(c: Context, hosts: str = "", output: str = "table", verbose: bool = False) -> None:
    """Show the federation as KubeFed sees it; exit code 3 when a cluster is not Ready."""
    with _run(c, output, verbose=verbose) as show:
        inventory = _load(hosts)
        from fedssh.federation.status import status as work  # noqa: PLC0415  (imported when needed: start-up)

        show(lambda connect, report: work(inventory, connect=connect, report=report))


namespace: Final = Collection(federate, prepare, status)


class _Fedssh(Program):
    """``fedssh``: exit code 2 for flags that it does not know, and bytecode is cached."""

    def parse_core(self, argv: list[str] | None) -> None:
        with _usage():
            super().parse_core(argv)
        # Invoke switches bytecode off, for tasks.py's sake; every run would compile what is imported later.
        sys.dont_write_bytecode = False

    def parse_tasks(self) -> None:
        with _usage():
            super().parse_tasks()


class _Config(Config):
    """No ``invoke.yaml`` of the working directory and no ``INVOKE_*`` reaches ``fedssh``."""

    prefix = "fedssh"


def main() -> None:
    """Run ``fedssh``."""
    from importlib.metadata import version  # noqa: PLC0415  (slow, and only needed here)

    _Fedssh(name="fedssh", binary="fedssh", namespace=namespace, version=version("fedssh"), config_class=_Config).run()


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        raise Exit(f"error: {_explain(str(error))}", code=errors.ConfigurationError.exit_code) from None


def _explain(problem: str) -> str:
    """Return in a user's words what Invoke says of a command line that it does not understand."""
    from fedssh.inventory.hostsfile import did_you_mean  # noqa: PLC0415  (imported when needed: start-up)

    if unknown := re.search(r"No idea what '(.*)' is!", problem):
        known = [f"--{flag}" for flag in _HELP] if unknown[1].startswith("-") else namespace.task_names
        nearest = did_you_mean(unknown[1], known)
        return f"{unknown[1]!r} is not known here{nearest or '; members are named by --member NAME'} (fedssh --help)"
    if empty := re.search(r"Flag <Argument: (\w+)", problem):
        return f"--{empty[1]} needs a value"
    return problem


@contextmanager
def _run(
    c: Context, output: str, *, verbose: bool
) -> Iterator[Callable[[Callable[[Connect, Reporter], Report]], None]]:
    """Give a function that runs a verb over connections and shows its report; errors become exit codes."""
    from fedssh.output import show_failure, show_line  # noqa: PLC0415  (imported when needed: start-up)

    try:
        _catch_signals()
        _check_flags(c, output)
        yield lambda verb: _connect_and_show(verb, output, verbose=verbose)
    except errors.FedsshError as error:
        show_failure(error, "json" if output == "json" else "table")
        code = error.exit_code
    except _Interrupted as interrupted:
        show_line("Interrupted. Run the same command again: it goes on from what is there.")
        code = _SIGNALLED + interrupted.number
    except Exit:
        raise
    except Exception as error:  # noqa: BLE001  (the last line of defence; its text may hold a secret)
        if os.environ.get("FEDSSH_DEBUG"):
            traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        show_line(f"error: a bug in fedssh ({where}). FEDSSH_DEBUG=1 shows more.")
        code = errors.FedsshError.exit_code
    else:
        return
    raise Exit(code=code)


class _Interrupted(BaseException):
    """Somebody wants this to end: connections are closed, and what runs on the machines is ended with them."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _catch_signals() -> None:
    """Make Ctrl-C and SIGTERM an ``_Interrupted``; whatever comes second ends the program at once.

    One that is ignored (``nohup``, a script's background job) stays ignored.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        for one in caught:
            signal.signal(one, signal.SIG_DFL)
        raise _Interrupted(number)

    caught = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]
    for one in caught:
        signal.signal(one, interrupt)


def _check_flags(c: Context, output: str) -> None:
    if output not in _FORMATS:
        raise errors.ConfigurationError(f"--output is {output!r}; it can be {' or '.join(_FORMATS)}")
    # Invoke accepts its own flags behind the verb, too; a task that looks away would run for real.
    if c.config.run.dry:
        raise errors.ConfigurationError("there is no dry run yet (-R, --dry): nothing was done")


def _connect_and_show(verb: Callable[[Connect, Reporter], Report], output: str, *, verbose: bool) -> None:
    from fedssh.federation.report import Progress  # noqa: PLC0415  (imported when needed: start-up)
    from fedssh.output import ProgressView, show_report  # noqa: PLC0415  (imported when needed: start-up)
    from fedssh.ssh import Connections, ask_on_terminal  # noqa: PLC0415  (imported when needed: start-up)

    progress = ProgressView(verbose=verbose)

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
        report = verb(connect, progress)
    show_report(report, "json" if output == "json" else "table")
    if report.exit_code:
        raise Exit(code=report.exit_code)


def _load(hosts: str) -> Inventory:
    from fedssh.inventory import find_hosts_file, load_inventory  # noqa: PLC0415  (imported when needed: start-up)

    named = hosts or os.environ.get("FEDSSH_HOSTS", "")
    return load_inventory(Path(named) if named else find_hosts_file(Path.cwd()))


def _choose(inventory: Inventory, names: list[str], *, everyone: bool) -> list[Cluster]:
    if everyone == bool(names):
        raise errors.ConfigurationError(
            "which members? Name them by --member NAME (several times, if need be), or say --all",
            hint=" or ".join([*(f"--member {one.name}" for one in inventory.members), "--all"]),
        )
    if everyone and not inventory.members:
        raise errors.ConfigurationError(f"{inventory.path.name} has no members")
    return list(inventory.members) if everyone else [inventory.member(name) for name in dict.fromkeys(names)]
