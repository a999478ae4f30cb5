"""A cluster's API server as others see it: its address and the CA that its certificate is checked with."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from fedssh.errors import RefusedError, visible

_STEP: Final = "look at the member"
LARGEST_CA_KIB: Final = 64
"""How large a CA may be, in PEM: it is copied into the host's kubeconfig, and into the engine's objects."""

_LONGEST_SERVER: Final = 2048
_LOCAL_NAMES: Final = {"localhost", "localhost.localdomain", "localhost6", "ip6-localhost", "ip6-loopback"}


def check_server(server: str, *, member: str) -> str:
    """Return an API address that can work from another machine.

    Raises:
        RefusedError: It is no https URL with a host, it is longer than an address is, it carries credentials, or it
            leads to the machine itself.
    """
    if len(server) > _LONGEST_SERVER:
        raise RefusedError(
            f"its API server's address is longer than {_LONGEST_SERVER} characters", machine=member, step=_STEP
        )
    try:
        parts = urlsplit(server)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts = None
    # urlsplit drops newlines and tabs, but they would stand in the host's kubeconfig.
    if parts is None or not server.isascii() or not server.isprintable() or " " in server:
        raise RefusedError("its API server's address is not a URL", machine=member, step=_STEP)
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
        RefusedError: It is missing, larger than 64 KiB, or something else.
    """
    problem = "the CA in its kubeconfig is not a certificate" if ca else "its kubeconfig holds no CA certificate"
    if len(ca) // 4 * 3 - ca[-2:].count("=") > LARGEST_CA_KIB * 1024:  # before anything is decoded
        pem, problem = "", f"the CA in its kubeconfig is larger than {LARGEST_CA_KIB} KiB"
    else:
        pem = _decode_ca(ca)
    if "-----BEGIN CERTIFICATE-----" not in pem or "PRIVATE KEY" in pem:
        raise RefusedError(
            problem,
            machine=member,
            step=_STEP,
            hint=f"Say in hosts.yaml how it is verified: members.{member}.tls: system, or ca_file: /path/to/ca.pem",
        )
    return ca


@lru_cache(maxsize=2048)  # looking, checking, planning and executing ask for the same one
def _decode_ca(ca: str) -> str:
    try:
        pem = base64.b64decode(ca, validate=True).decode("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ValueError, ssl.SSLError):
        return ""
    return pem


def _is_local(host: str) -> bool:
    host = host.removesuffix(".")
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # 127.1, 0x7f000001, 0
        except OSError:
            return host in _LOCAL_NAMES or host.endswith(".localhost")
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    return address.is_loopback or address.is_unspecified
