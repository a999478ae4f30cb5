"""A cluster's API server as others see it: its address and the CA that its certificate is checked with."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from fedssh.errors import RefusedError, visible

_STEP: Final = "look at the member"


def check_server(server: str, *, member: str) -> str:
    """Return an API address that can work from another machine.

    Raises:
        RefusedError: It is no https URL with a host, it carries credentials, or it leads to the machine itself.
    """
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise RefusedError("its API server's address is not a URL", machine=member, step=_STEP) from None
    shown = visible(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
    hint = f"Say in hosts.yaml which address the host can use: members.{member}.api_server: https://…"
    if parts.scheme != "https" or not host:
        raise RefusedError(f"its API server's address {shown!r} is not https", machine=member, step=_STEP, hint=hint)
    if "@" in parts.netloc:
        raise RefusedError("its API server's address holds credentials", machine=member, step=_STEP, hint=hint)
    if _is_local(host):
        raise RefusedError(
            f"its API server's address {shown} works on that machine only", machine=member, step=_STEP, hint=hint
        )
    return server


def check_ca(ca: str, *, member: str) -> str:
    """Return a CA that is PEM in base64.

    Raises:
        RefusedError: It is missing or something else.
    """
    try:
        pem = base64.b64decode(ca, validate=True)
    except binascii.Error:
        pem = b""
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise RefusedError(
            "its kubeconfig holds no CA certificate" if not ca else "the CA in its kubeconfig is not a certificate",
            machine=member,
            step=_STEP,
        )
    return ca


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
