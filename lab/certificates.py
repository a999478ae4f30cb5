"""Certificates as the world has them: a root, what it lets issue, and servers whose certificate is right or not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY: Final = dt.timedelta(days=1)
_NO_USE: Final = {
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key."""

    signed: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return self.signed.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The key alone."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make_authority(name: str, issuer: Certificate | None = None) -> Certificate:
    """Make a certificate that may issue others; a root without an issuer."""
    return _make(name, issuer, authority=True, valid=(-DAY, 3650 * DAY))


def make_certificate(name: str, issuer: Certificate | None, *, expired: bool = False) -> Certificate:
    """Make the certificate of the server `name`, self-signed without an issuer; or one that expired yesterday."""
    return _make(name, issuer, authority=False, valid=(-90 * DAY, -DAY) if expired else (-DAY, 90 * DAY))


def _make(
    name: str, issuer: Certificate | None, *, authority: bool, valid: tuple[dt.timedelta, dt.timedelta]
) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.signed.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    usage = x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **_NO_USE)
    builder = builder.add_extension(usage, critical=True)
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(purpose, critical=False)
    return Certificate(builder.sign(signer, hashes.SHA256()), key)
