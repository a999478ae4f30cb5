from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from fedssh.errors import StepError
from fedssh.federation.facts import Proof
from fedssh.federation.look.proof import TEMPORARY_NAME, Trial, prove, reach
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.sensitive import Sensitive
from tests.fakes.kubernetes import CA, account_token
from tests.fakes.lines import run_line
from tests.fakes.shells import Answer, LocalShell, ScriptedShell, install_tool, path_with

if TYPE_CHECKING:
    from pathlib import Path

    from fedssh.shell import Command
    from tests.conftest import Leaks

# A kubectl that reads the kubeconfig it is given, and answers as the context's cluster would.
KUBECTL = r"""
for one; do
    case $one in
        --kubeconfig=*) file=${one#*=} ;;
        --context=*) context=${one#*=} ;;
    esac
done
printf '%s\n' "$context $(stat -c %a "$file") $*" >>"$LOG"
cat "$file" >"$LOG.kubeconfig"  # cp fails where two of them make the file at once
case $context in
    gone) echo "Unable to connect to the server: no route" >&2; exit 1 ;;
    silent) exit 1 ;;
esac
case "$*" in
    *"get namespace"*) echo "uid uid-of-$context" ;;
    *create*)
        asked=$(cat)
        printf '%s\n' "$asked" >"$LOG.reviews"
        case $context in poor) second=false ;; *) second=true ;; esac
        printf 'SelfSubjectAccessReview true\nSelfSubjectAccessReview %s\n' "$second"
        case $asked in *'"SelfSubjectReview"'*) ;; *) exit ;; esac
        [ "$context" != old ] || { echo 'no matches for kind "SelfSubjectReview"' >&2; exit 1; }
        echo "SelfSubjectReview system:serviceaccount:default:$context" ;;
    *version*) printf '{"serverVersion": {\n "gitVersion": "v1.33.1"}}' ;;
esac
"""


ALLOWED = "SelfSubjectAccessReview true\n"


def credential(name: str, *, token: str | None = None) -> Credential:
    """Return a member's credential."""
    endpoint = Endpoint(server=f"https://{name}", trust=Trust(word="ca", ca=CA))
    return Credential(endpoint=endpoint, token=Sensitive(account_token(name) if token is None else token))


def trial(name: str, *, known: bool = False, rights: bool = True, context: str = "") -> Trial:
    """Return how a member's credential is tried."""
    return Trial(
        credential=credential(name),
        cluster_uid=f"known-of-{name}" * known,
        asks_rights=rights,
        context=context,
    )


def leftovers(folder: Path) -> list[str]:
    """Return the temporary kubeconfigs in a folder."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(TEMPORARY_NAME))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks: Leaks) -> Path:
    """What a fake kubectl was called with; it keeps a copy of the kubeconfig beside it."""
    install_tool(tmp_path / "bin", "kubectl", KUBECTL)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    leaks.may_hold(tmp_path / "log.kubeconfig")
    return tmp_path / "log"


def told(name: str, *, has_rights: bool) -> Proof:
    """Return what the fake tells of a context."""
    account = f"system:serviceaccount:default:{name}"
    return Proof(
        cluster_uid=f"uid-of-{name}", has_rights=has_rights, identity=account,
        problem="",
    )  # fmt: skip


def test_every_credential_is_tried_from_the_host(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """The real program: each by a context of its own, in a file that only its owner reads and that is gone after."""
    names = ["member1", "gone", "poor", "silent", "old"]
    proofs = prove(local, {name: trial(name) for name in names}, kubeconfig=str(tmp_path / "config"))
    assert proofs == {
        "member1": told("member1", has_rights=True),
        "gone": Proof(problem="Unable to connect to the server: no route"),
        "poor": told("poor", has_rights=False),
        "old": replace(told("old", has_rights=True), identity=""),
        "silent": Proof(problem="no answer"),
    }
    calls = [line.split() for line in log.read_text().splitlines()]
    assert {line[0] for line in calls} == set(names)
    assert {line[1] for line in calls} == {"600"}
    assert all("--request-timeout=15s" in line for line in calls)
    assert leftovers(tmp_path) == []


def test_the_proof_asks_for_the_rights_that_join_grants(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """Everything on resources, and reading every other path; with the token, and the CA, of that credential alone."""
    prove(local, {"member1": trial("member1")}, kubeconfig=str(tmp_path / "config"))
    *reviews, last = json.loads((log.parent / "log.reviews").read_text())["items"]
    assert last["kind"] == "SelfSubjectReview"  # the one that an old cluster does not know
    assert [review["spec"] for review in reviews] == [
        {"resourceAttributes": {"group": "*", "resource": "*", "verb": "*"}},
        {"nonResourceAttributes": {"path": "*", "verb": "get"}},
    ]
    used = yaml.safe_load((log.parent / "log.kubeconfig").read_text())
    assert used["users"][0]["user"]["token"] == account_token("member1")
    assert used["clusters"][0]["cluster"]["certificate-authority-data"] == CA
    assert "insecure-skip-tls-verify" not in used["clusters"][0]["cluster"]


def test_the_tokens_go_by_stdin(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """No command's line holds one."""
    prove(local, {"member1": trial("member1")}, kubeconfig=str(tmp_path / "config"))
    assert log.exists()
    assert account_token("member1") not in "".join(ran.line for ran in local.ran)


def test_every_run_has_a_file_of_its_own(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """Neither a dry run beside a run nor what an earlier one has left is in the way, or written through."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("old")
    for name in ("", "-0011223344556677"):
        (tmp_path / f"{TEMPORARY_NAME}{name}").symlink_to(elsewhere)
    before = leftovers(tmp_path)
    for _ in range(2):
        assert prove(local, {"member1": trial("member1")}, kubeconfig=str(tmp_path / "config"))["member1"].has_rights
    assert elsewhere.read_text() == "old"
    assert leftovers(tmp_path) == before
    files = {word for line in log.read_text().splitlines() for word in line.split() if word.startswith("--kubeconfig=")}
    assert len(files) == 2


@pytest.mark.usefixtures("log")
def test_what_a_machine_that_died_has_left_is_removed_later(local: LocalShell, tmp_path: Path) -> None:
    """After an hour; what another run is working with stays."""
    for name, age in (("old", 7200), ("new", 60)):
        path = tmp_path / f"{TEMPORARY_NAME}-{name}"
        path.write_text("")
        os.utime(path, (time.time() - age, time.time() - age))
    prove(local, {"member1": trial("member1")}, kubeconfig=str(tmp_path / "config"))
    assert leftovers(tmp_path) == [f"{TEMPORARY_NAME}-new"]


@pytest.mark.usefixtures("log")
def test_without_its_file_nothing_is_proven(local: LocalShell, tmp_path: Path) -> None:
    """It says which, and why."""
    with pytest.raises(StepError, match=r"cannot write .*/gone/\.fedssh-proof-[0-9a-f]{16}: "):
        prove(local, {"member1": trial("member1")}, kubeconfig=str(tmp_path / "gone" / "config"))


def test_nothing_to_prove_needs_no_connection(local: LocalShell) -> None:
    """No command is run."""
    assert prove(local, {}, kubeconfig="/config") == {}
    assert local.ran == []


def test_who_takes_a_token_that_tells_its_cluster_is_not_asked_for_it(
    local: LocalShell, log: Path, tmp_path: Path
) -> None:
    """One call of kubectl shows its rights and that it is taken; one that is not taken says why."""
    trials = {name: trial(name, known=True) for name in ("member1", "poor", "gone")}
    proofs = prove(local, trials, kubeconfig=str(tmp_path / "config"))
    assert proofs == {
        "member1": replace(told("member1", has_rights=True), cluster_uid="known-of-member1"),
        "poor": replace(told("poor", has_rights=False), cluster_uid="known-of-poor"),
        "gone": Proof(problem="Unable to connect to the server: no route"),
    }
    asked = [line.split()[0] for line in log.read_text().splitlines()]
    assert sorted(asked) == ["gone", "member1", "poor"]


def test_others_are_only_asked_who_they_are(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """Their rights are nobody's business; one that does not answer says why."""
    trials = {name: trial(name, rights=False) for name in ("poor", "gone")}
    proofs = prove(local, {"member1": trial("member1"), **trials}, kubeconfig=str(tmp_path / "config"))
    assert proofs["member1"].has_rights
    assert proofs["poor"] == Proof(cluster_uid="uid-of-poor")
    assert proofs["gone"] == Proof(problem="Unable to connect to the server: no route")
    asked = [line for line in log.read_text().splitlines() if line.startswith("poor ")]
    assert len(asked) == 1
    assert "get namespace kube-system" in asked[0]


def test_what_is_written_already_is_tried_where_it_stands(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """By its context in the host's own kubeconfig; a temporary one is there for the others alone."""
    config = tmp_path / "config"
    config.write_text("the host's")
    trials = {"access.member1": trial("member1", context="member1"), "poor": trial("poor")}
    proofs = prove(local, trials, kubeconfig=str(config))
    assert [proof.has_rights for proof in proofs.values()] == [True, False]
    asked = {line.split()[0]: line for line in log.read_text().splitlines()}
    assert f"--kubeconfig={config} " in asked["member1"]
    assert f"--kubeconfig={tmp_path}/{TEMPORARY_NAME}-" in asked["poor"]
    prove(local, {"access.member1": trial("member1", context="member1")}, kubeconfig=str(config))
    assert "a temporary kubeconfig" not in "".join(ran.title for ran in local.ran[-1:])


def test_a_document_is_tried_before_it_is_written(local: LocalShell, log: Path, tmp_path: Path) -> None:
    """By its own contexts, in a file of its own that is gone after; what it does not hold stands in another."""
    document = Sensitive("what is going to be written")
    trials = {"member1": trial("member1", context="member1"), "poor": trial("poor")}
    prove(local, trials, kubeconfig=str(tmp_path / "config"), document=document)
    files = {line.split()[0]: line.split("--kubeconfig=")[1].split()[0] for line in log.read_text().splitlines()}
    assert len(set(files.values())) == 2
    assert all(file.startswith(f"{tmp_path}/{TEMPORARY_NAME}-") for file in files.values())
    assert leftovers(tmp_path) == []
    prove(
        local, {"member1": trial("member1", context="member1")}, kubeconfig=str(tmp_path / "config"), document=document
    )
    assert (log.parent / "log.kubeconfig").read_text() == document.reveal()


@pytest.mark.usefixtures("log")
def test_without_a_token_only_the_way_is_tried(local: LocalShell, tmp_path: Path) -> None:
    """An answer that wants a login is one; nothing is asked that needs rights."""
    install_tool(
        tmp_path / "bin",
        "kubectl",
        """
        case "$*" in
            *=closed\\ *) echo "Unable to connect to the server: no route" >&2 ;;
            *=login\\ *) echo "error: You must be logged in to the server (Unauthorized)" >&2 ;;
            *=forbidden\\ *) echo 'Error from server (Forbidden): forbidden: User "x" cannot' >&2 ;;
        esac
        exit 1
        """,
    )
    tried = {name: credential(name, token="") for name in ("closed", "login", "forbidden", "silent")}
    assert reach(local, tried, kubeconfig=str(tmp_path / "config")) == {
        "closed": "Unable to connect to the server: no route",
        "login": "",
        "forbidden": "",
        "silent": "no answer",
    }


@pytest.mark.parametrize(
    "printed",
    ["", "uid", "uid \n", ALLOWED * 2, "uid u\n" + ALLOWED, "\ufffd" * 1000, "uid u\n" * 9],
)
def test_an_answer_that_is_none_proves_nothing(printed: str) -> None:
    """Whatever stands there: the UID and both reviews must."""

    def answer(asked: Command) -> Answer:
        return run_line(asked, lambda call: Answer(printed) if call.key == ("proof", "ask") else Answer())

    proof = prove(ScriptedShell("fedhost", answer), {"member1": trial("member1")}, kubeconfig="/config")["member1"]
    assert not proof.has_rights
    assert proof.problem == "no answer"
