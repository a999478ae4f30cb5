"""What shows that nothing was changed: the API servers' audit logs and the machines' files. Both see a change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.cluster.files import CONFIG, file_times, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run


def test_the_audit_log_sees_every_change_and_its_author(joined: Federation) -> None:
    """The administrator's and the member's account's, granted or not, each by verb, object and program."""
    host, member = joined.host, joined.member()
    marks = joined.audit_marks()
    joined.kubectl(host, "create", "configmap", "audited", "--from-literal=a=b")
    joined.kubectl(host, "label", "configmap", "audited", "a=b")
    joined.kubectl(host, "delete", "configmap", "audited")
    joined.kubectl(host, "--context", "member1", "create", "namespace", "audited", "--dry-run=server")
    joined.kubectl(host, "--context", "member1", "auth", "can-i", "get", "nodes")
    assert member.exec("/opt/recorded/kubectl", "delete", "namespace", "audited").code == 1
    requests = joined.requests_since(marks)
    admin, of_member = "kubernetes-admin", "system:serviceaccount:default:member1"
    assert [(one.machine, one.user, one.verb, one.resource, one.name, one.code) for one in requests] == [
        ("fedhost", admin, "create", "configmaps", "audited", 201),
        ("fedhost", admin, "patch", "configmaps", "audited", 200),
        ("fedhost", admin, "delete", "configmaps", "audited", 200),
        ("member1", of_member, "create", "namespaces", "audited", 201),
        ("member1", of_member, "create", "selfsubjectaccessreviews", "", 201),
        ("member1", admin, "delete", "namespaces", "audited", 404),
    ]
    assert {one.agent.split("/")[0] for one in requests} == {"kubectl"}
    assert [one.dry_run for one in requests] == [False, False, False, True, False, False]
    assert [one for one in requests if one.is_review] == [requests[4]]
    assert joined.changes_since(marks) == [one for one in requests if not one.is_review]
    assert joined.changes_since(joined.audit_marks()) == []


def test_a_federate_shows_in_the_audit_log(unjoined: Federation, fedssh: Callable[..., Run]) -> None:
    """All of fedssh's changes do, by kubectl and by kubefedctl; a run with nothing to do has none, and asks."""
    marks = unjoined.audit_marks()
    assert fedssh("federate", "--member", "member1").code == 0
    changes = {(one.machine, one.resource, one.agent.split("/")[0]) for one in unjoined.changes_since(marks)}
    assert changes >= {
        ("fedhost", "kubefedclusters", "kubefedctl"),
        ("fedhost", "kubefedclusters", "kubectl"),
        ("member1", "secrets", "kubectl"),
        ("member1", "clusterrolebindings", "kubectl"),
    }
    marks, before = unjoined.audit_marks(), file_times(unjoined.host)
    again = fedssh("federate", "--member", "member1")
    assert "Nothing to do" in again.stderr
    assert unjoined.changes_since(marks) == []
    asked = {(one.machine, one.user, one.resource) for one in unjoined.requests_since(marks)}
    for account in ("default:member1", "kube-federation-system:member1-fedhost"):
        assert ("member1", f"system:serviceaccount:{account}", "selfsubjectaccessreviews") in asked
    assert file_times(unjoined.host) == before


def test_the_list_of_files_sees_every_change(joined: Federation) -> None:
    """A new file, one that is written, one that is touched, one that goes; and nothing while nothing is done."""
    host = joined.host
    put(host, "/tmp/audited", "")  # noqa: S108 - on a machine of the lab
    before = file_times(host)
    assert {CONFIG, "/etc/hosts", "/usr/local/bin/kubefedctl", "/root/.bashrc"} <= set(before)
    assert abs(before["/tmp/audited"][0] - time.time_ns()) < 60 * 10**9  # noqa: S108 - as above
    joined.kubectl(host, "--context", "member1", "get", "nodes")
    host.check("ssh-keygen", "-lf", "/etc/ssh/ssh_host_rsa_key.pub")
    assert file_times(host) == before
    host.check("sh", "-c", f"rm /tmp/audited; touch /root/.kube/audited; touch {CONFIG}; echo >>/opt/lab/boot")
    try:
        after = file_times(host)
    finally:
        host.check("sh", "-c", "rm /root/.kube/audited; sed -i '$d' /opt/lab/boot")
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == {"/tmp/audited", "/root/.kube/audited", CONFIG, "/opt/lab/boot"}  # noqa: S108 - as above
