from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fedssh.engines.kubefed import clusters as kubefed
from fedssh.engines.kubefed.clusters import (
    after_join,
    correct_command,
    corrections,
    credential,
    label_command,
    list_commands,
    parse_labels,
    parse_list,
    parse_reconnect,
    reconnect_command,
    wait_command,
)
from fedssh.errors import StepError
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig.entries import render_credentials
from fedssh.kubernetes.kubectl import Target
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import NO_SUCH_API
from tests.fakes.kubernetes import CA, argv_of, base64_of, token_of
from tests.fakes.shells import LocalShell, install_tool, make_clock, path_with, result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fedssh.engines.protocol import JoinedCluster

ENDPOINT = Endpoint(server="https://m1:6443", trust=Trust(word="ca", ca=CA))
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
    assert (found.name, found.endpoint, found.labels) == ("member1", ENDPOINT, {"region": "eu"})
    assert (found.ready, found.message) == (True, "")
    own = credential(found, server_name="")
    assert own
    assert (own.endpoint, own.token.reveal()) == (ENDPOINT, TOKEN)


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
    assert credential(found["member1"], server_name="") is None


def test_a_cluster_with_nothing_in_it_is_still_listed() -> None:
    """Somebody else's half-made one, for instance."""
    for bare in ({"metadata": {"name": "x"}}, {"metadata": {"name": "x", "labels": None}, "spec": None}):
        assert parse(bare)["x"].endpoint == Endpoint(server="", trust=Trust(word="system"))


@pytest.mark.parametrize("nameless", [{"labels": {"a": "b"}}, {"name": 5}, {"name": ""}, {"name": "x\x1b"}])
def test_what_has_no_name_is_no_cluster_and_no_secret(nameless: dict[str, Any]) -> None:
    """Others beside it are read; its token is nobody's."""
    unnamed = {"metadata": {"name": "member2"}, "spec": {"apiEndpoint": "https://m2"}}
    secrets = [{"metadata": nameless, "data": {"token": base64_of(TOKEN)}}]
    found = parse({"metadata": nameless}, cluster(), unnamed, secrets=secrets)
    assert {name: joined.token for name, joined in found.items()} == {"member1": None, "member2": None}


@pytest.mark.parametrize("ca", [None, "", "\n", 5, ["x"], "no base64", "\ud800"])
def test_a_ca_that_is_none_does_not_spoil_the_others(ca: Any) -> None:
    """It would make the kubeconfig unreadable in which all are tried; the trust store verifies such a cluster."""
    damaged = cluster()
    damaged["spec"]["caBundle"] = ca
    assert parse(damaged)["member1"].endpoint.trust == Trust(word="system")


def test_a_ca_counts_however_it_is_wrapped() -> None:
    """As Go reads it."""
    wrapped = cluster()
    wrapped["spec"]["caBundle"] = "\n".join(re.findall(".{1,64}", CA)) + "\n"
    joined = parse(wrapped)["member1"]
    assert joined.endpoint.trust.word == "ca"
    assert corrections(joined, ENDPOINT) == {}


def test_a_federation_has_the_clusters_that_have_joined() -> None:
    """By name, each with a credential of its own; a cluster that has not joined has none."""
    other = {"metadata": {"name": "member2"}, "spec": {"secretRef": {"name": "member2.fedssh"}}}
    tokens = {"member1.fedssh": TOKEN, "member2.fedssh": TOKEN + "2", "member3.fedssh": TOKEN}
    secrets = [{"metadata": {"name": name}, "data": {"token": base64_of(token)}} for name, token in tokens.items()]
    found = parse(cluster(), other, secrets=secrets)
    own = {name: credential(joined, server_name="") for name, joined in found.items()}
    assert {name: lead and lead.token.reveal() for name, lead in own.items()} == {
        "member1": TOKEN,
        "member2": TOKEN + "2",
    }


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
    argv = argv_of(label_command(["member1", "member2"], {"region": "eu", "a.b/c": ""}, target=HOST))
    assert argv[4:] == [
        *("label", "--overwrite", "--namespace=kube-federation-system"),
        *("kubefedclusters/member1", "kubefedclusters/member2", "region=eu", "a.b/c="),
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


def test_a_spec_is_corrected_by_a_merge(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The patch names what is wrong and nothing else; the host's time is printed when it is done, and only then."""
    install_tool(tmp_path / "bin", "kubectl", f'echo "$*" >>{tmp_path}/log; exit $(cat {tmp_path}/code)')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    command = correct_command("m1", {"disabledTLSValidations": None}, target=HOST)
    (tmp_path / "code").write_text("0")
    (done,) = local.run(command)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", done.stdout)
    words = 'patch kubefedclusters/m1 --namespace=kube-federation-system --type=merge --patch={"spec": '
    assert (tmp_path / "log").read_text().endswith(words + '{"disabledTLSValidations": null}}\n')
    (tmp_path / "code").write_text("3")
    (done,) = local.run(command)
    assert (done.code, done.stdout) == (3, "")


ANNOTATED = "kubefedcluster.core.kubefed.io/{} annotated\n"
LABELED = "kubefedcluster.core.kubefed.io/{} {}\n"


@pytest.mark.parametrize(
    ("stdout", "code", "failed"),
    [
        (ANNOTATED.format("m1") + ANNOTATED.format("m2"), 0, []),
        (ANNOTATED.format("m1"), 1, ["m2"]),
        (ANNOTATED.format("m2"), 1, ["m1"]),
        (ANNOTATED.format("m10"), 1, ["m1", "m2"]),
        (ANNOTATED.format("m1").replace("annotated", "unchanged"), 1, ["m1", "m2"]),
        ("", 1, ["m1", "m2"]),
        ("", 0, []),
    ],
)
def test_whom_kubefed_was_not_made_to_connect_to_is_told(stdout: str, code: int, failed: list[str]) -> None:
    """When one fails, kubectl goes on to the next: those that it names are done."""
    stderr = 'Error from server (Forbidden): kubefedclusters "m2" is forbidden'
    errors = parse_reconnect(result(stdout, code=code, stderr=stderr), ["m1", "m2"], machine="fedhost")
    assert list(errors) == failed
    for error in errors.values():
        assert (error.machine, error.step) == ("fedhost", "connect anew")
        assert "is forbidden" in error.message


@pytest.mark.parametrize(
    ("stdout", "code", "failed"),
    [
        (LABELED.format("m1", "labeled") + LABELED.format("m2", "not labeled"), 0, []),
        (LABELED.format("m1", "labeled"), 1, ["m2"]),
        (LABELED.format("m1", "not labeled"), 1, ["m2"]),
        (LABELED.format("m1", "unchanged"), 1, ["m1", "m2"]),
        ("", 1, ["m1", "m2"]),
    ],
)
def test_which_clusters_got_no_labels_is_told(stdout: str, code: int, failed: list[str]) -> None:
    """A cluster that had the labels before is done, too: kubectl says "not labeled" of it."""
    stderr = 'Error from server (Forbidden): kubefedclusters "m2" is forbidden'
    errors = parse_labels(result(stdout, code=code, stderr=stderr), ["m1", "m2"])
    assert list(errors) == failed
    for name, error in errors.items():
        assert (error.machine, error.step) == (name, "label")
        assert "is forbidden" in error.message


OTHER_CA = base64_of("-----BEGIN CERTIFICATE-----\nother\n-----END CERTIFICATE-----\n")
TRUSTS = [
    Trust(word="ca", ca=CA),
    Trust(word="ca", ca=CA, server_name="kubernetes"),
    Trust(word="pin", ca=OTHER_CA),
    Trust(word="pin", ca=OTHER_CA, server_name="kubernetes"),
    Trust(word="system", ca=OTHER_CA),
    Trust(word="system", ca=OTHER_CA, server_name="kubernetes"),
    Trust(word="insecure"),
]


def kubefedctl_writes(name: str, endpoint: Endpoint, *, accounts_ca: str) -> dict[str, Any]:
    """Return the KubeFedCluster that a join by that endpoint's context makes (pkg/kubefedctl/join.go, v0.10.0).

    The server and the CA are the context's; where that has no CA, it is the one of the account on the member. Nothing
    is verified where the context verifies nothing. There is no field for the name.
    """
    own = Credential(endpoint=endpoint, token=Sensitive(TOKEN))
    (written,) = yaml.safe_load(render_credentials({name: own}))["clusters"]
    stanza = written["cluster"]
    spec = {
        "apiEndpoint": stanza["server"],
        "caBundle": stanza.get("certificate-authority-data") or accounts_ca,
        "secretRef": {"name": f"{name}.fedssh"},
    }
    if stanza.get("insecure-skip-tls-verify"):
        spec["disabledTLSValidations"] = ["*"]
    return {"metadata": {"name": name, "labels": {"region": "eu"}}, "spec": spec}


def corrected(item: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a KubeFedCluster after a merge patch of its spec."""
    merged = {**item["spec"], **patch}
    return {**item, "spec": {key: value for key, value in merged.items() if value is not None}}


@pytest.mark.parametrize("trust", TRUSTS, ids=lambda trust: f"{trust.word} {trust.server_name}".strip())
def test_what_a_join_is_going_to_write_is_known_before(trust: Trust) -> None:
    """The plan's corrections, made before the join, are those that are needed after it, and need no second time."""
    endpoint = Endpoint(server="https://m1:6443/api", trust=trust)
    written = kubefedctl_writes("member1", endpoint, accounts_ca=CA)
    joined, expected = parse(written)["member1"], after_join("member1", endpoint, None)
    assert joined.endpoint.server == expected.endpoint.server == endpoint.server
    assert joined.endpoint.trust.is_insecure == trust.is_insecure
    patch = corrections(expected, endpoint)
    assert patch == corrections(joined, endpoint)
    assert set(patch) == ({"disabledTLSValidations"} if trust.server_name else set())
    settled = parse(corrected(written, patch))["member1"]
    assert corrections(settled, endpoint) == {}
    assert settled.spec.get("disabledTLSValidations") == (
        ["*"] if trust.is_insecure else ["SubjectName"] if trust.server_name else None
    )


@pytest.mark.parametrize("before", TRUSTS, ids=lambda trust: f"{trust.word} {trust.server_name}".strip())
@pytest.mark.parametrize("after", TRUSTS, ids=lambda trust: f"{trust.word} {trust.server_name}".strip())
def test_a_description_is_corrected_from_any_trust_to_any_other(before: Trust, after: Trust) -> None:
    """At once; what nobody verified is verified again, and the other way round."""
    old, new = Endpoint(server="https://old", trust=before), Endpoint(server="https://new", trust=after)
    item = kubefedctl_writes("member1", old, accounts_ca=CA)
    item = corrected(item, corrections(parse(item)["member1"], old))
    patch = corrections(parse(item)["member1"], new)
    assert patch["apiEndpoint"] == "https://new"
    settled = parse(corrected(item, patch))["member1"]
    assert corrections(settled, new) == {}
    assert settled.endpoint.trust.is_insecure == after.is_insecure
    assert settled.spec.get("disabledTLSValidations") != []  # gone where all is verified
    assert after.is_insecure or settled.endpoint.trust.ca == after.ca


def test_labels_outlive_a_join() -> None:
    """It replaces the spec alone."""
    joined = parse(cluster())["member1"]
    assert after_join("member1", ENDPOINT, joined).labels == {"region": "eu"}
    assert after_join("member1", ENDPOINT, None).labels == {}


@pytest.mark.parametrize(
    ("disabled", "trust"),
    [
        (["SubjectName"], Trust(word="ca", ca=CA, server_name="kubernetes")),
        (["*"], Trust(word="insecure")),
        (["*", "SubjectName"], Trust(word="insecure")),
        ([], Trust(word="ca", ca=CA)),
        (None, Trust(word="ca", ca=CA)),
        ("*", Trust(word="ca", ca=CA)),
    ],
)
def test_kubefeds_credential_is_proven_as_kubefed_verifies(disabled: Any, trust: Trust) -> None:
    """The host's kubectl cannot leave out the name alone, and checks the one that hosts.yaml names."""
    described = cluster()
    described["spec"]["disabledTLSValidations"] = disabled
    own = credential(parse(described)["member1"], server_name="kubernetes")
    assert own
    assert own.endpoint == Endpoint(server="https://m1:6443", trust=trust)
