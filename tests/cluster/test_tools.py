"""Machines whose tools are not what fedssh needs: row 26 of the faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracle import Federation, Run

# What a kubectl of before 1.19 and a Helm of another major version say of themselves.
OLD_KUBECTL = """#!/bin/sh
case " $* " in
    *" version "*) echo '{"clientVersion": {"gitVersion": "v1.18.20"}}'; exit ;;
    *" config view "*) printf 'login\\nmap[server:https://member1:6443]\\n'; exit ;;
esac
exec /opt/recorded/kubectl "$@"
"""
NEW_HELM = "#!/bin/sh\necho v4.0.0\n"


@pytest.mark.parametrize(
    ("machine", "tool", "program", "words", "code"),
    [
        ("member1", "kubectl", OLD_KUBECTL, "kubectl is older than 1.19, the first that works with fedssh", 3),
        ("fedhost", "kubectl", OLD_KUBECTL, "kubectl is version 1.18, and fedssh needs 1.19 or newer", 3),
        ("fedhost", "helm", NEW_HELM, "needs Helm 3", 6),
    ],
)
def test_fault_26_a_tool_of_the_wrong_age(
    *,
    machine: str,
    tool: str,
    program: str,
    words: str,
    code: int,
    unjoined: Federation,
    fedssh: Callable[..., Run],
) -> None:
    """It is refused, naming the machine and what is wanted; nothing is granted and the kubeconfig is as it was."""
    where = unjoined.host if machine == "fedhost" else unjoined.member(machine)
    before = unjoined.host.check("sha256sum", "/root/.kube/config")
    where.check("mv", f"/usr/local/bin/{tool}", "/root/away")
    where.check("sh", "-c", f"cat >/usr/local/bin/{tool} && chmod 755 /usr/local/bin/{tool}", stdin=program.encode())
    try:
        done = fedssh("federate", "--member", "member1")
    finally:
        where.check("mv", "-f", "/root/away", f"/usr/local/bin/{tool}")
    assert done.code == code, done.stderr
    assert f"error: {machine}: " in done.stderr
    assert words in done.stderr
    assert unjoined.objects() == []
    assert unjoined.host.check("sha256sum", "/root/.kube/config") == before
