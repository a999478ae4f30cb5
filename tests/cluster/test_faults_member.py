"""Members that are hostile, half-made, overloaded, or not an administrator's: what fedssh makes of each.

member1 has joined and is put right again; member2 has not, and must have
nothing of fedssh's when it was refused.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.files import HOSTILE, administrators, put, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run

SECRET = "member1-fedssh-1"  # noqa: S105 - the name of an object


LOGINS: dict[str, dict[str, Any]] = {
    "exec": {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "touch",
            "args": ["@RAN@"],
            "interactiveMode": "Never",
        }
    },
    "auth-provider": {"auth-provider": {"name": "gcp", "config": {"cmd-path": "touch", "cmd-args": "@RAN@"}}},
    "tokenFile": {"tokenFile": "/etc/shadow"},
    "proxy-url": {},
}


@pytest.mark.parametrize("kind", LOGINS)
def test_fault_29_a_kubeconfig_that_runs_or_reads(
    kind: str, joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Programs, files and proxies in a member's kubeconfig: 6, and nothing ran on member, host or laptop."""
    ran = f"/tmp/fault-29-{os.getpid()}"  # noqa: S108 - the same path on three machines
    member = joined.member("member2")
    document = administrators(member)
    if kind == "proxy-url":
        document["clusters"][0]["cluster"]["proxy-url"] = "http://127.0.0.1:1"
    else:
        document["users"][0]["user"] = json.loads(json.dumps(LOGINS[kind]).replace("@RAN@", ran))
    put(member, HOSTILE, yaml.safe_dump(document))
    inventory["members"]["member2"]["kubeconfig"] = HOSTILE
    done = fedssh("federate", "--member", "member2")
    refused(joined, done, 6)
    assert kind in done.stderr
    assert "members.member2.kubeconfig: /path" in done.stderr
    assert not Path(ran).exists()
    for machine in (member, joined.host):
        assert machine.exec("test", "-e", ran).code == 1


def test_fault_30_ca_by_path(
    joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run], tmp_path: Path
) -> None:
    """A CA that is a file is read on the member, never on the host or the laptop."""
    path = tmp_path / "ca.crt"
    path.write_text("the laptop's\n")
    put(joined.host, str(path), "the host's\n")
    member = joined.member()
    document = administrators(member)
    cluster = document["clusters"][0]["cluster"]
    put(member, str(path), base64.b64decode(cluster.pop("certificate-authority-data")).decode())
    put(member, HOSTILE, yaml.safe_dump(document).replace("  server:", f"  certificate-authority: {path}\n    server:"))
    inventory["members"]["member1"]["kubeconfig"] = HOSTILE
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "Nothing to do" in done.stderr
    member.check("rm", str(path))
    gone = fedssh("federate", "--member", "member1")
    assert gone.code == 3, gone.stderr
    assert f"{path}: no such file" in gone.stderr


def token_of(federation: Federation, secret: str) -> str:
    """Return a token Secret's token, as it is stored."""
    return federation.kubectl(federation.member(), "get", "secret", secret, "-o", "jsonpath={.data.token}")


def set_token(federation: Federation, token: str) -> None:
    """Put something else into member1's Secret; in base64."""
    patch = json.dumps({"data": {"token": token}})
    federation.kubectl(federation.member(), "patch", "secret", SECRET, "--patch-file=/dev/stdin", stdin=patch)


def garbage(federation: Federation) -> str:
    """No token at all."""
    set_token(federation, base64.b64encode(b"no token").decode())
    return "does not hold a token of system:serviceaccount:default:member1"


def of_another_account(federation: Federation) -> str:
    """A token that its cluster accepts, of somebody else."""
    member = federation.member()
    token = federation.kubectl(member, "create", "token", "default").strip()
    set_token(federation, base64.b64encode(token.encode()).decode())
    return "does not hold a token of system:serviceaccount:default:member1"


def revoked(federation: Federation) -> str:
    """The token of an account that was deleted and made anew."""
    member, token = federation.member(), token_of(federation, SECRET)
    found = json.loads(federation.kubectl(member, "get", "sa", "member1", "-o", "json"))
    federation.kubectl(member, "delete", "sa", "member1")
    federation.kubectl(member, "wait", "--for=delete", f"secret/{SECRET}", "--timeout=20s")
    labels = found["metadata"]["labels"]
    metadata = {"name": SECRET, "labels": labels, "annotations": {"kubernetes.io/service-account.name": "member1"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "member1", "labels": labels}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/service-account-token",
        "data": {"token": token},
    }
    for one in (account, secret):
        federation.kubectl(member, "create", "-f", "-", stdin=json.dumps(one))
    # The API server remembers for some seconds that it has accepted a token.
    asked = ["--request-timeout=5s", "get", "namespace", "kube-system"]
    while federation.host.exec("/opt/recorded/kubectl", "--context", "member1", *asked).code == 0:
        time.sleep(0.5)
    return "does not accept the token"


@pytest.mark.parametrize("spoil", [garbage, of_another_account, revoked])
def test_fault_33_a_token_that_is_none(
    spoil: Callable[[Federation], str], joined: Federation, fedssh: Callable[..., Run], forbid: Callable[[str], None]
) -> None:
    """Garbage, another account's or a revoked token: 6, nothing changed; what the hint says puts it right."""
    forbid(token_of(joined, SECRET))
    words = spoil(joined)
    before = joined.host.check("sha256sum", "/root/.kube/config")
    try:
        done = fedssh("federate", "--member", "member1")
    finally:
        joined.kubectl(joined.member(), "delete", "secret", SECRET, "--ignore-not-found")
    assert done.code == 6, done.stderr
    assert words in done.stderr
    assert (
        "kubectl --namespace=default delete secret --selector=name=member1,app.kubernetes.io/managed-by=fedssh"
        in done.stderr
    )
    assert joined.host.check("sha256sum", "/root/.kube/config") == before
    assert fedssh("federate", "--member", "member1").code == 0


RIGHTS = {
    "view": ("view", "may not get clusterroles"),
    "read": ("fault-38", "may not patch serviceaccounts"),
}


@pytest.mark.parametrize("rights", RIGHTS)
def test_fault_38_not_an_administrator(
    rights: str, joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run],
    forbid: Callable[[str], None],
) -> None:  # fmt: skip
    """A kubeconfig that may not do everything: 3, and the hint names what is missing."""
    role, words = RIGHTS[rights]
    member = joined.member("member2")
    clean = "kubectl delete --ignore-not-found sa/fault-38 clusterrole/fault-38 clusterrolebinding/fault-38"
    script = f"""
        kubectl create sa fault-38 && kubectl create clusterrole fault-38 --verb=get,list --resource='*.*' &&
        kubectl create clusterrolebinding fault-38 --clusterrole={role} --serviceaccount=default:fault-38
    """
    member.check("sh", "-c", script)
    try:
        token = joined.kubectl(member, "create", "token", "fault-38").strip()
        forbid(token)
        document = administrators(member)
        document["users"][0]["user"] = {"token": token}
        put(member, HOSTILE, yaml.safe_dump(document))
        inventory["members"]["member2"]["kubeconfig"] = HOSTILE
        done = fedssh("federate", "--member", "member2")
    finally:
        member.check("sh", "-c", clean)
    refused(joined, done, 3)
    assert words in done.stderr
    assert "administrator" in done.stderr


def test_fault_39_a_binding_to_another_role(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """6, with both roles shown and nothing touched; --adopt makes it fedssh's."""
    member = joined.member()
    show = ["get", "clusterrolebinding", "member1", "-o", "jsonpath={.roleRef.name} {.metadata.labels}"]
    joined.kubectl(member, "delete", "clusterrolebinding", "member1")
    create = ["create", "clusterrolebinding", "member1", "--clusterrole=view", "--serviceaccount=default:default"]
    joined.kubectl(member, *create)
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 6, done.stderr
        assert "clusterrolebinding/member1 is there, and fedssh did not make it; roleRef is" in done.stderr
        assert '"name": "view"' in done.stderr
        assert "fedssh's would be" in done.stderr
        assert joined.kubectl(member, *show).strip() == "view"
        adopted = fedssh("federate", "--member", "member1", "--adopt", "--yes")
        assert adopted.code == 0, adopted.stderr
        assert joined.kubectl(member, *show).startswith('member1 {"app.kubernetes.io/managed-by":"fedssh"')
        joined.kubectl(joined.host, "--context", "member1", "get", "nodes")
    finally:
        if joined.kubectl(member, *show).strip() == "view":
            joined.kubectl(member, "delete", "clusterrolebinding", "member1")


def test_fault_39_adopting_everything(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """An account, a role and a Secret of the wanted names: 6 for the first; --adopt takes over all of them."""
    member = joined.member()
    make = f"""
        kubectl delete sa/member1 clusterrole/member1 secret/{SECRET} --ignore-not-found >/dev/null &&
        kubectl create sa member1 && kubectl create clusterrole member1 --verb=get --resource=pods &&
        kubectl create secret generic {SECRET} --from-literal=colour=blue
    """
    member.check("sh", "-c", make)
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 6, done.stderr
        assert "serviceaccount/member1 is there, and fedssh did not make it" in done.stderr
        assert joined.objects() == ["clusterrolebinding.rbac.authorization.k8s.io/member1"]
        adopted = fedssh("federate", "--member", "member1", "--adopt", "--yes")
        assert adopted.code == 0, adopted.stderr
        assert len(joined.objects()) == 4
        rules = joined.kubectl(member, "get", "clusterrole", "member1", "-o", "jsonpath={.rules[0].verbs}")
        assert rules == '["*"]'
        assert fedssh("federate", "--member", "member1").stderr.count("Nothing to do") == 1
    finally:
        if len(joined.objects()) < 4:
            member.check("sh", "-c", f"kubectl delete sa/member1 clusterrole/member1 secret/{SECRET}")


NO_TOKENS = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fault-39}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [secrets]}
  validations:
  - {expression: "!object.metadata.name.endsWith('-fedssh-1')", message: "nobody makes tokens here"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fault-39}
spec: {policyName: fault-39, validationActions: [Deny]}
"""


def test_fault_39_an_adoption_that_comes_to_nothing(
    joined: Federation, fedssh: Callable[..., Run], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """What was taken over on a member whose grant fails in the end is as it was: role, account, binding, labels."""
    member = joined.member("member2")
    make = """
        kubectl create sa member2 && kubectl label sa member2 mine=yes &&
        kubectl create clusterrole member2 --verb=get --resource=pods &&
        kubectl create clusterrolebinding member2 --clusterrole=view --serviceaccount=default:default
    """
    show = [
        "get", "sa/member2", "clusterrole/member2", "clusterrolebinding/member2", "-o",
        "jsonpath={range .items[*]}{.kind} {.metadata.labels} {.rules} {.roleRef} {.subjects}{end}",
    ]  # fmt: skip
    joined.forget("member2")
    member.check("sh", "-c", make)
    joined.kubectl(member, "apply", "-f", "-", stdin=NO_TOKENS)
    trial = ["create", "secret", "generic", "x-fedssh-1", "--dry-run=server"]
    try:
        eventually(lambda: member.exec("/opt/recorded/kubectl", *trial).code == 1)
        before = joined.kubectl(member, *show)
        assert '"name":"view"' in before
        done = fedssh("federate", "--member", "member2", "--adopt", "--yes")
        refused(joined, done, 3)
        assert "nobody makes tokens here" in done.stderr
        assert "What had been taken over on member2 is as it was." in done.stderr
        assert joined.kubectl(member, *show) == before
    finally:
        joined.kubectl(member, "delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "fault-39")
        joined.kubectl(member, "delete", "sa/member2", "clusterrole/member2", "clusterrolebinding/member2")


def test_fault_41_a_clock_that_is_wrong(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """A member an hour ahead is told of at every run, with what comes of it; it is federated all the same."""
    member = joined.member()
    ahead = '#!/bin/sh\n[ "$*" = +%s ] || exec /bin/date "$@"\necho $(($(/bin/date +%s) + 3600))\n'
    put(member, "/usr/local/bin/date", ahead)
    member.check("chmod", "755", "/usr/local/bin/date")
    try:
        done = fedssh("federate", "--member", "member1")
    finally:
        member.check("rm", "/usr/local/bin/date")
    assert done.code == 0, done.stderr
    assert re.search(r"warning: member1: its clock is (59|60|61) minutes ahead of that of fedhost", done.stderr)
    assert "NotBefore" in done.stderr


def test_fault_29_a_giant_kubeconfig(joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]) -> None:
    """A CA of megabytes is refused like any other that is none, and the run ends soon."""
    member = joined.member("member2")
    document = administrators(member)
    document["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(b"x" * 5_000_000).decode()
    put(member, HOSTILE, yaml.safe_dump(document))
    inventory["members"]["member2"]["kubeconfig"] = HOSTILE
    done = fedssh("federate", "--member", "member2", seconds=60)
    refused(joined, done, 3)
    assert "unable to load root certificates" in done.stderr
