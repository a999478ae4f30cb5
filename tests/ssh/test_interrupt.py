"""fedssh as a program that is told to end while a machine works for it: rows 11 and 12 of the faults."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.kubernetes.kubeconfig.file import KubeconfigFile, write_command
from fedssh.sensitive import Sensitive
from fedssh.shell import command
from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd


KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {}}]
current-context: a
"""

# A tool that fedssh looks for on the host, and it never answers.
SLOW = """#!/bin/sh
echo $$ >"$HOME/pid"
exec sleep 30
"""


@pytest.fixture
def host(start_sshd: Callable[..., Sshd], tmp_path: Path) -> Sshd:
    """A host whose helm hangs, and a hosts.yaml for it."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "helm").write_text(SLOW)
    (tools / "helm").chmod(0o755)
    (tmp_path / ".kube").mkdir(mode=0o700)
    (tmp_path / ".kube/config").write_text(KUBECONFIG)
    sshd = start_sshd(f"SetEnv HOME={tmp_path} PATH={tools}:{os.environ['PATH']}")
    (tmp_path / "hosts.yaml").write_text(
        f"host: {{name: fedhost, address: 127.0.0.1, port: {sshd.port}, user: root,"
        f" identity_file: {sshd.identity}, known_hosts: {sshd.known_hosts}}}\nmembers: {{}}\n"
    )
    return sshd


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: str) -> bool:
    """Whether a process lives; a dead one may still wait for init to reap it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_fault_11_an_end_from_outside_leaves_nothing(
    host: Sshd, connections: Connections, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Ctrl-C, SIGTERM, kill -9: within 2 s it has ended, what ran on the machine has ended, the lock is free."""
    pid = tmp_path / "pid"
    process = subprocess.Popen([FEDSSH, "prepare"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr
        until(lambda: pid.exists() and bool(pid.read_text()), 15)
        lock = command("flock", "-n", str(tmp_path / ".kube/config.fedssh.lock"), "true")
        shell = connections.connect(host.machine())
        assert shell.run(lock)[0].code == 1
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(2) == code
        until(lambda: not runs(pid.read_text().strip()), 2)
        until(lambda: shell.run(lock)[0].ok, 2)
        assert time.monotonic() - started < 2
        words = process.stderr.read()
    assert bool(re.search(r"Interrupted after .* s\. Run the same command again", words)) == (code > 0)
    assert "Traceback" not in words
    assert {one.name for one in (tmp_path / ".kube").iterdir()} == {"config", "config.fedssh.lock"}


def test_fault_11_a_write_that_is_ended_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock and its files go, even if what reads its messages is gone first: a shell tells whom a signal ended."""
    tools, path = tmp_path / "tools", tmp_path / "config"
    tools.mkdir()
    (tools / "mv").write_text("#!/bin/sh\nexec sleep 30\n")
    (tools / "mv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    path.write_text("old: 1\n")
    old = KubeconfigFile(path=str(path), text=Sensitive("old: 1\n"))
    line = write_command(old, Sensitive("new: 1\n")).line
    reader, writer = os.pipe()
    with subprocess.Popen(["sh", "-c", line], stdin=subprocess.PIPE, stderr=writer, start_new_session=True) as process:
        os.close(writer)
        os.close(reader)
        assert process.stdin
        process.stdin.write(b"new: 1\n")
        process.stdin.close()
        until(lambda: len(list(tmp_path.iterdir())) == 5, 5)  # the tools, the file, its copy, its lock, the new one
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
    until(lambda: {one.name for one in tmp_path.iterdir()} == {"tools", "config"}, 2)
    assert path.read_text() == "old: 1\n"


def test_fault_11_a_question_gives_the_terminal_back(host: Sshd, tmp_path: Path) -> None:
    """Ctrl-C at a question: 130, the terminal shows again what is typed, and the cursor is there."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-f", host.identity, "-P", "", "-N", "locked-key"], check=True)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", FEDSSH, "status"], cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs
    )
    shown = b""
    with process:
        while not shown.endswith(b"identity: "):
            shown += os.read(ours, 1024)
        # The progress is wiped away, and nothing is drawn over the question.
        assert shown.rpartition(b"\x1b[2K")[2].startswith(b"Passphrase for ")
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        os.write(ours, b"\x03")
        assert process.wait(2) == 130
    assert termios.tcgetattr(theirs)[3] & termios.ECHO
    os.close(theirs)
    rest = os.read(ours, 4096)
    assert b"Interrupted after " in rest
    assert (shown + rest).rfind(b"\x1b[?25h") > (shown + rest).rfind(b"\x1b[?25l")
    os.close(ours)


def test_what_is_logged_is_shown(host: Sshd, tmp_path: Path) -> None:
    """An unchecked host key is warned of at every run, before the result; attempts to connect with -v."""
    (host.folder / "known_hosts").unlink()
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text(hosts.read_text().replace("user: root", "user: root, host_key_policy: off"))
    for helm in (tmp_path / "tools").iterdir():
        helm.unlink()
    for _ in range(2):
        done = subprocess.run([FEDSSH, "status"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 3
        warned, failed = done.stderr.index("warning: root@127.0.0.1 port"), done.stderr.index("error: ")
        assert warned < failed
        assert "was not checked (host_key_policy: off): ssh-ed25519 SHA256:" in done.stderr
    host.stop()
    quiet, told = [
        subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
        for argv in ((FEDSSH, "status"), (FEDSSH, "status", "-v"))
    ]
    assert (quiet.returncode, told.returncode) == (4, 4)
    assert "attempt 1 of 4" not in quiet.stderr
    assert f"attempt 3 of 4: 127.0.0.1 port {host.port}: Connection refused\n" in told.stderr
