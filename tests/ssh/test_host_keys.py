"""Strict host keys against a real sshd: rows 1 to 3b of the faults."""

from __future__ import annotations

import logging
import subprocess
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import HostKeyError
from fedssh.shell import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd


def refusal(connections: Connections, sshd: Sshd) -> HostKeyError:
    """Return why the connection was refused; nothing of a login may have reached the machine."""
    with pytest.raises(HostKeyError) as caught:
        connections.connect(sshd.machine())
    assert caught.value.exit_code == 5
    assert caught.value.machine == "member1"
    assert "Accepted" not in sshd.log()
    assert "publickey" not in sshd.log()
    return caught.value


def connects(connections: Connections, sshd: Sshd) -> bool:
    """Whether the machine is let through and runs a command."""
    return connections.connect(sshd.machine()).run(command("true"))[0].ok


def test_fault_01_unknown_host_key(sshd: Sshd, connections: Connections) -> None:
    """An unknown key is refused with its fingerprint, the file looked in, and the line that would add it."""
    sshd.know()
    error = refusal(connections, sshd)
    assert sshd.fingerprint in error.message
    assert str(sshd.known_hosts) in error.message
    assert "ssh-keyscan" in error.hint
    assert f"[127.0.0.1]:{sshd.port} {sshd.host_key}" in error.hint


def test_fault_01_the_hint_works_as_typed(sshd: Sshd, connections: Connections) -> None:
    """The command at the end of the hint makes the key known."""
    sshd.known_hosts.unlink()
    error = refusal(connections, sshd)
    assert "(missing)" in error.message
    subprocess.run(["sh", "-c", error.hint.rpartition("Then: ")[2]], check=True)
    with type(connections)() as later:
        assert connects(later, sshd)


def test_fault_02_changed_host_key(sshd: Sshd, connections: Connections, keygen: Callable[..., Path]) -> None:
    """A key that contradicts known_hosts is refused with both fingerprints and the line."""
    other = keygen("other").with_suffix(".pub").read_text().split()[1]
    sshd.know("# a comment", "[127.0.0.1]:{port} ssh-ed25519 " + other)
    error = refusal(connections, sshd)
    assert sshd.fingerprint in error.message
    assert error.message.count("SHA256:") == 2
    assert f"{sshd.known_hosts}:2" in error.message


def test_fault_02_a_known_key_of_another_type_counts_as_changed(
    sshd: Sshd, connections: Connections, keygen: Callable[..., Path]
) -> None:
    """A machine known by one type of key is not let through with a new key of another type."""
    other = " ".join(keygen("other", kind="rsa").with_suffix(".pub").read_text().split()[:2])
    sshd.know("[127.0.0.1]:{port} " + other)
    assert "is not the known one" in refusal(connections, sshd).message


def test_the_known_type_of_key_is_asked_for(start_sshd: Callable[..., Sshd], connections: Connections) -> None:
    """A machine with several keys is recognised by the one that is known, though it prefers another."""
    sshd = start_sshd()
    rsa = sshd.folder / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", rsa], check=True)
    sshd.stop()
    sshd.options = (f"HostKey {rsa}",)
    sshd.start()
    sshd.know("[127.0.0.1]:{port} " + rsa.with_suffix(".pub").read_text())
    assert connects(connections, sshd)


@pytest.mark.parametrize(
    "line",
    [
        "[127.0.0.1]:{port} {key}",
        "[127.0.0.*]:{port} {key} a comment",
        "somebody,[127.?.0.1]:{port} {key}",
        "* {key}",
        "127.0.0.1 {key}",
    ],
)
def test_fault_03b_patterns_as_in_openssh(sshd: Sshd, connections: Connections, line: str) -> None:
    """Wildcards, lists, [host]:port and, on another port, the bare name make a machine known."""
    sshd.know("@cert-authority *.example.com {key}", "rubbish", "@revoked other {key}", line)
    assert connects(connections, sshd)


def test_fault_03b_hashed_names(sshd: Sshd, connections: Connections) -> None:
    """A file hashed by ssh-keygen -H is read."""
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", sshd.known_hosts], check=True, stderr=subprocess.DEVNULL)
    assert sshd.known_hosts.read_text().startswith("|1|")
    assert connects(connections, sshd)


def test_fault_03b_negation(sshd: Sshd, connections: Connections) -> None:
    """A negated pattern takes a machine out of its line."""
    sshd.know("*,![127.0.0.1]:{port},!127.0.0.1 {key}")
    assert "is not known" in refusal(connections, sshd).message


def test_fault_03b_revoked(sshd: Sshd, connections: Connections) -> None:
    """A revoked key is refused even where another line knows it."""
    sshd.know("[127.0.0.1]:{port} {key}", "@revoked * {key}")
    error = refusal(connections, sshd)
    assert "revoked" in error.message
    assert f"{sshd.known_hosts}:2" in error.message


def test_fault_03b_certificate_authority(sshd: Sshd, connections: Connections) -> None:
    """A machine known by a certificate authority only is refused with the reason."""
    sshd.know("@cert-authority * {key}")
    error = refusal(connections, sshd)
    assert "@cert-authority" in error.message
    assert "Paramiko" in error.hint


def test_lines_that_are_not_understood_are_named(sshd: Sshd, connections: Connections) -> None:
    """An unknown key's message names the lines that could not be read: the key may have been meant there."""
    sshd.know("[127.0.0.1]:{port} ssh-ed25519 AAAA")
    assert f"{sshd.known_hosts}:1" in refusal(connections, sshd).message


def test_accept_new_adds_an_unknown_key(sshd: Sshd, connections: Connections, caplog: pytest.LogCaptureFixture) -> None:
    """With accept-new an unknown key is let through, said, and written below what a file held; later runs know it."""
    sshd.known_hosts.write_text("# without a newline at its end")
    machine = sshd.machine(host_key_policy="accept-new")
    assert connections.connect(machine).run(command("true"))[0].ok
    assert sshd.fingerprint in caplog.text
    assert sshd.known_hosts.read_text() == (
        f"# without a newline at its end\n[127.0.0.1]:{sshd.port} {sshd.host_key}\n"
    )
    with type(connections)() as later:
        assert connects(later, sshd)


def test_accept_new_makes_a_private_file(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """A known_hosts file that was not there is made, readable to nobody else."""
    file = tmp_path / "ssh" / "known_hosts"
    connections.connect(sshd.machine(host_key_policy="accept-new", known_hosts=file))
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("line", ["* {other}", "@revoked * {key}", "@cert-authority * {key}"])
def test_accept_new_accepts_nothing_else(
    sshd: Sshd, connections: Connections, keygen: Callable[..., Path], line: str
) -> None:
    """A changed key, a revoked one, and a machine with a certificate authority are refused all the same."""
    other = keygen("other").with_suffix(".pub").read_text()
    sshd.known_hosts.write_text(line.format(key=sshd.host_key, other=other))
    before = sshd.known_hosts.read_text()
    with pytest.raises(HostKeyError):
        connections.connect(sshd.machine(host_key_policy="accept-new"))
    assert sshd.known_hosts.read_text() == before


def test_off_warns_at_every_run(
    sshd: Sshd, connections: Connections, keygen: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """With off any key is let through with a warning and nothing is written; a revoked one is still refused."""
    sshd.know("* " + keygen("other").with_suffix(".pub").read_text())
    before = sshd.known_hosts.read_text()
    assert connections.connect(sshd.machine(host_key_policy="off")).run(command("true"))[0].ok
    assert "was not checked" in caplog.text
    told = [record for record in caplog.records if record.name.startswith("fedssh") and record.levelno > logging.DEBUG]
    assert [record.levelname for record in told] == ["WARNING"]
    assert sshd.known_hosts.read_text() == before
    sshd.know("@revoked * {key}")
    with type(connections)() as later, pytest.raises(HostKeyError, match="revoked"):
        later.connect(sshd.machine(host_key_policy="off"))
