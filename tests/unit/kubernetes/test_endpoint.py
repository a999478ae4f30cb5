from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.errors import RefusedError
from fedssh.kubernetes.endpoint import check_ca, check_server
from tests.fakes.kubernetes import CA, base64_of, ca_of
from tests.fakes.machine_output import damaged_text, repeated, soon


def refused(server: str) -> RefusedError:
    """Return the error for a server."""
    with pytest.raises(RefusedError) as caught:
        check_server(server, member="member1")
    assert caught.value.machine == "member1"
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize(
    "server",
    [
        "https://10.0.0.1:6443",
        "https://member2.demo.jelastic.com/api/",
        "https://[2001:db8::1]:6443",
        "https://LOCALHOST.example.com",
        "https://xn--mnchen-3ya.example",
        "https://128.0.0.1",
    ],
)
def test_an_address_that_can_work_elsewhere_is_kept_as_it_is(server: str) -> None:
    """Port, path and case included."""
    assert check_server(server, member="m") == server


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "127.1", "0", "2130706433", "0x7f000001", "0177.0.0.1"),  # noqa: S104
        *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::1%25lo]"),
        *("localhost", "LocalHost", "localhost.", "api.localhost", "localhost.localdomain", "ip6-localhost"),
    ],
)
@pytest.mark.parametrize("port", ["", ":6443"])
def test_loopback_is_refused_in_every_spelling(host: str, port: str) -> None:
    """From the host, it would be the host itself; the hint names what to write instead."""
    error = refused(f"https://{host}{port}")
    assert "works on that machine only" in error.message
    assert "members.member1.api_server: https://" in error.hint


@pytest.mark.parametrize(
    "server", ["", "http://10.0.0.1", "10.0.0.1:6443", "https://", "https:///path", "HTTPS", "ftp://x", "https:x"]
)
def test_anything_but_https_is_refused(server: str) -> None:
    """A token would travel in clear."""
    assert "is not https" in refused(server).message


@pytest.mark.parametrize("userinfo", ["{}", "user:{}", "{}:", ":{}"])
def test_credentials_in_an_address_are_refused_and_not_shown(userinfo: str, canary: str) -> None:
    """They would stand in KubeFed's objects for everybody."""
    error = refused(f"https://{userinfo.format(canary)}@10.0.0.1:6443")
    assert "holds credentials" in error.message
    refused(f"http://{userinfo.format(canary)}@10.0.0.1")


@pytest.mark.parametrize(
    "server",
    [
        "https://[::1",
        "https://x:port",
        "https://x:99999",
        "https://exa\nmple.com",
        "https://exa\tmple.com",
        "https://example.com/\x1b[31m",
        "https://example.com/ x",
        "https://example.com/\u202e",
        "https://ex\u00e4mple.com",
    ],
)
def test_what_is_no_url_is_refused(server: str) -> None:
    """Above all what could not be written into a kubeconfig, or act on a terminal."""
    assert "is not a URL" in refused(server).message


@given(st.text(st.characters(), max_size=30), st.sampled_from(["", "https://", "https://a/", "https://["]))
def test_no_text_breaks_the_check(text: str, before: str) -> None:
    """A server is refused, or it is printable and https."""
    try:
        server = check_server(before + text, member="m")
    except RefusedError:
        return
    assert server == before + text
    assert server.isprintable()
    assert server.lower().startswith("https://")


def test_an_address_has_a_length() -> None:
    """It stands in messages and in the host's kubeconfig."""
    longest = "https://10.0.0.1/".ljust(2048, "x")
    assert check_server(longest, member="m") == longest
    error = refused("https://10.0.0.1/" + repeated("x"))
    assert error.message == "its API server's address is longer than 2048 characters"


def test_a_ca_is_kept_as_it_is() -> None:
    """One certificate, several, or some text around them."""
    pem = base64.b64decode(CA).decode()
    for ca in (CA, ca_of(pem * 2), ca_of(f"# the platform's CA\n{pem}")):
        assert check_ca(ca, member="m") == ca


@pytest.mark.parametrize(
    "ca",
    [
        "not base64",
        "n\u00f6t ascii",
        CA[:-1],
        CA + "\n",
        ca_of("text"),
        ca_of("-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n"),
        ca_of("-----BEGIN CERTIFICATE-----\n"),
        base64.b64encode(b"\xff\xfe-----BEGIN CERTIFICATE-----").decode(),
    ],
)
def test_what_is_no_certificate_is_refused(ca: str) -> None:
    """Before the host's kubeconfig holds it."""
    with pytest.raises(RefusedError, match="the CA in its kubeconfig is not a certificate"):
        check_ca(ca, member="m")


@pytest.mark.parametrize("size", [64 * 1024 + 1, 4 * 1024 * 1024])
def test_fault_72_a_ca_is_at_most_64_kib(size: int) -> None:
    """A member cannot fill the host's kubeconfig until fedssh itself cannot read it; nothing of it is decoded."""
    pem = base64.b64decode(CA).decode()
    largest = ca_of(pem + "#" * (64 * 1024 - len(pem)))
    assert check_ca(largest, member="m") == largest
    for ca in (ca_of(repeated(pem, size) + pem), ca_of(pem + "#" * (size - len(pem))), "%" * (size * 4 // 3 + 4)):
        with soon(0.1), pytest.raises(RefusedError, match="the CA in its kubeconfig is larger than 64 KiB") as caught:
            check_ca(ca, member="m")
        assert "tls: system, or ca_file" in caught.value.hint


@given(damaged_text(base64.b64decode(CA).decode()).map(ca_of))
def test_no_ca_breaks_the_check(ca: str) -> None:
    """It is kept as it is, or refused."""
    try:
        checked = check_ca(ca, member="m")
    except RefusedError:
        return
    assert checked == ca


def test_a_private_key_beside_a_certificate_is_refused(canary: str) -> None:
    """It is no business of the host's."""
    key = f"-----BEGIN PRIVATE KEY-----\n{base64_of(canary)}\n-----END PRIVATE KEY-----\n"
    with pytest.raises(RefusedError) as caught:
        check_ca(ca_of(base64.b64decode(CA).decode() + key), member="m")
    assert caught.value.machine == "m"


def test_a_missing_ca_is_told_from_a_wrong_one() -> None:
    """The kubeconfig may skip verification."""
    with pytest.raises(RefusedError, match="holds no CA certificate"):
        check_ca("", member="m")
