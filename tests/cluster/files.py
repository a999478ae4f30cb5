"""Files on the machines of a lab, and what a refused member has to look like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from lab.machine import Machine

    from .oracle import Federation, Run

CONFIG = "/root/.kube/config"
HOSTILE = "/root/hostile.yaml"
OURS = {"fedhost": "kubernetes", "member1": "kubefed-remote-member1"}
RESTORE = """
    rm -rf /root/.kube/config* /root/.kube/.fedssh-proof-*
    mkdir -p -m 700 /root/.kube && cp /root/pristine /root/.kube/config && chmod 600 /root/.kube/config
"""
_FILE_TIMES = """
    find /etc /home /opt /root /srv /tmp /usr/local /var/tmp \\
        ! -type d ! -path '/root/.kube/cache/*' ! -path '/root/.cache/helm/*' -printf '%T@ %s %p\\0'
"""


def restore(host: Machine) -> None:
    """Make the host's kubeconfig what kubeadm wrote, with nothing of fedssh's beside it."""
    host.check("sh", "-c", RESTORE)


def put(machine: Machine, path: str, content: str | bytes) -> None:
    """Write a file on a machine, 0600."""
    data = content.encode() if isinstance(content, str) else content
    machine.check("sh", "-c", 'umask 077; mkdir -p "$(dirname "$1")"; cat >"$1"', "sh", path, stdin=data)


def beside(machine: Machine, path: str) -> list[str]:
    """Return what lies in a file's folder; fedssh's lock, which is empty and stays, is left out."""
    listed = machine.check("ls", "-A", path.rpartition("/")[0]).split()
    return sorted(one for one in listed if one not in {"config.fedssh.lock", "cache"})


def contexts(machine: Machine, path: str) -> dict[str, str]:
    """Return the contexts of a kubeconfig: name to cluster."""
    parsed = yaml.safe_load(machine.check("cat", path))
    return {one["name"]: one["context"]["cluster"] for one in parsed["contexts"]}


def administrators(machine: Machine) -> dict[str, Any]:
    """Return the kubeconfig that kubeadm wrote on a machine."""
    parsed: dict[str, Any] = yaml.safe_load(machine.check("cat", "/root/pristine"))
    return parsed


def refused(federation: Federation, done: Run, code: int) -> None:
    """Check that a run ended so, and left nothing on member2 and nothing of it on the host."""
    assert done.code == code, done.stderr
    assert "member2: " in done.stderr
    assert federation.objects("member2") == []
    assert "member2" not in federation.contexts()
    assert "member2" not in federation.ready()


def file_times(machine: Machine) -> dict[str, tuple[int, int]]:
    """Return every file that a run could change on a machine: path to time of change in ns, and size.

    Files are enough: what appears, what is written and what goes all show. Left out are the caches of kubectl and
    Helm, and by their places (/var, /run) what daemons write while nobody asks them to.
    """
    found = machine.check("sh", "-c", _FILE_TIMES).split("\0")[:-1]
    times = {}
    for line in found:
        time, size, path = line.split(" ", 2)
        seconds, _, rest = time.partition(".")
        times[path] = (int(seconds) * 10**9 + int(f"{rest:0<9.9}"), int(size))
    return times
