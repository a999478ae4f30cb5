"""Certificates that no honest server presents."""

from __future__ import annotations

import base64
import textwrap
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from fedssh.kubernetes.certificates import find_root, fingerprint, from_base64, parse_chain, parse_store, to_base64
from tests.fakes.authorities import issue
from tests.fakes.kubernetes import base64_of
from tests.fakes.machine_output import damaged, damaged_text, repeated, soon

ROOT = issue("root")
LEAF = issue("leaf", by=ROOT, names=["leaf.example", "10.0.0.1"])
LEAF_DER = LEAF.certificate.public_bytes(Encoding.DER)
BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
# The version is the first in a certificate: [0] { INTEGER 2 }, which is called X.509 version 3.
VERSION = bytes.fromhex("a003020102")


def pem_of(der: bytes) -> str:
    """Return bytes as a certificate's PEM, be they one or not."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join([BEGIN.strip(), *lines, END])


def of_version(number: int) -> str:
    """Return the PEM of a certificate that says it is of another X.509 version; cryptography is asked nothing."""
    assert VERSION in LEAF_DER
    return pem_of(LEAF_DER.replace(VERSION, VERSION[:-1] + bytes([number]), 1))


def look(text: str) -> None:
    """Do with a presented chain whatever fedssh does with one."""
    for chain in (parse_chain(text), parse_store(text), from_base64(base64_of(text))):
        for certificate in chain:
            assert fingerprint(certificate).startswith("SHA256:")
            assert from_base64(to_base64(certificate)) == [certificate]
        find_root(chain, [ROOT.certificate])
        find_root([LEAF.certificate, *chain], [*chain, ROOT.certificate])
        find_root([LEAF.certificate], chain)


def test_pem_that_is_made_here_is_read() -> None:
    """So that what follows is refused for what it says."""
    assert parse_chain(pem_of(LEAF_DER)) == [LEAF.certificate]
    assert parse_chain(of_version(2)) == [LEAF.certificate]


@pytest.mark.parametrize("number", [0, 1, 3, 4, 9, 127, 128, 255])
def test_fault_72_a_certificate_of_an_unknown_version_is_none(number: int) -> None:
    """Not an exception that ends the run of every member; in a trust store, the others count."""
    unknown = of_version(number)
    assert parse_chain(unknown) == []
    assert parse_chain(LEAF.pem + unknown) == []
    assert from_base64(base64_of(unknown)) == []
    assert parse_store(ROOT.pem + unknown + LEAF.pem) == [ROOT.certificate, LEAF.certificate]


@given(st.one_of(damaged(LEAF_DER).map(pem_of), damaged_text(LEAF.pem), damaged_text(LEAF.pem + ROOT.pem)))
@example(of_version(3))
def test_no_certificate_breaks_what_looks_at_it(text: str) -> None:
    """Bytes of it, or characters of its PEM, are cut out, doubled or replaced."""
    look(text)


@pytest.mark.parametrize("step", [1, 0x55, 0xFF])
def test_every_byte_of_a_certificate_may_be_wrong(step: int) -> None:
    """Also those that are parsed only once somebody asks for a name or a key."""
    with warnings.catch_warnings(action="ignore"):
        for place in range(0, len(LEAF_DER), 3):
            look(pem_of(LEAF_DER[:place] + bytes([LEAF_DER[place] ^ step]) + LEAF_DER[place + 1 :]))


@pytest.mark.parametrize("kind", [OverflowError, type("PanicException", (BaseException,), {})])
def test_whatever_cryptography_raises_is_no_certificate(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a panic of Rust's, which is no Exception; no certificate is known that does it to this version."""

    def fail(_: bytes) -> None:
        raise kind

    monkeypatch.setattr(x509, "load_pem_x509_certificates", fail)
    assert parse_chain(LEAF.pem) == []


def test_an_interrupt_is_none_of_cryptographys_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the run."""

    def interrupt(_: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(x509, "load_pem_x509_certificates", interrupt)
    with pytest.raises(KeyboardInterrupt):
        parse_chain(LEAF.pem)


def test_a_chain_has_its_limits() -> None:
    """20 certificates are looked at, and 256 KiB of text; a trust store holds as many as it likes."""
    assert len(parse_chain(LEAF.pem * 30)) == 20
    text = LEAF.pem + " " * (256 * 1024 - len(LEAF.pem))
    assert parse_chain(text) == [LEAF.certificate]
    assert parse_chain(text + " ") == []
    assert len(parse_store(ROOT.pem * 600)) == 600


def test_a_certificate_larger_than_a_ca_may_be_is_none() -> None:
    """Pinned, it would be copied into the host's kubeconfig."""
    large = issue("large", names=[f"name-{number:06}.example.com" for number in range(2000)])
    assert len(large.pem) > 64 * 1024
    assert parse_chain(large.pem) == []
    assert from_base64(large.ca) == []


PIECES = {
    "begins": BEGIN,
    "ends": END,
    "empty": BEGIN + END,
    "dashes": "-",
    "letters": "A",
    "half begins": "-----BEGIN ",
    "headers": "a:b\n",
    "certificates": LEAF.pem,
}


# By names: a key is another one in each worker of a test run.
@pytest.mark.parametrize("piece", PIECES.values(), ids=PIECES.keys())
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    """Two megabytes of whatever could begin or end a certificate."""
    with soon():
        look(repeated(piece) if piece != LEAF.pem else piece * 20)
        parse_store(repeated(piece))
        from_base64(repeated(piece))
        parse_chain(BEGIN + repeated(piece, 200_000) + END)
