"""How a member is verified: each way ends with kubectl, kubefedctl and KubeFed's controller in agreement."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lab.kubeconfigs import write_k3s_kubeconfig
from lab.proxies import start_proxies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.clusters import Lab
    from lab.proxies import Proxies
    from tests.cluster.oracle import Federation, Run

NAMESPACE = "kube-federation-system"


@pytest.fixture(scope="module")
def proxies(lab: Lab) -> Proxies:
    """HTTPS servers in front of member1's API, each with another certificate."""
    return start_proxies(lab, lab.members[0])


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to verify, and what it must come to."""

    url: str
    said: dict[str, Any]
    ca: str = ""
    unverified: str = ""
    warning: str = ""


@pytest.fixture
def ways(proxies: Proxies, tmp_path: Path) -> dict[str, Way]:
    """Every way to verify a member."""
    (tmp_path / "ca.pem").write_text(proxies.ca_pem)
    return {
        "system": Way(url=proxies.public_url, said={"tls": "system"}, ca=proxies.ca_pem),
        "ca_file": Way(url=proxies.public_url, said={"ca_file": "ca.pem"}, ca=proxies.ca_pem),
        "pin": Way(url=proxies.selfsigned_url, said={"tls": "pin"}, ca=proxies.selfsigned_pem, warning="SHA256:"),
        "server_name": Way(
            url=proxies.wrongname_url,
            said={"tls": "system", "server_name": proxies.wrongname_server_name},
            ca=proxies.ca_pem,
            unverified='["SubjectName"]',
            warning="server_name",
        ),
        "insecure": Way(
            url=proxies.selfsigned_url, said={"tls": "insecure"}, unverified='["*"]', warning="nobody verifies"
        ),
    }


def spec(federation: Federation, path: str) -> str:
    """Return a field of member1's KubeFedCluster."""
    return federation.kubectl(
        federation.host, "-n", NAMESPACE, "get", "kubefedcluster", "member1", "-o", f"jsonpath={{.spec.{path}}}"
    )


@pytest.mark.parametrize("name", ["system", "ca_file", "pin", "server_name", "insecure"])
@pytest.mark.parametrize("before", ["joined", "forgotten"])
def test_a_way_to_verify(
    name: str,
    before: str,
    ways: dict[str, Way],
    inventory: dict[str, Any],
    standing: Federation,
    fedssh: Callable[..., Run],
) -> None:
    """A member ends READY at the address and with the CA that was asked for, joined in another way before or not."""
    way = ways[name]
    if before == "forgotten":
        standing.kubectl(standing.host, "-n", NAMESPACE, "delete", "kubefedcluster", "member1")
    inventory["members"]["member1"] |= {"api_server": way.url, **way.said}
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert standing.ready()["member1"] == "True"
    standing.kubectl(standing.host, "--context", "member1", "get", "nodes")
    assert spec(standing, "apiEndpoint") == way.url
    assert spec(standing, "disabledTLSValidations") == way.unverified
    if way.ca:
        assert base64.b64decode(spec(standing, "caBundle")).decode().split() == way.ca.split()
    again = fedssh("federate", "--member", "member1")
    assert again.code == 0, again.stderr
    assert "Nothing to do" in again.stderr
    for run in (done, again):
        assert ("warning: member1: " in run.stderr) == bool(way.warning)
        assert way.warning in run.stderr


@pytest.mark.parametrize(
    ("url", "said", "words", "advice"),
    [
        ("public_url", {}, "x509", "tls: system"),
        ("selfsigned_url", {}, "x509", "tls: pin"),
        ("selfsigned_url", {"tls": "system"}, "trust store", "ca_file"),
        ("wrongname_url", {"tls": "system"}, "another.example", "server_name: another.example"),
        ("expired_url", {"tls": "system"}, "expired", "renewed"),
    ],
)
def test_fault_32_a_certificate_that_does_not_verify(
    url: str,
    said: dict[str, Any],
    words: str,
    advice: str,
    proxies: Proxies,
    inventory: dict[str, Any],
    unjoined: Federation,
    fedssh: Callable[..., Run],
) -> None:
    """Refused, with the reason and with what would work; nothing falls back to less by itself."""
    inventory["members"]["member1"] |= {"api_server": getattr(proxies, url), **said}
    before = unjoined.host.check("sha256sum", "/root/.kube/config")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert words in done.stderr
    assert advice in done.stderr
    assert unjoined.host.check("sha256sum", "/root/.kube/config") == before
    assert unjoined.objects() == []


def test_a_pinned_certificate_that_changes(
    proxies: Proxies, lab: Lab, inventory: dict[str, Any], joined: Federation, fedssh: Callable[..., Run]
) -> None:
    """Another certificate than the pinned one is refused with both fingerprints, until the old one is forgotten."""
    inventory["members"]["member1"] |= {"api_server": proxies.selfsigned_url, "tls": "pin"}
    assert fedssh("federate", "--member", "member1").code == 0
    start_proxies(lab, lab.members[0])
    changed = fedssh("federate", "--member", "member1")
    assert changed.code == 6, changed.stderr
    assert len(set(re.findall(r"SHA256:[0-9A-F:]+", changed.stderr))) == 2
    joined.kubectl(joined.host, "config", "delete-cluster", "kubefed-remote-member1")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert joined.ready()["member1"] == "True"


def test_fault_31_an_address_that_works_on_the_member_only(
    inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """A k3s-like kubeconfig says 127.0.0.1: refused, with an address that works from the host."""
    inventory["members"]["member1"]["kubeconfig"] = write_k3s_kubeconfig(unjoined.member())
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "https://127.0.0.1:6443" in done.stderr
    assert "members.member1.api_server: https://member1:6443" in done.stderr
    assert unjoined.objects() == []
    inventory["members"]["member1"]["api_server"] = "https://member1:6443"
    assert fedssh("federate", "--member", "member1").code == 0


def test_fault_31_an_address_that_does_not_answer(
    inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """A wrong api_server is refused, with the one that works."""
    inventory["members"]["member1"]["api_server"] = "https://member1:6444"
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "refused" in done.stderr
    assert "members.member1.api_server: https://member1:6443" in done.stderr
    assert unjoined.objects() == []


def test_every_check_is_shown_to_those_who_ask(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """-v tells one line per check of the access."""
    done = fedssh("federate", "--member", "member1", "-v")
    assert done.code == 0, done.stderr
    checked = [line for line in done.stderr.splitlines() if line.startswith("member1: checked: ")]
    assert len(checked) >= 4
    uid = joined.kubectl(joined.member(), "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    assert f"member1: checked: it is the cluster {uid}" in checked
    assert any("system:serviceaccount:default:member1" in line for line in checked)
    assert any("its certificate is verified" in line for line in checked)
    assert "member1: checked: its clock agrees with that of fedhost" in checked
    assert joined.ready()["member1"] == "True"
