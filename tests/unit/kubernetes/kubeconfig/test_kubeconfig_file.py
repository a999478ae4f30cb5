from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest
from fedssh.federation.kubeconfig_file import (
    KubeconfigFile,
    check_usable,
    lock,
    write_file,
)

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.sensitive import Sensitive
from tests.fakes.kubeconfigs import OLD, beside, read
from tests.fakes.shells import LocalShell, install_tool, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.shell import Result
    from tests.conftest import Leaks


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_read_exactly(local: LocalShell, config: Path) -> None:
    """Comments and trailing newlines included; its text is a secret."""
    found = read(local)
    assert (found.path, found.text.reveal()) == (str(config), OLD)
    assert "apiVersion" not in repr(found)


def test_the_inventorys_path_comes_first_then_kubeconfig_then_home(
    local: LocalShell, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kubectl has it."""
    assert read(local).path == str(config)
    for name in ("of-the-environment", "of the inventory"):
        (tmp_path / name).write_text(name)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "of-the-environment"))
    assert read(local).text.reveal() == "of-the-environment"
    assert read(local, str(tmp_path / "of the inventory")).text.reveal() == "of the inventory"


def test_a_missing_file_is_empty(local: LocalShell, home: Path) -> None:
    """And has its path already."""
    found = read(local)
    assert (found.path, found.text.reveal()) == (str(home / ".kube" / "config"), "")


def test_several_files_are_refused(local: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not guess which; the lock says so, too."""
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    for use in (lambda: read(local), lambda: lock(local, path=None)):
        with pytest.raises(RefusedError, match="names several files") as caught:
            use()
        assert "host.kubeconfig" in caught.value.hint


def test_what_cannot_be_read_is_a_failed_step(local: LocalShell, tmp_path: Path) -> None:
    """A folder, for instance."""
    with pytest.raises(StepError, match="read of the kubeconfig failed"):
        read(local, str(tmp_path))


def test_it_is_replaced_and_a_copy_stays(local: LocalShell, config: Path, canary: str, leaks: Leaks) -> None:
    """The new file is 0600 and complete, the old one beside it; nothing else is left."""
    leaks.may_hold(config)
    assert write_file(local, read(local), Sensitive(f"token: {canary}\n"))
    assert config.read_text() == f"token: {canary}\n"
    (backup,) = beside(config)
    assert backup.startswith("config.fedssh-20")
    assert (config.parent / backup).read_text() == OLD
    assert (mode(config), mode(config.parent / backup)) == (0o600, 0o600)


def test_a_second_write_does_not_overwrite_the_first_copy(local: LocalShell, config: Path) -> None:
    """Even within the same second: the user's own file is the one that matters."""
    for text in ("a: 1\n", "a: 2\n", "a: 3\n"):
        write_file(local, read(local), Sensitive(text))
    copies = [(config.parent / one).read_text() for one in beside(config)]
    assert OLD in copies


def test_a_mode_that_lets_others_read_is_tightened(local: LocalShell, config: Path) -> None:
    """The file's and that of its copy: both hold secrets."""
    config.chmod(0o644)
    write_file(local, read(local), Sensitive("a: 1\n"))
    assert {mode(config.parent / one) for one in [config.name, *beside(config)]} == {0o600}


def test_the_owner_stays(local: LocalShell, config: Path) -> None:
    """Root may edit another user's file, who must be able to read it afterwards."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(config, 1234, 1234)
    write_file(local, read(local), Sensitive("a: 1\n"))
    assert (config.stat().st_uid, config.stat().st_gid) == (1234, 1234)


def test_a_new_file_is_made_0600(local: LocalShell, home: Path) -> None:
    """There is nothing to copy."""
    (home / ".kube").mkdir()
    assert write_file(local, read(local), Sensitive("a: 1\n"))
    assert mode(home / ".kube" / "config") == 0o600
    assert beside(home / ".kube" / "config") == []


def test_a_symbolic_link_is_kept(local: LocalShell, config: Path, tmp_path: Path) -> None:
    """What it leads to is replaced, there."""
    real = tmp_path / "real" / "config"
    real.parent.mkdir()
    config.rename(real)
    config.symlink_to(real)
    assert write_file(local, read(local), Sensitive("a: 1\n"))
    assert config.is_symlink()
    assert real.read_text() == "a: 1\n"
    assert beside(config) == []


@pytest.mark.parametrize("change", ["a: 9\n", "", None])
def test_a_file_that_was_changed_meanwhile_is_not_replaced(local: LocalShell, config: Path, change: str | None) -> None:
    """By another hand: written, emptied or removed. Nothing is left of the attempt."""
    found = read(local)
    if change is None:
        config.unlink()
    else:
        config.write_text(change)
    assert not write_file(local, found, Sensitive("a: 1\n"))
    assert (config.read_text() if config.exists() else None) == change
    assert beside(config) == []


def test_a_file_that_appeared_meanwhile_is_not_replaced(local: LocalShell, config: Path) -> None:
    """It was not there when it was read."""
    nothing = KubeconfigFile(path=str(config), text=Sensitive(""))
    assert not write_file(local, nothing, Sensitive("a: 1\n"))
    assert config.read_text() == OLD


def test_a_file_that_is_being_written_is_read_when_it_is_whole(local: LocalShell, config: Path) -> None:
    """It writes in place, under its lock: half a file is not what there is."""
    config.write_text("half")
    held = config.with_name("config.lock")
    held.touch()
    with LocalShell().hold(f"echo started; sleep 0.3; echo whole >{config}; rm {held}"):
        assert read(local).text.reveal() == "whole\n"


@pytest.mark.parametrize("content", [None, ""])
def test_nothing_to_work_with_is_refused(local: LocalShell, config: Path, content: str | None) -> None:
    """A host without a kubeconfig has no administrator; nothing is made for the lock of a missing one."""
    config.unlink()
    if content is not None:
        config.write_text(content)
    with pytest.raises(RefusedError, match="is empty" if content is not None else "there is no kubeconfig") as caught:
        check_usable(local, read(local))
    assert "host.kubeconfig: /path" in caught.value.hint
    if content is None:
        with pytest.raises(RefusedError, match=f"there is no kubeconfig at {config}"):
            lock(local, path=None)
        assert beside(config) == []


def test_what_is_not_utf8_is_refused(config: Path, local: LocalShell) -> None:
    """It could not be written back as it was."""
    config.write_bytes(b"a: \xff\n")
    with pytest.raises(RefusedError, match="is not UTF-8"):
        read(local)


def test_a_disk_that_is_full_leaves_the_old_file(config: Path) -> None:
    """A limit of the file's size stands for it: the new file cannot be completed."""
    small = LocalShell(interpreter=("bash", "-c", "trap '' XFSZ; ulimit -f 1; exec sh"))
    with pytest.raises(StepError, match="write of") as caught:
        write_file(small, read(small), Sensitive("x" * 50_000))
    assert "is as it was" in caught.value.hint
    assert config.read_text() == OLD
    assert beside(config) == []


def test_a_folder_that_takes_no_file_is_a_failed_step(local: LocalShell, tmp_path: Path) -> None:
    """The tool says why."""
    gone = KubeconfigFile(path=str(tmp_path / "gone" / "config"), text=Sensitive(""))
    with pytest.raises(StepError, match=r"write of .*gone/config failed with exit code [12]: .*gone/config\."):
        write_file(local, gone, Sensitive("a: 1\n"))


def test_readers_see_the_old_file_or_the_new_one(local: LocalShell, config: Path) -> None:
    """The file is another one, put in place at once: whoever has it open keeps what they read."""
    inode = config.stat().st_ino
    with config.open() as reader:
        write_file(local, read(local), Sensitive("a: 1\n"))
        assert reader.read() == OLD
    assert config.stat().st_ino != inode


def test_a_write_that_is_interrupted_leaves_no_lock(
    local: LocalShell, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke while the disk was busy: the lock and the new file go, the old one stays."""
    install_tool(tmp_path / "bin", "sync", "kill -TERM 0; sleep 5")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    with pytest.raises(FedsshError):
        write_file(local, read(local), Sensitive("a: 1\n"))
    deadline = time.monotonic() + 3
    while "config.lock" in beside(config):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert config.read_text() == OLD
    assert [one for one in beside(config) if not one.startswith("config.fedssh-")] == []


@pytest.mark.parametrize(("code", "stdout", "message"), [(0, "other", "was changed while"), (1, "", "exit code 1")])
def test_an_answer_that_does_not_prove_the_write_is_an_error(code: int, stdout: str, message: str) -> None:
    """The checksum is read back from the machine."""

    class Shell(LocalShell):
        def run(self, *_: object, **__: object) -> list[Result]:
            return [result(stdout, code=code)]

    with pytest.raises(StepError, match=message):
        write_file(Shell(), KubeconfigFile(path="/c", text=Sensitive("")), Sensitive("x"))


def test_a_write_passes_the_text_by_stdin_only(local: LocalShell, config: Path, canary: str, leaks: Leaks) -> None:
    """What stands in argv is the old text's checksum."""
    leaks.may_hold(config)
    write_file(local, read(local), Sensitive(canary))
    assert canary not in local.ran[-1].line
    assert hashlib.sha256(OLD.encode()).hexdigest() in local.ran[-1].line
