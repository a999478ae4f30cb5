"""Certificates for tests, really signed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.fakes.kubernetes import base64_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @cached_property
    def pem(self) -> str:
        """The certificate, as text."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def ca(self) -> str:
        """The certificate, as a kubeconfig holds it."""
        return base64_of(self.pem)

    @property
    def key_pem(self) -> str:
        """The key, as text."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def altered(self, old: bytes, new: bytes) -> Issued:
        """Return it with some of its bytes replaced; its signature is then wrong."""
        der = self.certificate.public_bytes(Encoding.DER)
        assert old in der
        with warnings.catch_warnings(action="ignore"):
            return Issued(x509.load_der_x509_certificate(der.replace(old, new)), self.key)


def issue(name: str, *, by: Issued | None = None, like: Issued | None = None, names: Sequence[str] = ()) -> Issued:
    """Issue a certificate.

    Args:
        name: Whose it is.
        by: Who signs it; itself when None.
        like: Whose key it has; a new one when None.
        names: The names and addresses in it.
    """
    key = like.key if like else ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() | 1 << 158)  # so that all are of one length
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
    )
    if names:
        alternatives = [_alternative(entry) for entry in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Issued(builder.sign(by.key if by else key, SHA256()), key)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
