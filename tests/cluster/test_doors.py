"""federate through everything that can stand before a machine: a gate, a jump host, sudo."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.errors import ConnectionLostError
from fedssh.inventory import Machine
from fedssh.shell import command
from fedssh.ssh import Connections
from lab.accounts import ADMIN, ASKED_ADMIN, PASSWORD, add_accounts
from lab.doors import FrontDoors, start_front_doors
from tests.cluster.checkups import named
from tests.warm import FEDSSH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.clusters import Lab

    from .oracle import Federation, Run

    Logins = Callable[[], dict[str, tuple[int, int]]]


@pytest.fixture(scope="module")
def doors(lab: Lab) -> FrontDoors:
    """The gate and the jump host."""
    return start_front_doors(lab)


@pytest.fixture(scope="module")
def accounts(lab: Lab) -> None:
    """The users who are not root."""
    add_accounts(lab)


def test_through_a_gate(
    doors: FrontDoors,
    inventory: dict[str, Any],
    unjoined: Federation,
    fedssh: Callable[..., Run],
    logins: Logins,
) -> None:
    """A platform's gate, whose user is the machine: one login there, and everything as at the machine itself."""
    member = inventory["members"]["member1"]
    member |= {"address": doors.gate.address, "port": doors.gate.port, "user": doors.gate_user(unjoined.member())}
    before = doors.gate.sshd_log().count("Accepted publickey")
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}
    assert doors.gate.sshd_log().count("Accepted publickey") == before + 1
    assert logins()["member1"] == (1, 1)  # the gate's own, for the session


def test_through_a_jump_host(
    doors: FrontDoors,
    lab: Lab,
    home: Path,
    inventory: dict[str, Any],
    unjoined: Federation,
    fedssh: Callable[..., Run],
    logins: Logins,
) -> None:
    """A ProxyJump of ~/.ssh/config: one login at the jump host and one at the machine, which is strict, too."""
    (home / ".ssh").mkdir()
    (home / ".ssh/config").write_text(
        "Host first\n    HostName member1\n    ProxyJump jump\n"
        f"Host jump\n    HostName {doors.jump.address}\n    Port {doors.jump.port}\n    User root\n"
        f"Host *\n    IdentityFile {lab.identity_file}\n    UserKnownHostsFile {lab.known_hosts}\n"
    )
    del inventory["members"]["member1"]["port"]
    inventory["members"]["member1"]["address"] = "first"
    before = doors.jump.sshd_log().count("Accepted publickey")
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}
    assert doors.jump.sshd_log().count("Accepted publickey") == before + 1
    assert logins()["member1"] == (1, 1)
    del inventory["members"]["member2"]
    checked = fedssh("check", "-o", "json")
    place = f"root@{doors.jump.address} port {doors.jump.port}"
    assert checked.code == 0, checked.stderr
    assert named(checked, "member1", "ssh", f", through {place}") == "ok"
    doors.jump.pause()
    try:
        checked = fedssh("check")
    finally:
        doors.jump.unpause()
    assert (checked.code, f"gateway {place}: " in checked.stdout) == (3, True), checked.stdout + checked.stderr


@pytest.mark.usefixtures("accounts")
def test_fault_24_as_users_who_become_root(
    inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run], logins: Logins
) -> None:
    """By sudo, with a noisy .bashrc, a banner and a HOME that is not root's, all is as it is for root."""
    for one in (inventory["host"], inventory["members"]["member1"]):
        one |= {"user": ADMIN, "sudo": True}
    logins()
    done = fedssh("federate", "--member", "member1")
    assert done.code == 0, done.stderr
    counted = logins()
    assert unjoined.ready() == {"fedhost": "True", "member1": "True"}
    assert unjoined.contexts() == {"fedhost": "kubernetes", "member1": "kubefed-remote-member1"}
    files = unjoined.host.check("sh", "-c", "stat -c '%U %a' /root/.kube/config /root/.kube/config.fedssh-*")
    assert set(files.splitlines()) == {"root 600"}
    assert unjoined.host.exec("test", "-e", f"/home/{ADMIN}/.kube").code == 1
    assert counted["member1"] == (1, 2)  # one more, to see whether sudo wants a password
    assert counted["fedhost"][0] == 1
    again = fedssh("federate", "--member", "member1")
    assert (again.code, "Nothing to do" in again.stderr) == (0, True), again.stderr


@pytest.mark.usefixtures("accounts")
@pytest.mark.parametrize("who", ["fedhost", "member1"])
def test_fault_23_sudo_wants_a_password_and_nobody_is_there(
    who: str, inventory: dict[str, Any], unjoined: Federation, fedssh: Callable[..., Run]
) -> None:
    """Without a terminal it is exit code 5 with what to do, and nothing was changed."""
    one = inventory["host"] if who == "fedhost" else inventory["members"][who]
    one |= {"user": ASKED_ADMIN, "sudo": True}
    done = fedssh("federate", "--member", "member1")
    assert done.code == 5, done.stderr
    assert f"error: {who}: connect: sudo on {ASKED_ADMIN}@" in done.stderr
    assert "NOPASSWD" in done.stderr
    assert unjoined.objects() == []


@pytest.mark.usefixtures("accounts")
def test_fault_23_a_password_for_sudo_on_a_terminal(
    inventory: dict[str, Any], joined: Federation, fedssh: Callable[..., Run], leaks: Any, tmp_path: Path
) -> None:
    """It is asked for, not shown, and in no log and no argv of the machine; then status is what it is for root."""
    inventory["host"] |= {"user": ASKED_ADMIN, "sudo": True}
    assert fedssh("status").code == 5  # writes hosts.yaml
    ours, theirs = pty.openpty()
    argv = ["setsid", "--ctty", "--wait", FEDSSH, "status"]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while not shown.endswith(b"sudo password for " + f"{ASKED_ADMIN}@127.0.0.1 port {joined.host.port}: ".encode()):
            shown += os.read(ours, 1024)
        os.write(ours, f"{PASSWORD}\n".encode())
        with suppress(OSError):  # the terminal's end
            while chunk := os.read(ours, 1024):
                shown += chunk
        os.close(ours)
        assert process.wait(30) in {0, 3}  # member2 has not joined
    assert b"fedhost" in shown
    assert b"Ready" in shown
    leaks.forbid(PASSWORD)
    leaks.look(shown, "the terminal")
    leaks.look(joined.host.check("cat", "/var/log/recorded", "/var/log/sshd.log"), "what the machine has recorded")


@pytest.mark.usefixtures("accounts")
def test_fault_11_what_runs_under_sudo_ends_with_its_connection(lab: Lab) -> None:
    """Real sudo has a terminal of its own (use_pty) and passes no end of input on; still, nothing is left."""
    machine = Machine(
        name="fedhost", address=lab.host.address, port=lab.host.port, user=ADMIN, sudo=True,
        identity_file=lab.identity_file, known_hosts=lab.known_hosts,
    )  # fmt: skip
    with Connections() as other:
        shell = other.connect(replace(machine, user="root", sudo=False))
        for way in ("close", "kill"):
            connections = Connections()
            working = connections.connect(machine)

            def work(working: Any = working) -> None:
                with pytest.raises(ConnectionLostError):
                    working.run(command("sleep", "313"))

            thread = threading.Thread(target=work)
            thread.start()
            find = command("pgrep", "-u", "root", "-x", "-f", "sleep 313")
            while not shell.run(find)[0].ok:
                time.sleep(0.1)
            if way == "close":
                connections.close()
            else:
                lab.host.check("pkill", "-KILL", "-u", ADMIN, "sshd")
            thread.join(5)
            deadline = time.monotonic() + 5
            while shell.run(find)[0].ok:
                assert time.monotonic() < deadline, way
            connections.close()
