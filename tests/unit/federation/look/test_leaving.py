from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.protocol import HostTraces
from fedssh.errors import AuthenticationError, ConfigurationError, HostKeyError, StepError, UnreachableError
from fedssh.federation.journal import Journal
from fedssh.federation.look.leaving import _choose, _choose_way, _leaver, look_at_leavers
from fedssh.library import ignore
from tests.fakes.leaving import ENGINE, NAMES, credential, found, leaver, wanted

if TYPE_CHECKING:
    from fedssh.inventory import Machine

ACCOUNT = "kube-federation-system/member1-fedhost"


@pytest.mark.parametrize(
    ("seen", "said", "way", "is_problem"),
    [
        ("u", {}, "machine", False),
        (UnreachableError("gone"), {}, "none", True),
        (UnreachableError("gone"), {"credential": credential("member1")}, "host", True),
        (StepError("kubectl is not there"), {"credential": credential("member1")}, "host", True),
        ("another", {"credential": credential("member1")}, "host", True),
        ("another", {}, "none", True),
        (None, {"cluster": None, "credential": credential("member1")}, "host", False),
        (None, {"cluster": None}, "none", False),
        (None, {"cluster": None, "is_done": True}, "done", False),
        (UnreachableError("gone"), {"is_done": True}, "done", True),
        (None, {"cluster": None, "is_done": True, "credential": credential("member1")}, "host", False),
    ],
)
def test_fault_51_a_way_is_found_or_it_is_said_why_there_is_none(
    seen: object, said: dict[str, Any], way: str, *, is_problem: bool
) -> None:
    """Its own machine where that has the cluster that is meant; else the host, by a credential; else nothing."""
    chosen = _choose_way(leaver(way="none", **said), seen, found(), ENGINE)
    assert (chosen.way, bool(chosen.problem), chosen.error) == (way, is_problem, None)


@pytest.mark.parametrize(
    "error", [AuthenticationError("no key", hint="ssh-add"), HostKeyError("unknown"), ConfigurationError("x")]
)
def test_who_can_be_let_in_again_is_not_got_around(error: Any) -> None:
    """It is no dead machine; how to go on without it is said."""
    chosen = _choose_way(leaver(credential=credential("member1")), error, found(), ENGINE)
    assert chosen.error is not None
    assert type(chosen.error) is type(error)
    assert "take member1 out of hosts.yaml" in chosen.error.hint
    assert error.hint in chosen.error.hint


def names(*members: str, clusters: tuple[str, ...] = ("fedhost", *NAMES), secrets: Any = None, **said: Any) -> Any:
    """Return who is to leave, and the names that nobody knows."""
    facts = found(clusters=clusters, traces=HostTraces(secrets=secrets or {}))
    return _choose(wanted(*members, **said), facts, ENGINE)


def test_who_is_meant() -> None:
    """Members of hosts.yaml, and whom the host knows by a KubeFedCluster, a Secret or a context; by patterns, too."""
    assert names("member1") == (["member1"], ())
    joined = ("fedhost", *NAMES, "eu-1", "eu-2")
    assert names("member1", clusters=joined, others=("eu-*", "us-*")) == (["member1", "eu-1", "eu-2"], ("us-*",))
    held = {"x": "kube-federation-system/lost-fedhost-fedssh", "y": ""}
    assert names("member1", others=("lost", "member*"), secrets=held) == (["member1", "lost"], ())
    assert names("member1", others=("l*",), secrets={"x": "kube-federation-system/lost-elsewhere"})[1] == ("l*",)
    assert names("member1", others=("fedhost", "nobody")) == (["member1"], ("fedhost", "nobody"))


def test_the_host_leaves_when_nobody_else_stays() -> None:
    """And only with --all."""
    assert names(is_all=True) == ([*NAMES, "fedhost"], ())
    assert names() == ([*NAMES], ())
    assert names(is_all=True, clusters=("fedhost", *NAMES, "other")) == ([*NAMES], ())


def test_a_leavers_secrets_are_all_that_hold_its_tokens() -> None:
    """Also those of joins without a name for the Secret, and of an account that was replaced."""
    secrets = {"member1-abcde": ACCOUNT, "member1.fedssh": "", "old": f"{ACCOUNT}-fedssh", "member2.fedssh": "a/b"}
    facts = found(traces=HostTraces(secrets=secrets))
    assert _leaver("member1", wanted(), facts, ENGINE).secrets == ("member1-abcde", "member1.fedssh", "old")


def test_a_dead_host_is_a_gap() -> None:
    """Nothing is planned then; the members that were connected to are left alone."""

    def connect(machine: Machine) -> Any:
        raise UnreachableError("no answer", machine=machine.name)

    _, facts = look_at_leavers(wanted(), connect, ENGINE, Journal(ignore))
    assert [type(gap) for gap in facts.host.gaps] == [UnreachableError]
    assert facts.leavers == {}
