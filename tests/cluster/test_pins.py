"""``tls: pin`` on real clusters: whose certificate it is that the host is presented."""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from lab.proxies import start_proxies
from tests.cluster.plans import hold_against_deed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.clusters import Lab
    from lab.proxies import Proxies

    from .oracle import Federation, Run

FINGERPRINT = r"SHA256:[0-9A-F]{2}(?::[0-9A-F]{2}){31}"

# Another server, by the name of the right one, for whoever asks on this machine.
_IMPOSTOR = """
    cd /root && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=impostor -keyout key -out cert 2>/dev/null
    echo 127.0.0.1 selfsigned >>/etc/hosts
    openssl s_server -accept 443 -key key -cert cert -quiet >/dev/null 2>&1 </dev/null &
    until ss -Hltn 'sport = :443' | grep -q .; do sleep 0.05; done
"""
# /etc/hosts is mounted: it can be written, and not be replaced.
_GONE = """
    pkill -x openssl; rm -f /root/key /root/cert
    grep -v ' selfsigned$' /etc/hosts >/root/hosts; cat /root/hosts >/etc/hosts; rm /root/hosts
"""


@pytest.fixture(scope="module")
def proxies(lab: Lab) -> Proxies:
    """HTTPS servers in front of member1's API, each with another certificate."""
    return start_proxies(lab, lab.members[0])


@pytest.fixture
def pinned(proxies: Proxies, inventory: dict[str, Any], unjoined: Federation) -> Iterator[Federation]:
    """hosts.yaml pins member1, behind a certificate that nobody has issued; nothing has joined."""
    inventory["members"]["member1"] |= {"api_server": proxies.selfsigned_url, "tls": "pin"}
    yield unjoined
    unjoined.member().exec("sh", "-c", _GONE)


@pytest.fixture
def fingerprint(proxies: Proxies) -> str:
    """The certificate's fingerprint, as fedssh shows it."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(proxies.selfsigned_pem)).hexdigest().upper()
    return "SHA256:" + ":".join(digest[place : place + 2] for place in range(0, 64, 2))


def test_fault_75_a_pin_that_is_named(
    fingerprint: str, inventory: dict[str, Any], pinned: Federation, fedssh: Callable[..., Run]
) -> None:
    """hosts.yaml names it as the warning shows it; another name is refused (6) with both, before anything is done."""
    inventory["members"]["member1"]["pin"] = "SHA256:" + "00" * 32
    wrong = hold_against_deed(pinned, fedssh, "federate", "--member", "member1")
    assert wrong.code == 6, wrong.stderr
    assert fingerprint in wrong.stderr
    assert "SHA256:" + "00" * 32 in wrong.stderr
    assert pinned.objects() == []
    inventory["members"]["member1"]["pin"] = fingerprint
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert f"warning: member1: pinned to the certificate {fingerprint}" in done.stderr
    assert pinned.ready()["member1"] == "True"
    assert "Nothing to do" in fedssh("federate", "--member", "member1").stderr


def test_fault_75_the_host_is_presented_another_certificate(
    fingerprint: str, inventory: dict[str, Any], pinned: Federation, fedssh: Callable[..., Run]
) -> None:
    """Where the member's own machine is presented another one, nothing is trusted (6): both are shown."""
    pinned.member().check("sh", "-c", _IMPOSTOR)
    done = hold_against_deed(pinned, fedssh, "federate", "--member", "member1")
    assert done.code == 6, done.stderr
    (message,) = [line for line in done.stderr.splitlines() if line.startswith("error: member1: ")]
    shown = re.findall(FINGERPRINT, message)
    assert shown[0] == fingerprint
    assert len(set(shown)) == 2
    assert f"members.member1.pin: {fingerprint}" in done.stderr
    assert pinned.objects() == []
    inventory["members"]["member1"]["pin"] = fingerprint
    assert fedssh("federate", "--member", "member1").code == 0


def test_fault_75_nobody_can_tell(fingerprint: str, pinned: Federation, fedssh: Callable[..., Run]) -> None:
    """Where the member's own machine does not get there, the certificate has to be named (6)."""
    pinned.member().check("sh", "-c", "echo 127.0.0.1 selfsigned >>/etc/hosts")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "the member's own machine cannot tell whether that is right" in done.stderr
    assert f"members.member1.pin: {fingerprint}" in done.stderr
