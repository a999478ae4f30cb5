from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import ConnectionLostError, RefusedError
from fedssh.federation.look.advice import advise_address
from tests.fakes.advising import CONFIG, VALID_FOR, ZONE, Tried, cluster
from tests.fakes.kubernetes import CA, error
from tests.fakes.lines import Call, run_line
from tests.fakes.shells import Answer, ScriptedShell
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from fedssh.shell import Command

LOCAL = "https://127.0.0.1:6443"


def member(**said: str) -> ScriptedShell:
    """Return a member's machine: what it says of its kubeconfig, certificate (two), hostname and cluster-info."""

    def do(call: Call) -> Answer:
        asked = call.flags.get("--tls-server-name")
        if call.key == ("hostname",):
            return Answer(said.get("hostname", ""))
        if call.key == ("kubectl", "config"):
            return Answer(said.get("own", "") if call.flags["-o"].endswith(".server}") else said.get("ca", CA))
        if asked == "fedssh.invalid":
            return error(VALID_FOR.format(said["names"]) if "names" in said else "refused")
        if asked == "192.0.2.1":
            return error(VALID_FOR.format(said["addresses"]) if "addresses" in said else "refused")
        assert "cluster-info" in call.names
        return Answer(said.get("published", ""))

    return ScriptedShell("member1", lambda command: run_line(command, do))


def published(*servers: object) -> str:
    """Return a cluster-info."""
    return json.dumps({"clusters": [{"name": "", "cluster": {"server": server}} for server in servers]})


def advise(tried: Tried, machine: ScriptedShell, server: str = LOCAL, **said: Any) -> str:
    """Seek advice."""
    return advise_address(tried.shell, machine, cluster(**said), server, kubeconfig=CONFIG)


def test_every_place_that_knows_an_address_is_asked() -> None:
    """Its kubeconfig, what its cluster publishes, its inventory, its machine and its certificate; none twice."""
    tried = Tried()
    advise(
        tried,
        member(
            own="https://own.example.com:6443",
            published=published("https://lb.example.com:8443"),
            hostname="name.example.com\n192.0.2.5 2001:db8::5 \n",
            names="cert.example.com, name.example.com",
            addresses="192.0.2.5, 192.0.2.6",
        ),
    )
    assert tried.servers == [
        "https://own.example.com:6443",
        "https://lb.example.com:8443",
        "https://m1.example.com:6443",
        "https://name.example.com:6443",
        "https://192.0.2.5:6443",
        "https://[2001:db8::5]:6443",
        "https://cert.example.com:6443",
        "https://192.0.2.6:6443",
    ]


def test_what_works_is_told_and_the_rest_beside_it() -> None:
    """In the words of hosts.yaml; what does not work is left out then."""
    machine = member(hostname="192.0.2.5 192.0.2.6 192.0.2.7")
    works = {"https://192.0.2.5:6443", "https://192.0.2.7:6443"}
    told = advise(Tried(lambda _, stanza: stanza["server"] in works), machine)
    key = "members.member1.api_server"
    assert told == f"From fedhost this works: {key}: https://192.0.2.5:6443 (also https://192.0.2.7:6443)"
    told = advise(Tried(lambda _, stanza: "m1" in stanza["server"]), machine)
    assert told == f"From fedhost this works: {key}: https://m1.example.com:6443"


@pytest.mark.parametrize(
    "words",
    ["error: You must be logged in to the server (Unauthorized)", "Error from server (Forbidden): no"],
)
def test_an_answer_that_wants_a_login_is_an_answer(words: str) -> None:
    """It has come through TLS."""
    told = advise(Tried(lambda _, stanza: "m1" in stanza["server"], refusal=words), member())
    assert "this works: members.member1.api_server: https://m1.example.com:6443" in told


def test_what_does_not_work_is_told_with_its_reason() -> None:
    """So that one sees what was tried."""
    told = advise(Tried(), member(hostname="192.0.2.5"))
    assert "members.member1.api_server: https://…" in told
    assert "\nhttps://m1.example.com:6443: no way to https://m1.example.com:6443" in told
    assert "\nhttps://192.0.2.5:6443: no way" in told


def test_the_token_stays_at_home() -> None:
    """An address that is not verified yet gets none; how it is verified stays as it is."""
    tried = Tried()
    advise(tried, member(hostname="192.0.2.5"), server_name="api.example.com")
    assert tried.tokens == set()
    assert {stanza["certificate-authority-data"] for stanza in tried.clusters.values()} == {CA}
    assert {stanza["tls-server-name"] for stanza in tried.clusters.values()} == {"api.example.com"}


def test_an_address_is_never_tried_without_verification_unless_hosts_yaml_says_so() -> None:
    """Where the member's kubeconfig has no CA, by the host's trust store."""
    tried = Tried()
    advise(tried, member(ca=""))
    assert {frozenset(stanza) - {"extensions"} for stanza in tried.clusters.values()} == {frozenset({"server"})}
    advise(tried, member(), tls="insecure")
    assert {stanza["insecure-skip-tls-verify"] for stanza in tried.clusters.values()} == {True}


@pytest.mark.parametrize(
    ("server", "port"),
    [
        ("https://a:7443", 7443),
        ("https://a", 6443),
        ("https://a:99999", 6443),
        ("https://a:x", 6443),
        ("https://[::1", 6443),
        ("", 6443),
    ],
)
def test_the_port_is_that_of_the_address_that_does_not_work(server: str, port: int) -> None:
    """Or Kubernetes's own, where there is none or the address is not a URL."""
    tried = Tried()
    advise(tried, member(), server)
    assert tried.servers == [f"https://m1.example.com:{port}"]


def test_what_is_known_not_to_work_is_not_tried_again() -> None:
    """The address that failed, wherever else it stands."""
    tried = Tried()
    server = "https://m1.example.com:6443"
    told = advise(tried, member(own=server, published=published(server)), server)
    assert (tried.servers, tried.shell.runs) == ([], [])
    assert told == "Name an address that works from fedhost: members.member1.api_server: https://…"


HOSTILE = [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "0",
    "127.1",
    "0x7f000001",
    "fe80::1",
    "fe80::1%eth0",
    "localhost",
    "kubernetes",
    ZONE,
]
HOSTILE += ["kubernetes.default", "kubernetes.default.svc.cluster.local", "*.example.com", "-x", "x-", "a_b", "a/b"]
HOSTILE += ["x;reboot", "$(reboot)", "`reboot`", "u:p@a", "a:1", "a#b", "a?b", "\x1b[31m", "\u00e9", "x" * 5000, "."]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_leads_nowhere_or_is_no_name_never_stands_in_a_url(hostile: str) -> None:
    """Whichever place it comes from; nor is it told."""
    tried = Tried(lambda *_: True)
    places = [member(hostname=hostile), member(names=hostile), member(addresses=f"192.0.2.9, {hostile}")]
    if not set("/?#") & set(hostile):  # in a URL these end the name
        places += [member(own=f"https://{hostile}"), member(published=published(f"https://{hostile}"))]
    for place in places:
        told = advise(tried, place, "https://x.example.com")
        assert set(tried.servers) <= {"https://m1.example.com:6443", "https://192.0.2.9:6443", "https://a:1"}
        assert told.isprintable()


@pytest.mark.parametrize(
    "said",
    [
        {"names": "a, b\nc, d"},
        {"names": "a b; rm -rf /"},
        {"hostname": "\ufffd\ufffd"},
        {"hostname": "x y " * 100_000},
        {"names": ", ".join(f"n{number}" for number in range(100_000))},
        {"published": "[" * 100_000},
        {"published": "clusters: 5"},
        {"published": "clusters: [5, {cluster: 5}, {}]"},
        {"published": "a: &a [*a]"},
        {"published": published(None, 5, ["https://a"], {"a": "b"}, "http://plain.example.com", "https://u:p@a")},
        {"published": published(*(f"https://n{number}" for number in range(10_000)))},
        {"published": published("https://a/" + "x" * 100_000, "https://a\nb", "https://a b", "https://\u00e9")},
        {"own": "https://a\x1b[31m"},
        {"own": "https://" + "a" * 100_000},
    ],
)
def test_whatever_a_member_answers_few_plain_addresses_are_tried(said: dict[str, str]) -> None:
    """It costs the host a few attempts, and what is told fits onto a screen."""
    tried = Tried()
    told = advise(tried, member(**said))
    assert len(tried.servers) <= 8
    assert all(server.isprintable() and " " not in server and len(server) < 300 for server in tried.servers)
    assert len(told) < 4000
    assert told.replace("\n", "").isprintable()


def test_a_member_that_is_gone_leaves_the_plain_advice() -> None:
    """What went wrong before is what has to be told."""

    def gone(_: Command) -> Answer:
        raise ConnectionLostError("gone", machine="member1")

    told = advise(Tried(), ScriptedShell("member1", gone))
    assert told == "Name an address that works from fedhost: members.member1.api_server: https://…"


@pytest.mark.parametrize("server", ["https://a:99999", "https://a:x", "https://[::1", "https://[a]b", "\x1b", "//"])
def test_a_member_whose_address_is_no_url_is_alone(world: World, server: str) -> None:
    """It is refused; the others are federated."""
    world.members["member1"].server = server
    report = world.federate()
    assert [found.state for found in report.clusters] == ["Ready", "Failed", "Ready", "Ready"]
    assert isinstance(by_name(report)["member1"].error, RefusedError)
