"""A federate whose session ends on the member's side; tests/cluster/test_kills.py has what ends on the laptop's."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .oracle import Federation, Run


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
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ,
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
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}
    assert unjoined.objects() == [
        "clusterrole.rbac.authorization.k8s.io/member1",
        "clusterrolebinding.rbac.authorization.k8s.io/member1",
        "secret/member1-fedssh-1",
        "serviceaccount/member1",
    ]
    assert "Nothing to do" in fedssh("federate", "--member", "member1").stderr
