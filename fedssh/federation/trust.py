"""How the host verifies each member: what hosts.yaml says, resolved into a certificate that can be embedded.

KubeFed's controller does not look at the host's trust store, so that what is trusted must stand in the kubeconfig
entry, from which a join copies it: the member's own CA, a CA from a file, the root of the host's trust store that has
issued the certificate (``system``), or the presented certificate itself (``pin``).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fedssh.errors import ConfigurationError, FedsshError, RefusedError
from fedssh.kubernetes.certificates import (
    asking_argv,
    find_root,
    fingerprint,
    from_base64,
    parse_chain,
    parse_store,
    to_base64,
)
from fedssh.kubernetes.endpoint import check_ca
from fedssh.kubernetes.kubeconfig import Kubeconfig, remote_cluster
from fedssh.shell import Command, Result, command, last_words, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.x509 import Certificate

    from fedssh.federation.member import MemberState
    from fedssh.inventory import Cluster
    from fedssh.shell import Shell

_STEP: Final = "verify the certificate"
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

# Where Go looks for a Linux machine's trust store (crypto/x509/root_linux.go).
_READ_STORE: Final = """
    for file in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem \\
        /etc/pki/tls/cacert.pem /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/cert.pem; do
        [ ! -e "$file" ] || { cat "$file"; exit; }
    done
    echo "there is no trust store in any of the usual places" >&2
    exit 1
"""

_PRESENTED_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How one member is verified.

    Attributes:
        ca: The certificate to embed, PEM in base64; "" when nothing is verified.
        server_name: The name it is checked against, or "".
        insecure: Whether nothing is verified.
        notices: What has to be said about it at every run.
    """

    ca: str
    server_name: str = ""
    insecure: bool = False
    notices: tuple[str, ...] = ()


def load_ca_file(cluster: Cluster) -> str:
    """Read a member's ``ca_file`` from the laptop's disk; return it as PEM in base64, or "" when there is none.

    Raises:
        ConfigurationError: It cannot be read, or holds no certificate.
    """
    if cluster.ca_file is None:
        return ""
    try:
        content = cluster.ca_file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"members.{cluster.name}.ca_file: {cluster.ca_file}: {error.strerror}") from None
    # People write comments into these files, in any language. With a key in it, it is another file than was meant.
    found = [] if b"PRIVATE KEY" in content else _CERTIFICATE.findall(content)
    pem = b"".join(one + b"\n" for one in found)
    try:
        return check_ca(base64.b64encode(pem).decode(), member=cluster.name)
    except RefusedError:
        problem = f"members.{cluster.name}.ca_file: {cluster.ca_file} holds no certificate in PEM"
    raise ConfigurationError(problem)


def resolve_trust(
    shell: Shell, members: Sequence[tuple[Cluster, MemberState]], ca_files: Mapping[str, str], document: Kubeconfig
) -> dict[str, Trust | FedsshError]:
    """Decide how each member is verified; the host is asked only where it must be.

    Args:
        shell: The host.
        members: Whose addresses are known and can work.
        ca_files: What ``load_ca_file`` gave, by member.
        document: The host's kubeconfig, which remembers what was pinned.

    Returns:
        By member its trust, or why there is none.
    """
    asked = [(cluster, state) for cluster, state in members if cluster.tls in {"system", "pin"}]
    store: list[Certificate] = []
    chains: dict[str, Result] = {}
    if asked:
        read, *presented = shell.run(
            [script(_READ_STORE, title="read of the trust store"), *(_presented(*one) for one in asked)],
            timeout_seconds=60,
        )
        store = parse_store(read.stdout)
        chains = {cluster.name: result for (cluster, _), result in zip(asked, presented, strict=True)}
    found: dict[str, Trust | FedsshError] = {}
    for cluster, state in members:
        try:
            found[cluster.name] = _trust(
                cluster,
                state,
                ca=ca_files.get(cluster.name) or state.ca,
                presented=chains.get(cluster.name),
                store=store,
                document=document,
                host=shell.name,
            )
        except FedsshError as error:
            found[cluster.name] = error
    return found


def _trust(
    cluster: Cluster,
    state: MemberState,
    *,
    ca: str,
    presented: Result | None,
    store: Sequence[Certificate],
    document: Kubeconfig,
    host: str,
) -> Trust:
    if cluster.tls == "insecure":
        return Trust(ca="", insecure=True, notices=(f"nobody verifies {state.server} (tls: insecure)",))
    name = cluster.server_name or ""
    notices = (
        (f"{host} verifies its certificate as {name}; KubeFed cannot, and checks no name (server_name)",)
        if name
        else ()
    )
    if presented is None:
        return Trust(ca=ca, server_name=name, notices=notices)
    chain = _chain(presented, cluster, state.server, host)
    if cluster.tls == "system":
        root = find_root(chain, store)
        if root is None:
            raise RefusedError(
                f"no certificate in the trust store of {host} has issued the one that {state.server} presents "
                f"({fingerprint(chain[0])})",
                machine=cluster.name,
                step=_STEP,
                hint=f"Name its CA in hosts.yaml (members.{cluster.name}.ca_file: /path), or pin the certificate "
                f"after comparing its fingerprint (members.{cluster.name}.tls: pin).",
            )
        return Trust(ca=to_base64(root), server_name=name, notices=notices)
    _check_pin(chain[0], document, cluster, host)
    pinned = f"pinned to the certificate {fingerprint(chain[0])}; when it is renewed, KubeFed takes the member Offline"
    return Trust(ca=to_base64(chain[0]), server_name=name, notices=(*notices, pinned))


def _check_pin(presented: Certificate, document: Kubeconfig, cluster: Cluster, host: str) -> None:
    entry = document.find("clusters", remote_cluster(cluster.name))
    fields, mark = entry or ({}, {})
    if mark.get("tls") != "pin":
        return
    stored = from_base64(str(fields.get("certificate-authority-data", "")))
    if presented not in stored[:1]:
        pinned = fingerprint(stored[0]) if stored else f"something that can no longer be read on {host}"
        raise RefusedError(
            f"the certificate was pinned as {pinned}, and {fingerprint(presented)} is presented",
            machine=cluster.name,
            step=_STEP,
            hint=f"If it was renewed, forget the old one on {host} and run this again: "
            f"kubectl config delete-cluster {remote_cluster(cluster.name)}",
        )


def _presented(cluster: Cluster, state: MemberState) -> Command:
    """Return the command that prints the certificates which a server presents, as PEM; nothing is sent to it."""
    asked = asking_argv(state.server, server_name=cluster.server_name or "")
    return command("timeout", str(_PRESENTED_SECONDS), *asked, title="openssl s_client")


def _chain(result: Result, cluster: Cluster, server: str, host: str) -> list[Certificate]:
    chain = parse_chain(result.stdout)
    if not chain:
        words = last_words(result.stderr, lines=2) or "no certificate was presented"
        raise RefusedError(
            f"{host} cannot see the certificate of {server}: {words}",
            machine=cluster.name,
            step=_STEP,
            hint=f"openssl must be there on {host} for tls: {cluster.tls}, and the address must answer.",
        )
    return chain
