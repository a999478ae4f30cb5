from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import RefusedError
from fedssh.kubernetes.certificates import fingerprint
from tests.fakes.authorities import issue
from tests.fakes.shells import Answer, LocalShell
from tests.fakes.trusting import LEAF, ROOT, SELF_SIGNED, Host, cluster, resolve, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize(
    ("server", "name", "connect", "sni"),
    [
        ("https://m1.example.com:6443", None, "m1.example.com:6443", "m1.example.com"),
        ("https://M1.example.com", None, "m1.example.com:443", "m1.example.com"),
        ("https://gate.example.com:8443/k8s/clusters/c-1", None, "gate.example.com:8443", "gate.example.com"),
        ("https://192.0.2.7:6443", None, "192.0.2.7:6443", None),
        ("https://[2001:db8::7]:6443", None, "[2001:db8::7]:6443", None),
        ("https://[2001:db8::7]", None, "[2001:db8::7]:443", None),
        ("https://192.0.2.7:6443", "api.example.com", "192.0.2.7:6443", "api.example.com"),
        ("https://m1.example.com:6443", "192.0.2.7", "m1.example.com:6443", None),
        ("https://m1.example.com:6443", "2001:db8::7", "m1.example.com:6443", None),
        ("https://1.example.com:6443", None, "1.example.com:6443", "1.example.com"),
    ],
)
def test_a_server_is_asked_for_a_name_and_never_for_an_address(
    server: str, name: str | None, connect: str, sni: str | None
) -> None:
    """RFC 6066; many servers present another certificate without a name."""
    host = Host(LEAF)
    resolve(host.shell, cluster(tls="pin", server_name=name), state(server))
    argv = host.argv
    assert argv[argv.index("-connect") + 1] == connect
    assert ("-noservername" in argv) == (sni is None)
    assert (argv[argv.index("-servername") + 1] if "-servername" in argv else None) == sni


def test_an_address_is_never_a_shells_business() -> None:
    """Whatever characters a URL may hold."""
    host = Host(LEAF)
    resolve(host.shell, cluster(tls="pin"), state("https://a;reboot$(id)`id`&b"))
    assert host.argv[-1] == "a;reboot$(id)`id`&b:443"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(code=127, stderr="sh: openssl: not found"), "sh: openssl: not found"),
        (Answer(code=127, stderr="timeout: failed to run command 'openssl': No such file"), "failed to run command"),
        (Answer(code=1, stderr="40:error:8000006F\nconnect:errno=111"), "40:error:8000006F\nconnect:errno=111"),
        (Answer(code=124), "no certificate was presented"),
        (Answer("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "no certificate was presented"),
        (Answer("\ufffd\x1b[31m" * 1000, stderr="\x1b[31mred"), "\\x1b[31mred"),
        (Answer("-----BEGIN CERTIFICATE-----\n" * 10_000), "no certificate was presented"),
    ],
)
@pytest.mark.parametrize("tls", ["system", "pin"])
def test_a_certificate_that_cannot_be_seen_is_refused(answer: Answer, words: str, tls: str) -> None:
    """In openssl's words, made safe for a terminal; and what must be there."""
    with pytest.raises(RefusedError) as caught:
        resolve(Host(answer=answer).shell, cluster(tls=tls))
    assert caught.value.message.startswith("fedhost cannot see the certificate of https://m1:6443: ")
    assert words in caught.value.message
    assert caught.value.message.replace("\n", "").isprintable()
    assert f"openssl must be there on fedhost for tls: {tls}" in caught.value.hint


def test_a_hostile_name_in_a_certificate_is_not_shown() -> None:
    """A certificate is told by its fingerprint alone."""
    evil = issue("\x1b[31mevil\nhint: turn verification off")
    with pytest.raises(RefusedError) as caught:
        resolve(Host(evil).shell, cluster(tls="system"))
    assert "evil" not in caught.value.message + caught.value.hint


@pytest.fixture
def served(tmp_path: Path) -> Iterator[int]:
    """The port of a server that presents LEAF and ROOT to those who ask for leaf.test, and else another."""
    contexts: list[ssl.SSLContext] = []
    for one, chain in ((SELF_SIGNED, SELF_SIGNED.pem), (LEAF, LEAF.pem + ROOT.pem)):
        path = tmp_path / "served.pem"
        path.write_text(one.key_pem + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        contexts.append(context)
    other, named = contexts

    def choose(connection: Any, name: str | None, _: object) -> None:
        if name == "leaf.test":
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
def test_openssl_sees_what_a_real_server_presents(local: LocalShell, served: int) -> None:
    """The real program: the whole chain, by the name that is asked for; it does not wait for anything to be typed."""
    server = state(f"https://127.0.0.1:{served}")
    assert resolve(local, cluster(tls="pin"), server).ca == SELF_SIGNED.ca
    assert resolve(local, cluster(tls="pin", server_name="leaf.test"), server).ca == LEAF.ca
    with pytest.raises(RefusedError, match=fingerprint(SELF_SIGNED.certificate)):
        resolve(local, cluster(tls="system"), server)
