from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from fedssh.errors import FedsshError, UnreachableError
from fedssh.federation.look.probe import Probed, probe
from fedssh.inventory import Machine, parse_inventory
from fedssh.kubernetes.distributions import USUAL_KUBECONFIGS
from tests.fakes.kubernetes import CA, error
from tests.fakes.lines import Call, Key, keys_of, run_line
from tests.fakes.shells import Answer, LocalShell, ScriptedShell, install_tool, path_with

if TYPE_CHECKING:
    from fedssh.shell import Command, Shell

KUBEADM, *_, K3S = USUAL_KUBECONFIGS
OWN = "/root/.kube/config"


@dataclass
class Place:
    """A machine with kubeconfigs, each of which leads to its cluster or does not.

    Attributes:
        name: The cluster.
        usable: The kubeconfigs that kubectl can use; "" is what it finds by itself.
        server: The address in them.
        addresses: What ``hostname`` tells.
        published: The address that its cluster publishes.
        login: What the kubeconfig that kubectl finds by itself would log in by.
        kubectl: Whether there is one.
        reached: The addresses that work from here, for the host.
        has_file: Whether there is a file where kubectl looks, for the host.
        broken: Calls that fail, and how.
        servers: What the host was last given to try, by context.
        tried: What it has tried, in order.
    """

    name: str
    usable: tuple[str, ...] = ("",)
    server: str = "https://127.0.0.1:6443"
    addresses: str = ""
    published: str = ""
    login: str = ""
    kubectl: bool = True
    reached: tuple[str, ...] = ()
    has_file: bool = True
    broken: dict[Key, Answer] = field(default_factory=dict)
    servers: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shell = ScriptedShell(self.name, self._answer)

    def _answer(self, command: Command) -> Answer:
        return run_line(command, self._do)

    def _do(self, call: Call) -> Answer:
        if said := call.broken(self.broken):
            return said
        if call.key == ("proof", "write"):
            written = yaml.safe_load(call.stdin)
            self.servers = {
                entry["name"].removeprefix("fedssh."): entry["cluster"]["server"] for entry in written["clusters"]
            }
        if call.key == ("proof", "reach"):
            server = self.servers.get(call.names[1], "nothing was written")
            self.tried.append(server)
            works = any(server.endswith(address) for address in self.reached)
            return error("Unauthorized") if works else error("dial tcp: i/o timeout")
        if call.key == ("kubeconfig", "read"):
            return Answer(f"{OWN}\n-rw-------\nkind: Config\n" if self.has_file else f"{OWN}\n\n")
        if call.key == ("hostname",):
            return Answer(self.addresses)
        return self._kubectl(call) if call.key[0] == "kubectl" else Answer()

    def _kubectl(self, call: Call) -> Answer:
        if not self.kubectl:
            return error("sh: kubectl: not found", code=127)
        path = call.flags.get("--kubeconfig", "")
        if call.key[1] == "config":
            if "users" in call.flags["-o"]:
                return Answer("" if path else self.login)
            assert path in self.usable, "what is not usable has nothing to say"
            return Answer(self.server if call.flags["-o"].endswith(".server}") else CA)
        if "cluster-info" in call.names:
            return Answer(f"clusters: [{{cluster: {{server: '{self.published}'}}}}]")
        if "--tls-server-name" in call.flags:
            return error("refused")
        return Answer("{}") if path in self.usable else error("The connection to the server localhost:8080 was refused")


def look(*places: Place) -> dict[str, Probed | FedsshError]:
    """Look at a host and members."""
    host, *members = (place.name for place in places)
    text = f"host: {{name: {host}, address: {host}.example.com}}\nmembers:\n"
    text += "".join(f"  {name}: {{address: {name}.example.com}}\n" for name in members)
    shells: dict[str, Shell] = {place.name: place.shell for place in places}

    def connect(machine: Machine) -> Shell:
        if machine.name == "gone":
            raise UnreachableError("no answer", machine=machine.name)
        return shells[machine.name]

    return probe(parse_inventory(text, path=Path("hosts.yaml")), connect)


def problem(found: Probed | FedsshError) -> str:
    """Return the only problem that is told."""
    assert isinstance(found, Probed)
    (told,) = found.problems
    return told


def test_what_works_by_itself_is_not_written_down() -> None:
    """Neither a kubeconfig nor an address; the host tries no more than that one."""
    host, member = Place("fedhost", reached=(":6443",)), Place("m1", server="https://api.m1:6443")
    assert look(host, member) == {"fedhost": Probed(), "m1": Probed()}
    assert host.tried == ["https://api.m1:6443"]


@pytest.mark.parametrize("path", USUAL_KUBECONFIGS)
def test_the_administrators_kubeconfig_is_found_where_it_usually_is(path: str) -> None:
    """On the host and on members, where kubectl finds none by itself."""
    host = Place("fedhost", usable=(path,), reached=("https://m1.example.com:6443",))
    found = look(host, Place("m1", usable=(path,)))
    assert found["fedhost"] == Probed(kubeconfig=path)
    assert found["m1"] == Probed(kubeconfig=path, api_server="https://m1.example.com:6443")


def test_the_first_kubeconfig_that_works_is_taken() -> None:
    """The one that kubectl finds by itself before all others."""
    assert look(Place("fedhost", usable=(K3S, KUBEADM)))["fedhost"] == Probed(kubeconfig=KUBEADM)
    assert look(Place("fedhost", usable=("", KUBEADM)))["fedhost"] == Probed()


def test_the_host_needs_a_file() -> None:
    """A kubectl that finds its cluster without one does not do: entries have to be written into it."""
    assert look(Place("fedhost", usable=("", K3S), has_file=False))["fedhost"] == Probed(kubeconfig=K3S)
    found = look(Place("fedhost", usable=("",), has_file=False))["fedhost"]
    assert isinstance(found, Probed)
    assert found.kubeconfig is None
    assert found.problems[0] == f"there is no kubeconfig at {OWN}"


def test_a_member_needs_none() -> None:
    """Its kubectl is asked, whatever it goes by."""
    found = look(Place("fedhost", reached=("example.com:6443",)), Place("m1", usable=("", K3S), has_file=False))
    assert found["m1"] == Probed(api_server="https://m1.example.com:6443")


def test_where_no_kubeconfig_works_kubectls_words_are_told() -> None:
    """With the key of hosts.yaml; no address is sought for such a member."""
    host, member = Place("fedhost"), Place("m1", usable=())
    told = problem(look(host, member)["m1"])
    assert told.startswith("no kubeconfig that kubectl can use was found, name it (kubeconfig: /path): ")
    assert told.endswith("localhost:8080 was refused")
    assert host.tried == []


def test_no_program_is_run_to_log_in_to_a_member() -> None:
    """A kubeconfig is data there; another one may do."""
    member = Place("m1", usable=("", KUBEADM), login="aws")
    host = Place("fedhost", reached=("example.com:6443",))
    found = look(host, member)["m1"]
    assert found == Probed(kubeconfig=KUBEADM, api_server="https://m1.example.com:6443")
    told = problem(look(host, Place("m1", login="aws"))["m1"])
    assert "its kubeconfig would run a program, or read a file, to log in" in told


def test_a_machine_without_kubectl_is_told_what_to_do() -> None:
    """On the host and on members."""
    for name, places in [
        ("fedhost", [Place("fedhost", kubectl=False)]),
        ("m1", [Place("fedhost"), Place("m1", kubectl=False)]),
    ]:
        told = problem(look(*places)[name])
        assert told.startswith("kubectl is not there: Install kubectl on the machine of ")


def test_an_address_that_the_host_does_not_reach_is_replaced() -> None:
    """By the first that it reaches; one that works on its own machine only is not tried at all."""
    host = Place("fedhost", reached=("https://192.0.2.5:7443", "https://192.0.2.6:6443", "https://192.0.2.7:6443"))
    far = Place("far", server="https://nat.example.com:7443", addresses="192.0.2.4 192.0.2.5")
    local = Place("local", addresses="192.0.2.6 192.0.2.7")
    found = look(host, far, local)
    assert found["far"] == Probed(api_server="https://192.0.2.5:7443")
    assert found["local"] == Probed(api_server="https://192.0.2.6:6443")
    assert not any("127.0.0.1" in tried for tried in host.tried)
    assert host.tried.count(far.server) == 1


def test_where_no_address_works_the_reason_is_told() -> None:
    """That of the kubeconfig's own address."""
    told = problem(look(Place("fedhost"), Place("m1"))["m1"])
    assert "works from fedhost, name one (api_server: https://…)" in told
    assert told.endswith("it works on that machine only")
    told = problem(look(Place("fedhost"), Place("m1", server="https://far:6443"))["m1"])
    assert told.endswith("the one in its kubeconfig: dial tcp: i/o timeout")


def test_a_machine_that_is_not_reached_is_alone() -> None:
    """The others are looked at; without the host, no address can be tried."""
    found = look(Place("fedhost", reached=("m1.example.com:6443",)), Place("gone"), Place("m1"))
    assert isinstance(found["gone"], UnreachableError)
    assert found["m1"] == Probed(api_server="https://m1.example.com:6443")
    found = look(Place("gone"), Place("m1", usable=(K3S,)))
    assert isinstance(found["gone"], UnreachableError)
    assert found["m1"] == Probed(kubeconfig=K3S)


def test_a_host_that_cannot_try_keeps_what_it_has_told() -> None:
    """Why is told."""
    host = Place("fedhost", usable=(KUBEADM,), broken={("proof", "write"): error("Read-only file system")})
    found = look(host, Place("m1", usable=(K3S,), server="https://far:6443"))
    assert isinstance(found["fedhost"], Probed)
    assert found["fedhost"].kubeconfig == KUBEADM
    assert "no address was tried" in problem(found["fedhost"])
    assert "Read-only file system" in problem(found["fedhost"])
    assert found["m1"] == Probed(kubeconfig=K3S)


def test_nothing_is_changed() -> None:
    """What runs asks, or tries an address as a refusal's advice does; no lock is taken."""
    host, member = Place("fedhost", reached=("m1.example.com:6443",)), Place("m1", usable=(K3S,))
    look(host, member)
    assert set(keys_of(member.shell.runs)) == {("kubectl", "get"), ("kubectl", "config"), ("hostname",)}
    trying = {("proof", "write"), ("proof", "reach"), ("proof", "remove")}
    assert set(keys_of(host.shell.runs)) == {("kubectl", "get"), ("kubeconfig", "read")} | trying
    assert (host.shell.holds, member.shell.holds) == ([], [])


HOSTILE = [
    "https://x.example.com/a?b",
    "https://u:p@x.example.com",
    "https://x\x1b[31m",
    "http://x.example.com",
    "x" * 5000,
]


@pytest.mark.parametrize("server", HOSTILE)
def test_whatever_a_member_answers_only_what_hosts_yaml_takes_is_found(server: str) -> None:
    """And what is told can be shown."""
    found = look(Place("fedhost"), Place("m1", server=server, addresses=f"{server} a\x1bb ;reboot"))["m1"]
    told = problem(found)
    assert told.isprintable()
    assert len(told) < 1000
    host = Place("fedhost", reached=("",))
    published = server if server.isprintable() else ""
    assert look(host, Place("m1", published=published))["m1"] == Probed(api_server="https://m1.example.com:6443")


def test_a_real_shell_understands_it(home: Path, local: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands, run by sh with a kubectl that knows one of the usual files."""
    bin_folder = home / "bin"
    install_tool(
        bin_folder,
        "kubectl",
        f'case "$*" in *get*--kubeconfig={K3S}*|*--kubeconfig={K3S}*get*) echo {{}} ;; *) echo no >&2; exit 1 ;; esac',
    )
    monkeypatch.setenv("PATH", path_with(bin_folder))
    inventory = parse_inventory("host: {name: fedhost, address: h}\n", path=Path("hosts.yaml"))
    assert probe(inventory, lambda _: local) == {"fedhost": Probed(kubeconfig=K3S)}
