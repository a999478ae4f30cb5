from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines import load_engine
from fedssh.errors import StepError
from fedssh.federation.look.members import look_at_member, member_commands, parse_clock, parse_member
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.account import grant_commands, references
from fedssh.kubernetes.kubectl import OWN
from tests.fakes.kubernetes import CA, Member, account_token, error
from tests.fakes.shells import Answer, LocalShell, ScriptedShell, install_tool, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.federation.facts import MemberFacts

ENGINE = load_engine()
# A kubectl that tells what the user of its kubeconfig logs in by, and notes when it is asked for anything else.
KUBECTL = """
case "$*" in
    *"config view"*) printf 'login%s\\n{"server": "https://m1:6443"}\\n' "$LOGIN" ;;
    *) echo "$*" >>"$LOG"; printf '{"kind": "Namespace", "metadata": {"name": "kube-system", "uid": "uid"}}' ;;
esac
"""


def cluster(**said: Any) -> Cluster:
    """Return a member as hosts.yaml says."""
    return Cluster(name="member1", machine=Machine(name="member1", address="a"), **said)


def look(member: Member, **said: Any) -> MemberFacts:
    """Look at a member."""
    return look_at_member(ScriptedShell("member1", member.answer), cluster(**said), ENGINE)


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
    found = look_at_member(local, cluster(tls="system", kubeconfig="/etc/it's a 'file'"), ENGINE)
    assert (tmp_path / "log").exists() == (not login)
    assert found.logs_in_by_program == bool(login)
    assert found.cluster_uid == ("" if login else "uid")
    assert (found.server, found.gaps) == ("https://m1:6443", ())


@pytest.mark.parametrize("account", [False, True])
@pytest.mark.parametrize("said", [{}, {"credentials": "ephemeral"}])
def test_a_look_is_few_processes(
    *, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: bool, said: dict[str, str]
) -> None:
    """The real script: its tokens are asked for where there is an account, and versions where they count."""
    kind = "ServiceAccount" if account else "Namespace"
    text = f"""printf '%s\\n' "$*" >>{tmp_path}/asked
    case "$*" in
        *"config view"*) printf 'login\\n{{"server": "https://m1:6443"}}\\n' ;;
        *" version "*) printf '{{"clientVersion": {{"gitVersion": "v1.33.1"}}}}' ;;
        *) printf '{{"kind": "List", "items": [{{"kind": "{kind}", "metadata": {{"name": "x"}}}}]}}' ;;
    esac"""
    install_tool(tmp_path / "bin", "kubectl", text)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    found = look_at_member(local, cluster(kubeconfig="/etc/a b", **said), ENGINE)
    view, objects, *others = (tmp_path / "asked").read_text().splitlines()
    assert all(line.startswith("--kubeconfig=/etc/a b --request-timeout=15s ") for line in (view, objects, *others))
    # Only the cluster's part of the kubeconfig leaves the machine.
    assert "config view --raw --minify --flatten -o jsonpath=login{" in view
    assert "{.clusters[0].cluster}" in view
    assert all(f"{{.user.{form}}}" in view for form in ("exec", "auth-provider", "tokenFile"))
    assert set(references("member1")) <= set(objects.split())
    assert ["secrets"] * account + ["version"] * bool(said) == [
        word for line in others for word in line.split() if word in {"secrets", "version"}
    ]
    assert found.kubectl == "v1.33.1" * bool(said)


def test_a_look_with_a_login_of_its_own_sends_no_key(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a program for logging in is given, may be a secret: it stays on the machine."""
    said = 'login{"command": "evil", "env": [{"name": "KEY", "value": "a secret"}]}'
    install_tool(tmp_path / "bin", "kubectl", f"printf '%s\\n{{\"server\": \"https://m1\"}}' '{said}'")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    looked, *_ = local.run(member_commands(cluster(), ENGINE))
    assert looked.stdout.split("--- view\n")[1].split("\n") == ['{"server": "https://m1"}', "", "--- login", ""]


@pytest.mark.parametrize(
    ("namespace", "phase"),
    [(None, ""), ({}, "Active"), ({"status": {"phase": "Terminating"}}, "Terminating")],
)
def test_the_engines_namespace_is_a_fact(namespace: dict[str, Any] | None, phase: str) -> None:
    """How a join has to deal with it depends on that."""
    member = granted()
    if namespace is not None:
        name = ENGINE.MEMBER_NAMESPACE
        member.objects[f"namespace/{name}"] = {"kind": "Namespace", "metadata": {"name": name}, **namespace}
    assert look(member).engines_namespace == phase


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
    results = [result(code=127, stderr="sh: kubectl: not found") for _ in member_commands(cluster(), ENGINE)]
    found = parse_member(results, cluster(), ENGINE)
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
    found = look(member, credentials="ephemeral")
    assert (found.kubectl, found.kubernetes) == (kubectl, kubernetes)
    assert found.gaps == ()


def test_an_old_kubectl_is_a_fact() -> None:
    """It prints objects in a form of its own (kubernetes#89660), and is refused by a rule."""
    member = Member("member1")
    member.broken["kubectl", "config"] = Answer("map[server:https://member1:6443]")
    found = look(member)
    assert found.old_kubectl
    assert found.gaps == ()


HOSTILE = ["", "{", "[]", "null", '"x"', "5", "[" * 100_000, '{"items": 5}', '{"items": [5, {}, {"metadata": 1}]}']
HOSTILE += ['{"kind": "Secret", "metadata": {"name": {}}}', '{"server": {}}', '{"server": 5}', '{"server": null}']
HOSTILE += ["\x1b[31m", "\ufffd", '{"certificate-authority-data": ["x"], "server": "https://a"}']


@pytest.mark.parametrize("printed", HOSTILE)
@pytest.mark.parametrize("part", ["clock", "view", "objects", "secrets", "version", "whole"])
def test_whatever_a_member_answers_is_a_fact(part: str, printed: str) -> None:
    """It is used, or it is a gap; nothing is raised, and what is shown is safe."""
    member, asked = granted(), cluster(credentials="ephemeral")
    (looked,) = ScriptedShell("member1", member.answer).run(member_commands(asked, ENGINE))
    before, _, after = looked.stdout.partition(f"--- {part}\n")
    _, mark, rest = after.partition("\n--- ")
    said = printed if part == "whole" else f"{before}--- {part}\n{printed}{mark}{rest}"
    found = parse_member([replace(looked, stdout=said)], cluster(), ENGINE)
    assert found.cluster_uid.isprintable()
    assert found.engines_namespace.isprintable()
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
