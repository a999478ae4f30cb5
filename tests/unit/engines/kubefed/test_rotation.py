from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fedssh.engines.kubefed.rotation import (
    account_commands,
    account_name,
    make_account_commands,
    next_account,
    parse_accounts,
    remove_account_commands,
    swap_command,
)
from fedssh.engines.protocol import EngineAccount
from fedssh.errors import StepError
from fedssh.kubernetes.kubectl import OWN, Target
from fedssh.sensitive import Sensitive
from tests.fakes.api import base64_of, token_of
from tests.fakes.facts import joined
from tests.fakes.lines import argv_of, calls_in, stdin_of
from tests.fakes.shells import LocalShell, install_tool, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

SPACE = "kube-federation-system"
NAME = "member1-fedhost"
TOKEN = token_of(f"system:serviceaccount:{SPACE}:{NAME}")
BINDING = f"ClusterRoleBinding//kubefed-controller-manager:{NAME}"


def test_accounts_are_read_with_their_tokens_and_rights() -> None:
    """What is somebody else's token, or a Secret of another account, is none of theirs."""
    accounts = [{"metadata": {"name": name, "creationTimestamp": "2026-11-23T10:00:00Z"}} for name in (NAME, "x")]
    other = token_of("system:serviceaccount:default:x")
    note = "kubernetes.io/service-account.name"
    secrets = [
        {"metadata": {"name": NAME, "annotations": {note: NAME}}, "data": {"token": base64_of(TOKEN)}},
        {"metadata": {"name": "y", "annotations": {note: "x"}}, "data": {"token": base64_of(other)}},
    ]
    bindings = f"{BINDING}\tUser//a b\tServiceAccount/{SPACE}/{NAME}\nRoleBinding/default/none\nnonsense\n"
    answers = [json.dumps({"items": accounts}), json.dumps({"items": secrets}), bindings]
    found = parse_accounts([result(answer) for answer in answers], machine="member1")
    assert found[NAME] == EngineAccount(
        name=NAME,
        created="2026-11-23T10:00:00Z",
        token=Sensitive(TOKEN),
        secrets=(NAME,),
        bindings=frozenset({BINDING}),
    )
    assert (found["x"].token, found["x"].secrets, found["x"].bindings) == (None, ("y",), frozenset())


def test_a_kubectl_that_fails_is_an_error() -> None:
    """Nobody takes a missing answer for an account without rights."""
    answers = [result('{"items": []}'), result('{"items": []}'), result("", code=1, stderr="(Forbidden) no")]
    with pytest.raises(StepError, match="Forbidden"):
        parse_accounts(answers, machine="member1")


def test_looking_changes_nothing() -> None:
    """It asks for accounts, tokens and bindings."""
    assert not any(call.mutates for command in account_commands(target=OWN) for call in calls_in(command))


@pytest.mark.parametrize(
    ("subject", "name"),
    [(f"system:serviceaccount:{SPACE}:{NAME}", NAME), ("system:serviceaccount:default:x", ""), ("x", ""), (5, "")],
)
def test_an_account_is_known_by_the_token(subject: object, name: str) -> None:
    """One of another namespace is none that a join has made."""
    assert account_name(joined(token=Sensitive(token_of(subject)))) == name
    assert account_name(joined(token=None)) == ""


def test_two_names_take_turns() -> None:
    """Never a third one."""
    assert next_account(NAME) == f"{NAME}-fedssh"
    assert next_account(next_account(NAME)) == NAME


def test_a_token_travels_by_stdin() -> None:
    """And nothing but the token is written into KubeFed's Secret."""
    cluster = joined(spec={"secretRef": {"name": "any"}})
    command = swap_command(cluster, Sensitive(TOKEN), rotated_at="2026-11-29T00:00:00Z", target=OWN)
    assert base64_of(TOKEN) not in command.line
    (secret,) = json.loads(stdin_of(command))["items"]
    noted = {"fedssh/rotated-at": "2026-11-29T00:00:00Z"}
    assert secret["metadata"] == {"name": "any", "namespace": SPACE, "annotations": noted}
    assert secret["data"] == {"token": base64_of(TOKEN)}
    assert "--force-conflicts" in argv_of(command)
    (old,) = json.loads(stdin_of(swap_command(cluster, Sensitive(TOKEN), rotated_at="", target=OWN)))["items"]
    assert "annotations" not in old["metadata"]


def test_only_missing_rights_are_given() -> None:
    """An interrupted rotation may have given some."""
    old = EngineAccount(name=NAME, created="", bindings=frozenset({BINDING, "RoleBinding/a/b"}))
    new = EngineAccount(name=f"{NAME}-fedssh", created="", bindings=frozenset({BINDING}))
    patches = [argv_of(command) for command in make_account_commands(new.name, old, new, target=Target())[1:-1]]
    assert [argv[argv.index("patch") + 1 :][:3] for argv in patches] == [["RoleBinding", "b", "--namespace=a"]]


@pytest.mark.parametrize(("place", "patched"), [(0, True), (2, True), (None, False)])
def test_the_place_of_a_subject_is_looked_up(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int | None, *, patched: bool
) -> None:
    """The real script: what is removed is tested to be still there; where it is not, nothing is."""
    subjects = ["User//x", "Group//y"]
    if place is not None:
        subjects.insert(place, f"ServiceAccount/{SPACE}/{NAME}")
    log, lines = tmp_path / "log", "\\n".join(subjects)
    script = f"""case "$*" in *patch*) printf '%s\\n' "$@" >>{log} ;; *) printf '{lines}\\n' ;; esac"""
    install_tool(tmp_path / "bin", "kubectl", script)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    account = EngineAccount(name=NAME, created="", bindings=frozenset({BINDING}))
    (done,) = local.run(remove_account_commands(account, target=OWN)[0])
    assert done.code == 0
    assert log.exists() == patched
    if patched:
        said = next(line for line in log.read_text().splitlines() if line.startswith("--patch="))
        assert json.loads(said.removeprefix("--patch=")) == [
            {"op": "test", "path": f"/subjects/{place}/name", "value": NAME},
            {"op": "remove", "path": f"/subjects/{place}"},
        ]
