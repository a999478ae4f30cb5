from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines.kubefed import clusters as kubefed
from fedssh.engines.kubefed.clusters import (
    JoinedCluster,
    credentials,
    label_command,
    list_commands,
    parse_list,
    reconnect_command,
    wait_command,
)
from fedssh.errors import StepError
from fedssh.kubernetes.account import MemberAccess
from fedssh.kubernetes.kubectl import Target
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import NO_SUCH_API
from tests.fakes.kubernetes import CA, argv_of, base64_of, token_of
from tests.fakes.shells import LocalShell, install_tool, make_clock, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

ACCESS = MemberAccess(name="member1", server="https://m1:6443", ca=CA, token=Sensitive(""), cluster_uid="uid")
HOST = Target(kubeconfig="/root/.kube/config", context="fedhost")
TOKEN = token_of("system:serviceaccount:kube-federation-system:member1-fedhost")


def cluster(**status: Any) -> dict[str, Any]:
    """Return a KubeFedCluster."""
    return {
        "metadata": {"name": "member1", "labels": {"region": "eu"}},
        "spec": {"apiEndpoint": "https://m1:6443", "caBundle": CA, "secretRef": {"name": "member1.fedssh"}},
        **status,
    }


def parse(*items: object, secrets: object = None) -> dict[str, JoinedCluster]:
    """Read a federation."""
    secrets = secrets or [{"metadata": {"name": "member1.fedssh"}, "data": {"token": base64_of(TOKEN)}}]
    answers = [result(json.dumps({"items": items})), result(json.dumps({"kind": "List", "items": secrets}))]
    return parse_list(answers, machine="fedhost")


def condition(kind: str, status: str, **more: str) -> dict[str, Any]:
    """Return a status of one condition."""
    return {"conditions": [{"type": kind, "status": status, **more}]}


def test_a_joined_cluster_is_read_with_its_credential() -> None:
    """KubeFed's own token, from the Secret that the cluster names."""
    found = parse(cluster(status=condition("Ready", "True", message="/healthz responded with ok")))["member1"]
    assert (found.api_server, found.ca, found.labels) == ("https://m1:6443", CA, {"region": "eu"})
    assert (found.ready, found.message) == (True, "")
    own = found.credential(ACCESS)
    assert own
    assert (own.server, own.token.reveal(), own.cluster_uid) == ("https://m1:6443", TOKEN, "uid")


@pytest.mark.parametrize(
    ("status", "ready", "message"),
    [
        ({}, None, ""),
        ({"conditions": []}, None, ""),
        ({"conditions": None}, None, ""),
        (None, None, ""),
        (condition("Ready", "False", message="not healthy"), False, "not healthy"),
        (condition("Ready", "Unknown", reason="ClusterNotReady"), False, "ClusterNotReady"),
        (condition("Offline", "True", message="cluster is not there"), False, "cluster is not there"),
        (condition("Offline", "False", message="cluster is reachable"), None, ""),
        (condition("ConfigMalformed", "True", message="\x1b[31mbad"), False, "\\x1b[31mbad"),
        (
            {
                "conditions": [
                    {"type": "Ready", "status": "False", "message": "no"},
                    {"type": "Offline", "status": "True", "message": "gone"},
                ]
            },
            False,
            "gone; no",
        ),
        (
            {"conditions": [{"type": "Offline", "status": "False"}, {"type": "Ready", "status": "True"}]},
            True,
            "",
        ),
    ],
)
def test_ready_is_told_from_unknown(status: Any, ready: bool | None, message: str) -> None:
    """A cluster that was never reached has no Ready condition: the others say why."""
    found = parse(cluster(status=status))["member1"]
    assert (found.ready, found.message) == (ready, message)


@pytest.mark.parametrize(
    "secrets",
    [
        [{"metadata": {"name": "other"}, "data": {"token": base64_of(TOKEN)}}],
        [{"metadata": {"name": "member1.fedssh"}}],
        [{"metadata": {"name": "member1.fedssh"}, "data": None}],
        [{"metadata": {"name": "member1.fedssh"}, "data": {"token": "%"}}],
        [{"metadata": {"name": "member1.fedssh"}, "data": {"token": 5}}],
        [{"metadata": {"name": "member1.fedssh"}, "data": {"token": base64_of("\u00e9")}}],
    ],
)
def test_a_cluster_without_its_secret_has_no_credential(secrets: list[dict[str, Any]]) -> None:
    """Its token is missing, or is none."""
    found = parse(cluster(), secrets=secrets)
    assert found["member1"].token is None
    assert credentials(found, {"member1": ACCESS}) == {}


def test_a_cluster_with_nothing_in_it_is_still_listed() -> None:
    """Somebody else's half-made one, for instance."""
    for bare in ({"metadata": {"name": "x"}}, {"metadata": {"name": "x", "labels": None}, "spec": None}):
        assert parse(bare)["x"].api_server == ""


def test_credentials_are_those_of_the_clusters_asked_for() -> None:
    """By name; a cluster that has not joined has none."""
    found = parse(cluster())
    assert list(credentials(found, {"member1": ACCESS, "member2": ACCESS})) == ["member1"]


def test_without_kubefed_nothing_has_joined() -> None:
    """Which is told from a kubectl that fails."""
    answers = [result(code=1, stderr=NO_SUCH_API), result(code=0)]
    assert parse_list(answers, machine="fedhost") == {}
    with pytest.raises(StepError, match="refused"):
        parse_list([result(code=1, stderr="connection refused"), result()], machine="fedhost")
    with pytest.raises(StepError, match="Forbidden"):
        parse_list([result('{"items": []}'), result(code=1, stderr="(Forbidden)")], machine="fedhost")


def test_the_list_leaves_tokens_of_accounts_where_they_are() -> None:
    """Only Opaque Secrets: those that join makes."""
    _, secrets = list_commands(target=HOST)
    assert {"--field-selector=type=Opaque", "--namespace=kube-federation-system"} <= set(argv_of(secrets))


def test_labels_are_overwritten() -> None:
    """Those named, on the KubeFedCluster."""
    argv = argv_of(label_command("member1", {"region": "eu", "a.b/c": ""}, target=HOST))
    assert argv[4:] == [
        *("label", "--overwrite", "--namespace=kube-federation-system"),
        *("kubefedclusters/member1", "region=eu", "a.b/c="),
    ]


T0, T1, T2 = (f"2026-11-23T10:00:0{second}Z" for second in range(3))


@pytest.mark.parametrize(
    ("table", "since", "ready"),
    [
        (f"m1 True {T1}", {"m1": T1}, True),
        (f"m1 True {T2}", {"m1": T1}, True),
        (f"m1 True {T0}", {"m1": T1}, False),
        (f"m1 False {T2}", {"m1": T1}, False),
        ("m1", {"m1": T1}, False),
        ("m1", {"m1": ""}, False),
        (f"m1 True {T0}", {"m1": ""}, True),
        (f"m10 True {T2}", {"m1": T1}, False),
        (f"m10 False {T2}\nm1 True {T2}", {"m1": T1}, True),
        (f"m1 True {T2}\nm2 True {T0}", {"m1": T1, "m2": T1}, False),
        (f"m1 True {T2}\nm2 True {T2}\nm3 False {T2}", {"m1": T1, "m2": ""}, True),
        ("", {"m1": T1}, False),
    ],
)
def test_ready_counts_after_the_join_only(
    *,
    local: LocalShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    since: dict[str, str],
    ready: bool,
) -> None:
    """The real script, over what kubectl prints: every cluster must be Ready by a later probe."""
    (tmp_path / "table").write_text(table + "\n")
    install_tool(tmp_path / "bin", "kubectl", f"cat {shlex.quote(str(tmp_path / 'table'))}")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setattr(kubefed, "READY_SECONDS", 0)
    (done,) = local.run(wait_command(since, target=HOST))
    assert (done.ok, done.stderr) == (ready, "")


def test_ready_is_waited_for(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until all are; kubectl failing in between is no reason to stop."""
    install_tool(
        tmp_path / "bin",
        "kubectl",
        f'[ -e {tmp_path}/a ] || {{ touch {tmp_path}/a; exit 1; }}; echo "m1 True {T1}"',
    )
    make_clock(tmp_path / "bin")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.setattr(kubefed, "READY_SECONDS", 5)
    assert local.run(wait_command({"m1": T1}, target=HOST))[0].ok


def test_a_known_cluster_is_connected_to_anew(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a change of its annotations, which bears the host's time; several in one call."""
    install_tool(tmp_path / "bin", "kubectl", 'echo "$*"')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (done,) = local.run(reconnect_command(["m1", "m2"], target=HOST))
    assert (
        "annotate --overwrite --namespace=kube-federation-system kubefedclusters/m1 kubefedclusters/m2" in done.stdout
    )
    assert re.search(r" fedssh/reconnected-at=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", done.stdout.strip())
