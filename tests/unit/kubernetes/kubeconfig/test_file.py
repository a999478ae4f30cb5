from __future__ import annotations

import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.kubernetes.kubeconfig.file import (
    KubeconfigFile,
    check_lock,
    lock_line,
    parse_file,
    parse_write,
    write_command,
)
from fedssh.sensitive import Sensitive
from tests.fakes.kubeconfigs import OLD, beside, read
from tests.fakes.shells import LocalShell, install_tool, path_with, result
from tests.unit.mangling import answer_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Leaks


def write(shell: LocalShell, file: KubeconfigFile, text: str) -> bool:
    """Replace the kubeconfig by the real program."""
    new = Sensitive(text)
    return parse_write(shell.run(write_command(file, new))[0], file, new, machine=shell.name)


def lock(shell: LocalShell) -> None:
    """Take fedssh's lock by the real program."""
    check_lock(shell.hold(lock_line(path=None)), machine=shell.name)


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_read_exactly(local: LocalShell, config: Path) -> None:
    """Comments and trailing newlines included; its text is a secret."""
    found = read(local)
    assert (found.path, found.text.reveal(), found.mode) == (str(config), OLD, "-rw-------")
    assert not found.is_open
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


def test_a_missing_file_is_told_by_its_path(local: LocalShell, home: Path) -> None:
    """Which is the one that kubectl would look at."""
    with pytest.raises(RefusedError, match=f"there is no kubeconfig at {home / '.kube' / 'config'}"):
        read(local)


def test_several_files_are_refused(local: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not guess which; the lock says so, too."""
    monkeypatch.setenv("KUBECONFIG", "/a:/b")
    for use in (lambda: read(local), lambda: lock(local)):
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
    assert write(local, read(local), f"token: {canary}\n")
    assert config.read_text() == f"token: {canary}\n"
    (backup,) = beside(config)
    assert backup.startswith("config.fedssh-20")
    assert (config.parent / backup).read_text() == OLD
    assert (mode(config), mode(config.parent / backup)) == (0o600, 0o600)


def test_a_second_write_does_not_overwrite_the_first_copy(local: LocalShell, config: Path) -> None:
    """Even within the same second: the user's own file is the one that matters."""
    for text in ("a: 1\n", "a: 2\n", "a: 3\n"):
        write(local, read(local), text)
    copies = [(config.parent / name).read_text() for name in beside(config)]
    assert OLD in copies


def test_a_mode_that_lets_others_read_is_tightened(local: LocalShell, config: Path) -> None:
    """The file's and that of its copy: both hold secrets."""
    config.chmod(0o644)
    assert read(local).is_open
    write(local, read(local), "a: 1\n")
    assert {mode(config.parent / name) for name in [config.name, *beside(config)]} == {0o600}


def test_the_owner_stays(local: LocalShell, config: Path) -> None:
    """Root may edit another user's file, who must be able to read it afterwards."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(config, 1234, 1234)
    write(local, read(local), "a: 1\n")
    assert (config.stat().st_uid, config.stat().st_gid) == (1234, 1234)


def test_no_file_is_made_where_there_was_none(local: LocalShell, home: Path) -> None:
    """A host without a kubeconfig has no administrator: nothing is written, and nothing is left."""
    path = home / ".kube" / "config"
    path.parent.mkdir()
    assert not write(local, KubeconfigFile(path=str(path), text=Sensitive("")), "a: 1\n")
    assert list(path.parent.iterdir()) == []


def test_a_symbolic_link_is_kept(local: LocalShell, config: Path, tmp_path: Path) -> None:
    """What it leads to is replaced, there."""
    real = tmp_path / "real" / "config"
    real.parent.mkdir()
    config.rename(real)
    config.symlink_to(real)
    assert write(local, read(local), "a: 1\n")
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
    assert not write(local, found, "a: 1\n")
    assert (config.read_text() if config.exists() else None) == change
    assert beside(config) == []


def test_a_file_that_appeared_meanwhile_is_not_replaced(local: LocalShell, config: Path) -> None:
    """It was not there when it was read."""
    nothing = KubeconfigFile(path=str(config), text=Sensitive(""))
    assert not write(local, nothing, "a: 1\n")
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
        read(local)
    assert "host.kubeconfig: /path" in caught.value.hint
    if content is None:
        with pytest.raises(RefusedError, match=f"there is no kubeconfig at {config}"):
            lock(local)
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
        write(small, read(small), "x" * 50_000)
    assert "is as it was" in caught.value.hint
    assert config.read_text() == OLD
    assert beside(config) == []


def test_a_folder_that_takes_no_file_is_a_failed_step(local: LocalShell, tmp_path: Path) -> None:
    """The tool says why."""
    gone = KubeconfigFile(path=str(tmp_path / "gone" / "config"), text=Sensitive(""))
    with pytest.raises(StepError, match=r"write of .*gone/config failed with exit code [12]: .*gone/config\."):
        write(local, gone, "a: 1\n")


def test_readers_see_the_old_file_or_the_new_one(local: LocalShell, config: Path) -> None:
    """The file is another one, put in place at once: whoever has it open keeps what they read."""
    inode = config.stat().st_ino
    with config.open() as reader:
        write(local, read(local), "a: 1\n")
        assert reader.read() == OLD
    assert config.stat().st_ino != inode


def test_a_write_that_is_interrupted_leaves_no_lock(
    local: LocalShell, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke while the disk was busy: the lock and the new file go, the old one stays."""
    install_tool(tmp_path / "bin", "sync", "kill -TERM 0; sleep 5")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    with pytest.raises(FedsshError):
        write(local, read(local), "a: 1\n")
    deadline = time.monotonic() + 3
    while "config.lock" in beside(config):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert config.read_text() == OLD
    assert [name for name in beside(config) if not name.startswith("config.fedssh-")] == []


@pytest.mark.parametrize(("code", "stdout", "message"), [(0, "other", "was changed while"), (1, "", "exit code 1")])
def test_an_answer_that_does_not_prove_the_write_is_an_error(code: int, stdout: str, message: str) -> None:
    """The checksum is read back from the machine."""
    file = KubeconfigFile(path="/c", text=Sensitive(""))
    with pytest.raises(StepError, match=message):
        parse_write(result(stdout, code=code), file, Sensitive("x"), machine="fedhost")


def test_a_write_passes_the_text_by_stdin_only(local: LocalShell, config: Path, canary: str, leaks: Leaks) -> None:
    """What stands in argv is the old text's checksum."""
    leaks.may_hold(config)
    write(local, read(local), canary)
    assert canary not in local.ran[-1].line
    assert hashlib.sha256(OLD.encode()).hexdigest() in local.ran[-1].line


# What fedssh has not made, however alike it is.
LOOK_ALIKES = ["config.lock", "config.fedssh.lock", "config.fedssh-notes", "config.fedssh-T", "config.fedssh-20Z"]
LOOK_ALIKES += ["config.fedssh-2026 about T and Z", "config.fedssh-20260101T000000Z.mine", "config.fedssh-1T1Z"]
LOOK_ALIKES += ["config2.fedssh-20200101T000000Z", "config.bak", "x.config.fedssh-20200101T000000Z"]
COPIES = [f"config.fedssh-20{year}0101T000000Z" for year in range(10, 18)]


@pytest.fixture(params=["kube", "a folder * with [spaces]"])
def crowded(request: pytest.FixtureRequest, tmp_path: Path, config: Path) -> Path:
    """A kubeconfig beside which lie earlier copies and other things."""
    folder = tmp_path / request.param
    folder.mkdir()
    path = config.rename(folder / "config")
    for name in [*COPIES, *LOOK_ALIKES]:
        (folder / name).write_text(name)
    (folder / "config.lock").unlink()
    return path


def test_fault_77_the_five_newest_copies_stay(local: LocalShell, crowded: Path) -> None:
    """They hold tokens; the new one is among them. What fedssh has not made is not touched."""
    assert write(local, read(local, str(crowded)), "a: 1\n")
    there = beside(crowded)
    copies = [name for name in there if name not in LOOK_ALIKES]
    assert copies[:-1] == COPIES[-4:]
    assert (crowded.parent / copies[-1]).read_text() == OLD
    others = [name for name in there if name in LOOK_ALIKES]
    assert others == sorted({*LOOK_ALIKES} - {"config.lock"})
    assert all((crowded.parent / name).read_text() == name for name in [*others, *COPIES[-4:]])


def test_a_write_that_fails_deletes_no_copy(crowded: Path) -> None:
    """Neither where the disk is full, nor where somebody else has changed the file."""
    before = beside(crowded)
    small = LocalShell(interpreter=("bash", "-c", "trap '' XFSZ; ulimit -f 1; exec sh"))
    found = read(small, str(crowded))
    with pytest.raises(StepError, match="write of"):
        write(small, found, "x" * 50_000)
    crowded.write_text("a: 9\n")
    assert not write(LocalShell(), found, "a: 1\n")
    assert beside(crowded) == before


def test_a_write_that_cannot_take_its_place_deletes_no_copy(
    local: LocalShell, crowded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the new file is in its place, nothing goes but what this write has made."""
    before = beside(crowded)
    install_tool(tmp_path / "bin", "mv", "echo read-only >&2; exit 1")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    with pytest.raises(StepError, match="read-only"):
        write(local, read(local, str(crowded)), "a: 1\n")
    assert beside(crowded) == before
    assert crowded.read_text() == OLD


@given(
    said=st.text() | st.lists(st.sampled_from(["/c\n", "-rw-------\n", "\n", "a: 1", "\ufffd", "\x1b"])).map("".join),
    code=st.sampled_from([0, 0, 0, 1, 77, 127]),
)
def test_whatever_a_machine_answers_to_a_read(said: str, code: int) -> None:
    """It is a file that can be worked with, or a FedsshError."""
    found = answer_of(lambda: parse_file(result(said, code=code), machine="fedhost"))
    if not isinstance(found, FedsshError):
        assert found.path.replace("\t", "").isprintable()
        assert found.text
        answer_of(found.document)
