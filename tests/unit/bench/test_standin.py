"""The bench's stand-ins: what they say to the requests that fedssh and its peers make."""

from __future__ import annotations

import json

import pytest

from bench.standin import jsonpath
from bench.standin.calls import Call, parse_call, render_answer
from bench.standin.cluster import CA, token_of
from bench.standin.federation import HOST, Federation

LIST = {
    "items": [
        {
            "metadata": {"name": "a", "labels": {"x/y.z": "1"}},
            "status": {"conditions": [{"type": "Ready", "status": True}]},
        },
        {"metadata": {"name": "b"}},
    ]
}


@pytest.fixture
def federation() -> Federation:
    """A host and two members."""
    return Federation({HOST: "10.0.0.9", "member1": "10.0.0.1", "member2": "10.0.0.2"})


def on(federation: Federation, address: str, *argv: str, tool: str = "kubectl", stdin: str = "") -> str:
    """Return what a tool prints on the machine with that address; it must succeed."""
    answer = federation.answer(Call(tool, address, argv, stdin))
    assert answer.code == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{.items[0].metadata.name}", "a"),
        ("{.items[*].metadata.name}", "a b"),
        (
            '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}!',
            "a=true\nb=\n!",
        ),
        ('{range .items[*]}{.metadata.name}{range .status.conditions[*]}{" "}{.type}{end}{";"}{end}', "a Ready;b;"),
        ("{.items[0].metadata.labels.x/y\\.z}{.items[0].metadata.labels['x/y.z']}", "11"),
        ("uid {.nothing.there}", "uid "),
        ("{.items[1].metadata}", '{"name":"b"}'),
        ("{@.items[?(@.status)].metadata.name}", "a"),
    ],
)
def test_jsonpath(template: str, said: str) -> None:
    """As kubectl prints it."""
    assert jsonpath.render(template, LIST) == said


def test_a_call_is_taken_apart_as_kubectl_does() -> None:
    """Flags with their values in either way, short ones by their long names; what is read is kept as it is."""
    sent = b"kubectl\0" + b"10.0.0.1\0" + b"6\0" + b"get\0-n\0x\0--context=y\0secret\0--watch\0" + b"a\0b"
    call = parse_call(sent)
    assert (call.tool, call.address, call.stdin) == ("kubectl", "10.0.0.1", "a\0b")
    assert (call.verb, call.names) == ("get", ["secret"])
    assert call.flags == {"--namespace": "x", "--context": "y", "--watch": ""}


def test_an_answer_is_rendered_for_the_tool(federation: Federation) -> None:
    """Its head, then stdout and stderr."""
    failed = federation.answer(Call("kubectl", "10.0.0.1", ("get", "secret", "none")))
    assert render_answer(failed, milliseconds=80).startswith(b"1\n0\n80\n0\nError from server (NotFound)")


def test_an_account_gets_its_token(federation: Federation) -> None:
    """From a manifest in YAML or JSON; on that member alone."""
    manifest = """
kind: ServiceAccount
metadata: {name: member1, namespace: default}
---
kind: Secret
type: kubernetes.io/service-account-token
metadata: {name: member1-token, namespace: default, annotations: {kubernetes.io/service-account.name: member1}}
"""
    on(federation, "10.0.0.1", "apply", "-f", "-", stdin=manifest)
    found = json.loads(on(federation, "10.0.0.1", "get", "sa/member1", "secret/member1-token", "-o", "json"))
    assert [item["kind"] for item in found["items"]] == ["ServiceAccount", "Secret"]
    assert found["items"][1]["data"]["ca.crt"] == CA
    assert federation.granted() == {"member1"}


def test_a_context_leads_to_its_cluster_from_any_machine(federation: Federation) -> None:
    """Whatever stands before the name of the cluster; a review tells who one is there."""
    ask = ("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    uids = {on(federation, address, *ask) for address in ("10.0.0.1", "10.0.0.2", "10.0.0.9")}
    assert len(uids) == 3
    assert on(federation, "10.0.0.9", "--context=access.member1", *ask) == on(federation, "10.0.0.1", *ask)
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    who = ("create", "-f", "-", "-o", "jsonpath={.status.userInfo.username}")
    assert (
        on(federation, "10.0.0.9", "--context=member1", *who, stdin=review) == "system:serviceaccount:default:member1"
    )


def test_a_join_is_seen(federation: Federation) -> None:
    """KubeFed finds the cluster Ready at once; the Secret holds the token of KubeFed's own account."""
    on(federation, "10.0.0.9", "join", "member1", "--secret-name=s", tool="kubefedctl")
    listed = ("get", "kubefedclusters", "-n", "kube-federation-system", "-o")
    ready = 'jsonpath={.items[0].status.conditions[?(@.type=="Ready")].status}'
    assert on(federation, "10.0.0.9", *listed, ready) == "True"
    assert on(federation, "10.0.0.9", *listed, "name") == "kubefedcluster.core.kubefed.io/member1\n"
    assert federation.joined == {"member1"}
    federation.reset()
    assert federation.joined == set()
    assert on(federation, "10.0.0.9", *listed, "name") == ""


def test_what_is_not_known_is_said(federation: Federation) -> None:
    """So that a measurement of it does not count."""
    assert federation.answer(Call("kubectl", "10.0.0.1", ("proxy",))).code
    assert federation.strange == ["the stand-in does not know this: kubectl proxy"]
    assert token_of("me").count(".") == 2
