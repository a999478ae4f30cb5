"""The host's own address: that of its kubeconfig, or the one that hosts.yaml names, which is tried from the host."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fedssh.engines import load_engine
from fedssh.errors import RefusedError
from fedssh.federation.facts import Proof
from fedssh.federation.journal import Journal
from fedssh.federation.look.checkup import asked_servers
from fedssh.federation.look.federation import look
from fedssh.federation.rules import check_host_address
from fedssh.federation.wishes import host_endpoint
from fedssh.kubernetes.credentials import Endpoint, Trust
from tests.fakes.facts import facts, host, joined, member, wishes
from tests.fakes.hosts import HOST_SERVER
from tests.fakes.kubernetes import CA, KUBERNETES, error
from tests.fakes.lines import key_of, keys_of, stdin_of
from tests.fakes.shells import Answer
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from fedssh.federation.facts import Facts
    from fedssh.federation.wishes import Wishes
    from fedssh.inventory import Inventory
    from fedssh.shell import Command

ENGINE = load_engine()
NAMED = "https://10.0.0.1:6443"
LOCAL = "https://127.0.0.1:6443"
HINT = "Name one that pods reach, in hosts.yaml: host.api_server: https://…"


def naming(api_server: str | None = NAMED) -> Wishes:
    """Return the wish for member1, with the address that hosts.yaml names for the host."""
    known = wishes()
    return replace(known, inventory=named(known.inventory, api_server))


def named(inventory: Inventory, api_server: str | None) -> Inventory:
    """Return a hosts.yaml that names the host's address."""
    return replace(inventory, host=replace(inventory.host, api_server=api_server))


@dataclass
class NamedWorld(World):
    """A world whose hosts.yaml names the host's address.

    Attributes:
        api_server: The address.
    """

    api_server: str | None = NAMED

    @property
    def inventory(self) -> Inventory:
        """The hosts.yaml."""
        return named(super().inventory, self.api_server)

    def move(self, server: str) -> None:
        """Have the host's cluster answer at another address, too."""
        there = copy.copy(self.host.own)
        there.server = server
        self.host.clusters.append(there)

    def stay(self, server: str) -> None:
        """Have the host's own kubeconfig name an address that works there."""
        self.host.kubeconfig = self.host.kubeconfig.replace(HOST_SERVER, server)
        self.host.own.server = server

    def look(self) -> Facts:
        """Look at the host and at no member."""
        asked = replace(self.wishes(), members=())
        return look(asked, self.connect, ENGINE, Journal(self.events.append))[1]

    def tried(self) -> list[dict[str, Any]]:
        """Return the kubeconfigs that were written for trying something."""
        written = [command for run in self.shells["fedhost"].runs for command in run if is_written(command)]
        return [yaml.safe_load(stdin_of(command)) for command in written]


def is_written(command: Command) -> bool:
    """Whether it writes a kubeconfig for trying something."""
    return key_of(command) == ("proof", "write")


@pytest.fixture
def moved() -> NamedWorld:
    """The host's kubeconfig names a local address, hosts.yaml one at which pods reach it."""
    made = NamedWorld()
    made.stay(LOCAL)
    made.move(NAMED)
    return made


def test_the_address_that_hosts_yaml_names_is_verified_by_the_kubeconfigs_ca() -> None:
    """Without one there, by the trust store; where hosts.yaml names none, the kubeconfig tells everything."""
    assert host_endpoint(naming().inventory, host(ca=CA)) == Endpoint(server=NAMED, trust=Trust(word="ca", ca=CA))
    assert host_endpoint(naming().inventory, host(ca="")) == Endpoint(server=NAMED, trust=Trust(word="system"))
    assert host_endpoint(naming(None).inventory, host(ca=CA)) is None


def test_without_a_name_in_hosts_yaml_nothing_is_tried(moved: NamedWorld) -> None:
    """The host's kubectl has just reached what the kubeconfig says."""
    moved.api_server = None
    found = moved.look()
    assert (found.host.server, found.host.ca, found.host_access) == (LOCAL, CA, None)
    assert moved.tried() == []


def test_the_named_address_is_tried_from_the_host_by_nobody_in_particular(moved: NamedWorld) -> None:
    """Verified, and without the administrator's credential: nothing goes to a server that nobody knows."""
    found = moved.look()
    (written,) = moved.tried()
    (cluster,), (user,) = written["clusters"], written["users"]
    stanza = {key: value for key, value in cluster["cluster"].items() if key != "extensions"}
    assert stanza == {"server": NAMED, "certificate-authority-data": CA}
    assert {key: value for key, value in user["user"].items() if key != "extensions"} == {
        "username": "anonymous",
        "password": "anonymous",
    }
    runs = moved.shells["fedhost"].runs
    assert keys_of(runs[2:]) == [("proof", "write"), ("proof", "reach"), ("proof", "remove")]
    assert found.host_access == Proof(kubernetes=KUBERNETES)
    # What the kubeconfig says stays what was found.
    assert (found.host.server, found.host.ca, found.host.gaps) == (LOCAL, CA, ())


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer("{}"), ""),
        (error("Unauthorized"), ""),
        (error("error: You must be logged in to the server"), ""),
        (error('Error from server (Forbidden): forbidden: User "system:anonymous"'), ""),
        (error("dial tcp 10.0.0.1:6443: i/o timeout"), "dial tcp 10.0.0.1:6443: i/o timeout"),
        (error("x509: certificate signed by unknown authority"), "x509: certificate signed by unknown authority"),
        (error(""), "no answer"),
    ],
)
def test_an_address_is_fine_when_an_api_server_answers_there(moved: NamedWorld, answer: Answer, problem: str) -> None:
    """Whatever it says to strangers, it is reached and verified; else the run ends, with the key to correct."""
    moved.host.broken["proof", "reach"] = answer
    found = moved.look()
    assert found.host_access == Proof(problem=problem)
    told = [(finding.text, finding.error) for finding in check_host_address(moved.wishes(), found, ENGINE)]
    assert [text for text, _ in told] == [f"fedhost does not get through to {NAMED}: {problem}"] * bool(problem)
    assert all(error and error.hint == HINT for _, error in told)


def test_where_the_host_has_gaps_nothing_is_tried(moved: NamedWorld) -> None:
    """Its kubectl would not get anywhere."""
    moved.host.broken["kubectl", "get"] = error("no such luck")
    found = moved.look()
    assert found.host.gaps
    assert (found.host_access, moved.tried()) == (None, [])


def test_a_federation_is_made_at_the_named_address(moved: NamedWorld) -> None:
    """Its host is Ready there, and the second run has nothing to do; the kubeconfig keeps its own address."""
    report = moved.federate("member1")
    assert (report.error, report.exit_code) == (None, 0)
    assert moved.host.federation["fedhost"]["spec"]["apiEndpoint"] == NAMED
    assert by_name(report)["fedhost"].api_server == NAMED
    assert by_name(report)["fedhost"].state == "Ready"
    assert moved.host.context("fedhost")[0] == LOCAL
    again = moved.federate("member1")
    assert (again.exit_code, again.changed) == (0, False)
    assert again.summary.startswith("Nothing to do")


def test_a_named_address_that_is_not_reached_ends_the_run(moved: NamedWorld) -> None:
    """Before anything is granted or installed."""
    moved.api_server = "https://10.0.0.2:6443"
    report = moved.federate("member1")
    assert isinstance(report.error, RefusedError)
    assert report.error.message.startswith("fedhost does not get through to https://10.0.0.2:6443: Unable to connect")
    assert (report.error.hint, report.exit_code) == (HINT, 6)
    assert (moved.members["member1"].applied, moved.host.release) == ([], "[]")


def test_a_checkup_asks_the_host_at_the_named_address() -> None:
    """Until it has joined: then at the one that the engine uses."""
    assert asked_servers(naming(), facts(member()))["fedhost"] == NAMED
    assert asked_servers(naming(None), facts(member()))["fedhost"] == HOST_SERVER
    at_host = host(joined("fedhost", HOST_SERVER))
    assert asked_servers(naming(), facts(member(), at_host))["fedhost"] == HOST_SERVER
