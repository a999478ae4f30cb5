from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.kubernetes.account import manifests, own_objects
from fedssh.kubernetes.kubectl import Target
from fedssh.kubernetes.objects import (
    core,
    delete_by_hand,
    delete_command,
    delete_with_command,
    parse_names,
    rbac,
)
from tests.fakes.lines import argv_of, stdin_of
from tests.fakes.shells import install_tool, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.shells import LocalShell

ROLE, BINDING = rbac("ClusterRole", "member1"), rbac("ClusterRoleBinding", "member1")
ACCOUNT = core("ServiceAccount", "member1", "default")


def test_names_are_read_line_by_line() -> None:
    """Each once; a line of something else is left out."""
    said = (
        "v1\tServiceAccount\tdefault\tmember1\nrbac.authorization.k8s.io/v1\tClusterRole\t\tmember1\n"
        "v1\tServiceAccount\tdefault\tmember1\n\nwarning: a line\nv1\tPod\tx\tbad\x1bname\nv1\tPod\tx\t\n"
    )
    assert parse_names(result(said)) == (ACCOUNT, ROLE)


@given(st.text())
def test_whatever_is_printed_names_come_out(text: str) -> None:
    """Printable ones, of a length that names have."""
    for one in parse_names(result(text)):
        assert one.name
        assert str(one).isprintable()


def test_they_are_told_and_typed_as_kubectl_has_them() -> None:
    """With their group where they have one; commands by hand go namespace by namespace."""
    assert ROLE.resource == "clusterrole.rbac.authorization.k8s.io/member1"
    assert [str(one) for one in (ACCOUNT, ROLE)] == ["serviceaccount/member1 in default", "clusterrole/member1"]
    assert delete_by_hand([BINDING, ROLE, ACCOUNT, core("Secret", "s", "default")]) == [
        f"kubectl delete --ignore-not-found {BINDING.resource} {ROLE.resource}",
        "kubectl -n default delete --ignore-not-found serviceaccount/member1 secret/s",
    ]


def test_what_is_deleted_is_named_by_stdin() -> None:
    """In its order, and with nothing but names; what is gone already is no error."""
    command = delete_command([BINDING, ACCOUNT], target=Target(kubeconfig="/k", context="c"), wait_seconds=20)
    assert argv_of(command) == [
        "kubectl", "--kubeconfig=/k", "--context=c", "--request-timeout=20s",
        "delete", "--ignore-not-found", "--timeout=20s", "--filename=-",
    ]  # fmt: skip
    items = json.loads(stdin_of(command))["items"]
    assert [(item["kind"], item["metadata"]) for item in items] == [
        ("ClusterRoleBinding", {"name": "member1"}),
        ("ServiceAccount", {"name": "member1", "namespace": "default"}),
    ]
    assert "--wait=false" in delete_command([ROLE], target=Target(), wait_seconds=0).line


def test_fedsshs_own_objects_are_all_that_it_makes_the_rights_first() -> None:
    """So that what is left of a deletion that is stopped gives nobody anything; token Secrets go with the account."""
    own = own_objects("member1")
    assert {(one.kind, one.name) for one in own} == {
        (manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests("member1", is_stored=False)
    }
    assert own[0].kind == "ClusterRoleBinding"


FAKE = """
    shift 2  # the kubeconfig and the context
    case $1 in
        get) [ -z "$GONE" ] && echo uid-1 || exit 1 ;;
        patch) cat >>{log}; printf '%s\\n' "$@" >>{log}
            [ -z "$DENIED" ] || { echo "Error from server ($DENIED): x" >&2; exit 1; } ;;
        delete) printf '%s ' "$@" >>{log} ;;
    esac
"""


@pytest.mark.parametrize("gone", ["", "yes"])
def test_a_login_deletes_what_it_lives_by_all_at_once(
    gone: str, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs on the role is made its dependent first, and only the role is deleted; not where it is gone."""
    log = tmp_path / "log"
    install_tool(tmp_path / "bin", "kubectl", FAKE.replace("{log}", str(log)))
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("GONE", gone)
    monkeypatch.setenv("DENIED", "NotFound")  # of one that is gone already
    target = Target(kubeconfig="/k", context="c")
    (done,) = local.run(delete_with_command("member1", [BINDING, ACCOUNT], target=target))
    assert done.ok is not bool(gone)
    if gone:
        assert not log.exists()
        return
    said = log.read_text()
    owners = json.loads(said[said.index("--patch=") + len("--patch=") : said.index("\ndelete ")])
    assert owners["metadata"]["ownerReferences"] == [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "member1", "uid": "uid-1"}
    ]
    assert '"name": "member1", "namespace": "default"' in said
    assert said.endswith("delete clusterrole/member1 --wait=false ")


def test_what_could_not_hang_on_the_role_keeps_the_role(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, nobody could remove the rest."""
    log = tmp_path / "log"
    install_tool(tmp_path / "bin", "kubectl", FAKE.replace("{log}", str(log)))
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("GONE", "")
    monkeypatch.setenv("DENIED", "Forbidden")
    (done,) = local.run(delete_with_command("member1", [BINDING], target=Target(kubeconfig="/k", context="c")))
    assert not done.ok
    assert "Forbidden" in done.stderr
    assert "delete clusterrole" not in log.read_text()


def test_a_name_that_a_machine_tells_is_quoted() -> None:
    """An administrator pastes these lines."""
    (line,) = delete_by_hand([core("Secret", "x; reboot", "a b")])
    assert line == "kubectl -n 'a b' delete --ignore-not-found 'secret/x; reboot'"
