"""What goes wrong for one member, whatever it is, is that member's alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedssh.errors import BugError
from fedssh.federation import rules, wishes
from fedssh.kubernetes.kubeconfig import file, parse_kubeconfig
from tests.fakes.hosts import PATH
from tests.fakes.kubernetes import Member
from tests.fakes.shells import Answer
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.lines import Call, Key


def fail_at(*keys: Key) -> Callable[[Call], None]:
    """Return what raises something unexpected at some calls."""

    def fail(call: Call) -> None:
        if call.is_one_of(*keys):
            raise ZeroDivisionError

    return fail


def fail_for_member1(monkeypatch: pytest.MonkeyPatch, module: Any, function: str, name: Callable[..., str]) -> None:
    """Let a function raise something unexpected when it is called for member1."""
    real = getattr(module, function)

    def fail(*arguments: Any, **more: Any) -> Any:
        if name(*arguments) == "member1":
            raise ZeroDivisionError
        return real(*arguments, **more)

    monkeypatch.setattr(module, function, fail)


@pytest.fixture(params=["look", "grant", "advice", "rules", "trust"])
def bug(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """Something unexpected happens in the work for member1."""
    match request.param:
        case "look":
            world.members["member1"].before = fail_at(("kubectl", "config"))
        case "grant":
            world.members["member1"].before = fail_at(("kubectl", "apply"))
        case "advice":
            world.members["member1"].server = "https://127.0.0.1:6443"
            world.members["member1"].before = fail_at(("hostname",))
        case "rules":
            fail_for_member1(monkeypatch, rules, "needed_grant", lambda member: str(member.name))
        case "trust":
            fail_for_member1(monkeypatch, wishes, "resolve_trust", lambda cluster: str(cluster.name))
    return str(request.param)


def test_a_bug_in_the_work_for_one_member_is_its_own(world: World, bug: str) -> None:
    """It is named with its place, without a word of what was at hand; the others are federated."""
    report = world.federate()
    assert [cluster.state for cluster in report.clusters] == ["Ready", "Failed", "Ready", "Ready"]
    assert report.exit_code == 3
    error = by_name(report)["member1"].error
    assert error
    if bug == "advice":  # what went wrong before is what has to be told
        assert "works on that machine only" in error.message
        return
    assert isinstance(error, BugError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert error.message.startswith("a bug in fedssh (ZeroDivisionError at ")
    assert "FEDSSH_DEBUG" in error.hint
    assert world.federate("member1").exit_code == 1


def test_a_bug_in_a_grant_leaves_nothing(world: World) -> None:
    """What it had begun to make on the member is deleted."""
    world.members["member1"].before = fail_at(("token", "wait"))
    report = by_name(world.federate())
    assert isinstance(report["member1"].error, BugError)
    assert world.members["member1"].objects == {}
    assert report["member1"].aftermath == ("What had been created on member1 is gone again.",)


def test_a_bug_in_the_work_for_the_host_is_the_runs_error(world: World) -> None:
    """With exit code 1; the members keep nothing."""
    world.host.before = fail_at(("helm", "install"))
    report = world.federate()
    assert isinstance(report.error, BugError)
    assert report.exit_code == 1
    assert [member.objects for member in world.members.values()] == [{}, {}, {}]


KEYS: list[Key] = [
    ("kubectl", "config"),
    ("kubectl", "get", "serviceaccount/member1"),
    ("kubectl", "get", "configmap"),
    ("kubectl", "get", "/version"),
    ("kubectl", "version"),
    ("kubectl", "apply"),
    ("kubectl", "delete"),
    ("token", "wait"),
    ("openssl", "s_client"),
    ("date",),
    ("hostname",),
]
WORDS = ["kind", "metadata", "name", "labels", "items", "data", "token", "rules", "roleRef", "subjects", "type", "sub"]
WORDS += ["server", "certificate-authority-data", "member1", "Secret", "ClusterRole", "List", "member1-fedssh-1"]
_WORD = st.sampled_from(WORDS) | st.text(max_size=8)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _WORD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORD, inner, max_size=4),
    max_leaves=12,
)
_OBJECTS = st.lists(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret"])},
        optional={
            "metadata": st.fixed_dictionaries({"name": st.sampled_from(["member1", "member1-fedssh-1"])}) | _JSON,
            "rules": _JSON,
            "data": _JSON,
        },
    ),
    max_size=4,
).map(lambda items: json.dumps({"kind": "List", "items": items}))
_PRINTED = st.one_of(
    st.text(max_size=200),
    _JSON.map(json.dumps),
    _OBJECTS,
    st.sampled_from(["[" * 100_000, "x" * 2_000_000, '{"a":' * 50_000, "9" * 5000, "\x1b[2J\x00", "\ufffd" * 9999]),
)
_ANSWERS = st.builds(Answer, stdout=_PRINTED, code=st.sampled_from([0, 0, 0, 1, 96, 127, 255]), stderr=_PRINTED)


@settings(max_examples=settings().max_examples // 4)
@given(
    answers=st.dictionaries(st.sampled_from(KEYS), _ANSWERS, min_size=1, max_size=6),
    said=st.sampled_from(["", ", tls: pin", ", tls: system", ", tls: insecure"]),
)
def test_fault_72_whatever_one_member_prints_the_others_are_federated(answers: dict[Key, Answer], said: str) -> None:
    """Text, megabytes, or JSON of any shape; what is told of it is safe for a terminal, and it is no bug."""
    world = World(said={"member1": said})
    world.members["member1"].broken |= {key: _printable(answer) for key, answer in answers.items()}
    report = world.federate()
    found = by_name(report)
    assert (found["member2"].state, found["member3"].state) == ("Ready", "Ready")
    assert report.exit_code in {0, 3}
    error = found["member1"].error
    assert not isinstance(error, BugError), repr(error.__cause__)
    told = [str(error), error.hint if error else "", *found["member1"].notices, *found["member1"].aftermath]
    assert all(line.replace("\n", "").replace("\t", "").isprintable() for line in told)


def _printable(answer: Answer) -> Answer:
    """Return an answer as a connection hands it on: what is no UTF-8 is replaced."""
    parts = (answer.stdout, answer.stderr)
    stdout, stderr = (part.encode("utf-8", "replace").decode("utf-8", "replace") for part in parts)
    return Answer(stdout=stdout, code=answer.code, stderr=stderr)


@pytest.mark.parametrize("number", [1, 200])
def test_the_hosts_kubeconfig_is_parsed_a_few_times(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """However many members there are: it holds three entries of each."""
    world = World(members={f"m{index}": Member(f"m{index}") for index in range(number)})
    assert world.federate().exit_code == 0
    parsed: list[str] = []
    parse = parse_kubeconfig

    def count(text: str, *, source: str) -> Any:
        parsed.append(source)
        return parse(text, source=source)

    monkeypatch.setattr(file, "parse_kubeconfig", count)
    report = world.federate()
    assert (report.exit_code, report.changed) == (0, False)
    assert 1 <= parsed.count(PATH) <= 4
