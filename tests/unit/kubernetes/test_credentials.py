"""How a server is verified cannot be left out: not by a mistake, and not by a word that nobody knows."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedssh.inventory.hostsfile import Tls
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig.entries import render_credentials
from fedssh.sensitive import Sensitive
from tests.fakes.kubernetes import CA

WORDS: tuple[Tls, ...] = get_args(Tls)


def stanza_of(trust: Trust) -> dict[str, Any]:
    """Return a cluster's part of a kubeconfig, without the mark of ownership."""
    own = Credential(endpoint=Endpoint(server="https://m1", trust=trust), token=Sensitive(""))
    (entry,) = yaml.safe_load(render_credentials({"m1": own}))["clusters"]
    return {key: value for key, value in entry["cluster"].items() if key != "extensions"}


@pytest.mark.parametrize("word", ["", "none", "Insecure", "insecure ", "skip", "*", "CA", None, True, 5])
@pytest.mark.parametrize("ca", ["", CA])
def test_a_word_that_nobody_knows_is_no_trust(word: Any, ca: str) -> None:
    """Whatever stands beside it."""
    with pytest.raises(ValueError, match="nobody knows how to verify by"):
        Trust(word=word, ca=ca)


@pytest.mark.parametrize("word", ["ca", "pin"])
@pytest.mark.parametrize("ca", ["", " ", "\n", "\t\n"])
@pytest.mark.parametrize("server_name", ["", "kubernetes"])
def test_a_certificate_that_is_missing_is_no_trust(word: Tls, ca: str, server_name: str) -> None:
    """A kubeconfig without one would be verified by whatever the host trusts, or by nothing."""
    with pytest.raises(ValueError, match=f"{word} needs a certificate to verify by"):
        Trust(word=word, ca=ca, server_name=server_name)


@pytest.mark.parametrize("beside", [{"ca": CA}, {"server_name": "kubernetes"}, {"ca": CA, "server_name": "x"}])
def test_insecure_stands_alone(beside: dict[str, str]) -> None:
    """A certificate beside it would look as if something were verified."""
    with pytest.raises(ValueError, match="insecure verifies nothing"):
        Trust(word="insecure", **beside)


@given(word=st.sampled_from(WORDS) | st.text(max_size=10), ca=st.sampled_from(["", " ", CA]), name=st.text(max_size=3))
def test_only_insecure_verifies_nothing(word: Any, ca: str, name: str) -> None:
    """There is no other trust whose kubeconfig skips anything, and none that says so with a certificate."""
    try:
        trust = Trust(word=word, ca=ca, server_name=name)
    except ValueError:
        return
    stanza = stanza_of(trust)
    assert trust.is_insecure == (word == "insecure") == ("insecure-skip-tls-verify" in stanza)
    assert stanza.get("certificate-authority-data", "") == ca
    assert not (trust.is_insecure and len(stanza) > 2)
    assert trust.is_insecure or word == "system" or stanza["certificate-authority-data"] == CA


def test_the_word_of_hosts_yaml_goes_with_a_trust() -> None:
    """Every word of hosts.yaml is one; system may leave the certificate to whoever asks."""
    for word in WORDS:
        ca = "" if word == "insecure" else CA
        assert Trust(word=word, ca=ca).word == word
    assert stanza_of(Trust(word="system")) == {"server": "https://m1"}


def test_a_credential_does_not_show_its_token(canary: str) -> None:
    """In no text that is made of it."""
    own = Credential(endpoint=Endpoint(server="https://m1", trust=Trust(word="system")), token=Sensitive(canary))
    assert canary not in f"{own!r}{own}"
