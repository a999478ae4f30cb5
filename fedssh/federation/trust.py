"""How the host verifies each member: what hosts.yaml says, resolved into a certificate that can be embedded. Pure.

An engine's controller does not look at the host's trust store, so that what is trusted must stand in the kubeconfig
entry, from which a join copies it: the member's own CA, a CA from a file, the root of the host's trust store that has
issued the certificate (``system``), or the presented certificate itself (``pin``).
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, assert_never

from fedssh.errors import ConfigurationError, RefusedError
from fedssh.kubernetes.certificates import find_root, fingerprint, from_base64, to_base64
from fedssh.kubernetes.credentials import Trust
from fedssh.kubernetes.endpoint import LARGEST_CA_KIB, check_ca

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

    from fedssh.federation.facts import Presented
    from fedssh.inventory import Cluster
    from fedssh.kubernetes.kubeconfig.entries import MemberMark

STEP: Final = "verify the certificate"
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def load_ca_file(cluster: Cluster) -> str:
    """Read a member's ``ca_file`` from the laptop's disk; return it as PEM in base64, or "" when there is none.

    Raises:
        ConfigurationError: It cannot be read, or holds no certificate (2).
    """
    if cluster.ca_file is None:
        return ""
    try:
        content = cluster.ca_file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"members.{cluster.name}.ca_file: {cluster.ca_file}: {error.strerror}") from None
    # People write comments into these files, in any language. With a key in it, it is another file than was meant.
    found = [] if b"PRIVATE KEY" in content else _CERTIFICATE.findall(content)
    pem = b"".join(block + b"\n" for block in found)
    try:
        return check_ca(base64.b64encode(pem).decode(), member=cluster.name)
    except RefusedError:
        too_large = len(pem) > LARGEST_CA_KIB * 1024
        what = f"is larger than {LARGEST_CA_KIB} KiB" if too_large else "holds no certificate in PEM"
        problem = f"members.{cluster.name}.ca_file: {cluster.ca_file} {what}"
    raise ConfigurationError(problem)


def is_asked(cluster: Cluster) -> bool:
    """Whether a member's trust depends on what its API server presents to the host."""
    return cluster.tls in {"system", "pin"}


def resolve_trust(
    cluster: Cluster,
    *,
    ca: str,
    server: str,
    to_host: Presented | None,
    to_itself: Presented | None,
    store: Sequence[Certificate],
    mark: MemberMark,
    host: str,
) -> Trust:
    """Decide how a member is verified.

    Args:
        cluster: What hosts.yaml says of it.
        ca: The CA of ``ca_file``, else the one in the member's kubeconfig: PEM in base64.
        server: Its API address.
        to_host: What that presents to the host, where ``is_asked``.
        to_itself: What it presents to the member's own machine, where that has been asked.
        store: The trust store of the host's machine.
        mark: What the host's kubeconfig remembers of the member.
        host: The host's name, for messages.

    Raises:
        RefusedError: Nothing can verify it as hosts.yaml says (6).
    """
    name = cluster.server_name or ""
    match cluster.tls:
        case "insecure":
            return Trust(word="insecure")
        case "ca":
            return Trust(word="ca", ca=check_ca(ca, member=cluster.name), server_name=name)
        case "system":
            chain = _chain(to_host, cluster, server, host)
            return Trust(word="system", ca=to_base64(_root(chain, store, cluster, server, host)), server_name=name)
        case "pin":
            presented = _chain(to_host, cluster, server, host)[0]
            _check_pin(presented, to_itself, mark, cluster, host)
            return Trust(word="pin", ca=to_base64(presented), server_name=name)
        case _ as never:
            assert_never(never)


def pinned_fingerprint(trust: Trust) -> str:
    """Return the fingerprint of a pinned certificate, as hosts.yaml names it."""
    return fingerprint(from_base64(trust.ca)[0])


def _root(
    chain: Sequence[Certificate], store: Sequence[Certificate], cluster: Cluster, server: str, host: str
) -> Certificate:
    root = find_root(chain, store)
    if root is None:
        raise RefusedError(
            f"no certificate in the trust store of {host} has issued the one that {server} presents "
            f"({fingerprint(chain[0])})",
            machine=cluster.name,
            step=STEP,
            hint=f"Name its CA in hosts.yaml (members.{cluster.name}.ca_file: /path), or pin the certificate "
            f"after comparing its fingerprint (members.{cluster.name}.pin: {fingerprint(chain[0])}).",
        )
    return root


def _check_pin(
    presented: Certificate, to_itself: Presented | None, mark: MemberMark, cluster: Cluster, host: str
) -> None:
    """Check that what is presented to the host is the certificate that is meant.

    It is the one that hosts.yaml names; else the one that was pinned before; else the one that the member's own
    machine is presented, which has been asked over its authenticated SSH.
    """
    seen, name = fingerprint(presented), cluster.name
    if cluster.pin:
        if _hexadecimal(cluster.pin) != _hexadecimal(seen):
            raise RefusedError(
                f"hosts.yaml pins the certificate {cluster.pin}, and {seen} is presented to {host}",
                machine=name,
                step=STEP,
                hint=f"If it was renewed, compare the new one and write: members.{name}.pin: {seen}",
            )
        return
    if mark.tls == "pin":
        stored = from_base64(mark.ca)
        if presented not in stored[:1]:
            pinned = fingerprint(stored[0]) if stored else f"something that can no longer be read on {host}"
            raise RefusedError(
                f"the certificate was pinned as {pinned}, and {seen} is presented",
                machine=name,
                step=STEP,
                hint=f"If it was renewed, compare the new one and write: members.{name}.pin: {seen}",
            )
        return
    if to_itself is None or not to_itself.chain:
        why = to_itself.problem if to_itself else "it was not asked"
        raise RefusedError(
            f"{seen} is presented to {host}, and the member's own machine cannot tell whether that is right: {why}",
            machine=name,
            step=STEP,
            hint=f"Compare the fingerprint with the server's own, and write: members.{name}.pin: {seen}",
        )
    own = fingerprint(to_itself.chain[0])
    if own != seen:
        raise RefusedError(
            f"{seen} is presented to {host}, and {own} to the member's own machine: somebody stands between, or they "
            "reach different servers",
            machine=name,
            step=STEP,
            hint=f"Find out which is right; if it is the host's, write: members.{name}.pin: {seen}",
        )


def _hexadecimal(pin: str) -> str:
    return pin.partition(":")[2].replace(":", "").lower()


def _chain(presented: Presented | None, cluster: Cluster, server: str, host: str) -> Sequence[Certificate]:
    if presented is None or not presented.chain:
        words = presented.problem if presented else "it was not asked"
        raise RefusedError(
            f"{host} cannot see the certificate of {server}: {words}",
            machine=cluster.name,
            step=STEP,
            hint=f"openssl must be there on {host} for tls: {cluster.tls}, and the address must answer.",
        )
    return presented.chain
