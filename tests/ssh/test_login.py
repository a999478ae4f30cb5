"""Keys, agents and logins that do not work: rows 21 and 22 of the faults."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import AuthenticationError, UnreachableError
from fedssh.sensitive import Sensitive
from fedssh.shell import command
from fedssh.ssh import Connections
from fedssh.ssh.prompting import ask_on_terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ssh.conftest import Sshd


@pytest.fixture
def add_to_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """An agent of the test, in SSH_AUTH_SOCK; the function puts a key without a passphrase into it."""
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    while not socket.exists():
        assert agent.poll() is None

    def add(key: Path) -> None:
        subprocess.run(["ssh-add", "-q", key], check=True, stdin=subprocess.DEVNULL)

    yield add
    agent.kill()
    agent.wait()


@pytest.fixture(autouse=True)
def _no_agent_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def refusal(connections: Connections, sshd: Sshd, **changes: object) -> AuthenticationError:
    """Return why the login failed."""
    with pytest.raises(AuthenticationError) as caught:
        connections.connect(sshd.machine(**changes))
    assert caught.value.exit_code == 5
    assert str(caught.value).startswith("member1: connect: ")
    assert caught.value.hint
    return caught.value


def connects(connections: Connections, sshd: Sshd, **changes: object) -> bool:
    """Whether the login works."""
    return connections.connect(sshd.machine(**changes)).run(command("true"))[0].ok


def encrypt(key: Path, passphrase: str) -> None:
    """Give a key a passphrase."""
    subprocess.run(
        ["ssh-keygen", "-q", "-a", "1", "-p", "-N", passphrase, "-f", key], check=True, stdout=subprocess.DEVNULL
    )


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_kind_of_key_logs_in(
    sshd: Sshd, connections: Connections, keygen: Callable[..., Path], kind: str
) -> None:
    """Keys of the three kinds OpenSSH makes are read and accepted."""
    key = keygen("key", kind=kind)
    (sshd.folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    assert connects(connections, sshd, identity_file=key)


def test_fault_21_passphrase_without_agent(sshd: Sshd, connections: Connections) -> None:
    """A key with a passphrase and nobody to ask is refused at once; ssh-add is the way."""
    encrypt(sshd.identity, "secret passphrase")
    error = refusal(connections, sshd)
    assert f"{sshd.identity} (it has a passphrase)" in error.message
    assert "ssh-add" in error.hint


def test_fault_21_the_agent_has_the_key(
    sshd: Sshd, connections: Connections, add_to_agent: Callable[[Path], None]
) -> None:
    """The agent's copy of a key with a passphrase is used, and no other key of the agent is tried."""
    add_to_agent(sshd.identity)
    encrypt(sshd.identity, "secret passphrase")
    sshd.identity.with_suffix(".pub").unlink()
    assert connects(connections, sshd)
    assert "Failed publickey" not in sshd.log()


def test_fault_22_wrong_key(sshd: Sshd, connections: Connections, keygen: Callable[..., Path]) -> None:
    """A key that is not authorised is named with its fingerprint, and is tried once."""
    wrong = keygen("wrong")
    error = refusal(connections, sshd, identity_file=wrong)
    listed = subprocess.check_output(["ssh-keygen", "-lf", wrong], text=True)
    assert listed.split()[1] in error.message
    assert "authorized_keys" in error.hint
    assert sshd.log().count("Failed publickey") == 1


def test_fault_22_too_many_keys(
    start_sshd: Callable[..., Sshd],
    connections: Connections,
    add_to_agent: Callable[[Path], None],
    keygen: Callable[..., Path],
) -> None:
    """When an agent's many keys use up the attempts, the message says so and how to name the right key."""
    sshd = start_sshd("MaxAuthTries 3")
    for number in range(5):
        add_to_agent(keygen(f"key{number}"))
    error = refusal(connections, sshd, identity_file=None)
    assert error.message.count("agent key key") == 3
    assert "MaxAuthTries" in error.message
    assert "IdentitiesOnly" in error.hint


def test_fault_22_no_key_at_all(
    sshd: Sshd, connections: Connections, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without any key there is nothing to try, and the message says where one would go."""
    monkeypatch.setenv("HOME", str(tmp_path))
    error = refusal(connections, sshd, identity_file=None)
    assert "there is no key" in error.message
    assert "identity_file" in error.hint


def test_a_missing_identity_file_is_named(sshd: Sshd, connections: Connections, tmp_path: Path) -> None:
    """A key file that is not there is the reason."""
    error = refusal(connections, sshd, identity_file=tmp_path / "gone")
    assert f"{tmp_path}/gone (No such file or directory)" in error.message


def test_a_file_that_is_no_key_is_named(sshd: Sshd, connections: Connections) -> None:
    """A public key given in place of the private one is the reason."""
    error = refusal(connections, sshd, identity_file=sshd.identity.with_suffix(".pub"))
    assert "no key" in error.message


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_certificate_beside_the_key(
    start_sshd: Callable[..., Sshd], connections: Connections, keygen: Callable[..., Path], kind: str
) -> None:
    """A user certificate is presented where it lies beside its key, and the bare key where it is not accepted."""
    authority, key = keygen("authority"), keygen("certified", kind=kind)
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", "root", str(key.with_suffix(".pub"))]
    subprocess.run(sign, check=True)
    trusting, other = start_sshd(f"TrustedUserCAKeys {authority}.pub"), start_sshd()
    assert connects(connections, trusting, identity_file=key)
    assert 'certificate ID "me"' in trusting.log()
    (other.folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    assert connects(connections, other, identity_file=key)


def test_default_keys_are_found(
    sshd: Sshd, connections: Connections, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without identity_file, the keys in ~/.ssh are tried; one that is not there is no problem."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519").write_bytes(sshd.identity.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    assert connects(connections, sshd, identity_file=None)


def test_an_agent_that_has_gone_is_no_agent(
    sshd: Sshd, connections: Connections, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A dangling SSH_AUTH_SOCK does no harm."""
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert connects(connections, sshd)


def test_a_machine_that_wants_more_than_a_key(start_sshd: Callable[..., Sshd], connections: Connections) -> None:
    """A second factor, or no login by key at all, is said in sshd's words."""
    sshd = start_sshd("AuthenticationMethods publickey,password", "PasswordAuthentication yes", "PermitRootLogin yes")
    assert "it wants password" in refusal(connections, sshd).message


def test_a_machine_without_logins_by_key(start_sshd: Callable[..., Sshd], connections: Connections) -> None:
    """So is a machine that takes no keys."""
    sshd = start_sshd("PubkeyAuthentication no", "PasswordAuthentication yes", "PermitRootLogin yes")
    assert "it wants password" in refusal(connections, sshd).message


def test_keys_are_read_once(start_sshd: Callable[..., Sshd], connections: Connections) -> None:
    """A key file is read for the first machine only, since an RSA key takes 100 ms."""
    first, second = start_sshd(), start_sshd()
    (second.folder / "authorized_keys").write_text(first.identity.with_suffix(".pub").read_text())
    assert connects(connections, first)
    os.truncate(first.identity, 0)
    assert connects(connections, second, identity_file=first.identity)


class Person:
    """Somebody who is asked, and answers with what is on the list."""

    def __init__(self, *answers: str) -> None:
        self.questions: list[str] = []
        self.answers = list(answers)

    def __call__(self, question: str, cancelled: threading.Event) -> Sensitive | None:
        """Answer one question."""
        assert not cancelled.is_set()
        self.questions.append(question)
        return Sensitive(self.answers.pop(0)) if self.answers else None


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_passphrase_is_asked_for_once(
    start_sshd: Callable[..., Sshd], keygen: Callable[..., Path], canary: str, kind: str
) -> None:
    """With somebody to ask, threads that need one key ask once, and again only after a wrong answer."""
    servers = [start_sshd(), start_sshd()]
    key = keygen("locked", kind=kind, passphrase=canary)
    for sshd in servers:
        (sshd.folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    person = Person("wrong", canary)
    with Connections(ask=person) as connections, ThreadPoolExecutor() as pool:
        machines = [sshd.machine(identity_file=key) for sshd in servers]
        assert all(pool.map(lambda machine: connections.connect(machine).run(command("true"))[0].ok, machines))
    assert person.questions == [f"Passphrase for {key}: ", f"That is not it. Passphrase for {key}: "]


def test_a_passphrase_nobody_knows(sshd: Sshd) -> None:
    """After three wrong answers, or none, the key counts as locked; it is not asked for again."""
    encrypt(sshd.identity, "secret passphrase")
    person = Person("wrong", "wrong", "wrong", "secret passphrase")
    with Connections(ask=person) as connections:
        error = refusal(connections, sshd)
        assert refusal(connections, sshd).message == error.message
    assert "it has a passphrase" in error.message
    assert len(person.questions) == 3


def test_a_question_on_a_terminal(canary: str) -> None:
    """On a terminal the question shows and the answer does not; the terminal is left as it was."""
    code = (
        "import threading; from fedssh.ssh.prompting import ask_on_terminal as ask;"
        "print(hash(ask('Passphrase: ', threading.Event()).reveal()) == hash(input()))"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = read_until(ours, b"Passphrase: ")
    os.write(ours, f"{canary}\n".encode())
    shown += read_until(ours, b"\r\n")
    assert canary not in shown.decode()
    os.write(ours, b"visible\n")
    assert read_until(ours, b"False") == b"visible\r\nFalse"
    assert process.wait(5) == 0
    os.close(ours)


def read_until(descriptor: int, end: bytes) -> bytes:
    """Read until ``end`` has come."""
    content = b""
    while not content.endswith(end):
        content += os.read(descriptor, 1)
    return content


def test_a_question_ends_when_everything_does(sshd: Sshd) -> None:
    """Closing the connections ends a question that nobody answers; without a terminal there is none."""
    encrypt(sshd.identity, "secret passphrase")
    asked = threading.Event()

    def wait(question: str, cancelled: threading.Event) -> None:
        assert question
        asked.set()
        cancelled.wait(10)

    connections = Connections(ask=wait)
    with ThreadPoolExecutor() as pool:
        connect = pool.submit(connections.connect, sshd.machine())
        assert asked.wait(5)
        connections.close()
        with pytest.raises((AuthenticationError, UnreachableError)):
            connect.result(2)
    assert ask_on_terminal("?", threading.Event()) is None
