"""What a server presents, asked by OpenSSL: from the host, and from the member's own machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines import load_engine
from fedssh.federation.look.members import member_commands, parse_presented
from fedssh.kubernetes.certificates import asking_argv
from fedssh.shell import command
from tests.fakes.lines import key_of
from tests.fakes.shells import LocalShell, install_tool, path_with, result
from tests.fakes.trusting import LEAF, ROOT, SELF_SIGNED, cluster
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fedssh.federation.facts import Presented

ADDRESSES = [
    ("https://m1.example.com:6443", None, "m1.example.com:6443", "m1.example.com"),
    ("https://m1.example.com", None, "m1.example.com:443", "m1.example.com"),
    ("https://gate.example.com/api/", None, "gate.example.com:443", "gate.example.com"),
    ("https://gate.example.com:8443/k8s/clusters/c-1", None, "gate.example.com:8443", "gate.example.com"),
    ("https://192.0.2.7:6443", None, "192.0.2.7:6443", None),
    ("https://192.0.2.7", None, "192.0.2.7:443", None),
    ("https://[2001:db8::7]:6443", None, "[2001:db8::7]:6443", None),
    ("https://[2001:db8::7]", None, "[2001:db8::7]:443", None),
    ("https://192.0.2.7:6443", "api.example.com", "192.0.2.7:6443", "api.example.com"),
    ("https://m1.example.com:6443", "192.0.2.7", "m1.example.com:6443", None),
    ("https://m1.example.com:6443", "2001:db8::7", "m1.example.com:6443", None),
    ("https://1.example.com:6443", None, "1.example.com:6443", "1.example.com"),
]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an openssl was called with that only notes it."""
    install_tool(tmp_path / "bin", "openssl", f"printf '%s\\n' \"$@\" >{tmp_path}/asked")
    install_tool(tmp_path / "bin", "kubectl", 'echo "$SERVER"')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    return tmp_path / "asked"


def ask_from_host(shell: LocalShell, server: str, name: str | None = None) -> Presented:
    """Ask what a server presents, as the host does."""
    argv = asking_argv(server, server_name=name or "")
    return parse_presented(shell.run(command("timeout", "5", *argv))[0])


def ask_from_member(shell: LocalShell, server: str, name: str | None = None) -> Presented:
    """Ask what a server presents, as the member's own machine does."""
    pinned = cluster(tls="pin", api_server=server or None, server_name=name)
    (ask,) = [ask for ask in member_commands(pinned, load_engine()) if key_of(ask) == ("openssl", "s_client")]
    return parse_presented(shell.run(ask)[0])


@pytest.mark.parametrize("ask", [ask_from_host, ask_from_member])
@pytest.mark.parametrize(("server", "name", "connect", "sni"), ADDRESSES)
def test_a_server_is_asked_for_a_name_and_never_for_an_address(
    local: LocalShell, asked: Path, ask: Any, server: str, name: str | None, connect: str, sni: str | None
) -> None:
    """RFC 6066; many servers present another certificate without a name."""
    ask(local, server, name)
    argv = asked.read_text().splitlines()
    assert argv[argv.index("-connect") + 1] == connect
    assert ("-noservername" in argv) == (sni is None)
    assert (argv[argv.index("-servername") + 1] if "-servername" in argv else None) == sni


def test_the_members_own_address_is_asked_where_hosts_yaml_names_none(
    local: LocalShell, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one in its kubeconfig, even one that works there only."""
    monkeypatch.setenv("SERVER", "https://127.0.0.1:6443")
    ask_from_member(local, "")
    assert "127.0.0.1:6443" in asked.read_text().splitlines()


@pytest.mark.parametrize("ask", [ask_from_host, ask_from_member])
def test_an_address_is_never_a_shells_business(local: LocalShell, asked: Path, ask: Any, tmp_path: Path) -> None:
    """Whatever characters a URL may hold."""
    ask(local, f"https://a;touch${{IFS}}{tmp_path.name}$(id)`id`&b")
    assert asked.exists()
    assert any("$(id)`id`&b" in word for word in asked.read_text().splitlines())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (result(code=127, stderr="sh: openssl: not found"), "sh: openssl: not found"),
        (result(code=127, stderr="timeout: failed to run command 'openssl': No such file"), "failed to run command"),
        (result(code=1, stderr="40:error:8000006F\nconnect:errno=111"), "40:error:8000006F\nconnect:errno=111"),
        (result(code=124), "no certificate was presented"),
        (result("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "no certificate was presented"),
        (result("\ufffd\x1b[31m" * 1000, stderr="\x1b[31mred"), "\\x1b[31mred"),
        (result("-----BEGIN CERTIFICATE-----\n" * 10_000), "no certificate was presented"),
    ],
)
def test_a_certificate_that_cannot_be_seen_is_a_fact_with_its_reason(answer: Any, words: str) -> None:
    """In openssl's words, made safe for a terminal; nothing is refused here."""
    seen = parse_presented(answer)
    assert seen.chain == ()
    assert words in seen.problem
    assert seen.problem.replace("\n", "").isprintable()


def test_only_what_trust_depends_on_is_asked(world: World) -> None:
    """A member that is verified by its own CA costs the host nothing; a pin in hosts.yaml costs the member nothing."""
    world.federate()
    keys = {call.key for name in ("fedhost", *world.members) for call in world.called(name)}
    assert not keys & {("openssl", "s_client"), ("store", "read")}
    pin = ", pin: SHA256:" + "00" * 32
    world.said = {"member1": pin, "member2": ", tls: pin", "member3": ", tls: system"}
    report = by_name(world.federate())
    assert [report[name].state for name in world.members] == ["Failed"] * 3
    addresses = [call.flags["-connect"] for call in world.host.calls if call.key == ("openssl", "s_client")]
    assert addresses == [f"{name}.example.com:6443" for name in world.members]
    by_itself = [name for name in world.members if ("openssl", "s_client") in {call.key for call in world.called(name)}]
    assert by_itself == ["member2"]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """The port of a server that presents LEAF and ROOT to those who ask for localhost, and else another."""
    contexts: list[ssl.SSLContext] = []
    for issued, chain in ((SELF_SIGNED, SELF_SIGNED.pem), (LEAF, LEAF.pem + ROOT.pem)):
        path = tmp_path / "served.pem"
        path.write_text(issued.key_pem + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        contexts.append(context)
    other, named = contexts

    def choose(connection: Any, name: str | None, _: object) -> None:
        if name == "localhost":
            connection.context = named

    other.set_servername_callback(choose)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with contextlib.suppress(OSError), other.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not there")
@pytest.mark.parametrize("ask", [ask_from_host, ask_from_member])
def test_openssl_sees_what_a_real_server_presents(local: LocalShell, served: int, ask: Any) -> None:
    """The real program: the whole chain, by the name that is asked for; it does not wait for anything to be typed."""
    alone, whole = (SELF_SIGNED.certificate,), (LEAF.certificate, ROOT.certificate)
    assert ask(local, f"https://127.0.0.1:{served}").chain == alone
    assert ask(local, f"https://localhost:{served}").chain == whole
    assert ask(local, f"https://127.0.0.1:{served}/api/", "localhost").chain == whole


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not there")
@pytest.mark.parametrize("ask", [ask_from_host, ask_from_member])
def test_a_server_that_is_not_there_presents_nothing(local: LocalShell, ask: Any) -> None:
    """Here nobody listens at the port that an address without one stands for; the reason is openssl's."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        seen = ask(local, f"https://127.0.0.1:{closed.getsockname()[1]}")
    assert seen.chain == ()
    assert seen.problem


def test_a_name_has_no_case(local: LocalShell, asked: Path) -> None:
    """The host asks for it in lower case."""
    ask_from_host(local, "https://M1.example.com")
    assert asked.read_text().splitlines()[-3:] == ["m1.example.com", "-connect", "m1.example.com:443"]
