"""The command line and the library on real clusters: all that is wrong at once, consent, documents, threads."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import yaml

import fedssh as library
from tests.fakes.ptys import type_at
from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

    from lab.machine import Machine
    from tests.cluster.oracle import Federation, Run

ROLE: Final = ("get", "clusterrole", "member1", "-o", "jsonpath={.rules[0].verbs}")


@contextmanager
def without(machine: Machine, tool: str) -> Iterator[None]:
    """A machine that does not have a tool."""
    path = machine.check("sh", "-c", f"command -v {tool}").strip()
    machine.check("mv", path, f"{path}.away")
    try:
        yield
    finally:
        machine.check("mv", f"{path}.away", path)


def test_all_that_is_wrong_is_told_in_one_run(
    inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """Helm is missing on the host, a port is closed, a name is unknown, kubectl is missing: every one with its hint."""
    members = inventory["members"]
    members["member2"]["port"] = 1
    members["member3"] = {"address": "no-such-machine.invalid"}
    with without(unjoined.host, "helm"), without(unjoined.member(), "kubectl"):
        done = fedssh("federate", "--all")
        document = fedssh("federate", "--all", "-o", "json", "-q")
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert (done.code, done.stdout) == (3, ""), done.stderr
    for words in (
        "fedhost: prepare KubeFed: helm is not there",
        "member1: look at the member: kubectl is not there",
        "member2: connect: 127.0.0.1 port 1: Connection refused",
        "member3: connect: the name no-such-machine.invalid was not found",
    ):
        assert sum(words in line for line in errors) == 1, done.stderr
    assert (len(errors), done.stderr.count("  next: ")) == (4, 4)
    assert "Ended early, nothing changed" in done.stderr
    told = json.loads(document.stdout)
    assert {cluster["name"]: cluster["error"]["exitCode"] for cluster in told["clusters"]} == {
        "fedhost": 3,
        "member1": 3,
        "member2": 4,
        "member3": 4,
    }


def test_unknown_host_keys_and_closed_ports_are_told_in_one_run(
    inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run], tmp_path: Path
) -> None:
    """The host's key is not known: what is wrong with the members is told all the same (5)."""
    inventory["host"]["known_hosts"] = str(tmp_path / "none")
    inventory["members"]["member2"]["port"] = 1
    done = fedssh("federate", "--all")
    assert done.code == 5
    assert "error: fedhost: connect: the host key of " in done.stderr
    assert "error: member2: connect: 127.0.0.1 port 1: Connection refused" in done.stderr
    assert unjoined.objects() == []


def test_two_things_that_are_wrong_with_the_host_are_told_together(
    joined: Federation, fedssh: Callable[..., Run]
) -> None:
    """Of which the second is no mere consequence of the first: without Helm nobody says whose KubeFed it is."""
    with without(joined.host, "helm"), without(joined.host, "kubectl"):
        done = fedssh("federate", "--member", "member1", "-o", "json")
    told = json.loads(done.stdout)["clusters"][0]
    assert (done.code, told["error"]["message"]) == (3, "kubectl is not there")
    assert [error["message"] for error in told["furtherErrors"]] == ["helm is not there"]


def test_adopt_shows_the_plan_and_asks(
    unjoined: Federation, fedssh: Callable[..., Run], leaks: Any, tmp_path: Path
) -> None:
    """No changes nothing, and is no failure; yes takes over; where there is nothing to take over nobody is asked."""
    member, argv = unjoined.member(), [FEDSSH, "federate", "--member", "member1", "--adopt"]
    unjoined.kubectl(member, "create", "clusterrole", "member1", "--verb=get", "--resource=pods")
    try:
        assert fedssh("federate", "--member", "member1", "--adopt").code == 2  # nobody is there; writes hosts.yaml
        before = unjoined.snapshot()
        declined = type_at(argv, tmp_path, leaks, answers={"[y/N]": "n\n"})
        assert (declined.code, unjoined.kubectl(member, *ROLE)) == (0, '["get"]')
        plan, _, rest = declined.text.partition("Do this? [y/N]")
        assert "grant access, taking over clusterrole/member1" in plan
        assert "Nothing was changed, " in rest
        assert unjoined.snapshot() == before
        agreed = type_at(argv, tmp_path, leaks, answers={"[y/N]": "y\n"})
        assert (agreed.code, unjoined.kubectl(member, *ROLE)) == (0, '["*"]'), agreed.text
        again = type_at(argv, tmp_path, leaks)
        assert (again.code, "Nothing to do: 2 of 2 federated" in again.text) == (0, True), again.text
        assert "Do this?" not in again.text
    finally:
        if unjoined.kubectl(member, *ROLE) == '["get"]':
            unjoined.kubectl(member, "delete", "clusterrole", "member1")


def test_every_format_of_the_same_federation(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """Stdout has the table, the document or the names alone; status may be asked for some members."""
    table, wide, names = (fedssh("status", "-m", "member1", "-o", form) for form in ("table", "wide", "name"))
    assert table.stdout.splitlines()[0].split()[-2:] == ["API", "SERVER"]
    assert wide.stdout.splitlines()[0].split()[-3:] == ["PROVEN", "CHANGES", "MESSAGE"]
    assert names.stdout == "fedhost\nmember1\n"
    as_json, as_yaml = (fedssh("status", "-m", "member1", "-o", form).stdout for form in ("json", "yaml"))
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert [cluster["name"] for cluster in json.loads(as_json)["clusters"]] == ["fedhost", "member1"]
    for done in (table, wide, names):
        assert done.code == 0, done.stderr
        assert done.stderr.splitlines()[0] == "hosts.yaml: host fedhost, 1 of 2 members"
        assert ", ".join(done.stderr.splitlines()[-1].split(", ")[:-1]) == "2 of 2 Ready"
    assert fedssh("status").stdout.splitlines()[-1].split()[:3] == ["member2", "member", "NotJoined"]
    assert joined.ready() == {"fedhost": "True", "member1": "True"}


def test_the_library_federates_in_a_thread(
    unjoined: Federation, fedssh: Callable[..., Run], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As the program does, silently; Ctrl-C is what it was; a member that fails stands in the report."""
    assert fedssh("status").code in {0, 3}  # writes hosts.yaml
    before, events = signal.getsignal(signal.SIGINT), list[library.Progress]()
    reports: list[library.Report] = []
    inventory = library.load_inventory(tmp_path / "hosts.yaml")
    capfd.readouterr()

    def work() -> None:
        reports.append(library.federate(inventory, "member1", labels={"region": "eu"}, report=events.append))
        reports.append(library.federate(inventory, "member1", dry_run=True))
        reports.append(library.status(inventory, ["member1"]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(240)
    assert [report.exit_code for report in reports] == [0, 0, 0]
    first, dry, status = reports
    assert [cluster.state for cluster in status.clusters] == ["Ready", "Ready"]
    assert (first.changed, dry.changed, all(not cluster.plan for cluster in dry.clusters)) == (True, False, True)
    assert "granted access" in [event.text for event in events if event.cluster == "member1"]
    assert (capfd.readouterr(), signal.getsignal(signal.SIGINT)) == (("", ""), before)
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}


def test_init_looks_at_real_machines(
    joined: Federation, fedssh: Callable[..., Run], home: Path, tmp_path: Path
) -> None:
    """From ssh_config's aliases: where k3s leaves its kubeconfig, and an address that works; nothing is changed."""
    lab, member = joined.lab, joined.member()
    settings = f"IdentityFile {lab.identity_file}\n  UserKnownHostsFile {lab.known_hosts}\n  User root\n"
    hosts = [
        f"Host {machine.name}\n  HostName 127.0.0.1\n  Port {machine.port}\n  {settings}" for machine in lab.machines
    ]
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "config").write_text("".join(hosts))
    own = "https://member1:6443"
    move = f"""
        mkdir -p /etc/rancher/k3s
        sed 's#{own}#https://127.0.0.1:6443#' /root/.kube/config >/etc/rancher/k3s/k3s.yaml
        mv /root/.kube/config /root/kubeconfig.away
        mv /etc/kubernetes/admin.conf /root/admin.away
    """
    back = """
        mv /root/kubeconfig.away /root/.kube/config
        mv /root/admin.away /etc/kubernetes/admin.conf
        rm -r /etc/rancher
    """
    before = joined.snapshot()
    member.check("sh", "-c", move)
    try:
        done = fedssh("init", "fedhost", "member1", "member2", "--probe", "-O", "drafted.yaml")
        assert (done.code, done.stdout) == (0, ""), done.stderr
        assert "member1: kubeconfig /etc/rancher/k3s/k3s.yaml was found" in done.stderr
        assert "member2: kubectl works there, and there is nothing to add" in done.stderr
        drafted = yaml.safe_load((tmp_path / "drafted.yaml").read_text())
        assert drafted["host"] == {"name": "fedhost", "address": "fedhost"}
        assert drafted["members"] == {
            "member1": {"address": "member1", "kubeconfig": "/etc/rancher/k3s/k3s.yaml", "api_server": own},
            "member2": {"address": "member2"},
        }
        planned = fedssh("federate", "--all", "--dry-run", "-f", "drafted.yaml")
        assert planned.code == 0, planned.stderr
    finally:
        member.check("sh", "-c", back)
    assert joined.snapshot() == before
