"""Logging in by a password where no key helps, on a real SSH server: Paramiko's, since sshd would need a user."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import keyring
import keyring.backend
import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL
from paramiko.server import InteractiveQuery

from fedssh.errors import AuthenticationError
from fedssh.inventory import Machine
from fedssh.sensitive import Sensitive
from fedssh.ssh import Connections
from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass
class Server(paramiko.ServerInterface):
    """Lets one user in by the canary; what was tried is written down."""

    password: str
    methods: str
    questions: tuple[str, ...]
    tried: list[str] = field(default_factory=list)
    port: int = 0

    def get_allowed_auths(self, username: str) -> str:
        """Return the methods."""
        return self.methods if username == "ana" else ""

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Refuse every key, unless it is to be followed by a password."""
        self.tried.append(f"key of {username}")
        assert key.can_sign() is False  # its public half only
        return AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        """Accept the password."""
        self.tried.append(f"password of {username}")
        return AUTH_SUCCESSFUL if password == self.password else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        """Put the questions."""
        del submethods
        self.tried.append(f"questions for {username}")
        return InteractiveQuery("", "", *((one, False) for one in self.questions))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        """Accept the password to every question."""
        right = responses == [self.password] * len(self.questions)
        return AUTH_SUCCESSFUL if right else AUTH_FAILED


@pytest.fixture
def start(tmp_path: Path, canary: str) -> Iterator[Callable[..., Server]]:
    """Starts servers by the methods that they offer."""
    host_key = paramiko.ECDSAKey.generate()
    listeners: list[socket.socket] = []

    def begin(methods: str, *questions: str) -> Server:
        server = Server(canary, methods, questions or ("Password: ",))
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        server.port = listener.getsockname()[1]
        (tmp_path / "known_hosts").write_text(
            f"[127.0.0.1]:{server.port} {host_key.get_name()} {host_key.get_base64()}\n"
        )

        def serve() -> None:
            with suppress(OSError):
                while True:
                    transport = paramiko.Transport(listener.accept()[0])
                    transport.add_server_key(host_key)
                    with suppress(paramiko.SSHException, EOFError):  # the client went
                        transport.start_server(server=server)

        threading.Thread(target=serve, daemon=True).start()
        return server

    yield begin
    for one in listeners:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def machine(server: Server, folder: Path) -> Machine:
    """Return the server as hosts.yaml would name it."""
    return Machine(
        name="member1", address="127.0.0.1", port=server.port, user="ana", known_hosts=folder / "known_hosts"
    )


class Person:
    """Somebody who answers what is on the list, then nothing."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    def __call__(self, question: str, cancelled: threading.Event) -> Sensitive | None:
        """Answer one question."""
        assert not cancelled.is_set()
        self.questions.append(question)
        return Sensitive(self.answers.pop(0)) if self.answers else None


def test_a_password_is_asked_for_where_no_key_helps(
    start: Callable[..., Server], keygen: Callable[..., Path], tmp_path: Path, canary: str
) -> None:
    """Keys first; a wrong answer is asked for again; what was right serves the rest of the run."""
    server = start("publickey,password")
    (tmp_path / "id").write_bytes(keygen("id_ed25519").read_bytes())
    wanted = machine(server, tmp_path)
    person = Person("wrong", canary)
    with Connections(person) as connections:
        connections.connect(replace(wanted, identity_file=tmp_path / "id"))
        connections.connect(wanted)
    place = f"ana@127.0.0.1 port {server.port}"
    assert person.questions == [f"Password for {place}: ", f"That is not it. Password for {place}: "]
    assert server.tried == ["key of ana", *["password of ana"] * 3]


def test_what_the_machine_asks_is_asked(start: Callable[..., Server], tmp_path: Path, canary: str) -> None:
    """As for one-time codes: its questions, harmless for a terminal, and the answers back."""
    server = start("keyboard-interactive", "Password: ", "Code\x1b[2J:")
    person = Person("wrong", "wrong", canary, canary)
    with Connections(person) as connections:
        connections.connect(machine(server, tmp_path))
    place = f"ana@127.0.0.1 port {server.port}"
    assert person.questions == [f"{place}: Password: ", f"{place}: Code\\x1b[2J: "] * 2


@pytest.mark.parametrize("methods", ["password", "publickey,password", "keyboard-interactive"])
def test_without_anybody_to_ask_nothing_is_tried(start: Callable[..., Server], tmp_path: Path, methods: str) -> None:
    """Exit code 5 with what to do; no password, right or wrong, counts against the account."""
    server = start(methods)
    with Connections(Person()) as connections, pytest.raises(AuthenticationError) as caught:
        connections.connect(machine(server, tmp_path))
    assert caught.value.exit_code == 5
    assert "For a password, run on a terminal and be asked" in caught.value.hint
    assert (f"keyring set fedssh 'ana@127.0.0.1 port {server.port}'" in caught.value.hint) == ("password" in methods)
    assert "password of ana" not in server.tried


def test_three_wrong_passwords_are_enough(start: Callable[..., Server], tmp_path: Path) -> None:
    """Nobody is asked for ever."""
    server = start("password")
    person = Person(*["wrong"] * 9)
    with Connections(person) as connections, pytest.raises(AuthenticationError, match="there is no key"):
        connections.connect(machine(server, tmp_path))
    assert len(person.questions) == 3


@pytest.fixture
def stored() -> Iterator[dict[str, str]]:
    """A keyring in memory, by the name of the entry."""
    entries: dict[str, str] = {}

    class InMemory(keyring.backend.KeyringBackend):
        priority = 1.0

        def get_password(self, service: str, username: str) -> str | None:
            return entries.get(username) if service == "fedssh" else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise AssertionError((service, username, password))

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())  # type: ignore[no-untyped-call]  # the library's own lack types
    yield entries
    keyring.set_keyring(before)


def test_a_keyring_answers_first(
    start: Callable[..., Server], tmp_path: Path, canary: str, stored: dict[str, str]
) -> None:
    """Nobody is asked; where its entry is wrong, somebody is."""
    server = start("password")
    name = f"ana@127.0.0.1 port {server.port}"
    for entry, asked in ((canary, 0), ("wrong", 1)):
        stored[name] = entry
        person = Person(canary)
        with Connections(person) as connections:
            connections.connect(machine(server, tmp_path))
        assert len(person.questions) == asked


def test_a_keyring_that_fails_is_none(start: Callable[..., Server], tmp_path: Path, canary: str) -> None:
    """Such as on a server without a desktop: NoKeyringError."""
    assert "fail" in type(keyring.get_keyring()).__module__
    with Connections(Person(canary)) as connections:
        connections.connect(machine(start("password"), tmp_path))


def test_fedssh_as_a_program_asks_on_its_terminal(start: Callable[..., Server], tmp_path: Path, canary: str) -> None:
    """The progress makes room for the question; the answer does not show. Without a terminal it ends with 5."""
    server = start("password")
    (tmp_path / "hosts.yaml").write_text(
        f"host: {{name: fedhost, address: 127.0.0.1, port: {server.port}, user: ana, known_hosts: known_hosts}}\n"
    )
    done = subprocess.run(
        [FEDSSH, "status"], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 5
    ours, theirs = pty.openpty()
    argv = ["setsid", "--ctty", "--wait", FEDSSH, "status"]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while not shown.endswith(f"Password for ana@127.0.0.1 port {server.port}: ".encode()):
            shown += os.read(ours, 1024)
        os.write(ours, f"{canary}\n".encode())
        with suppress(OSError):  # the terminal's end
            while chunk := os.read(ours, 1024):
                shown += chunk
        os.close(ours)
        assert process.wait(10) == 3  # the server opens no sessions
    assert canary.encode() not in shown
    assert server.tried == ["password of ana"]
