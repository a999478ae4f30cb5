"""The host's kubeconfig in strange places and with strange contents: what was there and is not ours stays.

Continues test_faults_kubeconfig.py.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cluster.files import CONFIG, OURS, beside, contexts, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.machine import Machine

    from .oracle import Federation, Run


def test_fault_18_symlink(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """A link stays a link; what it leads to is written, and the copy lies beside that."""
    host = unwritten.host
    host.check("sh", "-c", f"mkdir -p /srv/real && mv {CONFIG} /srv/real/config && ln -s /srv/real/config {CONFIG}")
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 0, done.stderr
        assert host.check("readlink", CONFIG).strip() == "/srv/real/config"
        assert contexts(host, "/srv/real/config") == OURS
        assert [one.partition("fedssh-")[0] for one in beside(host, "/srv/real/config")] == ["config", "config."]
        assert beside(host, CONFIG) == ["config"]
    finally:
        host.check("rm", "-r", "/srv/real")


def test_fault_18_readable_by_others(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """0644 becomes 0600 with a warning, even when there is nothing else to write; the owner stays."""
    host = unwritten.host
    host.check("sh", "-c", f"chmod 644 {CONFIG}; chown 4711:4712 {CONFIG}")
    for _ in range(2):
        done = fedssh("federate", "--member", "member1")
        assert done.code == 0, done.stderr
        assert f"warning: fedhost: {CONFIG} could be read by others (-rw-r--r--); it becomes 0600" in done.stderr
        assert "Nothing to do" not in done.stderr
        assert host.check("stat", "-c", "%a %u:%g", CONFIG).strip() == "600 4711:4712"
        host.check("chmod", "644", CONFIG)


READ_ONLY = {
    "folder": ("mount --bind /srv/ro /srv/ro && mount -o remount,ro,bind /srv/ro", "umount /srv/ro"),
    "file": (
        "mount --bind /srv/ro/config /srv/ro/config && mount -o remount,ro,bind /srv/ro/config",
        "umount /srv/ro/config",
    ),
    "immutable file": ("chattr +i /srv/ro/config", "chattr -i /srv/ro/config"),
}


@pytest.mark.parametrize("kind", READ_ONLY)
def test_fault_18_read_only(
    kind: str, unwritten: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """A folder or a file that cannot be written, or is immutable: 3, naming it; what was granted is taken back."""
    host, path = unwritten.host, "/srv/ro/config"
    inventory["host"]["kubeconfig"] = path
    lock, unlock = READ_ONLY[kind]
    put(host, path, host.check("cat", "/root/pristine"))
    unwritten.kubectl(unwritten.member(), "delete", "secret", "--selector=app.kubernetes.io/managed-by=fedssh")
    privileged = kind == "immutable file"
    if as_engine(host, lock) if privileged else host.exec("sh", "-c", lock).code:
        host.check("rm", "-r", "/srv/ro")
        pytest.skip("this file system has no immutable files")
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 3, done.stderr
        assert path in done.stderr
        assert host.check("cat", path) == host.check("cat", "/root/pristine")
        assert beside(host, path) == ["config"]
        assert not any(name.startswith("secret/") for name in unwritten.objects())
    finally:
        if privileged:
            as_engine(host, unlock)
        else:
            host.check("sh", "-c", unlock)
        host.check("rm", "-r", "/srv/ro")


def as_engine(machine: Machine, text: str) -> int:
    """Run a script with privileges that not even root has on a machine of the lab; return its exit code."""
    argv = ["docker", "exec", "--privileged", machine.container, "sh", "-c", text]
    return subprocess.run(argv, check=False, capture_output=True).returncode


FOREIGN = {
    "context": "set-context member1 --cluster=kubernetes",
    "cluster": "set-cluster kubefed-remote-member1 --server=https://elsewhere.example",
    "user": "set-credentials kubefed-member1 --username=somebody",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_fault_19_somebody_elses_entry(kind: str, unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """An entry of a wanted name that fedssh did not write: 6, the file as it was; --adopt takes it over."""
    host = unwritten.host
    host.check("/opt/recorded/kubectl", "config", *FOREIGN[kind].split())
    before = host.check("sha256sum", CONFIG)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert re.search(rf"has a {kind} '\S*member1' that fedssh did not write", done.stderr)
    assert "--adopt" in done.stderr
    assert host.check("sha256sum", CONFIG) == before
    adopted = fedssh("federate", "--member", "member1", "--adopt", "--yes")
    assert adopted.code == 0, adopted.stderr
    assert unwritten.contexts() == OURS
    assert "somebody" not in host.check("cat", CONFIG)
    unwritten.kubectl(host, "--context", "member1", "get", "nodes")
    again = fedssh("federate", "--member", "member1")
    assert "Nothing to do" in again.stderr


def test_fault_20_home_elsewhere(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """The kubeconfig is where the login's HOME says; root's own is left alone, and the path is told."""
    host = unwritten.host
    put(host, "/srv/home/.kube/config", host.check("cat", "/root/pristine"))
    host.check("sh", "-c", "cp /root/.bashrc /root/.bashrc.kept; sed -i '1i export HOME=/srv/home' /root/.bashrc")
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 0, done.stderr
        assert "/srv/home/.kube/config" in done.stderr
        assert contexts(host, "/srv/home/.kube/config") == OURS
        assert host.check("cat", CONFIG) == host.check("cat", "/root/pristine")
    finally:
        host.check("sh", "-c", "mv /root/.bashrc.kept /root/.bashrc; rm -r /srv/home")


def test_fault_20_no_kube_folder(unwritten: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]) -> None:
    """Where kubeconfig: names another path, nothing but that is needed; without one, its absence is told (6)."""
    host, path = unwritten.host, "/srv/elsewhere/config"
    put(host, path, host.check("cat", "/root/pristine"))
    host.check("rm", "-r", "/root/.kube")
    try:
        missing = fedssh("federate", "--member", "member1")
        assert missing.code == 6, missing.stderr
        assert f"there is no kubeconfig at {CONFIG}" in missing.stderr
        copy = "install -D -m 600 /etc/kubernetes/admin.conf ~/.kube/config"
        assert f"(host.kubeconfig: /path), or copy that of kubeadm: {copy}" in missing.stderr
        assert host.exec("test", "-e", "/root/.kube").code == 1
        inventory["host"]["kubeconfig"] = path
        done = fedssh("federate", "--member", "member1")
        assert done.code == 0, done.stderr
        assert contexts(host, path) == OURS
        assert host.exec("test", "-e", CONFIG).code == 1
    finally:
        host.check("rm", "-r", "/srv/elsewhere")


def test_fault_20_several_files_in_kubeconfig(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """KUBECONFIG with several files says nothing about which one is meant: 6, and how to name it."""
    host = unwritten.host
    line = f"1i export KUBECONFIG={CONFIG}:/srv/other"
    host.check("sh", "-c", 'cp /root/.bashrc /root/.bashrc.kept; sed -i "$1" /root/.bashrc', "sh", line)
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 6, done.stderr
        assert "KUBECONFIG names several files there" in done.stderr
        assert "host.kubeconfig: /path" in done.stderr
    finally:
        host.check("mv", "/root/.bashrc.kept", "/root/.bashrc")
    assert host.check("cat", CONFIG) == host.check("cat", "/root/pristine")


STRANGE = """
preferences: {colors: true}
x-unknown: {keep: [0123, '0123', "0123", 1.30, on, 'on', ~, 2020-01-01, 12:30:00, 0o17, 1e3]}
extensions:
- name: somebody
  extension: {when: 2020-01-01, "quoted \\u00e9": 'it''s'}
"""
STRANGE_USERS = """\
- name: exec user
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, "--x", "0123"], env: null}
- name: "0123"
  user: {username: "0123", password: 'on', token: "1.30"}
- name: block
  user:
    username: |
      two
        lines
    password: >-
      folded
      text
"""
STRANGE_CONTEXTS = """\
- name: strange
  context: {cluster: kubernetes, user: "0123", namespace: null, x-more: [1, {deep: yes}]}
"""


def test_fault_20_what_is_not_ours_stays(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """Unknown fields, exec stanzas and doubtful scalars keep their text, their quoting and their order."""
    host = unwritten.host
    text = host.check("cat", "/root/pristine").replace("preferences: {}\n", "")
    for section, more in (("users:\n", STRANGE_USERS), ("contexts:\n", STRANGE_CONTEXTS)):
        assert f"\n{section}- " in text
        text = text.replace(section, section + more)
    put(host, CONFIG, text + STRANGE)
    before = scalars(text + STRANGE)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    after = scalars(host.check("cat", CONFIG))
    renamed = [("plain", "fedhost") if one == ("plain", "kubernetes-admin@kubernetes") else one for one in before]
    rest = iter(after)
    lost = [one for one in renamed if one not in rest]  # consumes: the order counts
    assert lost == []
    unwritten.kubectl(host, "config", "view")


def scalars(text: str) -> list[tuple[str, str]]:
    """Return how each scalar of a document is written, and its text; kubectl's own parser reads the same."""
    styles = {None: "plain", "'": "quoted", '"': "quoted", "|": "block", ">": "block"}
    events = [one for one in yaml.parse(text) if isinstance(one, yaml.ScalarEvent)]
    return [(styles[one.style], one.value) for one in events]


def test_fault_20_a_giant_kubeconfig(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """One of more than 4 MiB is refused (6), and stays."""
    host = unwritten.host
    host.check("sh", "-c", f"yes '# nothing in particular' | head -c 5000000 >>{CONFIG}; echo >>{CONFIG}")
    before = host.check("sha256sum", CONFIG)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "larger than 4194304 bytes" in done.stderr
    assert host.check("sha256sum", CONFIG) == before
