"""Certificates that a server presents: their fingerprints, and the root that has issued them. Pure.

A server may present anything. What cryptography cannot read is no certificate, and has issued nothing; whatever
cryptography raises stays here.
"""

from __future__ import annotations

import base64
import warnings
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cryptography import x509

_LONGEST_CHAIN: Final = 20
_LONGEST_TEXT: Final = 256 * 1024
_LARGEST_CERTIFICATE_BYTES: Final = 48 * 1024  # 64 KiB as a kubeconfig holds it
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_T = TypeVar("_T")


def asking_argv(server: str, *, server_name: str = "") -> list[str]:
    """Return the call of OpenSSL that prints, as PEM, the certificates which an https address presents.

    Args:
        server: The address.
        server_name: The name to ask for, where it is not the address's own.
    """
    parts = urlsplit(server)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
    name = server_name or str(parts.hostname)
    # RFC 6066: a server name is a name, not an address.
    sni = ["-noservername"] if ":" in name or name.replace(".", "").isdecimal() else ["-servername", name]
    return ["openssl", "s_client", "-showcerts", *sni, "-connect", f"{host}:{parts.port or 443}"]


def parse_chain(text: str) -> list[x509.Certificate]:
    """Return the PEM certificates in a text, in their order, at most 20.

    There are none when one is broken or larger than a CA may be, or when the text is longer than 256 KiB.
    """
    if len(text) > _LONGEST_TEXT or _BEGIN not in text:
        return []
    from cryptography import x509  # noqa: PLC0415  (slow, and most runs look into no certificate)
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  (the same)

    found = _attempt(lambda: x509.load_pem_x509_certificates(text.encode("ascii", "ignore"))) or []
    chain = found[:_LONGEST_CHAIN]
    return chain if all(len(each.public_bytes(Encoding.DER)) <= _LARGEST_CERTIFICATE_BYTES for each in chain) else []


def parse_store(text: str) -> list[x509.Certificate]:
    """Return the PEM certificates of a trust store, leaving out those that this laptop's library cannot read."""
    return [certificate for part in text.split(_END) for certificate in parse_chain(part + _END)]


def find_root(chain: Sequence[x509.Certificate], store: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the certificate of ``store`` that the presented ``chain`` (the server's first) leads to, or None.

    Only names and signatures are looked at; whether it really verifies is proven from the host.
    """
    chain = chain[:_LONGEST_CHAIN]
    waiting, seen = list(chain[:1]), list(chain[:1])
    while waiting:
        current = waiting.pop(0)
        if current in store:
            return current
        if roots := _issuers(current, store):
            return roots[0]
        # Several where one was cross-signed, and not every one of them leads to the store.
        found = [one for one in _issuers(current, chain) if one not in seen]
        waiting += found
        seen += found
    return None


def fingerprint(certificate: x509.Certificate) -> str:
    """Return a certificate's SHA-256 fingerprint as hosts.yaml names it: ``SHA256:AB:CD:…``."""
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415  (as above)

    return "SHA256:" + certificate.fingerprint(SHA256()).hex(":").upper()


def valid_until(certificate: x509.Certificate) -> str:
    """Return the end of a certificate as Kubernetes writes times, or "" where it cannot be read."""
    end = _attempt(lambda: certificate.not_valid_after_utc)
    return end.strftime("%Y-%m-%dT%H:%M:%SZ") if end else ""


def valid_from(certificate: x509.Certificate) -> str:
    """Return the beginning of a certificate as Kubernetes writes times, or "" where it cannot be read."""
    begin = _attempt(lambda: certificate.not_valid_before_utc)
    return begin.strftime("%Y-%m-%dT%H:%M:%SZ") if begin else ""


def to_base64(certificate: x509.Certificate) -> str:
    """Return a certificate as a kubeconfig holds it: PEM in base64."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  (as above)

    return base64.b64encode(certificate.public_bytes(Encoding.PEM)).decode()


def from_base64(ca: str) -> list[x509.Certificate]:
    """Return the certificates in what a kubeconfig holds; none where that is something else."""
    if len(ca) > 2 * _LONGEST_TEXT:  # not decoded in vain
        return []
    try:
        return parse_chain(base64.b64decode(ca).decode("ascii", "ignore"))
    except ValueError:
        return []


def _issuers(certificate: x509.Certificate, candidates: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    return [one for one in candidates if _has_issued(one, certificate)]


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    # A name is parsed here only, and its key may be of a kind unknown here.
    def check() -> bool:
        if issuer.subject != certificate.issuer:
            return False
        certificate.verify_directly_issued_by(issuer)
        return True

    return _attempt(check) or False


def _attempt(read: Callable[[], _T]) -> _T | None:
    """Return what ``read`` reads out of certificates, or None where cryptography fails at it, in whatever way."""
    # Trust stores hold old certificates that are not as they should be: cryptography warns, the user can do nothing.
    with warnings.catch_warnings(action="ignore"):
        try:
            return read()
        except Exception:  # noqa: BLE001 - InvalidVersion, TypeError, OverflowError, …: no list of them is complete
            return None
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # Rust's; no class that could be imported
                raise
            return None
