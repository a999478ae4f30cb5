"""How distributions of Kubernetes are recognised, by the real script, and what is advised then."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import FedsshError, RefusedError, StepError, UnreachableError
from fedssh.kubernetes.distributions import (
    DISTRIBUTIONS,
    USUAL_KUBECONFIGS,
    Distribution,
    advise,
    find_command,
    parse_found,
    rewritten_by,
)
from fedssh.kubernetes.kubeconfig.file import NoKubeconfigError
from fedssh.kubernetes.kubectl import missing_tool
from tests.fakes.shells import install_tool, path_with, result

if TYPE_CHECKING:
    from tests.fakes.shells import LocalShell

BY_TITLE = {one.title: one for one in DISTRIBUTIONS}
COPY = "/root/.kube/config"
FILES = {
    "RKE2": "/var/lib/rancher/rke2",
    "MicroK8s": "/var/snap/microk8s",
    "kOps": "/var/lib/kubectl/kubeconfig",
    "kubeadm": "/etc/kubernetes/admin.conf",
}
NO_KUBECTL = missing_tool("kubectl", machine="m1", step="look")
NO_CONFIG = StepError("error: no configuration has been provided", machine="m1", step="look", hint="Name one.")
NO_FILE = NoKubeconfigError("there is no kubeconfig", machine="m1", step="look", hint="Name one.")
NO_RIGHTS = RefusedError("it may not (Forbidden)", machine="m1", step="look", hint="Find one that may.")

alone = pytest.mark.skipif(
    any(shutil.which(tool) for tool in ("k3s", "k0s")) or any(Path(file).exists() for file in FILES.values()),
    reason="this machine has a distribution of its own",
)


@alone
@pytest.mark.parametrize("tools", [[], ["k3s"], ["k0s"], ["k3s", "k0s"]])
def test_a_distribution_counts_where_its_program_is(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: list[str]
) -> None:
    """All that are there are told, and none is called: it may do anything."""
    for tool in tools:
        install_tool(tmp_path / "bin", tool, f"touch {tmp_path}/called; echo MicroK8s")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (found,) = local.run(find_command())
    assert (found.ok, found.stdout.split(), found.stderr) == (True, tools, "")
    assert not (tmp_path / "called").exists()


@alone
@pytest.mark.parametrize("title", FILES)
def test_a_distribution_counts_where_its_file_is(local: LocalShell, tmp_path: Path, title: str) -> None:
    """Here that is in the test's folder; another's is another's."""
    file = tmp_path / FILES[title].removeprefix("/")
    file.parent.mkdir(parents=True)
    file.touch()
    line = re.sub(r"(?<=-e )(?=/)", str(tmp_path), find_command().line)
    assert line.count(str(tmp_path)) == len(FILES)
    (found,) = local.run(replace(find_command(), line=line))
    assert found.stdout == f"{title}\n"


@pytest.mark.parametrize("said", ["", "\n", "k3", "sh: k3s: not found", "rke2 kubeadmin"])
def test_what_is_no_title_is_no_distribution(said: str) -> None:
    """Only whole words that the script prints count."""
    assert parse_found(result(said)) is None


def test_of_several_distributions_the_first_counts() -> None:
    """In the order in which they are known here, not as they are told: kubeadm's file may be another's, too."""
    assert parse_found(result("kubeadm\nk0s\nk3s\n")) == BY_TITLE["k3s"]
    assert parse_found(result("kubeadm\nk0s\n")) == BY_TITLE["k0s"]
    for one in DISTRIBUTIONS:
        assert parse_found(result(f"{one.title}\n")) == one


def test_kubeadms_kubeconfig_is_looked_for_first() -> None:
    """It is the usual one; every distribution's is among them, once."""
    assert USUAL_KUBECONFIGS[0] == "/etc/kubernetes/admin.conf"
    assert set(USUAL_KUBECONFIGS) == {one.kubeconfig for one in DISTRIBUTIONS}
    assert len(set(USUAL_KUBECONFIGS)) == len(DISTRIBUTIONS)


def test_who_writes_a_kubeconfig_anew_is_known() -> None:
    """By its path: entries that fedssh writes there would be gone."""
    names = {one.kubeconfig: rewritten_by(one.kubeconfig) for one in DISTRIBUTIONS}
    assert {name for name in names.values() if name} == {"k3s", "RKE2", "MicroK8s"}
    assert names["/etc/rancher/k3s/k3s.yaml"] == "k3s"
    for path in (COPY, "", "/etc/rancher/k3s/k3s.yaml.old", "/etc/kubernetes/admin.conf"):
        assert rewritten_by(path) == ""


@pytest.mark.parametrize("title", [None, *BY_TITLE])
@pytest.mark.parametrize("path", ["", COPY])
def test_a_missing_kubectl_is_made_known(title: str | None, path: str) -> None:
    """By the distribution's own way, of a host and of a member; where it has none, the error stays as it was."""
    found = BY_TITLE[title] if title else None
    told = advise(NO_KUBECTL, found, key="kubeconfig", path=path)
    if found and found.kubectl:
        assert told.hint == f"{title} is there; make its kubectl known on the machine: {found.kubectl}"
        assert (type(told), told.message, told.machine, told.step) == (StepError, NO_KUBECTL.message, "m1", "look")
    else:
        assert title in {None, "RKE2", "kOps", "kubeadm"}
        assert told is NO_KUBECTL


@pytest.mark.parametrize("error", [NO_CONFIG, NO_RIGHTS])
@pytest.mark.parametrize("found", DISTRIBUTIONS, ids=BY_TITLE)
def test_a_member_is_told_where_its_kubeconfig_is(found: Distribution, error: FedsshError) -> None:
    """By the line for hosts.yaml; the error is the same otherwise."""
    told = advise(error, found, key="members.m1.kubeconfig", path="")
    assert told.hint == f"{found.title} is there. Write: members.m1.kubeconfig: {found.kubeconfig}"
    assert (type(told), str(told), told.exit_code) == (type(error), str(error), error.exit_code)


@pytest.mark.parametrize(
    ("words", "helps"),
    [
        ("error: current-context must exist in order to minify", True),
        ("error: no configuration has been provided, try setting KUBERNETES_MASTER", True),
        ("The connection to the server localhost:8080 was refused - did you specify the right host or port?", True),
        ('Error from server (Forbidden): secrets is forbidden: User "me" cannot list resource "secrets"', True),
        ('error: error loading config file "/root/.kube/config": open /root/.kube/config: permission denied', True),
        ("Unable to read /etc/rancher/k3s/k3s.yaml: open /etc/rancher/k3s/k3s.yaml: permission denied", False),
        ("The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", False),
        ("Unable to connect to the server: dial tcp 10.0.0.1:6443: connect: connection refused", False),
        ("Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout", False),
        ("error: You must be logged in to the server (Unauthorized)", False),
        ("kubectl did not tell which cluster it is", False),
    ],
)
def test_another_kubeconfig_is_named_only_where_it_would_help(*, words: str, helps: bool) -> None:
    """Whatever is wrong with the cluster or with the way to it, its own hint stays."""
    error = StepError(f"kubectl get failed with exit code 1: {words}", machine="m1", step="look", hint="Its own.")
    told = advise(error, BY_TITLE["k3s"], key="members.m1.kubeconfig", path="")
    assert (told is error) == (not helps)
    assert told.hint.startswith("k3s is there. Write: ") == helps


def test_a_host_without_a_kubeconfig_is_told_what_to_copy() -> None:
    """What fedssh writes there has to stay. Over one that is there, nothing is copied."""
    told = advise(NO_FILE, BY_TITLE["k3s"], key="", path=COPY)
    copy = f"copy that of k3s: install -D -m 600 /etc/rancher/k3s/k3s.yaml {COPY}"
    assert told.hint == f"Say in hosts.yaml where it is (host.kubeconfig: /path), or {copy}"
    assert (type(told), str(told)) == (type(NO_FILE), str(NO_FILE))
    for error in (NO_CONFIG, NO_RIGHTS):
        assert advise(error, BY_TITLE["k3s"], key="", path=COPY) is error


@pytest.mark.parametrize(
    ("error", "title", "key"),
    [
        (NO_CONFIG, "k3s", ""),
        (NO_CONFIG, "", "kubeconfig"),
        (NO_RIGHTS, "", "kubeconfig"),
        (UnreachableError("no answer", machine="m1"), "k3s", "kubeconfig"),
    ],
)
def test_where_nothing_helps_the_error_stays(error: FedsshError, title: str, key: str) -> None:
    """A kubeconfig that hosts.yaml names is its author's choice; an unknown machine, and one that is not reached."""
    assert advise(error, BY_TITLE.get(title), key=key, path="") is error


def test_the_wrapper_of_k0s_is_a_kubectl(local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that people are told to type makes a program that hands everything on."""
    install_tool(tmp_path / "bin", "k0s", "printf '<%s>' \"$@\"")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    line = BY_TITLE["k0s"].kubectl.replace("/usr/local/bin/", f"{tmp_path}/bin/")
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    (told,) = local.run(replace(find_command(), line="kubectl get 'two words'"))
    assert (told.stdout, (tmp_path / "bin" / "kubectl").stat().st_mode & 0o777) == ("<kubectl><get><two words>", 0o755)


def test_the_link_of_k3s_is_a_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads to k3s wherever that is, which looks at what it is called."""
    k3s = install_tool(tmp_path / "bin", "k3s", 'echo "${0##*/} $*"')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    line = BY_TITLE["k3s"].kubectl.replace("/usr/local/bin/", f"{tmp_path}/")
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    assert (tmp_path / "kubectl").resolve() == k3s.resolve()
