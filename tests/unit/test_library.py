"""fedssh as a library: its names and types, its errors, and what it leaves alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

import fedssh
from fedssh.errors import FedsshError
from tests.fakes.programs import DOORS, Run
from tests.warm import ROOT

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

# What docs/library.md promises, as somebody would write it.
SCRIPT = """
from __future__ import annotations

import sys

import fedssh


def tell(event: fedssh.Progress) -> None:
    print(f"{event.cluster}: {event.text}", file=sys.stderr)


def main() -> int:
    inventory: fedssh.Inventory = fedssh.load_inventory(sys.argv[1])
    try:
        report: fedssh.Report = fedssh.federate(inventory, ["member1"], labels={"region": "eu"}, report=tell)
    except fedssh.UnreachableError as error:
        print(f"{error.machine} is not there: {error.hint}")
        return error.exit_code
    for cluster in report.clusters:
        if cluster.error is not None:
            print(cluster.name, cluster.error.message)
    planned: bool = fedssh.prepare(inventory, dry_run=True).changed
    return fedssh.status(inventory).exit_code + planned + len(fedssh.__version__)


sys.exit(main())
"""
TASKS = '''
import fedssh
from invoke import Collection, task

@task
def deploy(c):
    """A task of your own."""
    print("deployed")

ns = Collection(deploy)
ns.add_collection(fedssh.tasks)
'''


def handlers() -> list[object]:
    """Return what would happen at Ctrl-C, SIGTERM and an alarm."""
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]


def in_a_thread(work: Callable[[], object]) -> list[BaseException]:
    """Run something in a thread; return what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is what is looked for)
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    return raised


def test_every_name_is_there_and_imported_when_it_is_asked_for() -> None:
    """``import fedssh`` alone imports none of the libraries that do the work."""
    assert [name for name in fedssh.__all__ if not hasattr(fedssh, name)] == []
    with pytest.raises(AttributeError, match="'fedssh' has no attribute 'gone'"):
        fedssh.gone  # noqa: B018
    program = "import sys, fedssh; print({'invoke', 'pydantic', 'paramiko', 'rich', 'yaml'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True) == "set()\n"


def test_every_error_is_a_name_of_the_library() -> None:
    """Whoever calls a function can catch each by its own class."""
    errors = {name for name in fedssh.__all__ if name.endswith("Error")}
    assert errors - {"FedsshError"} == {
        kind.__name__
        for kind in vars(fedssh.errors).values()
        if isinstance(kind, type) and issubclass(kind, FedsshError) and kind is not FedsshError
    } - {"BugError"}


@pytest.mark.timeout(300)
def test_a_script_that_uses_it_has_types(tmp_path: Path) -> None:
    """Mypy --strict takes it, and finds the mistake in another."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "wrong.py").write_text(SCRIPT.replace('["member1"]', "1").replace("error.hint", "error.help"))
    argv = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}"]
    done = subprocess.run([*argv, "script.py", "wrong.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:-1] if " error: " in line] == ["wrong.py"] * 2


def test_an_error_of_the_whole_run_is_raised(hosts: Path, listener: socket.socket) -> None:
    """As what it is, with its machine; nothing is printed."""
    listener.close()
    inventory = fedssh.load_inventory(str(hosts))
    for call in (fedssh.federate, fedssh.prepare, fedssh.status):
        with pytest.raises(fedssh.UnreachableError) as caught:
            call(inventory)
        assert (caught.value.machine, caught.value.exit_code) == ("fedhost", 4)


@pytest.mark.parametrize("members", [[], "member9", ["member1", "member9"], "m-*"])
def test_who_is_no_member_is_refused(hosts: Path, members: str | list[str], listener: socket.socket) -> None:
    """Before anything is connected to; an empty list is nobody, and not everybody."""
    inventory = fedssh.load_inventory(hosts)
    for call in (fedssh.federate, fedssh.status):
        with pytest.raises(fedssh.ConfigurationError):
            call(inventory, members)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_in_a_thread_it_is_the_same_and_signals_are_left_alone(hosts: Path, listener: socket.socket) -> None:
    """A function and a task, in a thread and in the main one."""
    listener.close()
    inventory, before = fedssh.load_inventory(hosts), handlers()
    task = fedssh.tasks["status"]

    def call_task() -> None:
        task(Context(), hosts=str(hosts), output="json", quiet=True)

    (error,) = in_a_thread(lambda: fedssh.status(inventory))
    assert isinstance(error, fedssh.UnreachableError)
    (ended,) = in_a_thread(call_task)
    assert isinstance(ended, Exit)
    assert ended.code == 4
    with pytest.raises(Exit):
        call_task()
    assert handlers() == before


def test_somebodys_own_handler_is_left_alone(hosts: Path, listener: socket.socket) -> None:
    """While a task runs, too: Ctrl-C is whose it was."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        listener.close()
        timer.start()
        with pytest.raises(Exit):
            fedssh.tasks["status"](Context(), hosts=str(hosts), quiet=True)
        assert heard == [signal.SIGINT]
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("door", "flags", "said"),
    [
        ("invoke", "fedssh.federate -m x -f hosts.yaml", "no member 'x' in hosts.yaml"),
        ("fab", "fedssh.federate -m x --inventory hosts.yaml", "no member 'x' in hosts.yaml"),
        ("fab", "fedssh.federate -m x", "no member 'x' in hosts.yaml"),
        ("fab", "-H somewhere fedssh.federate -m x", "--inventory FILE"),
        ("fab", "-i key fedssh.federate -m x", "-i would change nothing here"),
        ("fab", "-f hosts.yaml fedssh.federate -m x", "--hosts hosts.yaml"),
        ("invoke", "-w -T 5 fedssh.status", "-w, -T would change nothing here"),
        ("invoke", "-e fedssh.status", "-e would change nothing here"),
    ],
)
@pytest.mark.usefixtures("hosts")
def test_its_tasks_go_into_anybodys_file(
    run: Run, listener: socket.socket, tmp_path: Path, door: str, flags: str, said: str
) -> None:
    """Under ``invoke`` and under ``fab``, whose own options are refused where they would mislead."""
    (tmp_path / {"invoke": "tasks.py", "fab": "fabfile.py"}[door]).write_text(TASKS)
    done = run(sys.executable, "-m", {"invoke": "invoke", "fab": "fabric"}[door], *flags.split())
    assert (done.code, said in done.err) == (2, True), done.err
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_the_package_is_a_program(run: Run) -> None:
    """``python -m fedssh``."""
    assert run(sys.executable, "-m", "fedssh", "--version") == run(*DOORS["fedssh"], "--version")
