from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed.leaving import (
    NOTED,
    USUAL_TYPES,
    account_base,
    account_of,
    empty_namespace_command,
    expected_traces,
    forget_command,
    let_go_command,
    member_trace_commands,
    note_command,
    parse_host_traces,
    parse_member_traces,
    secrets_of,
    withdraw_command,
)
from fedssh.engines.protocol import NOT_EMPTY, JoinedCluster, MemberTraces
from fedssh.errors import StepError
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.kubectl import Target
from fedssh.kubernetes.objects import ObjectName, core, rbac
from fedssh.sensitive import Sensitive
from tests.fakes.api import base64_of, token_of
from tests.fakes.lines import argv_of, stdin_of
from tests.fakes.shells import install_tool, path_with, result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fedssh.shell import Result
    from tests.fakes.shells import LocalShell

HOST = Target(kubeconfig="/k", context="fedhost")
ACCOUNT = "kube-federation-system/member1-fedhost"
TOKEN = token_of("system:serviceaccount:kube-federation-system:member1-fedhost")
ROLE = "kubefed-controller-manager:member1-fedhost"
WEB = ObjectName(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def cluster(token: str = TOKEN, **spec: Any) -> JoinedCluster:
    """Return a KubeFedCluster."""
    endpoint = Endpoint(server="https://member1:6443", trust=Trust(word="insecure"))
    return JoinedCluster(name="member1", endpoint=endpoint, token=Sensitive(token) if token else None, spec=spec)


def secrets(**tokens: str) -> Result:
    """Return the Secrets of the host as kubectl lists them."""
    items = [{"metadata": {"name": name}, "data": {"token": base64_of(token)}} for name, token in tokens.items()]
    return result(json.dumps({"items": [*items, {"metadata": {"name": "other"}, "data": {"key": "eA=="}}]}))


def test_the_account_is_its_tokens() -> None:
    """Whoever has joined it, by whatever name for the host; without a token it is the one that fedssh's join makes."""
    by_hand = token_of("system:serviceaccount:kube-federation-system:member1-admin")
    assert account_of(cluster(by_hand), host="fedhost") == "kube-federation-system/member1-admin"
    assert account_of(cluster(), host="fedhost") == ACCOUNT
    for token in ("", "a.b.c", token_of("system:node:x"), token_of(7)):
        assert account_of(cluster(token), host="fedhost") == ACCOUNT


def test_an_account_that_has_taken_anothers_place_is_of_the_same_join() -> None:
    """As after a rotation."""
    assert account_base(f"{ACCOUNT}-fedssh") == account_base(ACCOUNT) == ACCOUNT


def test_secrets_are_known_by_their_names_and_their_tokens() -> None:
    """The one in use, fedssh's own, and those that other joins of the same account have left."""
    assert secrets_of("member1", cluster(secretRef={"name": "member1-x7k2p"})) == {"member1.fedssh", "member1-x7k2p"}
    assert secrets_of("member1", None) == {"member1.fedssh"}
    types = result("deployments\tapps\nconfigmaps\t\nx;id\t\n")
    traces = parse_host_traces([secrets(**{"member1-abcde": TOKEN, "odd": "x"}), types], machine="fedhost")
    assert traces.secrets == {"member1-abcde": ACCOUNT, "odd": ""}
    assert traces.types == ("deployments.apps", "configmaps")


def test_a_host_without_kubefed_has_the_usual_types() -> None:
    """So that what was put on members is found there all the same; another failure is one."""
    gone = result(code=1, stderr='error: the server doesn\'t have a resource type "federatedtypeconfigs"')
    assert parse_host_traces([secrets(), gone], machine="fedhost").types == USUAL_TYPES
    for answers in ([secrets(), result(code=1, stderr="refused")], [result(code=1, stderr="refused"), gone]):
        with pytest.raises(StepError):
            parse_host_traces(answers, machine="fedhost")


def answers(access: str = "", held: str = "", contents: str = "", workloads: str = "") -> list[Result]:
    """Return what a member answers."""
    return [result(text) for text in (access, held, contents, workloads)]


def test_what_a_join_has_made_is_found_rights_first() -> None:
    """By its names and by its subjects; what belongs to another federation stays, and keeps the namespace."""
    access = (
        f"ClusterRole\t\t{ROLE}\nClusterRoleBinding\t\t{ROLE}\tkube-federation-system/member1-fedhost\n"
        "ClusterRoleBinding\t\tkubefed-controller-manager:other\tkube-federation-system/member1-fedhost-fedssh\n"
        "ClusterRoleBinding\t\tkubefed-controller-manager:member1-elsewhere\tkube-federation-system/member1-elsewhere\n"
        "RoleBinding\tkube-system\tmine\tkube-federation-system/member1-fedhost\n"
        f"RoleBinding\tkube-federation-system\t{ROLE}\tkube-federation-system/member1-fedhost\nClusterRole\n"
    )
    held = (
        "ServiceAccount\tdefault\t\nServiceAccount\tmember1-fedhost\t\nServiceAccount\tmember1-fedhost-fedssh\t\n"
        "Secret\tmember1-fedhost\tmember1-fedhost\nServiceAccount\tmember1-elsewhere\t\nSecret\tx\tmember1-elsewhere\n"
    )
    contents = "there\nServiceAccount/member1-fedhost\nServiceAccount/member1-elsewhere\nConfigMap/notes\n"
    workloads = "apps/v1\tDeployment\tshop\tweb\n"
    traces = parse_member_traces(answers(access, held, contents, workloads), [ACCOUNT], machine="member1")
    where = "kube-federation-system"
    assert traces.access == (
        rbac("ClusterRoleBinding", ROLE),
        rbac("ClusterRoleBinding", "kubefed-controller-manager:other"),
        rbac("RoleBinding", ROLE, where),
        rbac("ClusterRole", ROLE),
        core("ServiceAccount", "member1-fedhost", where),
        core("ServiceAccount", "member1-fedhost-fedssh", where),
        core("Secret", "member1-fedhost", where),
    )
    assert traces.namespace == core("Namespace", where)
    assert traces.others == ("ServiceAccount/member1-elsewhere", "ConfigMap/notes")
    assert traces.workloads == (WEB,)


def test_where_nothing_was_joined_nothing_is_found() -> None:
    """No namespace, no access, no workloads."""
    traces = parse_member_traces(answers(), [ACCOUNT], machine="member1")
    assert traces == MemberTraces()


@pytest.mark.parametrize("part", range(4))
def test_what_cannot_be_looked_at_is_no_empty_cluster(part: int) -> None:
    """A question that failed is an error: what was not seen would stay there for ever."""
    said = answers()
    said[part] = result(code=1, stderr="Unable to connect to the server: EOF")
    with pytest.raises(StepError, match="EOF"):
        parse_member_traces(said, [ACCOUNT], machine="member1")


def test_what_must_be_expected_is_what_a_join_makes() -> None:
    """On a cluster that nobody can look at."""
    traces = expected_traces(ACCOUNT)
    assert [str(one) for one in traces.access] == [
        f"clusterrolebinding/{ROLE}",
        f"clusterrole/{ROLE}",
        "serviceaccount/member1-fedhost in kube-federation-system",
    ]


def test_commands_name_what_they_remove() -> None:
    """And nothing that they would remove besides."""
    assert argv_of(forget_command(["a", "b"], target=HOST))[4:] == [
        "delete", "secret/a", "secret/b", "--namespace=kube-federation-system", "--ignore-not-found",
    ]  # fmt: skip
    command = let_go_command([WEB], target=HOST)
    assert argv_of(command)[-3:] == ["label", "--filename=-", "kubefed.io/managed-"]
    (item,) = json.loads(stdin_of(command))["items"]
    assert item["metadata"] == {"name": "web", "namespace": "shop", "labels": {"kubefed.io/managed": "true"}}


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a kubectl on PATH; it finds its words behind kubeconfig and context, and keeps a log of them."""

    def install(text: str) -> Path:
        log = tmp_path / "log"
        install_tool(tmp_path / "bin", "kubectl", f'shift 2; printf "%s\\n" "$*" >>{log}\n{text}')
        monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
        return log

    return install


def test_only_types_that_the_cluster_has_are_asked_for(local: LocalShell, kubectl: Callable[[str], Path]) -> None:
    """For an unknown one, kubectl would print nothing at all."""
    log = kubectl(
        'case $* in *api-resources*) printf "pods\\ndeployments.apps\\nconfigmaps\\n" ;; *) echo found ;; esac'
    )
    command = member_trace_commands(["deployments.apps", "ships.armada", "configmaps"], target=HOST)[-1]
    assert local.run(command)[0].stdout == "found\n"
    assert "get deployments.apps,configmaps -A -l kubefed.io/managed=true" in log.read_text()
    kubectl("exit 1")
    assert not local.run(command)[0].ok


def test_a_federation_without_its_types_has_no_clusters_to_be_taken_out(
    local: LocalShell, kubectl: Callable[[str], Path]
) -> None:
    """That is no failure; any other is."""
    kubectl('echo "error: the server doesn\'t have a resource type kubefedclusters" >&2; exit 1')
    assert local.run(withdraw_command(["member1"], target=HOST))[0].ok
    kubectl("echo refused >&2; exit 3")
    (failed,) = local.run(withdraw_command(["member1"], target=HOST))
    assert (failed.code, failed.stderr) == (3, "refused\n")


NAMESPACE = """
case $* in
    *"api-resources"*) printf 'pods\\nconfigmaps\\nevents\\n' ;;
    *"get namespace"*) [ -n "$GONE" ] || echo namespace/shop ;;
    *"get pods,configmaps"*) printf '%b' "$CONTENTS" ;;
esac
"""
USUAL = (
    "ServiceAccount/default\\t\\t\\nConfigMap/kube-root-ca.crt\\t\\t\\n"
    "Secret/default-token-x\\t\\tkubernetes.io/service-account-token\\n"
    "Pod/web-1\\tuid-of-its-owner\\t\\nDeployment/web\\t2026-11-29T00:00:00Z\\t\\n"
)


@pytest.mark.parametrize(
    ("contents", "gone", "code", "held"),
    [
        (USUAL, "", 0, ""),
        ("", "", 0, ""),
        ("", "yes", 0, ""),
        (USUAL + "ConfigMap/orders\\t\\t\\n", "", NOT_EMPTY, "ConfigMap/orders\n"),
    ],
)
def test_a_namespace_goes_only_when_nothing_of_anybodys_is_in_it(
    contents: str,
    gone: str,
    code: int,
    held: str,
    local: LocalShell,
    kubectl: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What every namespace has, what is owned, and what is going already does not count."""
    log = kubectl(NAMESPACE)
    monkeypatch.setenv("CONTENTS", contents)
    monkeypatch.setenv("GONE", gone)
    (done,) = local.run(empty_namespace_command("shop", target=HOST, wait_seconds=0))
    assert (done.code, done.stdout) == (code, held)
    is_deleted = "delete namespace shop" in log.read_text()
    assert is_deleted == (code == 0 and not gone)


def test_the_namespaces_contents_are_told_only_where_it_is_there(
    local: LocalShell, kubectl: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First that it is there, then what it holds."""
    kubectl(NAMESPACE)
    monkeypatch.setenv("CONTENTS", "ConfigMap/notes\\t\\t\\n")
    monkeypatch.setenv("GONE", "")
    command = member_trace_commands([], target=HOST)[2]
    assert local.run(command)[0].stdout == "there\nConfigMap/notes\n"
    monkeypatch.setenv("GONE", "yes")
    (done,) = local.run(command)
    assert (done.ok, done.stdout) == (True, "")


@pytest.mark.parametrize("broken", ["api-resources", "get pods,configmaps"])
def test_a_namespace_whose_contents_are_not_known_stays(
    broken: str, local: LocalShell, kubectl: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubectl that fails has not said that nothing is in it."""
    log = kubectl(f'case $* in *"{broken}"*) exit 1 ;; esac\n{NAMESPACE}')
    monkeypatch.setenv("CONTENTS", USUAL)
    monkeypatch.setenv("GONE", "")
    (done,) = local.run(empty_namespace_command("shop", target=HOST, wait_seconds=0))
    assert done.code not in {0, NOT_EMPTY}
    assert not local.run(member_trace_commands([], target=HOST)[2])[0].ok
    assert "delete" not in log.read_text()


def noted(one: JoinedCluster, **changed: Any) -> Result:
    """Return the host's Secrets after ``note_command``, with the token, but for what is changed."""
    (note,) = json.loads(stdin_of(note_command([one], target=HOST)))["items"]
    assert list(note) == ["apiVersion", "kind", "metadata"]  # what is in it stays
    secret = {**note, "data": {"token": base64_of(TOKEN)}, **changed}
    return result(json.dumps({"items": [secret]}))


def test_how_a_cluster_is_reached_is_noted_before_it_is_taken_out() -> None:
    """At its Secret, which holds the token; the next run has both again, and nothing else of the description."""
    spec: dict[str, Any] = {"apiEndpoint": "https://member1:6443", "caBundle": "QQ==", "secretRef": {"name": "by-hand"}}
    one = cluster(**spec, proxyURL="x")
    (found,) = parse_host_traces([noted(one), result("")], machine="fedhost").withdrawn.values()
    assert (found.name, found.endpoint.server, found.spec) == ("member1", "https://member1:6443", spec)
    assert found.endpoint.trust == Trust(word="ca", ca="QQ==")
    assert found.token
    assert found.token.reveal() == TOKEN
    assert TOKEN not in stdin_of(note_command([one], target=HOST))


@pytest.mark.parametrize(
    "note", ["", "{", "[]", "5", '{"metadata": 5}', '{"metadata": {"name": 5}, "spec": {}}', "[" * 100_000, None, 5]
)
def test_a_note_that_is_none_is_nobodys(note: object) -> None:
    """Whatever others have written there."""
    one = cluster(secretRef={"name": "by-hand"})
    metadata = {"name": "by-hand", "annotations": {NOTED: note}}
    assert parse_host_traces([noted(one, metadata=metadata), result("")], machine="fedhost").withdrawn == {}


def test_without_the_token_a_note_is_of_no_use() -> None:
    """It opens nothing."""
    one = cluster(secretRef={"name": "by-hand"})
    assert parse_host_traces([noted(one, data={}), result("")], machine="fedhost").withdrawn == {}
