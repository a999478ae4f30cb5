"""Certificates that a server presents: their fingerprints, and the root that has issued them. Pure."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_CHAIN: Final = 10


def parse_chain(text: str) -> list[x509.Certificate]:
    """Return the PEM certificates in a text, in their order; none when there are none, or one is broken."""
    try:
        return x509.load_pem_x509_certificates(text.encode("ascii", "ignore"))
    except ValueError:
        return []


def parse_store(text: str) -> list[x509.Certificate]:
    """Return the PEM certificates of a trust store, leaving out those that this laptop's library cannot read."""
    end = "-----END CERTIFICATE-----"
    return [one for part in text.split(end) for one in parse_chain(part + end)]


def find_root(chain: Sequence[x509.Certificate], store: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the certificate of ``store`` that the presented ``chain`` (the server's first) leads to, or None.

    Only names and signatures are looked at; whether it really verifies is proven from the host.
    """
    current = chain[0] if chain else None
    for _ in range(_LONGEST_CHAIN):
        if current is None or current in store:
            return current
        current = _issuer(current, store) or _issuer(current, [one for one in chain[1:] if one != current])
    return None


def fingerprint(certificate: x509.Certificate) -> str:
    """Return a certificate's SHA-256 fingerprint, as OpenSSL writes it: pairs of hexadecimal digits and colons."""
    return "SHA256 " + certificate.fingerprint(SHA256()).hex(":").upper()


def to_base64(certificate: x509.Certificate) -> str:
    """Return a certificate as a kubeconfig holds it: PEM in base64."""
    return base64.b64encode(certificate.public_bytes(Encoding.PEM)).decode()


def _issuer(certificate: x509.Certificate, candidates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    for one in candidates:
        if one.subject == certificate.issuer:
            try:
                certificate.verify_directly_issued_by(one)
            except (ValueError, TypeError, InvalidSignature):
                continue
            return one
    return None
