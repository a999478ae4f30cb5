from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.engines import load_engine
from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.federation.facts import Facts, HostFacts
from fedssh.federation.grants import keeps_token, needed_grant
from fedssh.federation.look.members import member_commands, parse_member
from fedssh.federation.wishes import wanted_server
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.account import (
    grant_commands,
    manifests,
    parse_grant,
    parse_objects,
    references,
    undo_commands,
)
from fedssh.kubernetes.account_tokens import account_name, delete_token, parse_token
from fedssh.kubernetes.kubectl import Target, parse_items
from fedssh.shell import Result
from tests.fakes.kubernetes import CA, Member, account_token, base64_of, token_of
from tests.fakes.lines import argv_of, calls_in, key_of, stdin_of
from tests.fakes.shells import LocalShell, install_tool, path_with, result
from tests.unit.mangling import answer_of, mangled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fedssh.federation.facts import MemberFacts
    from fedssh.shell import Command
    from tests.fakes.world import World

ENGINE = load_engine()
CLUSTER = Cluster(name="member1", machine=Machine(name="member1", address="a"), kubeconfig="/etc/a b")
THERE = Target(kubeconfig="/etc/a b")
REFERENCES = frozenset(
    {"serviceaccount/member1", "clusterrole/member1", "clusterrolebinding/member1", "secret/member1-fedssh-1"}
)


def grant(anew: tuple[str, ...] = (), *, force: bool = False) -> list[Command]:
    """Return the commands that let member1 grant access."""
    return grant_commands("member1", anew=anew, force=force, target=THERE)


def granted() -> Member:
    """Return a member that has granted access."""
    member = Member("member1")
    for command in grant():
        member.answer(command)
    return member


def asked(member: Member, cluster: Cluster = CLUSTER) -> list[Result]:
    """Return what a member answers to a look."""
    answers = [(command, member.answer(command)) for command in member_commands(cluster, ENGINE)]
    return [
        Result(command=command, code=said.code, stdout=said.stdout, stderr=said.stderr) for command, said in answers
    ]


def seen(member: Member, cluster: Cluster = CLUSTER) -> MemberFacts:
    """Return what was found on a member."""
    return parse_member(asked(member, cluster), cluster, ENGINE)


def test_the_objects_bear_the_names_an_administrator_would_choose() -> None:
    """All are fedssh's by their label; the Secret has a name of its own."""
    account, role, binding, secret = manifests("member1")
    assert [item["metadata"]["name"] for item in (account, role, binding)] == ["member1"] * 3
    assert role["rules"] == [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "member1", "namespace": "default"}]
    assert binding["roleRef"]["name"] == "member1"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "member1"}
    assert secret["type"] == "kubernetes.io/service-account-token"
    labels = [item["metadata"]["labels"] for item in manifests("member1")]
    assert labels == [{"name": "member1", "app.kubernetes.io/managed-by": "fedssh"}] * 4


def test_a_fresh_member_has_an_address_and_nothing_else() -> None:
    """Access must be granted."""
    member = seen(Member("member1"))
    assert (member.server, member.ca, member.cluster_uid) == ("https://member1.example.com:6443", CA, "uid-of-member1")
    assert (member.objects, member.token) == ({}, None)
    step = needed_grant(member, adopt=False)
    assert step
    assert set(step.created) == REFERENCES
    assert step.why == "there is no account member1"


def test_a_granted_access_is_found_again() -> None:
    """With the token, so that nothing needs to be done."""
    member = seen(granted())
    assert set(member.objects) == REFERENCES == set(references("member1"))
    assert all(found.is_ours and not found.differences for found in member.objects.values())
    assert member.token
    assert member.token.reveal() == account_token("member1")
    assert needed_grant(member, adopt=False) is None


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
    """It is present, so it will not be taken back; a Secret without its token has none that counts."""
    machine = granted()
    machine.objects[reference][key] = value
    member = seen(machine)
    step = needed_grant(member, adopt=False)
    assert set(member.objects) == REFERENCES
    assert step
    assert (step.created, reference in step.why) == ((), True)
    assert (reference in step.anew) == (key in {"roleRef", "type"})
    assert (member.token is None) == (key == "data")
    assert keeps_token(member, step) == (reference != "secret/member1-fedssh-1")


@pytest.mark.parametrize("reference", sorted(REFERENCES))
def test_a_missing_object_is_granted_again(reference: str) -> None:
    """Any of the four; the token of an account that is gone does not stay."""
    machine = granted()
    del machine.objects[reference]
    member = seen(machine)
    step = needed_grant(member, adopt=False)
    assert set(member.objects) == REFERENCES - {reference}
    assert step
    # The same Secret would hold the same token, which somebody may have revoked by deleting it.
    again = "secret/member1-fedssh-2" if reference.startswith("secret/") else reference
    assert step.created == (again,)
    assert keeps_token(member, step) == (reference in {"clusterrole/member1", "clusterrolebinding/member1"})


@pytest.mark.parametrize("reference", sorted(REFERENCES))
@pytest.mark.parametrize("labels", [{}, {"app.kubernetes.io/managed-by": "Helm"}, None, "text"])
def test_an_object_of_somebody_else_is_refused(world: World, reference: str, labels: object) -> None:
    """It is named, with the flag that would take it over; whatever its labels are."""
    machine = granted()
    machine.objects[reference]["metadata"]["labels"] = labels
    member = seen(machine)
    assert [key for key, found in member.objects.items() if not found.is_ours] == [reference]
    step = needed_grant(member, adopt=True)
    assert step
    assert step.taken == (reference,)
    world.members["member1"].objects.update(machine.objects)
    error = world.federate("member1").clusters[1].error
    assert isinstance(error, RefusedError)
    assert f"{reference} is there, and fedssh did not make it" in error.message
    assert "--adopt" in error.hint
    assert world.mutations == []


def found(**change: Any) -> Mapping[str, Any]:
    """Return what is found of the account of which one object was changed, by ``kind/name``."""
    items: list[dict[str, Any]] = [{**item} for item in manifests("member1")]
    for item in items:
        item.update({key: value for key, value in change.items() if key in item})
    return parse_objects(items, "member1")


@pytest.mark.parametrize(
    ("change", "reference", "words"),
    [
        ({"rules": []}, "clusterrole/member1", ["its rules are other ones"]),
        ({"rules": [{"verbs": ["*"] * 9000}]}, "clusterrole/member1", ["its rules are other ones"]),
        ({"rules": None}, "clusterrole/member1", ["it has no rules"]),
        ({"subjects": [{"kind": "User"}]}, "clusterrolebinding/member1", ["its subjects are other ones"]),
        ({"roleRef": {"name": "x" * 9000}}, "clusterrolebinding/member1", ["its roleRef is another one"]),
        ({"type": "y" * 9000}, "secret/member1-fedssh-1", ["its type is another one"]),
        (
            {"type": "Opaque"},
            "secret/member1-fedssh-1",
            ['type is "Opaque", fedssh\'s would be "kubernetes.io/service-account-token"'],
        ),
        ({"type": "\x1b[31m\u202e"}, "secret/member1-fedssh-1", None),
        ({"roleRef": {"name": "view"}, "subjects": []}, "clusterrolebinding/member1", None),
        ({"data": {"token": "x"}}, "secret/member1-fedssh-1", []),
    ],
)
def test_what_is_different_fits_a_line(change: dict[str, Any], reference: str, words: list[str] | None) -> None:
    """Of an object of any size; what it grants counts, not what else stands in it. Others are as they should be."""
    objects = found(**change)
    differences = objects[reference].differences
    assert words is None or list(differences) == words
    assert len(differences) == len([key for key in change if key != "data"])
    assert all(len(line) < 300 and line.isprintable() for line in differences)
    assert not any(item.differences for key, item in objects.items() if key != reference)


def test_kubernetes_own_objects_are_known() -> None:
    """By the label that the API server gives those that it makes itself."""
    items: list[dict[str, Any]] = manifests("member1")
    items[1]["metadata"] = {**items[1]["metadata"], "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}}
    objects = parse_objects(items, "member1")
    assert [key for key, item in objects.items() if item.is_built_in] == ["clusterrole/member1"]
    assert not objects["clusterrole/member1"].is_ours


def test_the_inventorys_address_comes_before_the_kubeconfigs() -> None:
    """That is what it is for: 127.0.0.1 there does not matter."""
    member = seen(Member("member1", server="https://127.0.0.1:6443"))
    facts = Facts(host=HostFacts(name="fedhost"), members={"member1": member})
    with pytest.raises(RefusedError, match="works on that machine only"):
        wanted_server(CLUSTER, facts)
    named = Cluster(name="member1", machine=CLUSTER.machine, api_server="https://gate.example.com/api/")
    assert wanted_server(named, facts) == "https://gate.example.com/api/"


OBJECTS = {
    "kind": "List",
    "items": [{**manifest, "data": {"token": base64_of("x")}} for manifest in manifests("member1")],
}


@given(printed=mangled(OBJECTS), code=st.sampled_from([0, 0, 0, 1, 127]))
def test_whatever_a_member_has_for_objects(printed: str, code: int) -> None:
    """They are compared and remembered, or it is a FedsshError."""

    def read() -> None:
        objects = parse_objects(parse_items(result(printed, code=code), machine="member1", step="look"), "member1")
        assert set(objects) <= REFERENCES
        for item in objects.values():
            assert all(line.isprintable() and len(line) < 300 for line in item.differences)
            json.loads(item.whole.reveal())

    answer_of(read)


@pytest.mark.parametrize("depth", [*range(100, 1000, 50), 5000])
def test_objects_of_any_depth(depth: int) -> None:
    """However deep something in them is nested."""
    deep = json.dumps(OBJECTS).replace('"rules":', f'"deep": {"[" * depth}{"]" * depth}, "rules":', 1)
    answer_of(lambda: parse_objects(parse_items(result(deep), machine="member1", step="look"), "member1"))


SECRET = {"data": {"token": base64_of(account_token("member1"))}}


@given(printed=mangled(SECRET))
def test_whatever_a_secret_holds(printed: str) -> None:
    """It is the account's token, or a FedsshError."""
    read = answer_of(lambda: parse_grant([result(), result(printed)], "member1"))
    assert isinstance(read, FedsshError) or read.reveal() == account_token("member1")


@given(payload=mangled({"sub": "system:serviceaccount:default:member1"}))
def test_whatever_a_token_claims(payload: str) -> None:
    """Only the account's own name is right."""
    claims = base64_of(payload.encode("utf-8", "replace").decode()).rstrip("=").translate(str.maketrans("+/", "-_"))
    read = answer_of(lambda: parse_token({"data": {"token": base64_of(f"a.{claims}.c")}}, member="member1"))
    assert isinstance(read, RefusedError) or json.loads(payload)["sub"] == account_name("member1")


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
        parse_token({"data": {"token": base64_of(token)}}, member="member1")
    assert caught.value.__context__ is None
    assert delete_token("member1") in caught.value.hint


@pytest.mark.parametrize("secret", [{}, {"data": None}, {"data": []}, {"data": {"token": 5}}, {"data": {"token": "%"}}])
def test_a_secret_without_a_token_is_refused(secret: dict[str, Any]) -> None:
    """Whatever stands there instead."""
    with pytest.raises(RefusedError, match="does not hold a token"):
        parse_token(secret, member="member1")


def test_granting_applies_server_side_and_by_stdin() -> None:
    """Nothing is left in the last-applied annotation."""
    apply, wait = grant()
    assert {"apply", "--server-side", "--field-manager=fedssh"} <= set(argv_of(apply))
    assert "--force-conflicts" not in argv_of(apply)
    assert json.loads(stdin_of(apply))["items"] == manifests("member1")
    assert key_of(wait) == ("token", "wait")
    assert "--force-conflicts" in argv_of(grant(force=True)[0])


def test_what_cannot_be_changed_is_deleted_first() -> None:
    """Those that are named, and no others."""
    clear, apply, _ = grant(("clusterrolebinding/member1",))
    (call,) = calls_in(clear)
    assert (call.key[1], call.names) == ("delete", ("clusterrolebinding/member1",))
    assert {"--ignore-not-found", "--namespace=default", "--kubeconfig=/etc/a b"} <= set(call.argv)
    assert json.loads(stdin_of(apply))["items"] == manifests("member1")


def test_a_grant_gives_the_token() -> None:
    """As the last command prints it."""
    token = granted().objects["secret/member1-fedssh-1"]["data"]["token"] + "\n"
    assert parse_grant([result(), result(token)], "member1").reveal() == account_token("member1")
    assert parse_grant([result(), result(), result(token)], "member1").reveal() == account_token("member1")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([result(code=1, stderr="(Forbidden)"), result()], "Forbidden"),
        ([result(), result(code=1, stderr="gone")], "gone"),
        ([result(code=1, stderr="not deleted"), result(), result()], "not deleted"),
        ([result(), result()], "no token came into the Secret member1-fedssh-1 within 30 s"),
        ([result(), result("\n")], "no token came"),
    ],
)
def test_a_grant_that_failed_says_why(results: list[Result], message: str) -> None:
    """With the step, and with what to do."""
    with pytest.raises(StepError, match="member1: grant access: ") as caught:
        parse_grant(results, "member1")
    assert message in caught.value.message


@pytest.mark.parametrize("empty_lines", [0, 1, 99])
def test_the_token_is_waited_for(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_lines: int
) -> None:
    """The real script: one kubectl watches until a token is there, which ends it, or until its time is up."""
    lines = "echo; " * min(empty_lines, 5) + ("echo dG9rZW4=; " if empty_lines < 99 else "")
    install_tool(
        tmp_path / "bin",
        "kubectl",
        f"echo x >>{tmp_path}/calls; {lines} exec sleep 3",
    )
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setattr("fedssh.kubernetes.account_tokens.TOKEN_WAIT_SECONDS", 2)
    began = time.monotonic()
    (done,) = local.run(grant()[1])
    assert done.code == 0
    assert done.stdout == ("dG9rZW4=\n" if empty_lines < 99 else "")
    assert (time.monotonic() - began < 2) == (empty_lines < 99)
    assert (tmp_path / "calls").read_text() == "x\n"
    assert done.stderr == ""


def test_the_wait_ends_when_kubectl_fails(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with its words."""
    install_tool(tmp_path / "bin", "kubectl", "echo no >&2; exit 3")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (done,) = local.run(grant()[1])
    assert (done.code, done.stderr) == (1, "no\n")


def test_only_what_was_added_is_taken_back() -> None:
    """In the opposite order; what is gone already is no error."""
    created = ("secret/member1-fedssh-1", "clusterrolebinding/member1")
    (delete,) = undo_commands(created=created, taken={}, target=THERE)
    (call,) = calls_in(delete)
    assert (call.key[1], call.names) == ("delete", created)
    assert {"--ignore-not-found", "--namespace=default", "--kubeconfig=/etc/a b"} <= set(call.argv)
    assert undo_commands(created=(), taken={}, target=THERE) == []


def test_what_was_taken_over_is_given_back(canary: str) -> None:
    """As it was, without what the API server writes; a binding and a Secret are made anew, an account is not."""
    metadata = {"name": "member1", "labels": {"mine": "x"}, "uid": "u", "resourceVersion": "7", "managedFields": []}
    items = [
        {"kind": "ServiceAccount", "metadata": metadata},
        {"kind": "ClusterRoleBinding", "metadata": metadata, "roleRef": {"name": "view"}},
        {"kind": "Secret", "metadata": {**metadata, "name": "member1-fedssh-1"}, "data": {"token": canary}},
    ]
    taken = {key: item.whole for key, item in parse_objects(items, "member1").items()}
    assert set(taken) == REFERENCES - {"clusterrole/member1"}
    assert canary not in repr(taken)
    delete, replace, anew = undo_commands(created=["clusterrole/member1"], taken=taken, target=THERE)
    assert [call.names for call in calls_in(delete)] == [("clusterrole/member1",)]
    assert "--force" not in argv_of(replace)
    assert "--force" in argv_of(anew)
    kept = {"name": "member1", "labels": {"mine": "x"}}
    assert json.loads(stdin_of(replace))["items"] == [{"kind": "ServiceAccount", "metadata": kept}]
    binding, secret = json.loads(stdin_of(anew))["items"]
    assert binding == {"kind": "ClusterRoleBinding", "metadata": kept, "roleRef": {"name": "view"}}
    assert secret["data"] == {"token": canary}
    assert canary not in f"{anew.line}{anew!r}"
