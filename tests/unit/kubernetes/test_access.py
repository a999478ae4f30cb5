from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.federation.member import parse_probe, probe_commands
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.account import (
    grant_commands,
    manifests,
    parse_grant,
    parse_token,
    remember,
    take_back_commands,
)
from fedssh.shell import Result
from tests.fakes.kubernetes import CA, Member, account_token, argv_of, base64_of, stdin_of, token_of
from tests.fakes.shells import LocalShell, install_tool, make_clock, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER = Cluster(name="member1", machine=Machine(name="member1", address="a"), kubeconfig="/etc/a b")
REFERENCES = frozenset(
    {"serviceaccount/member1", "clusterrole/member1", "clusterrolebinding/member1", "secret/member1-fedssh-1"}
)


def granted() -> Member:
    """Return a member that has granted access."""
    member = Member("member1")
    for one in grant_commands(CLUSTER):
        member.answer(one)
    return member


def probe(member: Member) -> list[Result]:
    """Return what a member answers to a probe."""
    answers = [(one, member.answer(one)) for one in probe_commands(CLUSTER)]
    return [Result(command=one, code=said.code, stdout=said.stdout, stderr=said.stderr) for one, said in answers]


def test_the_objects_bear_the_names_an_administrator_would_choose() -> None:
    """All are fedssh's by their label; the Secret has a name of its own."""
    account, role, binding, secret = manifests("member1")
    assert [one["metadata"]["name"] for one in (account, role, binding)] == ["member1"] * 3
    assert role["rules"] == [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "member1", "namespace": "default"}]
    assert binding["roleRef"]["name"] == "member1"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "member1"}
    assert secret["type"] == "kubernetes.io/service-account-token"
    labels = [one["metadata"]["labels"] for one in manifests("member1")]
    assert labels == [{"name": "member1", "app.kubernetes.io/managed-by": "fedssh"}] * 4


def test_a_probe_changes_nothing_and_reads_no_key() -> None:
    """Only the cluster's part of the kubeconfig leaves the machine; every command names the inventory's kubeconfig."""
    view, uid, objects, _, clock = [argv_of(one) for one in probe_commands(CLUSTER)]
    assert "jsonpath={.clusters[0].cluster}" in view
    assert all("--kubeconfig=/etc/a b" in argv for argv in (view, uid, objects))
    assert {"apply", "delete", "create", "patch"}.isdisjoint([*view, *uid, *objects, *clock])
    assert set(objects) >= REFERENCES


def test_a_fresh_member_has_an_address_and_nothing_else() -> None:
    """Access must be granted."""
    state = parse_probe(probe(Member("member1")), CLUSTER)
    assert (state.server, state.ca, state.cluster_uid) == ("https://member1.example.com:6443", CA, "uid-of-member1")
    assert (state.present, state.token) == (frozenset(), None)


def test_a_granted_access_is_found_again() -> None:
    """With the token, so that nothing needs to be done."""
    state = parse_probe(probe(granted()), CLUSTER)
    assert state.present == REFERENCES
    assert state.token
    assert state.access(state.token).token.reveal() == account_token("member1")


@pytest.mark.parametrize(
    ("reference", "key", "value"),
    [
        ("clusterrole/member1", "rules", []),
        ("clusterrolebinding/member1", "subjects", [{"kind": "User", "name": "somebody"}]),
        ("clusterrolebinding/member1", "roleRef", {"kind": "ClusterRole", "name": "view"}),
        ("secret/member1-fedssh-1", "type", "Opaque"),
        ("secret/member1-fedssh-1", "data", {}),
        ("secret/member1-fedssh-1", "data", None),
        ("secret/member1-fedssh-1", "data", "text"),
    ],
)
def test_an_object_that_was_changed_is_granted_again(reference: str, key: str, value: object) -> None:
    """It is present, so it will not be taken back, but it does not count."""
    member = granted()
    member.objects[reference][key] = value
    state = parse_probe(probe(member), CLUSTER)
    assert (state.present, state.token) == (REFERENCES, None)


@pytest.mark.parametrize("reference", sorted(REFERENCES))
def test_a_missing_object_is_granted_again(reference: str) -> None:
    """Any of the four."""
    member = granted()
    del member.objects[reference]
    state = parse_probe(probe(member), CLUSTER)
    assert (state.present, state.token) == (REFERENCES - {reference}, None)


@pytest.mark.parametrize("reference", sorted(REFERENCES))
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "Helm"}, None, "text"])
def test_an_object_of_somebody_else_is_refused(reference: str, labels: object) -> None:
    """It is named, with the command that would delete it; whatever its labels are."""
    member = granted()
    member.objects[reference]["metadata"]["labels"] = labels
    with pytest.raises(RefusedError, match=f"{reference} is there, and fedssh did not make it") as caught:
        parse_probe(probe(member), CLUSTER)
    assert "--adopt" in caught.value.hint
    assert parse_probe(probe(member), CLUSTER, adopt=True).token is None


def test_the_inventorys_address_comes_before_the_kubeconfigs() -> None:
    """That is what it is for: 127.0.0.1 there does not matter."""
    member = Member("member1", server="https://127.0.0.1:6443")
    assert "works on that machine only" in str(parse_probe(probe(member), CLUSTER).problem)
    named = Cluster(name="member1", machine=CLUSTER.machine, api_server="https://gate.example.com/api/")
    assert parse_probe(probe(member), named).server == "https://gate.example.com/api/"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_failed_probe_is_a_failed_step(number: int) -> None:
    """Each of its commands."""
    results = probe(granted())
    results[number] = result(code=1, stderr="Unable to connect to the server: x")
    with pytest.raises(StepError, match=r"member1: look at the member: kubectl get failed.*Unable to connect"):
        parse_probe(results, CLUSTER)


HOSTILE = ["", "{", "[]", "null", '"x"', "5", "[" * 100_000, '{"items": 5}', '{"items": [5, {}, {"metadata": 1}]}']
HOSTILE += ['{"kind": "Secret", "metadata": {"name": {}}}', '{"server": {}}', '{"server": 5}', '{"server": null}']
HOSTILE += ["\x1b[31m", "\ufffd", '{"certificate-authority-data": ["x"], "server": "https://a"}']


@pytest.mark.parametrize("printed", HOSTILE)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_whatever_a_member_answers_it_is_its_own_failure(number: int, printed: str) -> None:
    """It is used, or it is a FedsshError; nothing else may leave the function, since it would end everybody's run."""
    results = probe(granted())
    results[number] = result(printed)
    try:
        state = parse_probe(results, CLUSTER)
    except FedsshError as error:
        assert error.exit_code in {3, 6}  # noqa: PT017  (raised or not, both are right)
    else:
        assert state.cluster_uid.isprintable()


@pytest.mark.parametrize(
    "token",
    [
        token_of("system:serviceaccount:default:member2"),
        token_of("system:serviceaccount:kube-system:member1"),
        token_of(None),
        token_of(["system:serviceaccount:default:member1"]),
        account_token("member1") + ".x",
        account_token("member1").rpartition(".")[0],
        account_token("member1") + "\n",
        account_token("member1") + "\x1b[31m",
        account_token("member1") + "\u00e9",
        token_of("system:serviceaccount:default:member1", header="x y"),
        "a.W10.c",
        "a.Ww.c",
        "a." + "W" * 100_000 + ".c",
        f"a.{base64_of('[' * 100_000)}.c",
        "..",
        "",
    ],
)
def test_a_token_of_anybody_else_is_refused(token: str) -> None:
    """Another account, no JWT at all, or characters that no token has; the token is not quoted."""
    with pytest.raises(RefusedError, match="does not hold a token of system:serviceaccount:default:member1") as caught:
        parse_token({"data": {"token": base64_of(token)}}, name="member1")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("secret", [{}, {"data": None}, {"data": []}, {"data": {"token": 5}}, {"data": {"token": "%"}}])
def test_a_secret_without_a_token_is_refused(secret: dict[str, Any]) -> None:
    """Whatever stands there instead."""
    with pytest.raises(RefusedError, match="does not hold a token"):
        parse_token(secret, name="member1")


def test_granting_applies_server_side_and_by_stdin() -> None:
    """Nothing is left in the last-applied annotation."""
    apply, wait = grant_commands(CLUSTER)
    assert {"apply", "--server-side", "--field-manager=fedssh"} <= set(argv_of(apply))
    assert json.loads(stdin_of(apply))["items"] == manifests("member1")
    assert wait.title == "kubectl get secret"


def test_a_grant_gives_the_token() -> None:
    """From the Secret that the second command prints."""
    secret = json.dumps(granted().objects["secret/member1-fedssh-1"])
    assert parse_grant([result(), result(secret)], CLUSTER).reveal() == account_token("member1")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([result(code=1, stderr="(Forbidden)"), result("{}")], "Forbidden"),
        ([result(), result(code=1, stderr="gone")], "gone"),
        ([result(), result("{}")], "no token came into the Secret member1-fedssh-1 within 30 s"),
        ([result(), result('{"data": null}')], "no token came"),
        ([result(), result('{"data": {"token": ""}}')], "no token came"),
    ],
)
def test_a_grant_that_failed_says_why(results: list[Result], message: str) -> None:
    """With the step, and with what to do."""
    with pytest.raises(StepError, match="member1: grant access: ") as caught:
        parse_grant(results, CLUSTER)
    assert message in caught.value.message


@pytest.mark.parametrize("empty_answers", [0, 1, 99])
def test_the_token_is_waited_for(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_answers: int
) -> None:
    """The real script: it asks until a token is there or time is up, then prints the Secret."""
    count = tmp_path / "count"
    count.write_text("")
    install_tool(
        tmp_path / "bin",
        "kubectl",
        f"""
        case "$*" in
            *-o\\ json) echo "{{}}" ;;
            *) printf x >>{count}; [ "$(wc -c <{count})" -le {empty_answers} ] || echo token ;;
        esac
        """,
    )
    make_clock(tmp_path / "bin")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setattr("fedssh.kubernetes.account.TOKEN_WAIT_SECONDS", 2)
    (done,) = local.run(grant_commands(CLUSTER)[1])
    assert (done.code, done.stdout) == (0, "{}\n")
    assert len(count.read_text()) == min(empty_answers + 1, 3)


def test_the_wait_ends_when_kubectl_fails(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with its exit code and its words."""
    install_tool(tmp_path / "bin", "kubectl", "echo no >&2; exit 3")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (done,) = local.run(grant_commands(CLUSTER)[1])
    assert (done.code, done.stderr) == (3, "no\n")


def test_only_what_was_added_is_taken_back() -> None:
    """In the opposite order; what is gone already is no error."""
    present = frozenset({"serviceaccount/member1", "clusterrole/member1"})
    (delete,) = take_back_commands(CLUSTER, present, {})
    argv = argv_of(delete)
    named = [one for one in argv[3:] if "/" in one and not one.startswith("--")]
    assert argv[3] == "delete"
    assert named == ["secret/member1-fedssh-1", "clusterrolebinding/member1"]
    assert {"--ignore-not-found", "--namespace=default"} <= set(argv)


def test_what_was_taken_over_is_given_back(canary: str) -> None:
    """As it was, without what the API server writes; a binding and a Secret are made anew, an account is not."""
    metadata = {"name": "member1", "labels": {"mine": "x"}, "uid": "u", "resourceVersion": "7", "managedFields": []}
    objects = {
        "serviceaccount/member1": {"kind": "ServiceAccount", "metadata": metadata},
        "clusterrolebinding/member1": {"kind": "ClusterRoleBinding", "metadata": metadata, "roleRef": {"name": "view"}},
        "secret/member1-fedssh-1": {"kind": "Secret", "metadata": metadata, "data": {"token": canary}},
    }
    adopted = {key: remember(one) for key, one in objects.items()}
    assert canary not in repr(adopted)
    delete, replace, anew = take_back_commands(CLUSTER, frozenset(objects), adopted)
    assert [one for one in argv_of(delete) if "/" in one and one[0] != "-"] == ["clusterrole/member1"]
    assert "--force" not in argv_of(replace)
    assert "--force" in argv_of(anew)
    kept = {"name": "member1", "labels": {"mine": "x"}}
    assert json.loads(stdin_of(replace))["items"] == [{"kind": "ServiceAccount", "metadata": kept}]
    binding, secret = json.loads(stdin_of(anew))["items"]
    assert binding == {"kind": "ClusterRoleBinding", "metadata": kept, "roleRef": {"name": "view"}}
    assert secret["data"] == {"token": canary}
    assert canary not in f"{anew.line}{anew!r}"
