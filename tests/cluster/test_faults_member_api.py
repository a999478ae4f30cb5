"""Members whose API servers do not do what they are asked: without a token controller, denying, overloaded, busy.

Continues test_faults_member.py.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.files import HOSTILE, administrators, put, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run

NAMESPACE = "kube-federation-system"


def test_fault_36_no_controller_manager(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """Where nobody fills in the token: 3 with the likely cause, and what was created is gone again."""
    member = joined.member("member2")
    member.check("pkill", "-STOP", "kube-controller")
    try:
        done = fedssh("federate", "--member", "member2")
        refused(joined, done, 3)
    finally:
        member.check("pkill", "-CONT", "kube-controller")
    assert "no token came into the Secret member2-fedssh-1 within 30 s" in done.stderr
    assert "kube-controller-manager: is it running?" in done.stderr


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: fault-37}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], operations: [CREATE], resources: [clusterroles]}
  validations:
  - {expression: "!object.metadata.name.startsWith('member')", message: "nobody but Ms. Ng makes roles here"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: fault-37}
spec: {policyName: fault-37, validationActions: [Deny]}
"""


def test_fault_37_admission_denies(
    joined: Federation, fedssh: Callable[..., Run], eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """What an admission policy says is told verbatim (3), and what it let through before is taken back."""
    member = joined.member("member2")
    joined.kubectl(member, "apply", "-f", "-", stdin=POLICY)
    trial = ["create", "clusterrole", "member-x", "--verb=get", "--resource=pods", "--dry-run=server"]
    try:
        eventually(lambda: member.exec("/opt/recorded/kubectl", *trial).code == 1)
        done = fedssh("federate", "--member", "member2")
    finally:
        kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy"
        joined.kubectl(member, "delete", kinds, "fault-37")
    refused(joined, done, 3)
    assert "nobody but Ms. Ng makes roles here" in done.stderr


@pytest.mark.parametrize(("status", "words"), [(429, "too many requests"), (503, "unable to handle the request")])
def test_fault_37_overloaded(
    status: int, words: str, joined: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """An API server that turns everybody away is asked again a few times; then its reason is told (3)."""
    member = joined.member("member2")
    again = "add_header Retry-After 0 always;" if status == 429 else ""
    answer = f'{again} default_type text/plain; return {status} "later";'
    server = f"server {{ listen 127.0.0.1:7443; location / {{ {answer} }} }}"
    put(member, "/root/busy.conf", f"pid /run/busy.pid; events {{}} http {{ access_log off; {server} }}")
    document = administrators(member)
    document["clusters"][0]["cluster"] = {"server": "http://127.0.0.1:7443"}
    put(member, HOSTILE, yaml.safe_dump(document))
    inventory["members"]["member2"] |= {"kubeconfig": HOSTILE, "api_server": "https://member2:6443"}
    member.check("nginx", "-c", "/root/busy.conf")
    try:
        done = fedssh("federate", "--member", "member2")
    finally:
        member.check("sh", "-c", "kill $(cat /run/busy.pid); rm /root/busy.conf")
    refused(joined, done, 3)
    assert words in done.stderr


def test_fault_37_a_slow_api_server(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """An API server that stands still for a few seconds is waited for."""
    pause = "pkill -STOP kube-apiserver; (sleep 4; pkill -CONT kube-apiserver) >/dev/null 2>&1 &"
    joined.member().check("sh", "-c", pause)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert "Nothing to do" in done.stderr


def test_fault_40_a_namespace_that_is_going(joined: Federation, fedssh: Callable[..., Run]) -> None:
    """A namespace of KubeFed's that is being deleted on the member is waited for; then 3, with what holds it."""
    member = joined.member("member2")
    holder = {"name": "holder", "namespace": NAMESPACE, "finalizers": ["example.com/fault-40"]}
    joined.forget("member2")
    joined.kubectl(member, "delete", "namespace", NAMESPACE, "--ignore-not-found")
    joined.kubectl(member, "create", "namespace", NAMESPACE)
    document = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": holder})
    joined.kubectl(member, "create", "-f", "-", stdin=document)
    joined.kubectl(member, "delete", "namespace", NAMESPACE, "--wait=false")
    try:
        done = fedssh("federate", "--member", "member2")
        assert done.code == 3, done.stderr
        assert f"the namespace {NAMESPACE} is being deleted there" in done.stderr
        assert "example.com/fault-40 in 1 resource instances" in done.stderr
        assert "member2" not in joined.ready()
    finally:
        patch = '{"metadata": {"finalizers": null}}'
        joined.kubectl(member, "-n", NAMESPACE, "patch", "configmap", "holder", "--type=merge", "-p", patch)
        joined.forget("member2")
