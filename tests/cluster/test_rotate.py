"""rotate on real clusters, with the masters' own kubectl as the oracle."""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.checkups import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .oracle import Federation, Run

NAMESPACE: Final = "kube-federation-system"
MISSED: Final = 60
"""How many of the writes, 200 ms apart, may come as one where the machine is busy: twelve seconds."""

ENOUGH: Final = "/root/enough"
_WRITE: Final = """
    end=$1; number=0
    while [ ! -e "$end" ]; do
        number=$((number + 1))
        /opt/recorded/kubectl -n rotating patch federatedconfigmap written --type=merge \\
            -p "{\\"spec\\":{\\"template\\":{\\"data\\":{\\"n\\":\\"$number\\"}}}}" >/dev/null || echo "$number failed"
        sleep 0.2
    done
    echo "last $number"
"""
# Each value that a member sees.
_WATCH: Final = """
    /opt/recorded/kubectl -n rotating get configmap written -w -o 'jsonpath={.data.n}{"\\n"}' &
    while [ ! -e "$1" ]; do sleep 0.2; done
    kill $!
"""


def accepted(federation: Federation, member: str, token: str) -> bool:
    """Whether a member's API lets somebody with that token in, asked from the host."""
    asked = federation.host.exec(
        "sh", "-c",
        'read -r token; curl -sk -o /dev/null -w "%{http_code}" -H "Authorization: Bearer $token" '
        f"https://{member}:6443/api/v1/namespaces/kube-system",
        stdin=f"{token}\n".encode(),
    )  # fmt: skip
    return asked.stdout.strip() == "200"


def credentials(federation: Federation, member: str) -> tuple[str, str]:
    """Return the tokens in use: fedssh's own in the host's kubeconfig, and KubeFed's in its Secret."""
    own = federation.kubectl(
        federation.host,
        "config",
        "view",
        "--raw",
        "-o",
        f'jsonpath={{.users[?(@.name=="kubefed-{member}")].user.token}}',
    )
    get = ["-n", NAMESPACE, "get"]
    secret = federation.kubectl(
        federation.host, *get, "kubefedcluster", member, "-o", "jsonpath={.spec.secretRef.name}"
    )
    token = federation.kubectl(federation.host, *get, "secret", secret, "-o", "jsonpath={.data.token}")
    return own, base64.b64decode(token).decode()


def accounts(federation: Federation, member: str) -> list[str]:
    """Return the accounts and token Secrets there are on a member, of fedssh's and of KubeFed's."""
    machine = federation.member(member)
    found = federation.kubectl(machine, "get", "sa,secret", "-n", "default", "-o", "name").split()
    found += federation.kubectl(machine, "get", "sa,secret", "-n", NAMESPACE, "-o", "name").split()
    return sorted(name for name in found if name != "serviceaccount/default")


@pytest.fixture
def both(federation: Federation, fedssh: Callable[..., Run]) -> Iterator[Federation]:
    """Both members have joined; afterwards it is as if fedssh had not met them."""
    done = fedssh("federate", "--all")
    assert done.code == 0, done.stderr
    yield federation
    federation.forget("member1", "member2")


@pytest.fixture
def written(both: Federation, eventually: Callable[[Callable[[], bool]], None]) -> Iterator[None]:
    """A federated ConfigMap that both members have."""
    placement = {"clusters": [{"name": "member1"}, {"name": "member2"}]}
    where = {"name": "written", "namespace": "rotating"}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "rotating"}},
        {
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedNamespace",
            "metadata": {"name": "rotating", "namespace": "rotating"},
            "spec": {"placement": placement},
        },
        {
            "apiVersion": "types.kubefed.io/v1beta1",
            "kind": "FederatedConfigMap",
            "metadata": where,
            "spec": {"template": {"data": {"n": "0"}}, "placement": placement},
        },
    ]
    both.kubectl(both.host, "apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in documents))
    get = ["-n", "rotating", "get", "configmap", "written"]
    eventually(lambda: all(both.member(name).exec("kubectl", *get).code == 0 for name in ("member1", "member2")))
    yield
    both.kubectl(both.host, "-n", "rotating", "delete", "federatedconfigmap", "written")
    both.kubectl(both.host, "-n", "rotating", "delete", "federatednamespace", "rotating")
    both.kubectl(both.host, "delete", "namespace", "rotating", "--wait=false")


@contextmanager
def writing(
    federation: Federation, members: tuple[str, ...], eventually: Callable[[Callable[[], bool]], None]
) -> Iterator[None]:
    """Write to the federated ConfigMap every 200 ms while the block runs; every member must have seen it go on."""
    seen: dict[str, str] = {}

    def watch(name: str) -> None:
        seen[name] = federation.member(name).exec("sh", "-c", _WATCH, "sh", ENOUGH).stdout

    def write() -> None:
        seen["host"] = federation.host.exec("sh", "-c", _WRITE, "sh", ENOUGH).stdout

    for machine in federation.lab.machines:
        machine.check("rm", "-f", ENOUGH)
    watches = [threading.Thread(target=watch, args=(name,), daemon=True) for name in members]
    writes = threading.Thread(target=write, daemon=True)
    for thread in (*watches, writes):
        thread.start()
    yield
    federation.host.check("touch", ENOUGH)
    writes.join(60)
    assert "failed" not in seen["host"]
    last = seen["host"].split()[-1]
    get = ["-n", "rotating", "get", "configmap", "written", "-o", "jsonpath={.data.n}"]
    eventually(lambda: all(federation.kubectl(federation.member(name), *get) == last for name in members))
    for name, thread in zip(members, watches, strict=True):
        federation.member(name).check("touch", ENOUGH)
        thread.join(60)
        # KubeFed takes writes together, on a busy machine those of some seconds; a member that it has lost misses all.
        numbers = [int(number) for number in seen[name].split()]
        assert numbers == sorted(numbers)
        assert max(later - sooner for sooner, later in pairwise(numbers)) <= MISSED, numbers


@pytest.mark.usefixtures("written")
def test_fault_58_two_members_at_once_without_a_second_without_access(
    both: Federation, fedssh: Callable[..., Run], leaks: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """Every 200 ms something is written, and it arrives; then the old tokens are refused, whatever comes after."""
    members = ("member1", "member2")
    old = {name: credentials(both, name) for name in members}
    for pair in old.values():
        for token in pair:
            leaks.forbid(token)
            assert "." in token
    with writing(both, members, eventually):
        time.sleep(2)
        done = fedssh("rotate", "--all", "--output", "json")
        time.sleep(3)  # what is written after the revocation arrives, too
    assert done.code == 0, done.stdout + done.stderr
    assert set(both.ready().values()) == {"True"}
    new = {name: credentials(both, name) for name in members}
    for name in members:
        assert [accepted(both, name, token) for token in new[name]] == [True, True]
        assert [accepted(both, name, token) for token in old[name]] == [False, False]
        assert accounts(both, name) == [
            f"secret/{name}-fedhost-fedssh",
            f"secret/{name}-fedssh-2",
            f"serviceaccount/{name}",
            f"serviceaccount/{name}-fedhost-fedssh",
        ]
    again = fedssh("federate", "--all")
    assert "Nothing to do" in again.stderr, again.stderr
    both.kubectl(both.host, "-n", NAMESPACE, "rollout", "restart", "deployment/kubefed-controller-manager")
    both.kubectl(both.host, "-n", NAMESPACE, "rollout", "status", "deployment/kubefed-controller-manager")
    eventually(lambda: set(both.ready().values()) == {"True"})
    assert not any(accepted(both, name, token) for name in members for token in old[name])
    young = fedssh("rotate", "--all", "--older-than", "1h")
    assert (young.code, "Nothing to do: no credential is that old" in young.stderr) == (0, True), young.stderr
    # The second rotation has join's own names again, and a join finds what it would have made.
    assert fedssh("rotate", "--member", "member1").code == 0
    assert [name for name in accounts(both, "member1") if "fedhost" in name] == [
        "secret/member1-fedhost",
        "serviceaccount/member1-fedhost",
    ]
    both.kubectl(both.host, "-n", NAMESPACE, "delete", "kubefedcluster", "member1")
    assert fedssh("federate", "--member", "member1").code == 0
    assert not any(accepted(both, "member1", token) for token in (*old["member1"], *new["member1"]))
    assert both.ready()["member1"] == "True"
    # All that is new carries objects to everybody.
    deep = fedssh("check", "--deep", "-o", "json")
    assert deep.code == 0, deep.stdout
    journeys = [(name, text) for name, topic, text in findings(deep) if topic == "journey"]
    assert sorted(name for name, _ in journeys) == ["fedhost", *members]
    assert all("a federated object arrived after" in text for _, text in journeys), journeys


# Nobody is going to look at the clusters: what is waited for does not come, however long the wait is.
_SOON: Final = "from fedssh.engines.kubefed import clusters; clusters.READY_SECONDS = 6.0"


def test_fault_57_kubefed_does_not_notice(both: Federation, fedssh: Callable[..., Run]) -> None:
    """Its controller is not there: the old credentials stay whole, and the next run replaces them."""
    scale = ["-n", NAMESPACE, "scale", "deployment/kubefed-controller-manager"]
    old = credentials(both, "member1")
    both.kubectl(both.host, *scale, "--replicas=0")
    try:
        both.kubectl(
            both.host,
            "-n",
            NAMESPACE,
            "wait",
            "--for=delete",
            "pod",
            "-l",
            "kubefed-control-plane=controller-manager",
            "--timeout=60s",
        )
        done = fedssh("rotate", "--member", "member1", setting=_SOON)
    finally:
        both.kubectl(both.host, *scale, "--replicas=2")
    assert done.code == 3, done.stderr
    assert "has not been seen to use the new credential" in done.stderr
    assert credentials(both, "member1") == old
    assert all(accepted(both, "member1", token) for token in old)
    both.kubectl(both.host, "-n", NAMESPACE, "rollout", "status", "deployment/kubefed-controller-manager")
    again = fedssh("rotate", "--member", "member1")
    assert again.code == 0, again.stderr
    assert not any(accepted(both, "member1", token) for token in old)
    assert len([name for name in accounts(both, "member1") if "fedhost" in name]) == 2


_BY_HAND: Final = """
    set -e
    kubectl() { /opt/recorded/kubectl -n kube-federation-system "$@"; }
    kubectl get secret member2.fedssh -o json | sed s/member2.fedssh/member2-x7k2p/ | kubectl create -f -
    kubectl patch kubefedcluster member2 --type=merge -p '{"spec":{"secretRef":{"name":"member2-x7k2p"}}}'
    kubectl config delete-context member2
    kubectl config delete-cluster kubefed-remote-member2
    kubectl config delete-user kubefed-member2
"""


def test_a_join_by_hand(both: Federation, fedssh: Callable[..., Run]) -> None:
    """Of an access of fedssh's there is nothing: KubeFed's credential alone is rotated, in whatever Secret it is."""
    old = both.host.check(
        "sh", "-c", f"kubectl -n {NAMESPACE} get secret member2.fedssh -o 'jsonpath={{.data.token}}' | base64 -d"
    )
    kinds = "sa,secret,clusterrole,clusterrolebinding"
    both.kubectl(both.member("member2"), "delete", kinds, "-n", "default", "-l", "app.kubernetes.io/managed-by=fedssh")
    both.host.check("sh", "-c", _BY_HAND)
    done = fedssh("rotate", "--member", "member2")
    assert done.code == 0, done.stderr
    assert "fedssh has no access of its own there: KubeFed's credential alone is rotated" in done.stderr
    assert not accepted(both, "member2", old)
    assert both.ready()["member2"] == "True"
    assert accounts(both, "member2") == [
        "secret/member2-fedhost-fedssh",
        "serviceaccount/member2-fedhost-fedssh",
    ]
    both.kubectl(both.host, "-n", NAMESPACE, "delete", "secret", "member2-x7k2p")
