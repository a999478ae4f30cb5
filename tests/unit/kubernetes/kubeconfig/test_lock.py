from __future__ import annotations

import re
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import BusyError, StepError
from fedssh.federation.act.kubeconfig import connect_and_lock
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.kubeconfig import file as kubeconfig_file
from fedssh.kubernetes.kubeconfig.file import (
    KubeconfigFile,
    check_kubectls_lock,
    check_lock,
    kubectls_lock_line,
    lock_line,
    parse_file,
    parse_write,
    read_command,
    write_command,
)
from fedssh.sensitive import Sensitive
from tests.fakes.kubeconfigs import OLD, beside, read
from tests.fakes.shells import LocalShell, ScriptedHeld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.shells import LocalHeld


def write(shell: LocalShell, file: KubeconfigFile, text: str, *, locked: bool = False, goes_on: bool = False) -> bool:
    """Replace the kubeconfig by the real program."""
    new = Sensitive(text)
    (result,) = shell.run(write_command(file, new, locked=locked, goes_on=goes_on))
    return parse_write(result, file, new, machine=shell.name)


def lock(shell: LocalShell, *, path: str | None) -> LocalHeld:
    """Take fedssh's lock by the real program."""
    held = shell.hold(lock_line(path=path))
    check_lock(held, machine=shell.name)
    return held


def hold_kubectls_lock(shell: LocalShell, file: KubeconfigFile) -> LocalHeld:
    """Take kubectl's lock by the real program."""
    held = shell.hold(kubectls_lock_line(file))
    check_kubectls_lock(held, file, machine=shell.name)
    return held


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for kubectl's lock."""
    monkeypatch.setattr(kubeconfig_file, "LOCK_WAIT_SECONDS", 0)


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("impatient")
def test_kubectls_lock_is_respected(local: LocalShell, config: Path) -> None:
    """Busy: with the lock's age, and what to do if it was left behind. It is never removed."""
    held = config.with_name("config.lock")
    held.touch()
    with pytest.raises(BusyError, match="kubectl's lock") as caught:
        write(local, read(local), "a: 1\n")
    assert f"rm {held}" in caught.value.hint
    assert re.search(r"it is \d seconds old", caught.value.message)
    assert config.read_text() == OLD
    assert beside(config) == ["config.lock"]


def test_kubectls_lock_is_waited_for(local: LocalShell, config: Path) -> None:
    """It is held for a moment only."""
    held = config.with_name("config.lock")
    held.touch()
    local.run(read_command(path=None))
    with LocalShell().hold(f"echo started; sleep 0.3; rm {held}"):
        assert write(local, read(local), "a: 1\n")
    assert config.read_text() == "a: 1\n"


def test_kubectl_is_kept_out_for_a_moment_after_a_write(
    local: LocalShell, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has read the old file fails meanwhile; fedssh itself waits for that only where nothing else is to do."""
    monkeypatch.setattr(kubeconfig_file, "SETTLE_SECONDS", 1)
    held = config.with_name("config.lock")
    began = time.monotonic()
    assert write(local, read(local), "a: 1\n")
    assert not held.exists()
    assert time.monotonic() - began >= 1
    began = time.monotonic()
    assert write(local, read(local), "a: 2\n", goes_on=True)
    assert held.exists() == (time.monotonic() - began < 1)  # a slow machine may have seen its end
    until = began + 10
    while held.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert time.monotonic() - began >= 1


def test_kubectls_lock_can_be_held_from_reading_to_writing(local: LocalShell, config: Path) -> None:
    """Nobody else's kubectl config gets in between; what is read is read at once, and the lock goes in the end."""
    with hold_kubectls_lock(local, read(local)):
        assert "config.lock" in beside(config)
        (answer,) = LocalShell().run(read_command(path=None, locked=True))
        file = parse_file(answer, machine=local.name)
        assert write(local, file, "a: 1\n", locked=True)
        assert "config.lock" in beside(config)
    assert config.read_text() == "a: 1\n"
    assert "config.lock" not in beside(config)


@pytest.mark.usefixtures("impatient")
def test_kubectls_lock_is_never_taken_from_somebody(local: LocalShell, config: Path) -> None:
    """Busy when it is held; there is no other end to it."""
    file = read(local)
    config.with_name("config.lock").touch()
    with pytest.raises(BusyError, match=r"is held: it is \d seconds old"):
        hold_kubectls_lock(local, file)
    assert beside(config) == ["config.lock"]


def test_kubectls_lock_that_cannot_be_made_is_a_failed_step() -> None:
    """With what the machine said, or with the exit code."""
    file = KubeconfigFile(path="/c", text=Sensitive("a: 1"))
    for held, words in (
        (ScriptedHeld(first_line="Permission denied\x1b", code=1), r"cannot lock /c: Permission denied\\x1b"),
        (ScriptedHeld(first_line="", code=3), "cannot lock /c: 3"),
    ):
        with pytest.raises(StepError, match=words):
            check_kubectls_lock(held, file, machine="fedhost")


def test_only_the_hosts_connection_takes_the_lock(local: LocalShell, config: Path) -> None:
    """When it is made, and for as long as it lives; the kubeconfig is the one that hosts.yaml names."""
    text = f"host: {{name: fedhost, address: a, kubeconfig: {config}}}\nmembers: {{m: {{address: b}}}}\n"
    inventory = parse_inventory(text, path=config)
    connect = connect_and_lock(lambda _: local, inventory)
    connect(inventory.member("m").machine)
    assert (local.held, beside(config)) == ([], [])
    assert connect(inventory.host.machine) is local
    with closing(LocalShell()) as other:
        with pytest.raises(BusyError, match="another fedssh"):
            connect_and_lock(lambda _: other, inventory)(inventory.host.machine)
        local.close()
        connect_and_lock(lambda _: other, inventory)(inventory.host.machine)


@pytest.fixture
def locked(local: LocalShell, config: Path) -> Iterator[str]:
    """A lock that is held."""
    with lock(local, path=str(config)) as held:
        yield held.first_line


def test_a_second_run_is_busy(local: LocalShell, locked: str) -> None:
    """Until the first one ends."""
    assert locked == "locked"
    with pytest.raises(BusyError, match="another fedssh") as caught:
        lock(local, path=None)
    assert caught.value.exit_code == 75


def test_a_released_lock_is_free(local: LocalShell, config: Path) -> None:
    """Its file stays and means nothing."""
    for _ in range(2):
        with lock(local, path=str(config)) as held:
            assert held.code is None
    assert beside(config) == ["config.fedssh.lock"]
    assert mode(config.with_name("config.fedssh.lock")) == 0o600


def test_a_lock_that_cannot_be_made_is_a_failed_step(local: LocalShell, config: Path) -> None:
    """With the machine's words."""
    config.with_name("config.fedssh.lock").mkdir()
    with pytest.raises(StepError, match=r"cannot lock the kubeconfig: .*config\.fedssh\.lock"):
        lock(local, path=None)
