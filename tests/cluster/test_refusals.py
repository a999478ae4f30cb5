"""What federate does not do: wrong inventories, machines that are not there, accesses that do not hold."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.clusters import Lab

    from .oracle import Federation, Run

    Logins = Callable[[], dict[str, tuple[int, int]]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hots": {}}, "hosts.yaml:1:1: hots"),
        ({"members": {"Member_1": {"address": "127.0.0.1"}}}, "Member_1"),
        ({"defaults": {"port": "22"}}, "port"),
    ],
)
def test_a_bad_inventory_opens_no_connection(
    change: dict[str, Any], words: str, inventory: dict[str, Any], fedssh: Callable[..., Run], logins: Logins
) -> None:
    """hosts.yaml is checked before anybody is spoken to: exit code 2, with the place in the file."""
    kept = dict(inventory)
    inventory.clear()
    inventory.update({**change, **{key: value for key, value in kept.items() if key not in change}})
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 2
    assert words in done.stderr
    assert set(logins().values()) == {(0, 0)}


def test_an_unknown_member_is_named_with_the_nearest(fedssh: Callable[..., Run], logins: Logins) -> None:
    """A slip of the finger is answered by the name that was meant, and by nothing else."""
    logins()
    done = fedssh("federate", "--member", "membr1")
    assert done.code == 2
    assert "did you mean 'member1'" in done.stderr
    assert set(logins().values()) == {(0, 0)}


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_fault_04_an_unreachable_member_alone(
    inventory: dict[str, Any], closed_port: int, unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """When the only member does not answer, nothing is done on the host: exit code 4, naming it."""
    inventory["members"]["member1"]["port"] = closed_port
    before = unjoined.host.check("sha256sum", "/root/.kube/config")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 4, done.stderr
    assert "member1" in done.stderr
    assert unjoined.host.check("sha256sum", "/root/.kube/config") == before


def test_fault_04_an_unreachable_member_beside_another(
    inventory: dict[str, Any], closed_port: int, joined: Federation, fedssh: Callable[..., Run]
) -> None:
    """One member's failure is its own: the other is federated, exit code 3, the report lists both."""
    inventory["members"]["member2"]["port"] = closed_port
    joined.forget("member1")
    done = fedssh("federate", "--all", "-o", "json")
    assert done.code == 3, done.stderr
    states = {one["name"]: one["state"] for one in done.report["clusters"]}
    assert states == {"fedhost": "Ready", "member1": "Ready", "member2": "Failed"}
    assert joined.ready()["member1"] == "True"


def test_fault_04_an_unreachable_host(inventory: dict[str, Any], closed_port: int, unjoined: Federation,
                             fedssh: Callable[..., Run]) -> None:  # fmt: skip
    """Without the host nothing is done on a member, either: exit code 4."""
    inventory["host"]["port"] = closed_port
    done = fedssh("federate", "--member", "member1")
    assert done.code == 4, done.stderr
    assert "fedhost" in done.stderr
    assert unjoined.objects() == []


def test_fault_01_nothing_is_sent_to_an_unknown_member(
    inventory: dict[str, Any],
    lab: Lab,
    unjoined: Federation,
    fedssh: Callable[..., Run],
    tmp_path: Path,
    logins: Logins,
) -> None:
    """A machine that cannot prove who it is gets no login: exit code 5, with its fingerprint and what to do."""
    member = unjoined.member()
    known = [line for line in lab.known_hosts.read_text().splitlines() if f":{member.port} " not in line]
    (tmp_path / "known_hosts").write_text("\n".join(known) + "\n")
    inventory["defaults"]["known_hosts"] = str(tmp_path / "known_hosts")
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 5, done.stderr
    assert "SHA256:" in done.stderr
    assert logins()["member1"] == (0, 0)


@pytest.mark.parametrize(
    ("api_server", "words"),
    [
        ("https://nowhere.invalid:6443", "nowhere.invalid"),
        ("https://fedhost:6443", "certificate"),
    ],
)
def test_an_access_that_does_not_hold_is_taken_back(
    api_server: str, words: str, inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """What the host cannot prove is not written: exit code 6, and the member is as it was."""
    inventory["members"]["member1"]["api_server"] = api_server
    before = unjoined.host.check("sha256sum", "/root/.kube/config")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert words in done.stderr
    assert unjoined.host.check("sha256sum", "/root/.kube/config") == before
    assert unjoined.objects() == []
    assert "member1" not in unjoined.ready()
    assert unjoined.host.exec("test", "-e", "/root/.kube/.fedssh-proof").code == 1


def test_fault_35_one_cluster_under_two_names(
    inventory: dict[str, Any], lab: Lab, unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """A member that is the host's own cluster, reached at another address, is refused."""
    inventory["members"] = {"member1": {"address": "localhost", "port": lab.host.port}}
    known = lab.known_hosts.read_text()
    Path(inventory["defaults"]["known_hosts"]).write_text(known + known.replace("[127.0.0.1]", "[localhost]"))
    try:
        done = fedssh("federate", "--member", "member1")
    finally:
        Path(inventory["defaults"]["known_hosts"]).write_text(known)
    assert done.code == 6, done.stderr
    assert "same cluster as fedhost" in done.stderr
    assert unjoined.contexts() == {"kubernetes-admin@kubernetes": "kubernetes"}


def test_fault_19_somebody_elses_entry_stays(unjoined: Federation, fedssh: Callable[..., Run]) -> None:
    """A context of the member's name that fedssh did not write is not overwritten, and nothing is granted."""
    unjoined.host.check("kubectl", "config", "set-context", "member1", "--cluster=kubernetes")
    before = unjoined.host.check("sha256sum", "/root/.kube/config")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "'member1'" in done.stderr
    assert unjoined.host.check("sha256sum", "/root/.kube/config") == before
    assert unjoined.objects() == []


def test_somebody_elses_account_stays(unjoined: Federation, fedssh: Callable[..., Run]) -> None:
    """A ServiceAccount of the member's name that fedssh did not make is not touched."""
    unjoined.kubectl(unjoined.member(), "create", "serviceaccount", "member1")
    try:
        done = fedssh("federate", "--member", "member1")
    finally:
        unjoined.kubectl(unjoined.member(), "delete", "serviceaccount", "member1")
    assert done.code == 6, done.stderr
    assert "serviceaccount/member1" in done.stderr


@pytest.mark.parametrize(("machine", "tool"), [("member1", "kubectl"), ("fedhost", "helm"), ("fedhost", "kubectl")])
def test_fault_26_a_missing_tool_is_named(
    machine: str, tool: str, unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """Kubectl or helm missing on a machine: exit code 3, naming what and where; nothing is granted."""
    where = unjoined.host if machine == "fedhost" else unjoined.member(machine)
    where.check("mv", f"/usr/local/bin/{tool}", "/root/away")
    try:
        done = fedssh("federate", "--member", "member1")
    finally:
        where.check("mv", "/root/away", f"/usr/local/bin/{tool}")
    assert done.code == 3, done.stderr
    assert f"{machine}: " in done.stderr
    assert f"{tool} is not there" in done.stderr
    assert unjoined.objects() == []


def test_fault_13_a_second_run_at_the_same_time_is_busy(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """While a run holds the host's lock, another one ends at once: exit code 75."""
    holder = threading.Thread(
        target=joined.host.exec,
        args=("flock", "/root/.kube/config.fedssh.lock", "sh", "-c", "touch /run/held; sleep 600"),
        daemon=True,
    )
    holder.start()
    try:
        while joined.host.exec("test", "-e", "/run/held").code:
            pass
        done = fedssh("federate", "--member", "member1")
    finally:
        joined.host.exec("pkill", "-f", "sleep 600")
        joined.host.exec("rm", "-f", "/run/held")
        holder.join(timeout=30)
    assert done.code == 75, done.stderr
    assert fedssh("federate", "--member", "member1").code == 0


def test_status_tells_what_is_not_well(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """Status lists every cluster, and its exit code tells whether all are Ready."""
    joined.forget("member2")
    done = fedssh("status", "-o", "json")
    states = {one["name"]: one["state"] for one in done.report["clusters"]}
    assert states == {"fedhost": "Ready", "member1": "Ready", "member2": "NotJoined"}
    assert done.code == 3


def test_invoke_is_the_same(joined: Federation, fedssh: Callable[..., Run], tmp_path: Path) -> None:
    """``invoke`` in a checkout runs the same verbs, and finds hosts.yaml from where it is called upwards."""
    fedssh("status")  # writes the lab's hosts.yaml
    checkout = Path(__file__).parents[2]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("invoke")), "-r", str(checkout), "federate", "--member", "member1"],
        check=False, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Nothing to do" in done.stderr
    assert joined.ready()["member1"] == "True"


def test_fault_31_a_host_at_an_address_of_its_own(
    unjoined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """A host that says 127.0.0.1, as k3s does, could not be joined: refused, until hosts.yaml says another address."""
    unjoined.host.check("kubectl", "config", "set-cluster", "kubernetes", "--server=https://127.0.0.1:6443")
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "https://127.0.0.1:6443 works on that machine only, and KubeFed's controller runs in a pod" in done.stderr
    assert "Name one that pods reach, in hosts.yaml: host.api_server: https://" in done.stderr
    assert unjoined.objects() == []
    inventory["host"]["api_server"] = "https://nowhere:6443"
    wrong = fedssh("federate", "--member", "member1")
    assert wrong.code == 6, wrong.stderr
    assert "fedhost does not get through to https://nowhere:6443" in wrong.stderr
    assert unjoined.objects() == []
    inventory["host"]["api_server"] = "https://fedhost:6443"
    again = fedssh("federate", "--member", "member1")
    assert again.code == 0, again.stderr
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}
    server = "jsonpath={.spec.apiEndpoint}"
    joined = unjoined.kubectl(
        unjoined.host, "-n", "kube-federation-system", "get", "kubefedcluster", "fedhost", "-o", server
    )
    assert joined == "https://fedhost:6443"
    assert "Nothing to do" in fedssh("federate", "--member", "member1").stderr


def test_fault_34_a_cluster_that_has_joined_under_another_name(
    inventory: dict[str, Any], joined: Federation, fedssh: Callable[..., Run]
) -> None:
    """Also when the two names are federated one after the other."""
    inventory["members"] = {"another": inventory["members"]["member1"]}
    done = fedssh("federate", "--member", "another")
    assert done.code == 6, done.stderr
    assert "same cluster as member1" in done.stderr
    assert "another" not in joined.contexts()


def test_names_of_ones_own(inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run]) -> None:
    """Host and member are called as hosts.yaml says; an alias leaves the host's context as it is."""
    unjoined.kubectl(unjoined.host, "-n", "kube-federation-system", "delete", "kubefedclusters", "--all")
    inventory["host"] |= {"name": "control-1", "context": "alias", "labels": {"example.com/role": "host"}}
    inventory["members"] = {"paris": inventory["members"]["member1"]}
    try:
        done = fedssh("federate", "--all")
        assert done.code == 0, done.stderr
        assert unjoined.ready() == {"control-1": "True", "paris": "True"}
        assert unjoined.contexts() == {
            "kubernetes-admin@kubernetes": "kubernetes",
            "control-1": "kubernetes",
            "paris": "kubefed-remote-paris",
        }
        current = unjoined.kubectl(unjoined.host, "config", "current-context").strip()
        assert current == "kubernetes-admin@kubernetes"
        again = fedssh("federate", "--all")
        assert "Nothing to do: 2 of 2 federated" in again.stderr
    finally:
        unjoined.forget("control-1", "paris", "member1")
