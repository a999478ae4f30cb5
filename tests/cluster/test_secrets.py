"""Where the tokens are, and where they are not, after and during a whole federate."""

from __future__ import annotations

import base64
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.machine import Machine
    from tests.cluster.oracle import Federation, Run

# Every process's argv and environment, over and over, until the file that says so is gone.
_SAMPLE = """
    touch /run/sampling
    while [ -e /run/sampling ]; do
        cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'
        sleep 0.02
    done >/var/log/sampled
"""
# What is the cluster's own: its database, what kubelet gives to pods. And the oracle's own tools.
_LEFT_OUT = ("proc", "sys", "dev", "etcd", "containerd", "kubelet", "recorded")


def files_with(machine: Machine, secrets: list[str]) -> list[str]:
    """Return the files on a machine that hold one of the secrets."""
    flags = [f"--exclude-dir={one}" for one in _LEFT_OUT]
    found = machine.exec("grep", "-rlF", "-f", "-", *flags, "/", stdin="\n".join(secrets).encode())
    return found.stdout.split()


def test_fault_49_no_token_shows_anywhere(
    unjoined: Federation,
    fedssh: Callable[..., Run],
    record: Callable[[Machine, str], None],
    leaks: Any,
    tmp_path: Path,
) -> None:
    """No token is in a process's argv or environment, in a log or in a file, but in the one file that is for it."""
    assert fedssh("prepare").code == 0
    record(unjoined.host, "kubefedctl")
    output, seen = tmp_path / "output", b""
    samplers = [
        subprocess.Popen(["docker", "exec", one.container, "sh", "-c", _SAMPLE]) for one in unjoined.lab.machines
    ]
    try:
        # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
        with output.open("w") as sink:
            run = subprocess.Popen(
                [FEDSSH, "federate", "--all", "-vv"],
                cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
        while run.poll() is None:
            for name in ("cmdline", "environ"):
                with suppress(ProcessLookupError):  # it may end between the question and the look
                    seen += Path(f"/proc/{run.pid}/{name}").read_bytes()
            time.sleep(0.2)
    finally:
        for one in unjoined.lab.machines:
            one.exec("rm", "/run/sampling")
        for sampler in samplers:
            sampler.wait(timeout=30)
        unjoined.host.check("mv", "/opt/recorded/kubefedctl", "/usr/local/bin/kubefedctl")
    said = output.read_text()
    assert run.returncode == 0, said
    assert b"federate" in seen

    encoded = unjoined.tokens()
    assert len(encoded) >= 5  # two members' own, and KubeFed's for each of the three clusters
    for token in encoded:
        leaks.forbid(token)
    leaks.look(said, "fedssh's output at its highest verbosity")
    leaks.look(seen, "fedssh's own argv or environment")
    secrets = [*encoded, *(base64.b64decode(one).decode() for one in encoded)]
    for machine in unjoined.lab.machines:
        sampled = machine.check("cat", "/var/log/sampled")
        assert "sshd" in sampled
        leaks.look(sampled, f"a process's argv or environment on {machine.name}")
        expected = ["/root/.kube/config"] if machine.name == "fedhost" else []
        assert files_with(machine, secrets) == expected
    recorded = unjoined.host.check("cat", "/var/log/recorded")
    assert "kubefedctl" in recorded
    assert "--secret-name=member1.fedssh" in recorded


def test_the_search_finds_what_is_there(joined: Federation) -> None:
    """The test above can fail: a token in a file is found."""
    token = joined.tokens()[0]
    joined.host.check("sh", "-c", "cat >/root/leak", stdin=token.encode())
    try:
        assert "/root/leak" in files_with(joined.host, [token])
    finally:
        joined.host.check("rm", "/root/leak")
