"""What check makes of facts: each topic from values, without any machine."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines import load_engine
from fedssh.errors import RefusedError, StepError, UnreachableError
from fedssh.federation.checkup.facts import Checkup, ClusterCheckup, FoundThing, HostCheckup, HostFiles, Resolved
from fedssh.federation.facts import Facts, HostFacts, Presented, Proof
from fedssh.sensitive import Sensitive
from fedssh.verbs.check import judge
from tests.fakes.authorities import issue
from tests.fakes.facts import GOOD, UID, facts, fresh, host, joined, member, wishes

if TYPE_CHECKING:
    from fedssh.engines.protocol import CheckFinding


def ending(end: float | None) -> Sensitive:
    """Return a token with an end, or without one."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": end} if end else {}).encode()).decode().rstrip("=")
    return Sensitive(f"e30.{claims}.x")


ENGINE = load_engine()
NOW = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
READY: dict[str, Any] = {
    "token": ending(None),
    "ready": True,
    "since": "2026-11-28T00:00:00Z",
    "issued": "2026-11-01T00:00:00Z",
    "kubernetes": "v1.33.1",
}
RIGHTS = Proof(cluster_uid=UID, has_rights=True)


@dataclass(frozen=True)
class Key:
    """A private key."""

    path: str = "/k"
    is_named: bool = True
    exists: bool = True
    is_open: bool = False
    is_locked: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Hop:
    """A server on the way."""

    place: str = "root@m1 port 22"
    is_gateway: bool = False
    name: str = "m1"
    policy: str = "strict"
    known_hosts: tuple[str, ...] = ("/kh",)
    host_keys: int = 1
    has_authority: bool = False
    unreadable: tuple[str, ...] = ()
    proxy_command: str = ""
    agent: str = ""
    has_agent: bool = False
    keys: tuple[Key, ...] = field(default=(Key(),))


def checkup(found: Facts | None, **said: Any) -> Checkup:
    """Return a check-up of the host and member1, on machines that let fedssh in."""
    known = {
        "wishes": wishes(),
        "ways": {"fedhost": (Hop(),), "member1": (Hop(),)},
        "facts": found,
        "connected": frozenset({"fedhost", "member1"}),
        "laptop_clock": NOW,
    }
    return Checkup(**{**known, **said})


def well(**said: Any) -> Facts:
    """Return a federation in which everything is as it should be."""
    clusters = (joined(**{**READY, **said}), joined("fedhost", **READY))
    at_host = host(*clusters, clock=NOW)
    return facts(member(clock=NOW), at_host, access=GOOD, engine={"member1": RIGHTS})


def bad(found: list[CheckFinding]) -> list[tuple[str, str, str, str]]:
    """Return what is not in order: cluster, topic, state and text."""
    return [(each.cluster, each.topic, each.state, each.text) for each in found if each.state != "ok"]


def judged(found: Facts | None, **said: Any) -> list[tuple[str, str, str, str]]:
    """Return what is not in order with what was found."""
    return bad(judge(checkup(found, **said), ENGINE))


def test_all_is_well() -> None:
    """Then there is nothing but what is in order, of every machine and of every topic that was looked at."""
    found = judge(checkup(well(), clusters={"member1": ClusterCheckup(is_admin=True, kubectl="v1.33.1")}), ENGINE)
    assert bad(found) == []
    assert {each.topic for each in found} >= {
        "ssh",
        "tools",
        "rights",
        "clocks",
        "network",
        "credentials",
        "federation",
    }


def test_fault_65_a_dead_host_does_not_keep_members_from_being_checked() -> None:
    """The host's failure is a finding, and the members' own ones are told beside it."""
    gone = UnreachableError("no answer", machine="fedhost", hint="Switch it on.")
    lost = StepError("kubectl is not there", machine="member1", step="look at the member", hint="Install it.")
    found = Facts(host=HostFacts(name="fedhost", gaps=(gone,)), members={"member1": fresh(gaps=(lost,))})
    told = judged(found, connected=frozenset({"member1"}), clusters={"member1": ClusterCheckup(is_admin=True)})
    assert told == [
        ("fedhost", "ssh", "problem", "no answer"),
        ("member1", "tools", "problem", "kubectl is not there"),
    ]


def test_fault_65_without_rights() -> None:
    """An administrator's kubeconfig is needed on every machine; one that is none is named, with what it leads to."""
    found = judge(checkup(well(), clusters={"member1": ClusterCheckup(is_admin=False)}), ENGINE)
    [problem] = [each for each in found if each.state == "problem"]
    assert (problem.cluster, problem.topic) == ("member1", "rights")
    assert "nobody grant more than they have" in problem.leads_to
    assert "kubeconfig: /path for member1" in problem.hint
    unknown = judged(well(), clusters={"member1": ClusterCheckup(admin_problem="no answer")})
    assert unknown[0][:3] == ("member1", "rights", "notice")


@pytest.mark.parametrize(
    ("now", "state", "words"),
    [
        ("2120-06-01", "problem", "ended 2120-01-01"),
        ("2119-12-20", "notice", "ends 2120-01-01"),
        ("2026-11-29", "ok", ""),
    ],
)
def test_fault_65_what_ends_is_told_by_its_end(now: str, state: str, words: str) -> None:
    """Certificates, thirty days before: the API server's and the one in a machine's own kubeconfig."""
    clock = datetime.fromisoformat(f"{now}T00:00:00+00:00").timestamp()
    certificate = issue("m1").certificate
    base = well()
    found = replace(base, host=replace(base.host, clock=clock), members={"member1": member(clock=clock)})
    told = judge(
        checkup(
            found,
            laptop_clock=clock,
            host=HostCheckup(presented={"member1": Presented(chain=(certificate,))}),
            clusters={"member1": ClusterCheckup(login=(certificate,))},
        ),
        ENGINE,
    )
    about = [each for each in told if each.topic == "credentials" and "certificate" in each.text]
    assert [(each.cluster, each.state) for each in about] == [("member1", state)] * 2
    assert all(words in each.text for each in about)
    assert all(bool(each.hint and each.leads_to) is (state != "ok") for each in about)


@pytest.mark.parametrize(
    ("token", "issued", "state", "words"),
    [
        (ending(None), "2026-11-01T00:00:00Z", "ok", "was made 2026-11-01T00:00:00Z, and never ends"),
        (ending(None), "2025-11-01T00:00:00Z", "notice", "never ends"),
        (ending(NOW - 60), "", "problem", "is of an unknown time, and ended 2026-11-28T23:59:00Z"),
        (ending(NOW + 86400), "", "notice", "ends 2026-11-30"),
        (ending(NOW + 86400 * 60), "", "ok", "ends 2027-01-28"),
    ],
)
def test_tokens_have_an_age_and_an_end(token: Sensitive, issued: str, state: str, words: str) -> None:
    """One that never ends is worth a word when it is older than a year; another one, when it ends soon."""
    at_host = host(joined(**{**READY, "token": token, "issued": issued}), joined("fedhost", **READY), clock=NOW)
    found = facts(member(clock=NOW), at_host, access=GOOD, engine={"member1": RIGHTS})
    told = judge(checkup(found), ENGINE)
    [about] = [each for each in told if each.cluster == "member1" and "KubeFed's token" in each.text]
    assert (about.state, words in about.text) == (state, True), about
    assert ("rotate --member member1" in about.hint) is (state != "ok")


def test_a_cluster_that_is_not_ready() -> None:
    """With the engine's words, since when, and what to do; that the host does not get through either is the same."""
    found = well(ready=False, message="cluster is not reachable")
    found = replace(found, engine={"member1": Proof(problem="i/o timeout")})
    [problem] = [each for each in judge(checkup(found), ENGINE) if each.state == "problem"]
    assert problem.text == "KubeFed does not find it Ready: cluster is not reachable"
    assert problem.since == "2026-11-28T00:00:00Z"
    assert problem.hint == "fedssh federate --member member1"


@pytest.mark.parametrize(
    ("proof", "words"),
    [
        (Proof(cluster_uid=UID), "has lost rights there, and calls it Ready all the same"),
        (
            Proof(problem="You must be logged in to the server (Unauthorized)"),
            "own credential does not work from the host",
        ),
    ],
)
def test_ready_is_not_proof(proof: Proof, words: str) -> None:
    """A credential that has lost its rights, or is refused, is a problem though the engine says Ready."""
    [problem] = judged(replace(well(), engine={"member1": proof}))
    assert problem[:3] == ("member1", "federation", "problem")
    assert words in problem[3]


def test_who_has_not_joined_and_who_is_not_named() -> None:
    """Both are notices, of that cluster; of others than those that are named on the command line nothing is told."""
    at_host = host(joined("fedhost", **READY), joined("other", **READY), clock=NOW)
    found = facts(fresh(clock=NOW), at_host, access=Proof(), engine={"other": Proof(cluster_uid="x")})
    assert judged(found) == [
        ("member1", "federation", "notice", "it has not joined"),
        ("other", "federation", "notice", "it has joined, and hosts.yaml does not name it"),
    ]
    assert judged(found, is_limited=True) == [("member1", "federation", "notice", "it has not joined")]


def test_a_context_that_does_not_work() -> None:
    """The test of access that an administrator would make by hand."""
    told = judged(well(), host=HostCheckup(contexts={"fedhost": "", "member1": "Unauthorized"}))
    line = "on the host, kubectl --context member1 get nodes does not work: Unauthorized"
    assert told == [("member1", "federation", "problem", line)]


@pytest.mark.parametrize(
    ("resolved", "expected"),
    [
        (Resolved(address="", in_cluster=None), ("problem", "does not resolve on fedhost")),
        (Resolved(address="10.0.0.1", in_cluster=False), ("problem", "the DNS of the cluster fedhost does not know")),
        (Resolved(address="10.0.0.1", in_cluster=None), ("notice", "whether it does in a pod is not known: no tool")),
    ],
)
def test_a_name_that_pods_do_not_know(resolved: Resolved, expected: tuple[str, str]) -> None:
    """It is told before the join, when nothing has shown yet that the controller gets there."""
    found = facts(fresh(clock=NOW), host(clock=NOW), access=Proof())
    names = {"member1.example.com": resolved}
    told = [each for each in judged(found, host=HostCheckup(names=names, dns="no tool")) if each[1] == "network"]
    assert [(state, words in text) for _, _, state, text in told for words in expected[1:]] == [(expected[0], True)]


def test_residue_on_the_host() -> None:
    """Locks, half-written files and copies, each with its age, and the command that removes it."""
    files = HostFiles(
        kubectls_lock=300,
        held=12,
        held_from="192.0.2.1",
        proofs={".fedssh-proof-1": 7200, ".fedssh-proof-2": 5},
        copies={f"config.fedssh-{number}": "600" for number in range(6)} | {"config.fedssh-9": "644"},
        halves={"config.aBcDeF": 900},
    )
    told = judge(checkup(well(), host=HostCheckup(files=files)), ENGINE)
    found = {each.text: each for each in told if each.topic == "residue"}
    assert [each.state for each in found.values()] == ["notice", "problem", "notice", "notice", "problem", "notice"]
    assert "another fedssh is at work here, for 12 s now, from 192.0.2.1" in found
    assert found["kubectl's lock /root/.kube/config.lock was left behind: it is 300 s old"].hint.endswith("config.lock")
    assert "/root/.kube/.fedssh-proof-1 was left by a run that was killed 120 minutes ago" in found
    assert "copies of the kubeconfig can be read by others: config.fedssh-9" in found
    assert "there are 7 copies of earlier kubeconfigs, and fedssh keeps 5" in found


def test_the_token_that_is_used_now_is_no_residue() -> None:
    """After a rotation it has another number, and a time of its own; the one before is residue."""
    things = tuple(
        FoundThing(
            reference=f"secret/member1-fedssh-{number}", namespace="default", since=f"2026-01-0{number}T00:00:00Z"
        )
        for number in (1, 2)
    )
    base = well()
    found = replace(base, members={"member1": member(clock=NOW, number=2, token=ending(None))})
    told = judge(checkup(found, clusters={"member1": ClusterCheckup(objects=things)}), ENGINE)
    assert [each.text.split()[0] for each in told if each.topic == "residue" and each.state != "ok"] == [
        "secret/member1-fedssh-1"
    ]
    assert any("fedssh's token was made 2026-01-02T00:00:00Z" in each.text for each in told)


def test_residue_on_a_member() -> None:
    """What bears fedssh's label where nothing has joined, and what is not of the access that is used now."""
    things = (FoundThing(reference="secret/member1-fedssh-0", namespace="default", since="2026-01-01T00:00:00Z"),)
    cluster = {"member1": ClusterCheckup(objects=things)}
    [old] = [each for each in judge(checkup(well(), clusters=cluster), ENGINE) if each.state != "ok"]
    assert (old.topic, old.since) == ("residue", "2026-01-01T00:00:00Z")
    assert old.hint.endswith("kubectl --namespace=default delete secret member1-fedssh-0")
    alone = facts(fresh(clock=NOW), host(clock=NOW), access=Proof())
    told = [each for each in judged(alone, clusters=cluster) if each[1] == "residue"]
    assert [(name, state) for name, _, state, _ in told] == [("member1", "notice")]


@pytest.mark.parametrize(
    ("hop", "state", "words"),
    [
        (Hop(host_keys=0), "problem", "its host key is not known, m1 is not in /kh"),
        (Hop(host_keys=0, has_authority=True), "problem", "a certificate authority alone does not count"),
        (Hop(host_keys=0, policy="off"), "notice", "nobody checks its host key"),
        (Hop(host_keys=0, policy="accept-new"), "notice", "the first one is accepted"),
        (Hop(host_keys=0, is_gateway=True), "problem", "the gateway root@m1 port 22"),
        (Hop(unreadable=("/kh:3",)), "notice", "not understood: /kh:3"),
        (Hop(keys=(Key(is_open=True),)), "notice", "the key /k can be read by others"),
        (Hop(keys=(Key(exists=False, problem="No such file or directory"),)), "problem", "the key /k cannot be used"),
        (Hop(keys=()), "problem", "there is no key to log in with"),
        (Hop(agent="/agent"), "notice", "there is no SSH agent at /agent"),
    ],
)
def test_the_way_is_known_without_going_it(hop: Hop, state: str, words: str) -> None:
    """Host keys, keys and agents, of machines and of gateways, where nobody was connected to."""
    told = judged(None, ways={"fedhost": (Hop(),), "member1": (hop,)}, connected=frozenset())
    assert (words in told[0][3], told[0][:3]) == (True, ("member1", "ssh", state)), told


def test_settings_and_files_that_are_wrong() -> None:
    """An ssh_config that cannot be understood, and a CA that is none, are findings of their clusters."""
    wrong = RefusedError("ssh_config: no", hint="See it.")
    told = judged(
        None, ways={"fedhost": (Hop(),), "member1": wrong}, ca_problems={"member1": wrong}, connected=frozenset()
    )
    assert told == [
        ("member1", "ssh", "problem", "ssh_config: no"),
        ("member1", "network", "problem", "ssh_config: no"),
    ]


def test_tools_that_are_missing() -> None:
    """Each with what it leads to; without openssl it is a notice."""
    tools = {
        "kubectl": "/k",
        "helm": "/h",
        "flock": "",
        "tar": "/t",
        "sha256sum": "/s",
        "openssl": "",
        "curl": "",
        "wget": "",
    }
    told = judged(well(), host=HostCheckup(tools=tools, user="root"))
    assert told == [
        ("fedhost", "tools", "problem", "flock is not there"),
        ("fedhost", "tools", "notice", "openssl is not there"),
        ("fedhost", "tools", "problem", "neither curl nor wget is there"),
    ]
    old = judged(well(), clusters={"member1": ClusterCheckup(kubectl="v1.27.1", kubernetes="v1.33.1")})
    assert old == [("member1", "tools", "notice", "kubectl is v1.27.1, Kubernetes v1.33.1")]


def test_clocks() -> None:
    """The laptop's is compared with the host's, and the host's with the members'."""
    base = well()
    skewed = replace(base, host=replace(base.host, clock=NOW + 3600))
    assert [(name, topic, state) for name, topic, state, _ in judged(skewed)] == [
        ("member1", "clocks", "notice"),
        ("fedhost", "clocks", "notice"),
    ]


def test_a_token_that_is_kept_and_should_not_be() -> None:
    """Where it lies, and what removes it; without one it is said that none is kept."""
    said = {"wishes": wishes(", credentials: ephemeral")}
    kept = judged(well(), **said)
    text = "hosts.yaml says credentials: ephemeral, and a token of fedssh's is kept: secret/member1-fedssh-1 on it"
    assert ("member1", "credentials", "problem", text) in kept
    found, new = well(), {"kubernetes": "v1.33.1", "kubectl": "v1.33.1"}
    own = {reference: one for reference, one in member().objects.items() if not reference.startswith("secret/")}
    bare = replace(found, members={"member1": member(clock=NOW, objects=own, token=None, **new)})
    assert judged(bare, **said) == []
    assert any("asks for one of ten minutes" in each.text for each in judge(checkup(bare, **said), ENGINE))
