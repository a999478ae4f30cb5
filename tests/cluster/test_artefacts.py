"""What KubeFed is installed from: a host without internet, wrong checksums, and the maintained fork's own names."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

import pytest

from lab.fork import IMAGE, VERSION, start_fork
from tests.cluster.inventories import differences, read_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.clusters import Lab
    from tests.cluster.oracle import Federation, Run

NAMESPACE: Final = "kube-federation-system"
_READY: Final = {"fedhost": "True", "member1": "True"}

# Whatever leaves the machine or one of its pods for anywhere but the other masters is dropped, and counted; what stays
# on its link (multicast) is no attempt to.
_CUT: Final = """
    iptables -N CUT
    iptables -A CUT -o lo -j RETURN
    iptables -A CUT -m conntrack --ctstate ESTABLISHED -j RETURN
    for known in 10.244.0.0/16 10.96.0.0/16 224.0.0.0/4 "$@"; do iptables -A CUT -d "$known" -j RETURN; done
    iptables -A CUT -j DROP
    iptables -I OUTPUT -j CUT
    iptables -I FORWARD -j CUT
"""
_MEND: Final = """
    for chain in OUTPUT FORWARD; do iptables -D $chain -j CUT; done
    iptables -F CUT
    iptables -X CUT
"""
_COUNT: Final = "iptables -vnxL CUT | awk '$3 == \"DROP\" { print $1 }'"


def address(federation: Federation, name: str) -> str:
    """Return a machine's address in the lab."""
    found = federation.host.check("getent", "ahostsv4", name).split()[0]
    return str(ipaddress.ip_address(found))


@pytest.fixture
def offline(bare: Federation) -> Iterator[Callable[[], int]]:
    """The host's machine reaches the other masters and nothing else; tells how many packets were meant for that."""
    others = [address(bare, one.name) for one in bare.lab.machines]
    bare.host.check("sh", "-c", _CUT, "sh", *others)
    yield lambda: int(bare.host.check("sh", "-c", _COUNT))
    bare.host.check("sh", "-c", _MEND)


@pytest.fixture
def uploads(inventory: dict[str, Any], lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """hosts.yaml has it uploaded, from where this computer reaches the lab's internet; the cache is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = f"127.0.0.1:{lab.artefacts_port}"
    kubefed = inventory["kubefed"]
    for key in ("chart_repository", "kubefedctl_url"):
        kubefed[key] = kubefed[key].replace("http://artefacts/", f"http://{here}/")
    kubefed["artefacts"] = "upload"
    return here


@pytest.fixture
def image(bare: Federation, inventory: dict[str, Any], uploads: str) -> Iterator[str]:
    """The image of KubeFed's pods, by a name that no machine has or can pull."""
    inventory["kubefed"]["image"] = f"{uploads}/kubernetes-multicluster/kubefed"
    name = f"{inventory['kubefed']['image']}:v{inventory['kubefed']['version']}"
    yield name
    bare.uninstall()
    bare.host.exec("ctr", "-n", "k8s.io", "images", "rm", name)


def test_fault_68_a_host_without_internet(
    *,
    bare: Federation,
    offline: Callable[[], int],
    image: str,
    lab: Lab,
    fedssh: Callable[..., Run],
) -> None:
    """From bare to Ready, with a computer that is offline by then: all that is needed was fetched before."""
    assert bare.host.exec("curl", "-fsS", "-m", "1", "http://artefacts/").code != 0
    tried = offline()
    assert tried > 0  # that attempt is counted
    fetched = fedssh("fetch", "--images")
    assert fetched.code == 0, fetched.stderr
    assert f"the image {image} (amd64) is there" in fetched.stderr
    assert "3 files for KubeFed are in " in fetched.stderr
    lab.artefacts.pause()
    try:
        planned = fedssh("federate", "--member", "member1", "--dry-run")
        assert f"import {image} on fedhost" in planned.stdout
        assert image not in bare.host.check("ctr", "-n", "k8s.io", "images", "ls", "-q").split()
        done = fedssh("federate", "--member", "member1")
        assert done.code == 0, done.stderr
        assert bare.ready() == _READY
        again = fedssh("federate", "--member", "member1")
        assert "Nothing to do: 2 of 2 federated" in again.stderr
    finally:
        lab.artefacts.unpause()
    assert offline() == tried
    pods = "jsonpath={.items[*].spec.containers[*].image}"
    running = bare.kubectl(bare.host, "-n", NAMESPACE, "get", "pods", "-o", pods)
    assert set(running.split()) == {image}
    assert bare.host.check("find", "/root/.cache/fedssh", "-type", "f") == ""  # what was uploaded is used up
    assert fedssh("unfederate", "--all", "--uninstall", "--yes").code == 0


@pytest.mark.parametrize("mode", ["download", "upload"])
@pytest.mark.parametrize("key", ["kubefedctl_sha256", "chart_sha256"])
def test_fault_67_a_wrong_checksum(
    *,
    mode: str,
    key: str,
    bare: Federation,
    inventory: dict[str, Any],
    fedssh: Callable[..., Run],
    request: pytest.FixtureRequest,
) -> None:
    """What has it is not installed, and nothing of it stays, on the machine or on this computer."""
    if mode == "upload":
        request.getfixturevalue("uploads")
    inventory["kubefed"][key] = "0" * 64
    before = read_everything(bare.lab)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 3, done.stderr
    assert f"but hosts.yaml says {'0' * 64}" in done.stderr
    # fedssh's lock stays, and of a download, kubefedctl, which is checked and there before the chart.
    left = [line.split()[2] for line in differences(before, read_everything(bare.lab))]
    known = ["/root/.kube/config.fedssh.lock"]
    if (mode, key) == ("download", "chart_sha256"):
        known += ["/usr/local/bin/.kubefedctl.fedssh", "/usr/local/bin/kubefedctl"]
    assert sorted({*left, known[0]}) == sorted(known)
    del inventory["kubefed"][key]
    again = fedssh("prepare")
    assert again.code == 0, again.stderr


@pytest.fixture
def fork(bare: Federation, inventory: dict[str, Any]) -> Iterator[Federation]:
    """hosts.yaml says whose KubeFed it is, and no more; the lab's internet has it under those names."""
    server = start_fork(bare.lab)
    inventory["kubefed"] = {"source": "nutanix", "values": inventory["kubefed"]["values"]}
    yield bare
    bare.uninstall()
    bare.host.exec("ctr", "-n", "k8s.io", "images", "rm", IMAGE)
    server.stop()


def test_the_forks_own_names(fork: Federation, fedssh: Callable[..., Run]) -> None:
    """Its addresses, its version and its image reach Helm and the machine; its binaries are those of KubeFed 0.10.0."""
    planned = fedssh("federate", "--member", "member1", "--dry-run")
    assert f"install KubeFed {VERSION}" in planned.stdout
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "up to which its project tested" not in done.stderr
    assert fork.ready() == _READY
    pods = "jsonpath={.items[*].spec.containers[*].image}"
    running = fork.kubectl(fork.host, "-n", NAMESPACE, "get", "pods", "-o", pods)
    assert set(running.split()) == {IMAGE}
    assert f'Version:"v{VERSION}"' in fork.host.check("kubefedctl", "version")
    listed = fork.host.check("helm", "-n", NAMESPACE, "list", "--output", "json")
    assert f'"chart":"kubefed-{VERSION}"' in listed
    assert "Nothing to do: 2 of 2 federated" in fedssh("federate", "--member", "member1").stderr
    assert fedssh("unfederate", "--all", "--uninstall", "--yes").code == 0
