"""Batches of commands over a real sshd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.shell import command, script

if TYPE_CHECKING:
    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd


def test_one_connection_and_one_session_serve_a_batch(sshd: Sshd, connections: Connections) -> None:
    """Stages, parallel commands, exit codes and both streams come back from one login and one session."""
    shell = connections.connect(sshd.machine())
    first, second, third = shell.run(
        command("echo", "one"),
        [script("echo two; echo oops >&2; exit 3", title="two"), command("cat", stdin="three\n\n")],
    )
    assert (first.code, first.stdout) == (0, "one\n")
    assert (second.code, second.stdout, second.stderr) == (3, "two\n", "oops\n")
    assert (third.code, third.stdout) == (0, "three\n\n")
    assert connections.connect(sshd.machine()) is shell
    assert sshd.log().count("Accepted publickey") == 1
    assert shell.run() == []
    assert sshd.log().count("Starting session") == 1
