"""A federate that ends in the middle, at every step, and what the machines and the next run make of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run

# What fedssh says when a step begins; each comes only after the one before it.
STEPS = (
    "member1: looking at the member",
    "member1: granting access",
    "member1: proving the access from fedhost",
    "fedhost: writing /root/.kube/config",
    "member1: joining",
    "member1: waiting for KubeFed's health check",
)
FEDSSH = str(Path(sys.executable).with_name("fedssh"))

_LEFT_BEHIND = """
    for one in $(grep -lzs '^SSH_CONNECTION=' /proc/[0-9]*/environ); do
        tr '\\0' ' ' <"${one%environ}cmdline"; echo
    done 2>/dev/null
    ls -A /root/.kube | grep -E '^[.]fedssh-proof|^config[.].{6}$|^config[.]lock$'
    flock -n /root/.kube/config.fedssh.lock true || echo locked
    ls -d /tmp/tmp.* 2>/dev/null
"""


def end_at(step: str, number: int, folder: Path, *, after_seconds: float = 0.2) -> int:
    """Run a federate of member1 until it says that a step begins, end it, and return its exit code.

    It is 0 where nothing was left to do for the last step: KubeFed goes on while nobody looks.
    """
    with subprocess.Popen(
        [FEDSSH, "federate", "--member", "member1"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, env=os.environ,
    ) as process:  # fmt: skip
        assert process.stderr
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith(step):
                break
        else:
            assert step == STEPS[-1], f"{step} never came: {''.join(said)}"
            return process.wait(10)
        time.sleep(after_seconds)
        process.send_signal(number)
        code = process.wait(10)  # tests/ssh measures the 2 s, where no cluster keeps the processors busy
        assert "Traceback" not in process.stderr.read()
        return code


def nothing_is_left(federation: Federation) -> None:
    """Check that the host has nothing of the run: what came by SSH and still runs, temporary files, a held lock."""
    deadline = time.monotonic() + 10
    while left := federation.host.exec("sh", "-c", _LEFT_BEHIND).stdout:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def converges(federation: Federation, fedssh: Callable[..., Run]) -> None:
    """Check that a run goes on to where a run from the start would have come, and the next one finds nothing."""
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert federation.ready() == {"fedhost": "True", "member1": "True"}
    assert federation.contexts() == {"fedhost": "kubernetes", "member1": "kubefed-remote-member1"}
    # A Secret that was deleted or taken back is followed by one of the next number.
    assert [re.sub(r"-fedssh-\d+$", "-fedssh-N", name) for name in federation.objects()] == [
        "clusterrole.rbac.authorization.k8s.io/member1",
        "clusterrolebinding.rbac.authorization.k8s.io/member1",
        "secret/member1-fedssh-N",
        "serviceaccount/member1",
    ]
    assert "Nothing to do" in fedssh("federate", "--member", "member1").stderr


def test_fault_08_a_session_that_is_killed_while_access_is_granted(
    unjoined: Federation, fedssh: Callable[..., Run], tmp_path: Path
) -> None:
    """Its outcome is unknown (4), and the next run completes it: one account, one Secret, nothing beside them."""
    assert fedssh("status").code in {0, 3}  # writes hosts.yaml
    member = unjoined.member()
    member.check("pkill", "-STOP", "kube-controller")  # so that the token is waited for
    try:
        with subprocess.Popen(
            [FEDSSH, "federate", "--member", "member1"], cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr
            while "granting access" not in process.stderr.readline():
                assert process.poll() is None
            while not unjoined.objects():
                time.sleep(0.2)
            member.check("pkill", "-f", "sshd: root@notty")
            said = process.stderr.read()
    finally:
        member.check("pkill", "-CONT", "kube-controller")
    assert process.returncode == 4, said
    assert "the outcome is unknown" in said
    assert "Run the same command again" in said
    converges(unjoined, fedssh)
    assert unjoined.kubectl(member, "get", "secret", "-o", "name").split() == ["secret/member1-fedssh-1"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_fault_09_a_run_that_ended_at_any_step_is_finished_by_the_next(
    unjoined: Federation,
    fedssh: Callable[..., Run],
    tmp_path: Path,
    *,
    number: int,
    code: int,
) -> None:
    """Interrupted or killed at each step in turn: nothing is left on the host, and the next run gets further."""
    assert fedssh("status").code in {0, 3}  # writes hosts.yaml
    for step in STEPS:
        if "proving" in step:  # what the run before has been granted is proven while fedssh looks
            unjoined.kubectl(unjoined.member(), "delete", "secret", "--selector=app.kubernetes.io/managed-by=fedssh")
        assert end_at(step, number, tmp_path) in {code, 0 if step == STEPS[-1] else code}
        nothing_is_left(unjoined)
    converges(unjoined, fedssh)


def test_fault_11_an_interrupted_installation_is_finished_by_the_next(
    unjoined: Federation,
    fedssh: Callable[..., Run],
    tmp_path: Path,
) -> None:
    """Helm is ended with the run that called it; the next one installs anew and does not wait for it."""
    fedssh("status")
    unjoined.uninstall()
    assert end_at("fedhost: installing KubeFed", signal.SIGINT, tmp_path, after_seconds=1.5) == 130
    nothing_is_left(unjoined)
    assert end_at("fedhost: waiting for KubeFed to serve", signal.SIGINT, tmp_path) == 130
    nothing_is_left(unjoined)
    converges(unjoined, fedssh)
