from __future__ import annotations

import pytest

from fedssh.errors import StepError
from fedssh.federation.facts import HostFacts, Proof
from tests.fakes.facts import host, joined, member

GOOD = Proof(cluster_uid="uid", has_rights=True)


@pytest.mark.parametrize(
    ("proof", "holds"),
    [
        (GOOD, True),
        (Proof(cluster_uid="other", has_rights=True), False),
        (Proof(cluster_uid="uid", has_rights=False), False),
        (Proof(cluster_uid="uid", has_rights=True, problem="x"), False),
        (Proof(cluster_uid="", has_rights=True), False),
    ],
)
def test_a_proof_holds_for_one_cluster(proof: Proof, *, holds: bool) -> None:
    """Reached, the right one, with all rights."""
    assert proof.holds_for("uid") is holds


def test_no_proof_holds_for_a_cluster_that_nobody_knows() -> None:
    """Two that are unknown are not the same."""
    assert not Proof(cluster_uid="", has_rights=True).holds_for("")


@pytest.mark.parametrize(
    ("problem", "about"),
    [
        ("error: You must be logged in to the server (Unauthorized)", True),
        ("Unauthorized", True),
        ("Unable to connect to the server: x509: unknown authority", False),
        ("", False),
    ],
)
def test_a_login_that_is_not_accepted_is_told_from_an_address(problem: str, *, about: bool) -> None:
    """The cluster was reached then."""
    assert Proof(problem=problem).is_about_login is about


def test_a_host_that_could_not_be_read_says_why() -> None:
    """Whoever needs its state gets the first of its gaps; nobody has joined as far as is known."""
    gone = HostFacts(name="fedhost", gaps=(StepError("first"), StepError("second")))
    with pytest.raises(StepError, match="first"):
        _ = gone.known
    assert dict(gone.clusters) == {}
    assert list(host(joined()).clusters) == ["member1"]


def test_no_fact_shows_a_secret(canary: str) -> None:
    """Tokens, kubeconfigs and the objects of somebody else are at hand, and never printed."""
    shown = repr(member()) + repr(host(joined()))
    assert canary not in shown
    assert "client-key-data" not in shown
