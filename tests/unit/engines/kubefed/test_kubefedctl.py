"""The programs that find and install kubefedctl, run on this machine; downloads come from a server on loopback."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.engines.kubefed.kubefedctl import (
    FOLDER,
    Tool,
    check_install,
    find_command,
    install_command,
    owned_command,
    parse_tools,
    remove_command,
)
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.errors import StepError
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.kubectl import Target
from tests.fakes.kubernetes import argv_of
from tests.fakes.shells import LocalShell, install_tool, path_with, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.shell import Result

WANTED = parse_inventory("host: {name: fedhost, address: h}", path=Path("hosts.yaml")).kubefed
ARCHIVE = "kubefedctl-0.10.0-linux-amd64.tgz"
VERSION = 'kubefedctl version: version.Info{Version:"v0.10.0", GitCommit:"x"}\n'


def pack(folder: Path, says: str) -> None:
    """Put a kubefedctl that says so for its version into a folder, with its checksum; it goes by its name only."""
    with tarfile.open(folder / ARCHIVE, "w:gz") as archive:
        named = '[ "${0##*/} $1" = "kubefedctl version" ]'
        content = f"#!/bin/sh\n{named} && echo '{says.strip()}'\n".encode()
        for name in ("kubefedctl", "LICENSE"):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(content))
    checksum = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
    (folder / f"{ARCHIVE}.sha").write_text(f"{checksum}  {ARCHIVE}\n")


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """The folder of a download server, with a kubefedctl and its checksum."""
    folder = tmp_path / "releases"
    folder.mkdir()
    pack(folder, VERSION)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(releases: Path) -> Iterator[str]:
    """The archive's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(releases))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{ARCHIVE}"
        server.shutdown()


def download(shell: LocalShell, url: str, folder: Path) -> Result:
    """Run the real installer."""
    return shell.run(install_command(url, version="0.10.0", folder=str(folder)))[0]


def left(tmp_path: Path, home: Path) -> list[Path]:
    """Return what the installer has left behind."""
    mark = tmp_path / "bin" / ".kubefedctl.fedssh"
    return [*(home / "tmp").iterdir(), *(path for path in (tmp_path / "bin").glob(".*") if path != mark)]


def test_kubefedctl_is_downloaded_and_checked(local: LocalShell, url: str, tmp_path: Path, home: Path) -> None:
    """It runs for everybody; its folder is made for everybody, and nothing else is left. A second time is the same."""
    for _ in range(2):
        done = download(local, url, tmp_path / "bin")
        check_install(done, WANTED, version="0.10.0", machine="fedhost")
    assert (tmp_path / "bin" / "kubefedctl").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "bin").stat().st_mode & 0o777 == 0o755
    assert {path.name for path in (tmp_path / "bin").iterdir()} == {"kubefedctl", ".kubefedctl.fedssh"}
    assert left(tmp_path, home) == []


def test_it_goes_where_every_user_has_it_in_path() -> None:
    """Unless said otherwise."""
    where = argv_of(install_command("https://x", version="0.10.0"))
    assert where == ["sh", "https://x", "0.10.0", "/usr/local/bin", ".kubefedctl.fedssh", ""]


def test_only_fedsshs_own_kubefedctl_is_removed(local: LocalShell, url: str, tmp_path: Path) -> None:
    """By the checksum that was noted beside it: one that somebody has put in its place stays."""
    folder = tmp_path / "bin"
    tool, mark = folder / "kubefedctl", folder / ".kubefedctl.fedssh"
    assert local.run(owned_command(folder=str(folder)))[0].stdout == ""
    download(local, url, folder)
    assert local.run(owned_command(folder=str(folder)))[0].stdout == f"{tool}\n"
    tool.write_text("somebody else's")
    assert local.run(owned_command(folder=str(folder)))[0].stdout == ""
    assert local.run(remove_command(folder=str(folder)))[0].ok
    assert [path.name for path in folder.iterdir()] == ["kubefedctl"]
    download(local, url, folder)
    assert local.run(remove_command(folder=str(folder)))[0].ok
    assert list(folder.iterdir()) == []
    assert local.run(remove_command(folder=str(folder)))[0].ok
    mark.write_text("no checksum")
    assert local.run(owned_command(folder=str(folder)))[0].ok


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (ARCHIVE, b"something else", "checksum"),
        (ARCHIVE, None, "cannot download"),
        (f"{ARCHIVE}.sha", b"0" * 64 + b"\n", "checksum"),
        (f"{ARCHIVE}.sha", b"", "failed"),
        (f"{ARCHIVE}.sha", None, f"{ARCHIVE}.sha"),
    ],
)
def test_fault_67_a_wrong_download_leaves_the_old_kubefedctl(
    *,
    local: LocalShell,
    url: str,
    releases: Path,
    tmp_path: Path,
    home: Path,
    file: str,
    content: bytes | None,
    words: str,
) -> None:
    """A checksum that does not match or is missing, a file that is not there."""
    old = install_tool(tmp_path / "bin", "kubefedctl", "echo old")
    (releases / file).unlink()
    if content is not None:
        (releases / file).write_bytes(content)
    done = download(local, url, tmp_path / "bin")
    with pytest.raises(StepError, match="download of kubefedctl failed") as caught:
        check_install(done, WANTED, version="0.10.0", machine="fedhost")
    assert words in str(caught.value)
    assert "kubefedctl_url" in caught.value.hint
    assert old.read_text().endswith("echo old\n")
    assert left(tmp_path, home) == []


def with_tools(tmp_path: Path, *names: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run the installer where PATH has only these tools."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in (*names, "sh", "mktemp", "rm", "sha256sum", "tar", "gzip", "cp", "chmod", "mv", "mkdir"):
        (folder / name).symlink_to(next(path for place in ("/usr/bin", "/bin") if (path := Path(place, name)).exists()))
    install_tool(folder, "uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac")
    line = install_command(url, version="0.10.0", folder=str(tmp_path / "bin")).line
    return subprocess.run(
        ["/bin/sh", "-c", line], env={"PATH": str(folder)}, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_either_downloader_will_do(tmp_path: Path, url: str, tool: str) -> None:
    """Machines often have only one of the two."""
    done = with_tools(tmp_path, tool, url=url)
    assert (done.returncode, done.stdout) == (0, VERSION)


def test_without_a_downloader_it_says_so(tmp_path: Path, url: str) -> None:
    """And leaves nothing."""
    done = with_tools(tmp_path, url=url)
    assert done.returncode != 0
    assert "neither curl nor wget is there" in done.stderr
    assert not (tmp_path / "bin").exists()


@pytest.mark.parametrize(
    ("says", "found"),
    [("", "unknown"), ("v0.10.0", "unknown"), ('Version:"v0.9.2"', "0.9.2"), ('Version:"v0.10.0-rc1"', "0.10.0-rc1")],
)
def test_a_kubefedctl_of_another_version_leaves_the_old_one(
    *, local: LocalShell, url: str, releases: Path, tmp_path: Path, home: Path, says: str, found: str
) -> None:
    """Its checksum being right; the error names both versions and where to look."""
    old = install_tool(tmp_path / "bin", "kubefedctl", "echo old")
    pack(releases, says)
    with pytest.raises(StepError, match=rf"is version {found}, not 0\.10\.0") as caught:
        check_install(download(local, url, tmp_path / "bin"), WANTED, version="0.10.0", machine="fedhost")
    assert "kubefedctl_url" in caught.value.hint
    assert old.read_text().endswith("echo old\n")
    assert left(tmp_path, home) == []


def find(shell: LocalShell, folder: Path) -> tuple[Tool, ...]:
    """Look for kubefedctl by the real program."""
    return parse_tools(shell.run(find_command(folder=str(folder)))[0])


def pretend(folder: Path, version: str) -> Tool:
    """Put a kubefedctl of a version into a folder."""
    says = f'kubefedctl version: version.Info{{Version:"v{version}", GitCommit:"x"}}'
    return Tool(path=str(install_tool(folder, "kubefedctl", f"echo '{says}'")), version=version)


def test_its_version_is_read() -> None:
    """It is asked where fedssh puts it, and where PATH has it; a machine without it has none."""
    assert argv_of(find_command()) == ["sh", FOLDER] == ["sh", "/usr/local/bin"]
    (tool,) = parse_tools(result(f"path /usr/local/bin/kubefedctl\n{VERSION}"))
    assert tool == Tool(path="/usr/local/bin/kubefedctl", version="0.10.0")
    assert parse_tools(result()) == ()
    assert parse_tools(result(code=127)) == ()


def test_a_machine_without_kubefedctl_has_none(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the folder nor on PATH; a file that cannot be run counts for nothing."""
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    assert find(local, tmp_path / "own") == ()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "kubefedctl").write_text("no program")
    assert find(local, tmp_path / "own") == ()


def test_both_tools_are_found_fedsshs_own_first(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its path and its version, also where a path has spaces, or a tool says nothing."""
    own, other = pretend(tmp_path / "my own", "0.10.0"), pretend(tmp_path / "other bin", "0.8.1")
    monkeypatch.setenv("PATH", path_with(tmp_path / "other bin"))
    assert find(local, tmp_path / "my own") == (own, other)
    install_tool(tmp_path / "my own", "kubefedctl", "exit 1")
    assert find(local, tmp_path / "my own") == (Tool(path=own.path, version=""), other)


def test_the_same_tool_is_found_once(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asked once, where PATH leads to fedssh's own."""
    own = install_tool(tmp_path / "own", "kubefedctl", f"echo asked >>{tmp_path}/log; echo '{VERSION.strip()}'")
    monkeypatch.setenv("PATH", path_with(tmp_path / "own"))
    assert find(local, tmp_path / "own") == (Tool(path=str(own), version="0.10.0"),)
    assert (tmp_path / "log").read_text() == "asked\n"


@pytest.mark.parametrize(("own", "other"), [("0.10.0", "0.8.1"), ("0.8.1", "0.10.0"), ("0.10.0", "0.10.0")])
def test_fault_74_the_kubefedctl_that_was_checked_is_the_one_that_joins(
    *, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, other: str
) -> None:
    """It is called by its path: another one that stands first on PATH is not taken for it, nor is fedssh's own old one.

    The tools are found, chosen and called by the real programs.
    """
    log = tmp_path / "log"
    for folder, version in (("own", own), ("first", other)):
        says = f'version.Info{{Version:"v{version}"}}'
        install_tool(
            tmp_path / folder,
            "kubefedctl",
            f"[ $1 = join ] || {{ echo '{says}'; exit; }}; echo {version} $0 >>{log}",
        )
    monkeypatch.setenv("PATH", path_with(tmp_path / "first", tmp_path / "own"))
    tools = find(local, tmp_path / "own")
    state = KubeFedState(machine="fedhost", tools=tools)
    inventory = parse_inventory("host: {name: fedhost, address: a}\n", path=tmp_path / "hosts.yaml")
    assert "tool" not in [part.name for part in state.missing(inventory)]
    (done,) = local.run(
        state.join_command(
            "member1", inventory, target=Target(context="fedhost"), member=Target(context="member1"), namespace=""
        )
    )
    assert done.ok
    right = tmp_path / ("own" if own == "0.10.0" else "first") / "kubefedctl"
    assert log.read_text() == f"0.10.0 {right}\n"


def test_without_the_right_one_it_is_fedsshs_own_that_joins(tmp_path: Path) -> None:
    """The one that the installation before has put there."""
    inventory = parse_inventory("host: {name: fedhost, address: a}\n", path=tmp_path / "hosts.yaml")
    state = KubeFedState(machine="fedhost", tools=(Tool(path="/usr/bin/kubefedctl", version="0.8.1"),))
    (part, *_) = state.missing(inventory)
    assert (part.name, part.why) == ("tool", "/usr/bin/kubefedctl is version 0.8.1")
    command = state.join_command(
        "member1", inventory, target=Target(context="fedhost"), member=Target(context="member1"), namespace=""
    )
    assert argv_of(command)[1] == "/usr/local/bin/kubefedctl"
