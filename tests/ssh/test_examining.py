"""The way to a machine, told from this computer's files alone: no server is there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fedssh.inventory import Machine
from fedssh.ssh import Connections

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXB0g4Xh8bDcD3m0p2a6Z5v0gq7yqYb7v1mKqk0cXy0"
SSH_CONFIG = """
Host master
    HostName 192.0.2.1
    ProxyJump ops@gate:2222
    IdentityFile ~/.ssh/gone
"""


def test_gateways_host_keys_and_keys_are_told() -> None:
    """Each hop by the name under which it is known, with what would be tried there."""
    folder = Path(os.environ["HOME"]) / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config").write_text(SSH_CONFIG)
    (folder / "known_hosts").write_text(f"[gate]:2222 {KEY}\nnonsense\n@cert-authority 192.0.2.1 {KEY}\n")
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    key.chmod(0o644)
    with Connections() as connections:
        gate, master = connections.examine(Machine(name="m", address="master", user="root"))
    assert (gate.place, gate.is_gateway, gate.name, gate.host_keys) == ("ops@gate port 2222", True, "[gate]:2222", 1)
    assert [(found.path, found.is_named, found.is_open, found.problem) for found in gate.keys] == [
        (str(key), False, True, "")
    ]
    assert (master.place, master.is_gateway, master.host_keys) == ("root@192.0.2.1 port 22", False, 0)
    assert (master.has_authority, master.policy) == (True, "strict")
    assert master.unreadable == (f"{folder}/known_hosts:2",)
    [gone] = master.keys
    assert (gone.is_named, gone.exists, gone.problem) == (True, False, "No such file or directory")
    assert "(missing)" in master.known_hosts[1]


def test_a_key_with_a_passphrase_is_no_problem() -> None:
    """It is asked for when it is needed; nobody is asked now."""
    key = Path(os.environ["HOME"]) / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key], check=True)
    with Connections() as connections:
        [machine] = connections.examine(Machine(name="m", address="192.0.2.1", user="root", identity_file=key))
    assert [(found.is_locked, found.is_open, found.problem) for found in machine.keys] == [(True, False, "")]
