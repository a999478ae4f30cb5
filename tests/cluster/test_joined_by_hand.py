"""Clusters that were joined without fedssh, under another name than hosts.yaml's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .oracle import Federation, Run

NAMESPACE = "kube-federation-system"
# As the seed has it, with names of its own: an access, a context, a join.
_BY_HAND = """
    set -e
    kubectl() { /opt/recorded/kubectl "$@"; }
    read -r server; read -r ca; read -r token
    set -- west1 "$server" "$ca" "$token"
    kubectl config set-cluster "$1" --server="$2" >/dev/null
    kubectl config set "clusters.$1.certificate-authority-data" "$3" >/dev/null
    kubectl config set-credentials "$1" --token="$4" >/dev/null
    kubectl config set-context "$1" --cluster="$1" --user="$1" >/dev/null
    kubefedctl join "$1" --cluster-context "$1" --host-cluster-context fedhost --host-cluster-name fedhost \\
        --kubefed-namespace kube-federation-system --error-on-existing=false
"""


@pytest.fixture
def by_hand(joined: Federation) -> Iterator[Federation]:
    """member2's cluster has joined by hand as west1."""
    member = joined.member("member2")
    joined.kubectl(joined.host, "-n", NAMESPACE, "delete", "kubefedcluster", "member2", "--ignore-not-found")
    kinds = "sa,clusterrole,clusterrolebinding,secret"
    joined.kubectl(member, "delete", kinds, "-n", "default", "-l", "app.kubernetes.io/managed-by=fedssh")
    joined.kubectl(member, "create", "serviceaccount", "west")
    binding = ["create", "clusterrolebinding", "west", "--clusterrole=cluster-admin", "--serviceaccount=default:west"]
    joined.kubectl(member, *binding)
    token = joined.kubectl(member, "create", "token", "west").strip()
    path = "jsonpath={.clusters[0].cluster.certificate-authority-data}"
    ca = joined.kubectl(member, "config", "view", "--raw", "-o", path)
    joined.host.check("sh", "-c", _BY_HAND, stdin=f"https://member2:6443\n{ca}\n{token}\n".encode())
    yield joined
    joined.kubectl(member, "delete", "sa/west", "clusterrolebinding/west", "--ignore-not-found")
    joined.host.exec("kubectl", "-n", NAMESPACE, "delete", "kubefedcluster", "west1", "--ignore-not-found")
    for kind in ("context", "cluster", "user"):
        joined.host.exec("kubectl", "config", f"delete-{kind}", "west1")


def test_fault_63_joined_by_hand_under_another_name(by_hand: Federation, fedssh: Callable[..., Run]) -> None:
    """Refused (6), naming it; nothing is granted, and the federation has the cluster once."""
    done = fedssh("federate", "--member", "member2")
    assert done.code == 6, done.stderr
    assert "member2: look at the member: it is the same cluster as west1" in done.stderr
    assert set(by_hand.ready()) == {"fedhost", "member1", "west1"}
    assert by_hand.objects("member2") == []


def test_fault_63_a_stranger_that_cannot_be_told(by_hand: Federation, fedssh: Callable[..., Run]) -> None:
    """Where KubeFed's credential for it does not answer, that is said at every run, with the name and the reason."""
    secret = by_hand.kubectl(
        by_hand.host, "-n", NAMESPACE, "get", "kubefedcluster", "west1", "-o", "jsonpath={.spec.secretRef.name}"
    )
    by_hand.kubectl(by_hand.host, "-n", NAMESPACE, "delete", "secret", secret)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "warning: fedhost: nobody can tell whether west1, which has joined, is one of these clusters" in done.stderr
