"""Opening one SSH connection: socket, host key, login."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import fabric
import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from fedssh.errors import UnreachableError, visible
from fedssh.ssh.authentication import AUTH_TIMEOUT_SECONDS, Authentication
from fedssh.ssh.channels import CHANNEL_TIMEOUT_SECONDS
from fedssh.ssh.gateways import CommandSocket, open_through
from fedssh.ssh.host_keys import CheckingPolicy, preferred_types
from fedssh.ssh.sockets import TransientError, open_socket

if TYPE_CHECKING:
    import socket

    from fedssh.ssh.closing import Closing
    from fedssh.ssh.host_keys import HostKeys
    from fedssh.ssh.identities import IdentityFiles
    from fedssh.ssh.prompting import Prompting
    from fedssh.ssh.target import Target

BANNER_TIMEOUT_SECONDS = 10.0
"""How long a machine may take to say that it speaks SSH."""

HANDSHAKE_TIMEOUT_SECONDS = 20
"""How long banner and key exchange may take together."""

# AES-GCM first: Paramiko compares the MACs of other ciphers byte by byte in Python. What is broken is left out.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)


def open_transport(
    target: Target,
    *,
    gateway: paramiko.Transport | None,
    host_keys: HostKeys,
    files: IdentityFiles,
    prompting: Prompting,
    closing: Closing,
) -> paramiko.Transport:
    """Return a transport that is logged in to ``target``; ``gateway`` is one that is logged in to its gateway.

    Raises:
        TransientError: trying again may help.
        UnreachableError: nothing that speaks SSH answers there.
        HostKeyError: it cannot prove who it is.
        AuthenticationError: it does not let us in.
    """
    known = host_keys.about(target)
    sock: socket.socket | paramiko.Channel
    if gateway:
        sock = open_through(gateway, target.host, target.port)
    elif target.proxy_command:
        sock = CommandSocket(target.proxy_command, closing)
    else:
        sock = open_socket(target.host, target.port, closing)

    def build(sock: socket.socket, **options: object) -> paramiko.Transport:
        transport = paramiko.Transport(sock, **options)  # type: ignore[arg-type]
        transport.set_log_channel(f"paramiko.{visible(target.place)}")  # -vv tells which machine it is
        offered = transport.get_security_options()
        offered.ciphers = _CIPHERS
        offered.digests = _MACS
        offered.key_types = preferred_types(known, tuple(offered.key_types))
        closing.add(transport.close)
        return transport

    connection = fabric.Connection(
        target.host,
        user=target.user,
        port=target.port,
        # Neither Fabric's own configuration files nor its reading of ssh_config: both would change what was decided.
        config=fabric.Config(lazy=True, ssh_config=paramiko.SSHConfig()),
        connect_timeout=HANDSHAKE_TIMEOUT_SECONDS,
        connect_kwargs={
            "sock": sock,
            "transport_factory": build,
            "banner_timeout": BANNER_TIMEOUT_SECONDS,
            "auth_timeout": AUTH_TIMEOUT_SECONDS,
            "channel_timeout": CHANNEL_TIMEOUT_SECONDS,
            "auth_strategy": Authentication(target, files, prompting, closing),
        },
    )
    connection.client.set_missing_host_key_policy(CheckingPolicy(host_keys, target))
    started = time.monotonic()
    try:
        connection.open()
    except (paramiko.SSHException, OSError, EOFError) as error:
        _discard(connection, sock)
        words = sock.words if isinstance(sock, CommandSocket) else ""
        raise _translate(error, target, time.monotonic() - started, words) from None
    except BaseException:
        _discard(connection, sock)
        raise
    transport: paramiko.Transport = connection.transport
    return transport


def _discard(connection: fabric.Connection, sock: socket.socket | paramiko.Channel) -> None:
    connection.client.close()
    sock.close()


def _translate(error: Exception, target: Target, seconds: float, words: str) -> UnreachableError:
    """Return what Paramiko's error before the login means; its texts are all there is to tell by."""
    text = str(error)
    if isinstance(error, IncompatiblePeer):
        return UnreachableError(
            f"{target.host} port {target.port} and fedssh know no common algorithm: {visible(text)}",
            hint="Its sshd is older than OpenSSH 7.2, or its sshd_config allows too little.",
        )
    if target.proxy_command and words:
        return UnreachableError(f"the ProxyCommand to {target.host} port {target.port} said: {words}")
    if "banner" not in text and not isinstance(error, (OSError, EOFError)):
        return UnreachableError(f"{target.host} port {target.port}: {visible(text)}")
    if seconds >= BANNER_TIMEOUT_SECONDS:
        return UnreachableError(
            f"{target.host} port {target.port} accepts connections but said nothing within "
            f"{BANNER_TIMEOUT_SECONDS:.0f} s",
            hint="Is it an SSH port? A proxy or a hanging sshd answers like that.",
        )
    return TransientError(
        f"{target.host} port {target.port} ended the connection before the login",
        hint="Its sshd may be refusing connections for a while (MaxStartups, PerSourcePenalties), or be no sshd.",
    )
