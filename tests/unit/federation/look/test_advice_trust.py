from __future__ import annotations

from typing import Any

import pytest

from fedssh.federation.access_rules import is_about_trust
from fedssh.federation.look.advice import advise_trust
from tests.fakes.advising import CONFIG, VALID_FOR, ZONE, Tried, cluster, endpoint


@pytest.mark.parametrize(
    ("problem", "about"),
    [
        ("Unable to connect to the server: x509: certificate signed by unknown authority", True),
        ("Unable to connect to the server: tls: first record does not look like a TLS handshake", True),
        ("Unable to connect to the server: dial tcp: i/o timeout", False),
        ("Unauthorized", False),
    ],
)
def test_a_certificates_problem_is_told_from_an_addresss(problem: str, *, about: bool) -> None:
    """Each has advice of its own."""
    assert is_about_trust(problem) == about


def trust(tried: Tried, problem: str, **said: Any) -> str:
    """Seek advice on a certificate."""
    return advise_trust(tried.shell, cluster(**said), endpoint("https://m1"), problem, kubeconfig=CONFIG)


def test_other_ways_to_verify_are_tried() -> None:
    """The host's trust store, every name in the certificate, and both; anonymously, and always verified."""
    tried = Tried()
    told = trust(tried, VALID_FOR.format("a.example.com, 192.0.2.5"))
    assert list(tried.clusters) == [
        "tls: system",
        "server_name: a.example.com",
        "tls: system and server_name: a.example.com",
        "server_name: 192.0.2.5",
        "tls: system and server_name: 192.0.2.5",
    ]
    assert tried.tokens == set()
    for way, stanza in tried.clusters.items():
        assert "insecure-skip-tls-verify" not in stanza
        assert ("certificate-authority-data" in stanza) == ("system" not in way)
        assert ("tls-server-name" in stanza) == ("server_name" in way)
    assert "members.member1.ca_file: /path" in told
    assert "members.member1.tls: pin" in told


def test_what_verifies_is_told() -> None:
    """The first, and the others beside it."""
    told = trust(Tried(lambda way, _: way != "tls: system"), VALID_FOR.format("a.example.com"))
    assert told == (
        "From fedhost this verifies: members.member1.server_name: a.example.com "
        "(also tls: system and server_name: a.example.com)"
    )


def test_the_trust_store_is_not_proposed_to_those_who_use_it() -> None:
    """Only names are left to try then."""
    tried = Tried()
    trust(tried, VALID_FOR.format("a.example.com"), tls="system")
    assert list(tried.clusters) == ["server_name: a.example.com"]


@pytest.mark.parametrize("name", ["*.example.com", "a b", "a: b", "x;reboot", ZONE, "x" * 5000, "-x", "\x1b[31m", ""])
def test_only_what_hosts_yaml_may_name_is_proposed(name: str) -> None:
    """A name in a certificate may be any text; one with a * is no name, though Go would take it for one."""
    tried = Tried(lambda way, _: "server_name" in way)
    told = trust(tried, VALID_FOR.format(f"{name}, a.example.com"), tls="system")
    assert told == "From fedhost this verifies: members.member1.server_name: a.example.com"


def test_a_certificate_that_has_expired_has_to_be_renewed() -> None:
    """Nothing that hosts.yaml could say would help."""
    problem = "x509: certificate has expired or is not yet valid: current time 2026-11-23T10:00:00Z is {} 2026-11-22"
    assert "has to be renewed on the member's side" in trust(Tried(), problem.format("after"))
    told = trust(Tried(), problem.format("before"))
    assert "renewed" not in told
    assert "clocks of fedhost and of the member" in told
