"""Machines where one logs in as a user: row 23 of the faults.

sudo's part is played by a script that takes the same options and says the same words; the rest is real.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import AuthenticationError, StepError
from fedssh.sensitive import Sensitive
from fedssh.shell import command, script
from fedssh.ssh import Connections

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tests.ssh.conftest import Sshd

SUDO = r"""#!/bin/sh
echo "$@" >> "$HOME/argv"
ask= known=
while :; do
  case $1 in
    -n) ask=never ;; -S) ask=stdin ;; -k) known=no ;; -H) ;; -p) shift ;; *) break ;;
  esac
  shift
done
case $(cat "$HOME/rule") in
  nopasswd) ;;
  *tty) echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1 ;;
  nobody) echo 'me is not in the sudoers file.' >&2; exit 1 ;;
  password)
    [ "$ask" = stdin ] || { echo 'sudo: a password is required' >&2; exit 1; }
    # Reads one byte at a time, as sudo does: what follows is the command's.
    read -r given
    [ "$given" = "$(cat "$HOME/password")" ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; } ;;
esac
AS_ROOT=yes exec "$@"
"""


@pytest.fixture
def sudo(start_sshd: Callable[..., Sshd], tmp_path: Path) -> Callable[[str], Sshd]:
    """An sshd with a sudo that follows a rule: nopasswd, password, requiretty or nobody."""

    def start(rule: str) -> Sshd:
        program = tmp_path / "bin" / "sudo"
        program.parent.mkdir()
        program.write_text(SUDO)
        program.chmod(0o755)
        (tmp_path / "rule").write_text(rule)
        (tmp_path / "argv").touch()
        return start_sshd(f"SetEnv HOME={tmp_path} PATH={program.parent}:{os.environ['PATH']}")

    return start


def test_sudo_without_a_password(sudo: Callable[[str], Sshd], connections: Connections) -> None:
    """Every command, and a held one, is root's, in one session; one probe tells that no password is wanted."""
    sshd = sudo("nopasswd")
    shell = connections.connect(sshd.machine(sudo=True))
    assert shell.run(script('echo "$AS_ROOT"; cat', title="x", stdin="text"))[0].stdout == "yes\ntext"
    with shell.hold('echo "$AS_ROOT"; cat') as held:
        assert held.first_line == "yes"
    assert sshd.log().count("Starting session") == 2


def test_fault_23_sudo_with_a_password(sudo: Callable[[str], Sshd], tmp_path: Path, canary: str, leaks: object) -> None:
    """The password is asked for once a machine, checked, and sent over stdin: it stands in no argv and no output."""
    sshd = sudo("password")
    password = tmp_path / "password"
    leaks.may_hold(password).write_text(f"{canary}\n")  # type: ignore[attr-defined]  # a class of tests/conftest.py
    answers = ["wrong", canary]
    questions = []

    def ask(question: str, cancelled: threading.Event) -> Sensitive:
        assert not cancelled.is_set()
        questions.append(question)
        return Sensitive(answers.pop(0))

    with Connections(ask=ask) as connections:
        shell = connections.connect(sshd.machine(sudo=True))
        [first, second] = shell.run(script("echo $AS_ROOT; cat", title="x", stdin="text"), command("cat"))
        assert (first.stdout, first.stderr, second.stdout) == ("yes\ntext", "", "")
        with shell.hold("echo $AS_ROOT; cat") as held:
            assert held.first_line == "yes"
        file = tmp_path / "file"
        file.write_bytes(b"x" * 1_000_000)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        uploaded = Path(shell.upload(file, sha256=sha256, sent=lambda there: None))  # noqa: ARG005
    assert uploaded.read_bytes() == file.read_bytes()
    place = f"root@127.0.0.1 port {sshd.port}"
    assert questions == [f"sudo password for {place}: ", f"That is not it. sudo password for {place}: "]
    assert canary not in (tmp_path / "argv").read_text()


@pytest.mark.parametrize(
    ("rule", "words"),
    [("password", "a password is required"), ("requiretty", "you must have a tty"), ("nobody", "not in the sudoers")],
)
def test_fault_23_sudo_says_no(sudo: Callable[[str], Sshd], connections: Connections, rule: str, words: str) -> None:
    """With nobody to ask, or for a user who may not, sudo's words and what to do come at once; nothing else is run."""
    sshd = sudo(rule)
    with pytest.raises(AuthenticationError, match=f"member1: connect: .*{words}") as caught:
        connections.connect(sshd.machine(sudo=True))
    assert caught.value.exit_code == 5
    assert "NOPASSWD" in caught.value.hint
    assert sshd.log().count("Starting session") == 1


def test_a_machine_without_sudo(start_sshd: Callable[..., Sshd], connections: Connections, tmp_path: Path) -> None:
    """A sudo that is not there is a step that failed."""
    (tmp_path / "env").symlink_to("/usr/bin/env")
    sshd = start_sshd(f"SetEnv HOME={tmp_path} PATH={tmp_path}")
    with pytest.raises(StepError, match="there is no sudo"):
        connections.connect(sshd.machine(sudo=True))
