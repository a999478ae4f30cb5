from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fedssh.engines.kubefed.join import join_command, parse_join
from fedssh.errors import StepError
from fedssh.kubernetes.kubectl import Target
from tests.fakes.kubernetes import argv_of
from tests.fakes.shells import LocalShell, install_tool, path_with, result

if TYPE_CHECKING:
    from pathlib import Path

HOST = Target(kubeconfig="/root/.kube/config", context="fedhost")
MEMBER = Target(kubeconfig=HOST.kubeconfig, context="member1")
TOOL = "/opt/my tools/kubefedctl"

# What klog.Fatal leaves: kubefedctl's reason, then all its goroutines.
FATAL = """\
I1123 10:00:00.000000    4711 join.go:158] Args and flags: name member1
F1123 10:00:00.123456    4711 join.go:126] Error: {reason}
goroutine 1 [running]:
k8s.io/klog/v2.stacks(0x1)
\t/go/pkg/mod/k8s.io/klog/v2@v2.9.0/klog.go:1026 +0x8a
created by k8s.io/klog/v2.init.0
"""


def test_kubefedctl_is_told_everything_it_would_make_up() -> None:
    """Names of the host and of the Secret, and that an existing join is no error."""
    argv = argv_of(join_command("member1", tool=TOOL, version="0.10.0", target=HOST, member=MEMBER, namespace=""))
    assert argv == [
        "sh",
        TOOL,
        "",
        "member1",
        "--cluster-context=member1",
        "--host-cluster-context=fedhost",
        "--host-cluster-name=fedhost",
        "--kubeconfig=/root/.kube/config",
        "--kubefed-namespace=kube-federation-system",
        "--secret-name=member1.fedssh",
    ]


def test_a_members_own_kubeconfig_is_read_beside_the_hosts(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only their paths are in the environment; what is in both is taken from the member's."""
    own = Target(kubeconfig="/root/.kube/.fedssh-proof-x", context="member1")
    tool = install_tool(tmp_path / "bin", "kubefedctl", f'echo "$KUBECONFIG $*" >>{tmp_path}/log')
    install_tool(tmp_path / "bin", "kubectl", f'echo "$*" >>{tmp_path}/asked')
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (done,) = local.run(
        join_command("member1", tool=str(tool), version="0.10.0", target=HOST, member=own, namespace="Active")
    )
    assert done.ok
    said = (tmp_path / "log").read_text()
    assert said.startswith("/root/.kube/.fedssh-proof-x:/root/.kube/config join member1 --cluster-context=member1 ")
    assert "--kubeconfig" not in said
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked
    assert all("--kubeconfig=/root/.kube/.fedssh-proof-x --context=member1" in line for line in asked)


@pytest.mark.parametrize(("failures", "code", "calls"), [(0, 0, 1), (1, 0, 2), (2, 7, 2)])
def test_a_join_is_tried_twice(
    *, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, code: int, calls: int
) -> None:
    """The real script: it ends with the time, or with the second failure's words and exit code."""
    log = tmp_path / "log"
    log.write_text("")
    tool = install_tool(
        tmp_path / "bin",
        "kubefedctl",
        f'echo "$*" >>{log}; n=$(wc -l <{log}); echo "try $n" >&2; [ "$n" -gt {failures} ] || exit 7',
    )
    install_tool(tmp_path / "bin", "sleep", "")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (done,) = local.run(
        join_command("member1", tool=str(tool), version="0.10.0", target=HOST, member=MEMBER, namespace="")
    )
    assert (done.code, len(log.read_text().splitlines())) == (code, calls)
    assert "join member1 --cluster-context=member1" in log.read_text()
    assert "--error-on-existing=false --v=2" in log.read_text()
    if code:
        assert done.stderr == "try 2\n"
    else:
        assert len(parse_join(done, machine="m")) == len("2026-11-23T10:00:00Z")


@pytest.mark.parametrize(
    ("reason", "code"), [('Post "https://m1": x509: certificate is not valid', 255), ("timed out [x] ] y", 1)]
)
def test_a_failed_join_gives_kubefedctls_reason(reason: str, code: int) -> None:
    """One line, not its goroutines."""
    with pytest.raises(StepError) as caught:
        parse_join(result(code=code, stderr=FATAL.format(reason=reason)), machine="member1")
    assert str(caught.value) == f"member1: join: kubefedctl join failed: Error: {reason}"


def test_a_failed_join_without_a_reason_gives_its_last_words() -> None:
    """And a missing tool is named."""
    with pytest.raises(StepError, match=r"failed with exit code 1: unknown flag: --secret-name\nusage"):
        parse_join(result(code=1, stderr="unknown flag: --secret-name\nusage"), machine="member1")
    with pytest.raises(StepError, match="kubefedctl is not there"):
        parse_join(result(code=127), machine="member1")


@pytest.mark.parametrize("said", ["", "yesterday", "2026-11-23T10:00:00+0100", "2026-11-23T10:00:0\u0663Z"])
def test_a_join_without_its_time_is_a_failed_step(said: str) -> None:
    """With no time, a health check from before the join would count."""
    with pytest.raises(StepError, match="date printed no time"):
        parse_join(result(said), machine="member1")
    assert parse_join(result("2026-11-23T10:00:00Z\n"), machine="member1") == "2026-11-23T10:00:00Z"


def test_a_namespace_that_does_not_go_is_told(
    local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real script: it waits on the member, does not join, and says what holds the namespace."""
    script = """case "$*" in
        *phase*) printf Terminating ;;
        *--for=delete*) exit 1 ;;
        *conditions*) echo held by a finalizer ;;
    esac"""
    install_tool(tmp_path / "bin", "kubectl", script)
    tool = install_tool(tmp_path / "bin", "kubefedctl", "touch joined")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    (done,) = local.run(
        join_command("member1", tool=str(tool), version="0.10.0", target=HOST, member=MEMBER, namespace="Terminating")
    )
    with pytest.raises(StepError, match=r"is being deleted there.* within 30 s: held by a finalizer"):
        parse_join(done, machine="member1")
    assert not (tmp_path / "joined").exists()


@pytest.mark.parametrize(("namespace", "deleted"), [("", False), ("Active", True)])
def test_where_nothing_was_there_nothing_is_removed(
    *, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespace: str, deleted: bool
) -> None:
    """A member that is new needs no kubectl beside kubefedctl; on others the account of a rotation goes."""
    (tmp_path / "asked").touch()
    install_tool(tmp_path / "bin", "kubectl", f'echo "$*" >>{tmp_path}/asked')
    tool = install_tool(tmp_path / "bin", "kubefedctl", "")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    command = join_command("member1", tool=str(tool), version="0.10.0", target=HOST, member=MEMBER, namespace=namespace)
    (done,) = local.run(command)
    assert done.ok
    asked = (tmp_path / "asked").read_text()
    assert ("delete serviceaccount member1-fedhost-fedssh " in asked) == deleted, asked
    assert bool(asked) == deleted


@pytest.mark.parametrize(("version", "deleted"), [("0.7.0", 1), ("0.10.0", 0)])
def test_what_the_first_try_has_left_is_in_no_seconds_way(
    *, local: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, deleted: int
) -> None:
    """An old kubefedctl fails on the Secret that it has made itself, before the webhook did not answer."""
    (tmp_path / "asked").touch()
    install_tool(tmp_path / "bin", "kubectl", f'echo "$*" >>{tmp_path}/asked')
    install_tool(tmp_path / "bin", "sleep", "")
    tool = install_tool(
        tmp_path / "bin", "kubefedctl", f"[ -e {tmp_path}/tried ] || {{ touch {tmp_path}/tried; exit 1; }}"
    )
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    command = join_command("member1", tool=str(tool), version=version, target=HOST, member=MEMBER, namespace="")
    assert local.run(command)[0].ok
    assert (tmp_path / "asked").read_text().count("delete secret member1.fedssh ") == deleted
