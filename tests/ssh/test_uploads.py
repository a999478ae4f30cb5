"""Large files on their way to a machine: whole, or gone on with, or not there at all."""

from __future__ import annotations

import hashlib
import random
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import StepError, UnreachableError
from fedssh.shell import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd

SIZE = 12 * 1024 * 1024 + 17


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A large file."""
    path = tmp_path / "large"
    path.write_bytes(random.Random(4711).randbytes(SIZE))  # noqa: S311  (no secret)
    return path


@pytest.fixture
def sha256(file: Path) -> str:
    """Its checksum."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def ignore(there: int) -> None:
    """Take no notice."""
    assert there >= 0


def folder(sshd: Sshd) -> Path:
    """Return where the machine keeps uploads."""
    return sshd.folder / ".cache" / "fedssh"


def cut_at(sshd: Sshd, where: int) -> Callable[[int], None]:
    """Return what ends the connection when so much is there."""

    def cut(there: int) -> None:
        if there >= where:
            for session in sshd.sessions():
                session.kill()

    return cut


def test_a_file_arrives_whole(sshd: Sshd, connections: Connections, file: Path, sha256: str) -> None:
    """Readable by its owner alone, in a folder of his own; how far it is, is told. A second time nothing is sent."""
    shell, told = connections.connect(sshd.machine()), list[int]()
    path = Path(shell.upload(file, sha256=sha256, sent=told.append))
    assert path == folder(sshd) / sha256
    assert path.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert told == sorted(told)
    assert told[0] == 0
    assert len(told) > 10
    again = list[int]()
    assert shell.upload(file, sha256=sha256, sent=again.append) == str(path)
    assert again == []
    assert [left.name for left in path.parent.iterdir()] == [sha256]
    assert shell.run(command("true"))[0].ok


@pytest.mark.parametrize("size", [0, 1, 65536])
def test_small_files_arrive_whole(sshd: Sshd, connections: Connections, tmp_path: Path, size: int) -> None:
    """An empty one, too."""
    file = tmp_path / "small"
    file.write_bytes(b"x" * size)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    path = Path(connections.connect(sshd.machine()).upload(file, sha256=sha256, sent=ignore))
    assert path.read_bytes() == file.read_bytes()


def test_fault_67_an_upload_that_was_cut_is_gone_on_with(
    sshd: Sshd, connections: Connections, file: Path, sha256: str
) -> None:
    """What has come stays under another name; the next upload sends the rest."""
    shell = connections.connect(sshd.machine())
    with pytest.raises(UnreachableError, match="during an upload") as caught:
        shell.upload(file, sha256=sha256, sent=cut_at(sshd, SIZE // 2))
    assert "goes on from where it was cut" in caught.value.hint
    assert [left.name for left in folder(sshd).iterdir()] == [f"{sha256}.part"]
    told = list[int]()
    path = Path(connections.connect(sshd.machine()).upload(file, sha256=sha256, sent=told.append))
    assert 0 < told[0] < SIZE
    assert path.read_bytes() == file.read_bytes()
    assert [left.name for left in folder(sshd).iterdir()] == [sha256]


@pytest.mark.parametrize("damage", [b"y" * 1024, b"y" * (SIZE + 1)])
def test_fault_67_what_an_upload_has_left_is_not_trusted(
    *, sshd: Sshd, connections: Connections, file: Path, sha256: str, damage: bytes
) -> None:
    """It is compared as a whole; what is wrong goes, and the next upload begins anew."""
    folder(sshd).mkdir(parents=True)
    (folder(sshd) / f"{sha256}.part").write_bytes(damage)
    shell = connections.connect(sshd.machine())
    if len(damage) < SIZE:
        with pytest.raises(StepError, match="another checksum"):
            shell.upload(file, sha256=sha256, sent=ignore)
        assert list(folder(sshd).iterdir()) == []
    path = Path(shell.upload(file, sha256=sha256, sent=ignore))
    assert path.read_bytes() == file.read_bytes()


def test_fault_67_a_full_disk_is_told(
    start_sshd: Callable[..., Sshd], connections: Connections, file: Path, sha256: str
) -> None:
    """In the machine's own words; nothing bears the file's name."""
    sshd = start_sshd(launcher=("prlimit", f"--fsize={SIZE // 2}"))
    with pytest.raises(StepError, match="member1: upload: ") as caught:
        connections.connect(sshd.machine()).upload(file, sha256=sha256, sent=ignore)
    assert caught.value.exit_code == 3
    assert not (folder(sshd) / sha256).exists()


def test_a_folder_that_cannot_be_made_is_told(sshd: Sshd, connections: Connections, file: Path, sha256: str) -> None:
    """By the machine's own words."""
    (sshd.folder / ".cache").write_text("a file")
    with pytest.raises(StepError, match="mkdir"):
        connections.connect(sshd.machine()).upload(file, sha256=sha256, sent=ignore)


def test_a_machine_that_greets_is_understood(
    start_sshd: Callable[..., Sshd], connections: Connections, file: Path, sha256: str
) -> None:
    """What login scripts print comes before what counts."""
    sshd = start_sshd("ForceCommand echo 'Welcome!'; echo 'have 5' >&2; eval \"$SSH_ORIGINAL_COMMAND\"")
    path = Path(connections.connect(sshd.machine()).upload(file, sha256=sha256, sent=ignore))
    assert path.read_bytes() == file.read_bytes()
