from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import StepError
from fedssh.federation.look.members import look_at_member, member_commands, parse_clock, parse_member
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.account import grant_commands, references
from fedssh.kubernetes.kubectl import OWN
from tests.fakes.kubernetes import CA, Member, account_token, error
from tests.fakes.lines import calls_in, key_of
from tests.fakes.shells import Answer, LocalShell, ScriptedShell, install_tool, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.federation.facts import MemberFacts
    from tests.fakes.lines import Call

# A kubectl that tells what the user of its kubeconfig logs in by, and notes when it is asked for anything else.
KUBECTL = """
case "$*" in
    *users*) printf %s "$LOGIN" ;;
    *"config view"*) printf '{"server": "https://m1:6443"}' ;;
    *" version --client "*) printf '{"clientVersion": {"gitVersion": "v1.33.13"}}' ;;
    *) echo "$*" >>"$LOG"; printf '{"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "uid"}}' ;;
esac
"""


def cluster(**said: Any) -> Cluster:
    """Return a member as hosts.yaml says."""
    return Cluster(name="member1", machine=Machine(name="member1", address="a"), **said)


def look(member: Member, **said: Any) -> MemberFacts:
    """Look at a member."""
    return look_at_member(ScriptedShell("member1", member.answer), cluster(**said))


def granted() -> Member:
    """Return a member that has granted access."""
    member = Member("member1")
    for command in grant_commands("member1", anew=[], force=False, target=OWN):
        member.answer(command)
    return member


@pytest.mark.parametrize("login", ["", "map[command:evil]"])
def test_a_kubeconfig_that_runs_programs_is_never_logged_in_with(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    """The real commands: kubectl only reads the file then, and that is a fact."""
    install_tool(tmp_path / "bin", "kubectl", KUBECTL)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("LOGIN", login)
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    found = look_at_member(local, cluster(tls="system", kubeconfig="/etc/it's a 'file'"))
    assert (tmp_path / "log").exists() == (not login)
    assert found.logs_in_by_program == bool(login)
    assert found.cluster_uid == ("" if login else "uid")
    assert (found.server, found.gaps) == ("https://m1:6443", ())


def test_the_login_is_looked_at_in_every_form_that_runs_or_reads() -> None:
    """Before each request, with the same kubeconfig."""
    asks = [
        calls for command in member_commands(cluster(kubeconfig="/etc/config")) if len(calls := calls_in(command)) > 1
    ]
    assert len(asks) == 3
    for guard, ask in asks:
        _check_guard(guard, ask)


def _check_guard(guard: Call, ask: Call) -> None:
    assert all(f"{{.users[0].user.{key}}}" in guard.flags["-o"] for key in ("exec", "auth-provider", "tokenFile"))
    assert guard.flags["--kubeconfig"] == ask.flags["--kubeconfig"] == "/etc/config"
    assert "--raw" not in guard.flags


def test_looking_changes_nothing_and_reads_no_key() -> None:
    """Only the cluster's part of the kubeconfig leaves the machine; every request names hosts.yaml's kubeconfig."""
    commands = member_commands(cluster(kubeconfig="/etc/a b"))
    calls = [calls_in(command)[-1] for command in commands]
    view, objects, *_ = calls
    assert view.flags["-o"] == "jsonpath={.clusters[0].cluster}"
    assert all(call.flags["--kubeconfig"] == "/etc/a b" for call in (view, objects))
    assert not any(call.mutates for call in calls)
    assert set(references("member1")) <= set(objects.names)
    assert [key_of(command) for command in commands][3:] == [("kubectl", "version"), ("date", "+%s")]


def test_a_fresh_member_has_an_address_and_nothing_else() -> None:
    """And no token; nobody has asked what it presents."""
    found = look(Member("member1"))
    assert (found.server, found.ca, found.cluster_uid) == ("https://member1.example.com:6443", CA, "uid-of-member1")
    assert (found.objects, found.token, found.bad_token, found.presented, found.gaps) == ({}, None, None, None, ())


def test_a_granted_access_is_found_again() -> None:
    """With the token; the objects are as they should be."""
    found = look(granted())
    assert list(found.objects) == references("member1")
    assert all(thing.is_ours and not thing.differences for thing in found.objects.values())
    assert found.token
    assert found.token.reveal() == account_token("member1")


@pytest.mark.parametrize(
    ("reference", "key", "value", "words", "is_fixed"),
    [
        ("clusterrole/member1", "rules", [], "its rules are other ones", False),
        ("clusterrole/member1", "rules", None, "it has no rules", False),
        (
            "clusterrolebinding/member1",
            "subjects",
            [{"kind": "User", "name": "x"}],
            "its subjects are other ones",
            False,
        ),
        ("clusterrolebinding/member1", "roleRef", {"name": "view"}, 'roleRef is {"name": "view"}', True),
        ("secret/member1-fedssh-1", "type", "Opaque", 'type is "Opaque"', True),
    ],
)
def test_what_is_different_is_a_fact(reference: str, key: str, value: Any, words: str, *, is_fixed: bool) -> None:
    """In a few words; and whether the object has to be made anew."""
    member = granted()
    member.objects[reference][key] = value
    found = look(member).objects[reference]
    assert len(found.differences) == 1
    assert found.differences[0].startswith(words)
    assert found.is_fixed == is_fixed


def test_what_is_different_is_told_safely() -> None:
    """Only what it grants, and only what differs; nothing that a terminal would obey, and nothing long."""
    member = Member("member1")
    role: dict[str, Any] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "\x1b[31mview\n"}
    account = {"kind": "ServiceAccount", "name": "member1", "namespace": "default"}
    binding: dict[str, Any] = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "member1"},
        "roleRef": role,
        "subjects": [account],
    }
    member.objects["clusterrolebinding/member1"] = binding
    (told,) = look(member).objects["clusterrolebinding/member1"].differences
    assert told.startswith("roleRef is ")
    assert "fedssh's would be" in told
    assert told.isprintable()
    binding["roleRef"] = {**role, "name": "x" * 5000}
    assert look(member).objects["clusterrolebinding/member1"].differences == ("its roleRef is another one",)


@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "Helm"}, None, "text"])
def test_an_object_of_somebody_else_is_no_fedsshs(labels: object) -> None:
    """Even if it is like fedssh's own, and whatever its labels are."""
    member = granted()
    member.objects["serviceaccount/member1"]["metadata"]["labels"] = labels
    found = look(member).objects["serviceaccount/member1"]
    assert (found.is_ours, found.is_built_in, found.differences) == (False, False, ())


def test_kubernetes_own_objects_are_known() -> None:
    """By the label that they all bear."""
    member = Member("admin")
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    member.objects["clusterrole/member1"] = {"kind": "ClusterRole", "metadata": {"name": "member1", "labels": labels}}
    assert look(member).objects["clusterrole/member1"].is_built_in


@pytest.mark.parametrize("data", [{}, None, "text", {"token": ""}])
def test_a_secret_without_a_token_is_there_all_the_same(data: object) -> None:
    """It holds none; that is not a wrong one."""
    member = granted()
    member.objects["secret/member1-fedssh-1"]["data"] = data
    found = look(member)
    assert "secret/member1-fedssh-1" in found.objects
    assert (found.token, found.bad_token) == (None, None)


@pytest.mark.parametrize("token", ["%", "QUFB", 5, ["x"]])
def test_a_token_that_is_none_is_a_fact(token: object) -> None:
    """Why it is none is kept, for the rules."""
    member = granted()
    member.objects["secret/member1-fedssh-1"]["data"] = {"token": token}
    found = look(member)
    assert found.token is None
    assert found.bad_token
    assert "does not hold a token of system:serviceaccount:default:member1" in found.bad_token.message


def test_a_proxy_is_a_fact() -> None:
    """Of the kubeconfig's."""
    member = Member("member1")
    stanza = {"server": "https://m1", "certificate-authority-data": CA, "proxy-url": "socks5://p"}
    member.broken["kubectl", "config"] = Answer(json.dumps(stanza))
    assert look(member).has_proxy_url
    assert not look(Member("member1")).has_proxy_url


@pytest.mark.parametrize("said", [{}, {"tls": "system"}, {"tls": "pin"}, {"tls": "insecure"}])
def test_the_ca_is_what_stands_there(said: dict[str, Any]) -> None:
    """Whatever it is good for."""
    assert look(Member("member1"), **said).ca == CA
    assert look(Member("member1", ca=""), **said).ca == ""


@pytest.mark.parametrize("key", [("kubectl", "config"), ("kubectl", "get", "serviceaccount/member1")])
def test_what_could_not_be_asked_is_a_gap(key: tuple[str, ...]) -> None:
    """With kubectl's words, the member and the step."""
    member = granted()
    member.broken[key] = error("Unable to connect to the server: x")
    (gap,) = look(member).gaps
    assert isinstance(gap, StepError)
    assert str(gap).startswith("member1: look at the member: kubectl ")
    assert "Unable to connect" in gap.message


@pytest.mark.parametrize(
    ("key", "words", "hint"),
    [
        (
            ("kubectl", "config"),
            "error: current-context must exist in order to minify",
            "kubeadm is there. Write: members.member1.kubeconfig: /etc/kubernetes/admin.conf",
        ),
        (
            ("kubectl", "get", "serviceaccount/member1"),
            "Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: connection refused",
            "Is the cluster's API server running, and does its name resolve there?",
        ),
    ],
)
def test_a_distributions_kubeconfig_is_named_where_there_is_none(key: tuple[str, ...], words: str, hint: str) -> None:
    """And nowhere else; a kubeconfig that hosts.yaml names is not answered by another."""
    member = granted()
    member.broken[key] = error(words)
    member.broken["distribution", "find"] = Answer("kubeadm\n")
    (gap,) = look(member).gaps
    assert gap.hint == hint
    (gap,) = look(member, kubeconfig="/etc/config").gaps
    assert "kubeadm" not in gap.hint


def test_a_cluster_that_does_not_tell_which_it_is_is_a_gap() -> None:
    """It could be any."""
    member = granted()
    member.uid = ""
    found = look(member)
    assert [gap.message for gap in found.gaps] == ["kubectl did not tell which cluster it is"]
    assert list(found.objects) == references("member1")


def test_without_kubectl_nothing_else_is_said() -> None:
    """One gap, and not one for every command."""
    results = [result(code=127, stderr="sh: kubectl: not found") for _ in member_commands(cluster())]
    found = parse_member(results, cluster())
    assert [gap.message for gap in found.gaps] == ["kubectl is not there"]


@pytest.mark.parametrize(
    ("printed", "kubectl", "kubernetes"),
    [
        (
            '{"clientVersion": {"gitVersion": "v1.31.2"}, "serverVersion": {"gitVersion": "v1.23.4"}}',
            "v1.31.2",
            "v1.23.4",
        ),
        ('{"clientVersion": {"gitVersion": "v1.31.2"}}', "v1.31.2", ""),
        ('{\n  "serverVersion": {\n    "major": "1",\n    "gitVersion": "v1.23.4"\n  }\n}', "v1.23.4", "v1.23.4"),
        ("", "", ""),
        ('{"serverVersion": {"gitVersion": 5}}', "", ""),
    ],
)
def test_the_versions_of_kubectl_and_of_its_cluster_are_facts(printed: str, kubectl: str, kubernetes: str) -> None:
    """Where the cluster does not answer, kubectl tells its own version and fails: that is no gap."""
    member = Member("member1")
    member.broken["kubectl", "version"] = Answer(printed, code=0 if kubernetes else 1)
    found = look(member)
    assert (found.kubectl, found.kubernetes) == (kubectl, kubernetes)
    assert found.gaps == ()


def test_an_old_kubectl_is_a_fact() -> None:
    """It is refused by a rule."""
    member = Member("member1")
    member.broken["kubectl", "version"] = Answer('{"clientVersion": {"gitVersion": "v1.18.2"}}')
    found = look(member)
    assert found.old_kubectl
    assert found.gaps == ()


HOSTILE = ["", "{", "[]", "null", '"x"', "5", "[" * 100_000, '{"items": 5}', '{"items": [5, {}, {"metadata": 1}]}']
HOSTILE += ['{"kind": "Secret", "metadata": {"name": {}}}', '{"server": {}}', '{"server": 5}', '{"server": null}']
HOSTILE += ["\x1b[31m", "\ufffd", '{"certificate-authority-data": ["x"], "server": "https://a"}']


@pytest.mark.parametrize("printed", HOSTILE)
@pytest.mark.parametrize("number", range(4))
def test_whatever_a_member_answers_is_a_fact(number: int, printed: str) -> None:
    """It is used, or it is a gap; nothing is raised, and what is shown is safe."""
    member = granted()
    results = ScriptedShell("member1", member.answer).run(member_commands(cluster()))
    results[number] = result(printed)
    found = parse_member(results, cluster())
    assert found.cluster_uid.isprintable()
    assert all(gap.exit_code == 3 for gap in found.gaps)


@pytest.mark.parametrize(
    ("printed", "clock"),
    [
        ("1700000000\n", 1_700_000_000),
        ("", 0),
        ("nan", 0),
        ("inf", 0),
        ("1e400", 0),
        ("-5", 0),
        ("9" * 400, 0),
        ("9" * 100_000, 0),
        ("\u00b2", 0),
        ("date: unknown", 0),
    ],
)
def test_a_clock_that_says_nothing_is_none(printed: str, clock: float) -> None:
    """It is not guessed."""
    assert parse_clock(result(printed)) == clock
