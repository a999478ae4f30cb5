from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from fedssh.errors import RefusedError, StepError
from fedssh.federation.proof import AT_ONCE, Proof, check_access, check_joined, describe, in_rounds, prove
from fedssh.kubernetes.account import MemberAccess
from fedssh.sensitive import Sensitive
from fedssh.shell import command
from tests.fakes.kubernetes import CA, account_token
from tests.fakes.shells import LocalShell, install_tool, path_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Leaks

GOOD = Proof(cluster_uid="uid", has_rights=True, problem="")
# An openssl that presents a certificate, and reads what it presents.
OPENSSL = """
case $1 in
    s_client) printf '%s ' "$@" >>"$LOG.asked"; echo presented ;;
    x509) [ "$(cat)" = presented ] && echo "notAfter=Nov 24 12:00:00 2027 GMT" ;;
esac
"""
# A kubectl that reads the kubeconfig it is given, and answers as the context's cluster would.
KUBECTL = r"""
for one; do
    case $one in
        --kubeconfig=*) file=${one#*=} ;;
        --context=*) context=${one#*=} ;;
    esac
done
printf '%s\n' "$context $(stat -c %a "$file") $*" >>"$LOG"
cp "$file" "$LOG.kubeconfig"
case $context in
    gone) echo "Unable to connect to the server: no route" >&2; exit 1 ;;
    silent) exit 1 ;;
esac
case "$*" in
    *"get namespace"*) echo "uid uid-of-$context" ;;
    *identity*) [ "$context" != old ] || exit 1; echo "identity system:serviceaccount:default:$context" ;;
    *create*)
        cat >>"$LOG.reviews"
        case $context in poor) second=false ;; *) second=true ;; esac
        printf 'allowed true\nallowed %s\n' "$second" ;;
    *version*) printf '{"serverVersion": {\n "gitVersion": "v1.33.1"}}' ;;
esac
"""


def access(name: str) -> MemberAccess:
    """Return a member's access."""
    return MemberAccess(
        name=name, server=f"https://{name}", ca=CA, token=Sensitive(account_token(name)), cluster_uid="uid"
    )


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks: Leaks) -> Path:
    """What a fake kubectl was called with; it keeps a copy of the kubeconfig beside it."""
    install_tool(tmp_path / "bin", "kubectl", KUBECTL)
    install_tool(tmp_path / "bin", "openssl", OPENSSL)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    leaks.may_hold(tmp_path / "log.kubeconfig")
    return tmp_path / "log"


def told(name: str, *, has_rights: bool) -> Proof:
    """Return what the fake tells of a context."""
    account = f"system:serviceaccount:default:{name}"
    return Proof(
        cluster_uid=f"uid-of-{name}", has_rights=has_rights, identity=account, version="v1.33.1",
        expires="Nov 24 12:00:00 2027 GMT", problem="",
    )  # fmt: skip


def test_every_credential_is_tried_from_the_host(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """The real program: each by a context of its own, in a file that only its owner reads and that is gone after."""
    names = ["member1", "gone", "poor", "silent", "old"]
    proofs = prove(local, {one: access(one) for one in names}, kubeconfig=str(tmp_path / "config"))
    assert proofs == {
        "member1": told("member1", has_rights=True),
        "gone": Proof(cluster_uid="", has_rights=False, problem="Unable to connect to the server: no route"),
        "poor": told("poor", has_rights=False),
        "old": replace(told("old", has_rights=True), identity=""),
        "silent": Proof(cluster_uid="", has_rights=False, problem="no answer"),
    }
    calls = [line.split() for line in log.read_text().splitlines()]
    assert {line[0] for line in calls} == set(names)
    assert {line[1] for line in calls} == {"600"}
    assert all("--request-timeout=15s" in line for line in calls)
    assert not (tmp_path / ".fedssh-proof").exists()


def test_the_proof_asks_for_the_rights_that_join_grants(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """Everything on resources, and reading every other path; with the token, and the CA, of that credential alone."""
    prove(local, {"member1": access("member1")}, kubeconfig=str(tmp_path / "config"))
    reviews = [one["spec"] for one in json.loads((log.parent / "log.reviews").read_text())["items"]]
    assert reviews == [
        {"resourceAttributes": {"group": "*", "resource": "*", "verb": "*"}},
        {"nonResourceAttributes": {"path": "*", "verb": "get"}},
    ]
    used = yaml.safe_load((log.parent / "log.kubeconfig").read_text())
    assert used["users"][0]["user"]["token"] == account_token("member1")
    assert used["clusters"][0]["cluster"]["certificate-authority-data"] == CA
    assert "insecure-skip-tls-verify" not in used["clusters"][0]["cluster"]


def test_the_tokens_go_by_stdin(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """No command's line holds one."""
    prove(local, {"member1": access("member1")}, kubeconfig=str(tmp_path / "config"))
    assert log.exists()
    assert account_token("member1") not in "".join(one.line for one in local.ran)


@pytest.mark.usefixtures("log")
def test_a_leftover_is_no_way_in(local: LocalShell, tmp_path: Path, leaks: Leaks) -> None:
    """Neither a file that others read nor a link to elsewhere is written through."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("old")
    (tmp_path / ".fedssh-proof").symlink_to(elsewhere)
    assert prove(local, {"member1": access("member1")}, kubeconfig=str(tmp_path / "config"))["member1"].has_rights
    assert elsewhere.read_text() == "old"
    leaks.look_into(tmp_path)


@pytest.mark.usefixtures("log")
def test_without_its_file_nothing_is_proven(local: LocalShell, tmp_path: Path) -> None:
    """It says which, and why."""
    with pytest.raises(StepError, match=r"cannot write .*/gone/\.fedssh-proof: "):
        prove(local, {"member1": access("member1")}, kubeconfig=str(tmp_path / "gone" / "config"))


def test_nothing_to_prove_needs_no_connection(local: LocalShell) -> None:
    """No command is run."""
    assert prove(local, {}, kubeconfig="/config") == {}
    assert local.ran == []


@pytest.mark.parametrize(("number", "rounds"), [(0, []), (1, [1]), (8, [8]), (9, [8, 1]), (17, [8, 8, 1])])
def test_only_so_many_run_at_once(number: int, rounds: list[int]) -> None:
    """In order, and none twice."""
    commands = [command("echo", str(one)) for one in range(number)]
    found = in_rounds(commands)
    assert [len(one) for one in found] == rounds
    assert [one for stage in found for one in stage] == commands
    assert AT_ONCE == 8


@pytest.mark.parametrize(
    ("proof", "holds"),
    [
        (GOOD, True),
        (Proof(cluster_uid="other", has_rights=True, problem=""), False),
        (Proof(cluster_uid="uid", has_rights=False, problem=""), False),
        (Proof(cluster_uid="uid", has_rights=True, problem="x"), False),
    ],
)
def test_a_proof_holds_for_one_cluster(proof: Proof, holds: bool) -> None:
    """Reached, the right one, with all rights."""
    assert proof.holds_for("uid") is holds


@pytest.mark.parametrize(
    ("proof", "message", "hint"),
    [
        (
            Proof(cluster_uid="", has_rights=False, problem="x509"),
            "fedhost does not get through to https://member1: x509",
            "members.member1.api_server",
        ),
        (
            Proof(cluster_uid="other", has_rights=True, problem=""),
            "https://member1 is another cluster",
            "members.member1.api_server",
        ),
        (Proof(cluster_uid="uid", has_rights=False, problem=""), "does not have the rights", "ClusterRoleBinding"),
        (
            Proof(cluster_uid="uid", has_rights=True, identity="system:serviceaccount:default:x", problem=""),
            "is taken for system:serviceaccount:default:x, not for system:serviceaccount:default:member1",
            "",
        ),
    ],
)
def test_an_access_that_is_not_proven_is_refused(proof: Proof, message: str, hint: str) -> None:
    """With the reason, and with where to look."""
    check_access(GOOD, access("member1"), host="fedhost")
    with pytest.raises(RefusedError) as caught:
        check_access(proof, access("member1"), host="fedhost")
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_name_under_which_another_cluster_has_joined_is_refused() -> None:
    """One that is gone, or is the member itself, is not."""
    for proof in (None, GOOD, Proof(cluster_uid="", has_rights=False, problem="gone")):
        check_joined(proof, access("member1"), host="fedhost")
    with pytest.raises(RefusedError, match="another cluster has joined fedhost under this name"):
        check_joined(Proof(cluster_uid="other", has_rights=False, problem=""), access("member1"), host="fedhost")


def test_a_host_without_openssl_proves_all_the_same(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """It cannot tell until when a certificate is valid, and nothing else is missing."""
    install_tool(tmp_path / "bin", "openssl", "exit 127")
    (proof,) = prove(local, {"member1": access("member1")}, kubeconfig=str(tmp_path / "config")).values()
    assert log.exists()
    assert proof == replace(told("member1", has_rights=True), expires="")


def test_what_was_proven_is_told_by_check() -> None:
    """Each in a line, for -v; what is not known is left out."""
    lines = describe(told("member1", has_rights=True), access("member1"))
    assert lines[0] == "https://member1 resolves and answers from the host"
    assert lines[1] == "its certificate is verified, valid until Nov 24 12:00:00 2027 GMT"
    assert lines[2] == "it is Kubernetes v1.33.1, the cluster uid-of-member1"
    assert "system:serviceaccount:default:member1" in lines[3]
    assert describe(GOOD, replace(access("m"), server_name="x"))[1] == "its certificate is verified as x"
    assert describe(GOOD, replace(access("m"), insecure=True))[1] == "its certificate is not verified"
