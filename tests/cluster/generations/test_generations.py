"""The whole life of a federation on the seed's versions, federations of both generations, and from one to the other."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from tests.cluster.generations.conftest import NEWER, ask_for
from tests.cluster.inventories import differences, read_everything
from tests.cluster.shops import close_shop, open_shop, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cluster.oracle import Federation, Run

NAMESPACE: Final = "kube-federation-system"
_READY: Final = {"fedhost": "True", "member1": "True"}


def test_members_that_are_verified_otherwise(
    seeded: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """KubeFed 0.7.0 gets on with them, too."""
    try:
        for tls in ("insecure", "pin"):
            inventory["members"]["member1"]["tls"] = tls
            done = fedssh("federate", "--member", "member1")
            assert done.code == 0, done.stderr
            assert seeded.ready() == _READY
    finally:
        seeded.forget("fedhost", "member1")


# By hand, since fedssh's own upgrade is over in two seconds: Helm waits for an image that does not come, and is killed.
# It may have been killed between the webhook's new certificate and the CA that the API server verifies it by.
_CUT: Final = """
    helm upgrade kubefed kubefed-charts/kubefed --version=0.7.0 --namespace=kube-federation-system --no-hooks \\
        --reuse-values --set=controllermanager.controller.tag=nowhere --wait >/dev/null 2>&1 &
    n=0
    until helm -n kube-federation-system list --all --output json | grep -q pending-upgrade &&
        kubectl -n kube-federation-system get pods | grep -q ImagePull; do
        n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.2
    done
    kill -9 $!
    other=$(base64 -w 0 /etc/kubernetes/pki/ca.crt)
    for n in 0 1 2; do
        kubectl patch validatingwebhookconfiguration validations.core.kubefed.io --type=json \\
            --patch='[{"op": "replace", "path": "/webhooks/'$n'/clientConfig/caBundle", "value": "'$other'"}]' || exit
    done
"""


def test_an_upgrade_that_was_cut_is_gone_on_with(
    seeded: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Helm's own mark of it keeps everything else from going on; another upgrade does, and comes to its end."""
    seeded.host.check("sh", "-c", _CUT)
    listed = seeded.host.check("helm", "-n", NAMESPACE, "list", "--all", "--output", "json")
    assert [one["status"] for one in json.loads(listed)] == ["pending-upgrade"]
    refused = fedssh("prepare")
    assert refused.code == 6, refused.stderr
    assert "An upgrade that stopped half-way is gone on with by: fedssh prepare --upgrade" in refused.stderr
    ask_for(inventory, NEWER)
    done = fedssh("prepare", "--upgrade")
    assert done.code == 0, done.stderr
    assert seeded.ready() == _READY


@pytest.fixture
def shop(seeded: Federation, eventually: Callable[[Callable[[], bool]], None]) -> Iterator[Federation]:
    """A shop is federated to member1."""
    open_shop(seeded, "member1", eventually=eventually)
    yield seeded
    close_shop(seeded)


class Watch:
    """Looks at the federation all the time, and notes what is not as it should be."""

    def __init__(self, federation: Federation) -> None:
        self.seen: list[dict[str, str]] = []
        self.pods: list[list[str]] = []
        self._federation = federation
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.seen.append(self._federation.ready())
            self.pods.append(pods(self._federation.member()))


def test_kubefed_is_upgraded_while_its_federation_works(
    shop: Federation,
    inventory: dict[str, Any],
    fedssh: Callable[..., Run],
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    """From 0.7.0 to 0.10.0: Ready throughout, pods and certificate the same; then newer clusters can join."""
    host = shop.host
    certificate = "jsonpath={.data.tls\\.crt}{.data.tls\\.key}"
    secret = ("-n", NAMESPACE, "get", "secret", "kubefed-admission-webhook-serving-cert", "-o", certificate)
    before, running = shop.kubectl(host, *secret), pods(shop.member())
    ask_for(inventory, NEWER)
    del inventory["kubefed"]["values"]  # those that the release was installed with stay
    refused = fedssh("prepare")
    assert refused.code == 6, refused.stderr
    assert "KubeFed 0.7.0 is installed, and hosts.yaml asks for 0.10.0" in refused.stderr
    planned = fedssh("prepare", "--upgrade", "--dry-run")
    assert "upgrade KubeFed 0.7.0 to 0.10.0" in planned.stdout
    with Watch(shop) as watch:
        done = fedssh("prepare", "--upgrade")
    assert done.code == 0, done.stderr
    assert len(watch.seen) > 10
    assert [seen for seen in watch.seen if seen != _READY] == []
    assert [seen for seen in watch.pods if seen != running] == []
    assert shop.kubectl(host, *secret) == before
    listed = json.loads(host.check("helm", "-n", NAMESPACE, "list", "--output", "json"))
    assert [(one["chart"], one["status"]) for one in listed] == [("kubefed-0.10.0", "deployed")]
    period = ("-n", NAMESPACE, "get", "kubefedconfig", "kubefed", "-o", "jsonpath={.spec.clusterHealthCheck.period}")
    assert shop.kubectl(host, *period) == "1s"
    ask = ("-n", NAMESPACE, "get", "federatedtypeconfigs", "-o", "name")
    eventually(lambda: "ingresses.extensions" not in shop.kubectl(host, *ask))
    assert "ingresses.networking.k8s.io" in shop.kubectl(host, *ask)
    assert fedssh("prepare", "--upgrade").stderr.count("Nothing to do") == 1
    assert "Nothing to do: 2 of 2 federated" in fedssh("federate", "--member", "member1").stderr
    joined = fedssh("federate", "--member", "member2")
    assert joined.code == 0, joined.stderr
    assert shop.ready() == {**_READY, "member2": "True"}
    older = {**inventory["kubefed"], "version": "0.7.0"}
    inventory["kubefed"] = older
    back = fedssh("prepare", "--upgrade")
    assert back.code == 6, back.stderr
    assert "KubeFed 0.10.0 is installed, which is newer than 0.7.0" in back.stderr


def test_the_whole_life_on_the_seeds_versions(empty: Federation, fedssh: Callable[..., Run]) -> None:
    """Federated, checked, rotated, taken apart: at the end nothing is left of it."""
    before = read_everything(empty.lab)
    joined = fedssh("federate", "--member", "member1")
    assert joined.code == 0, joined.stderr
    assert empty.ready() == _READY
    again = fedssh("federate", "--member", "member1")
    assert "Nothing to do: 2 of 2 federated" in again.stderr
    checked = fedssh("check", "--member", "member1", "--deep")
    assert checked.code == 0, checked.stdout
    rotated = fedssh("rotate", "--all", "--output", "json")
    assert [one["state"] for one in rotated.report["clusters"][:2]] == ["Ready", "Ready"]
    assert empty.ready() == _READY
    assert fedssh("status", "--member", "member1").code == 0
    left = fedssh("unfederate", "--all", "--uninstall", "--yes")
    assert left.code == 0, left.stderr
    assert differences(before, read_everything(empty.lab)) == []


def test_a_newer_host_and_an_older_member(
    empty: Federation, newer: Federation, of_the_newer: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Kubernetes 1.33 with KubeFed 0.10.0, and a member of 1.21: they get on with each other, and part."""
    assert of_the_newer["host"]["name"] == "member2"
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert newer.ready() == {"member2": "True", "member1": "True"}
    assert empty.ready() == {}
    assert fedssh("unfederate", "--all", "--uninstall", "--yes").code == 0
