"""ssh_config, and machines behind gateways: row 3 of the faults."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
import pytest

from fedssh.errors import ConfigurationError, HostKeyError, UnreachableError
from fedssh.inventory import Machine
from fedssh.shell import command
from fedssh.ssh.ssh_config import SshConfig
from fedssh.ssh.target import find_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.inventory.hostsfile import HostKeyPolicy
    from fedssh.ssh import Connections
    from tests.ssh.conftest import Sshd


@pytest.fixture
def write_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Writes ~/.ssh/config; returns the folder it is in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".ssh"
    folder.mkdir()

    def write(text: str) -> Path:
        (folder / "config").write_text(text)
        return folder

    return write


def host(alias: str, sshd: Sshd, *more: str) -> str:
    """Return the lines of ssh_config that make ``alias`` this sshd."""
    lines = [
        f"Host {alias}",
        "HostName 127.0.0.1",
        f"Port {sshd.port}",
        "User root",
        f"IdentityFile {sshd.identity}",
        f"UserKnownHostsFile {sshd.known_hosts}",
        *more,
    ]
    return "\n  ".join(lines) + "\n"


def connects(connections: Connections, machine: Machine) -> bool:
    """Whether a command runs there."""
    return connections.connect(machine).run(command("true"))[0].ok


def test_an_alias_is_enough(sshd: Sshd, connections: Connections, write_config: Callable[[str], Path]) -> None:
    """Name, port, user, key and known_hosts come from ssh_config, from included files, too."""
    folder = write_config("Include conf.d/*\nInclude missing\nHost *\n  Port 1\n  User nobody\n")
    (folder / "conf.d").mkdir()
    (folder / "conf.d/lab").write_text(host("lab", sshd, "IdentityAgent none", "IdentitiesOnly yes"))
    assert connects(connections, Machine(name="member1", address="lab"))


def test_hosts_yaml_stands_above_ssh_config(
    sshd: Sshd, connections: Connections, write_config: Callable[[str], Path]
) -> None:
    """What hosts.yaml says wins, and reaches a ProxyCommand's %r and %p."""
    write_config(
        "Host 127.0.0.1\n  Port 1\n  User nobody\n  IdentityFile /gone\n  UserKnownHostsFile /gone\n"
        "  ProxyCommand sh -c 'test %r = root && exec busybox nc %h %p'\n"
    )
    assert connects(connections, sshd.machine())


@pytest.mark.parametrize("address", ["a", "b", "deep", "x.example.com", "inside", "other"])
def test_settings_are_those_of_openssh(write_config: Callable[[str], Path], address: str) -> None:
    """Host, port, user, keys, known_hosts and gateways are what ssh -G says."""
    folder = write_config(
        "IdentityFile ~/first\n"
        "Host a b\n  Include one\n  User after\n"
        "Host *.example.com !y.example.com\n  HostName %h.internal\n  ProxyJump me@b:2222,a\n"
        "Match host inside user root\n  Port 4\n"
        "Match originalhost other\n  IdentityFile ~/key-%h-%r\n  UserKnownHostsFile ~/k1 ~/k2\n"
        'Host deep\n  ProxyCommand "ssh" -W %h:%p b\n'
        "Host *\n  Port 99\n  User root\n"
    )
    (folder / "one").write_text("Port = 7\nIdentitiesOnly yes\n")
    oracle: dict[str, list[str]] = {}
    listed = subprocess.check_output(["ssh", "-F", folder / "config", "-G", address], text=True)
    for line in listed.splitlines():
        key, _, value = line.partition(" ")
        oracle.setdefault(key, []).append(value)
    target = find_target(Machine(name="m", address=address), SshConfig())
    home = str(folder.parent)
    assert target.host == oracle["hostname"][0]
    assert str(target.port) == oracle["port"][0]
    assert target.user == oracle["user"][0]
    keys = [value.replace("~", home) for value in oracle["identityfile"]]
    keys = [key.replace("%h", target.host).replace("%r", target.user) for key in keys]
    assert [str(path) for path in target.identity_files] == keys
    assert target.identities_only == (oracle["identitiesonly"] == ["yes"])
    known = [value.replace(pwd.getpwuid(os.getuid()).pw_dir, home) for value in oracle["userknownhostsfile"][0].split()]
    assert [str(path) for path in target.known_hosts[:2]] == known
    jump = oracle.get("proxyjump", [""])[0]
    hops = []
    gateway = target.gateway
    while gateway:
        hops.append(gateway.host)
        gateway = gateway.gateway
    assert hops == [re.sub(r".*@|:.*", "", hop) for hop in reversed(jump.split(","))] if jump else not hops
    assert bool(target.proxy_command) == ("proxycommand" in oracle)


def test_ssh_config_is_parsed_once(write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """For all machines of one user and port: a long one would be parsed anew for each of hundreds."""
    write_config("Host m1\n  HostName one\nHost m2\n  HostName two\nHost *\n  User nobody\n  Port 1\n")
    parsed: list[str] = []
    from_text = paramiko.SSHConfig.from_text

    def noted(text: str) -> paramiko.SSHConfig:
        parsed.append(text)
        return from_text(text)

    monkeypatch.setattr(paramiko.SSHConfig, "from_text", noted)
    config = SshConfig()
    users = (None, None, "root", "root")
    machines = [Machine(name=name, address=name, user=user) for user in users for name in ("m1", "m2")]
    found = [(target.host, target.user, target.port) for target in (find_target(one, config) for one in machines)]
    assert found == [("one", "nobody", 1), ("two", "nobody", 1)] * 2 + [("one", "root", 1), ("two", "root", 1)] * 2
    assert len(parsed) == 2


def test_proxy_jump_through_two_gateways(
    start_sshd: Callable[..., Sshd], connections: Connections, write_config: Callable[[str], Path]
) -> None:
    """A chain of gateways, each with its own key and known_hosts, leads to the machine; one connection serves two."""
    first, second, third = start_sshd(), start_sshd(), start_sshd()
    write_config(
        host("one", first)
        + host("two", second)
        + host("three", third, "ProxyJump one,two")
        + host("four", third, "ProxyJump one,two")
        + "Host *\n  ProxyJump one\n"
    )
    machines = [Machine(name=name, address=name) for name in ("three", "four")]
    with ThreadPoolExecutor() as pool:
        assert all(pool.map(lambda machine: connects(connections, machine), machines))
    assert [sshd.log().count("Accepted publickey") for sshd in (first, second, third)] == [1, 1, 2]


def test_a_file_is_uploaded_through_gateways(
    start_sshd: Callable[..., Sshd], connections: Connections, write_config: Callable[[str], Path], tmp_path: Path
) -> None:
    """It arrives whole at the machine, and on no gateway."""
    first, second, third = start_sshd(), start_sshd(), start_sshd()
    write_config(host("one", first) + host("two", second) + host("three", third, "ProxyJump one,two"))
    file = tmp_path / "large"
    file.write_bytes(os.urandom(5_000_000))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    shell = connections.connect(Machine(name="three", address="three"))
    path = Path(shell.upload(file, sha256=sha256, sent=lambda there: None))  # noqa: ARG005
    assert path == third.folder / ".cache" / "fedssh" / sha256
    assert path.read_bytes() == file.read_bytes()
    assert [(sshd.folder / ".cache").exists() for sshd in (first, second)] == [False, False]


@pytest.mark.parametrize("policy", ["strict", "accept-new", "off"])
def test_fault_03_unknown_key_on_the_gateway(
    start_sshd: Callable[..., Sshd],
    connections: Connections,
    write_config: Callable[[str], Path],
    policy: HostKeyPolicy,
) -> None:
    """A gateway's host key is strict whatever is said about the machine, and the gateway is named."""
    gateway, sshd = start_sshd(), start_sshd()
    gateway.know()
    write_config(host("gate", gateway) + host("behind", sshd, "ProxyJump gate"))
    with pytest.raises(HostKeyError, match=r"member1: connect: gateway root@127.0.0.1 port") as caught:
        connections.connect(Machine(name="member1", address="behind", host_key_policy=policy))
    assert gateway.fingerprint in caught.value.message
    assert caught.value.exit_code == 5
    assert "Accepted" not in gateway.log()
    assert "Connection from" not in sshd.log()


def test_fault_03_unknown_key_behind_the_gateway(
    start_sshd: Callable[..., Sshd], connections: Connections, write_config: Callable[[str], Path]
) -> None:
    """A gateway that one trusts vouches for nobody."""
    gateway, sshd = start_sshd(), start_sshd()
    sshd.know()
    write_config(host("gate", gateway) + host("behind", sshd, "ProxyJump gate"))
    with pytest.raises(HostKeyError) as caught:
        connections.connect(Machine(name="member1", address="behind"))
    assert sshd.fingerprint in caught.value.message
    assert "gateway" not in caught.value.message


def test_a_gateway_that_cannot_connect(
    start_sshd: Callable[..., Sshd], connections: Connections, write_config: Callable[[str], Path], closed_port: int
) -> None:
    """What the gateway could not reach is unreachable, and where it stands is said."""
    gateway = start_sshd()
    write_config(host("gate", gateway) + "Host behind\n  HostName 127.0.0.1\n  ProxyJump gate\n")
    with pytest.raises(UnreachableError, match=r"the gateway cannot connect to 127.0.0.1 port") as caught:
        connections.connect(Machine(name="member1", address="behind", port=closed_port))
    assert caught.value.exit_code == 4
    assert gateway.log().count("Accepted publickey") == 1


def test_a_gateway_that_may_not_forward(
    start_sshd: Callable[..., Sshd], connections: Connections, write_config: Callable[[str], Path]
) -> None:
    """A gateway that forbids forwarding is not asked twice."""
    write_config(host("gate", start_sshd("AllowTcpForwarding no")) + "Host behind\n  ProxyJump gate\n")
    with pytest.raises(UnreachableError, match="does not forward") as caught:
        connections.connect(Machine(name="member1", address="behind"))
    assert "AllowTcpForwarding" in caught.value.hint


def test_proxy_command(sshd: Sshd, connections: Connections, write_config: Callable[[str], Path]) -> None:
    """A ProxyCommand leads to the machine and ends with the connections."""
    folder = Path("~").expanduser()
    write_config(host("lab", sshd, f"ProxyCommand sh -c 'echo $$ > {folder}/pid; exec busybox nc %h %p'"))
    assert connects(connections, Machine(name="member1", address="lab"))
    pid = int((folder / "pid").read_text())
    assert Path(f"/proc/{pid}").exists()
    connections.close()
    assert not Path(f"/proc/{pid}").exists()


def test_a_proxy_command_that_fails(sshd: Sshd, connections: Connections, write_config: Callable[[str], Path]) -> None:
    """Its own words are the reason."""
    write_config(host("lab", sshd, "ProxyCommand sh -c 'echo no \033[2Jroute >&2; exit 1'"))
    with pytest.raises(UnreachableError, match=r"the ProxyCommand .* said: no \\x1b\[2Jroute"):
        connections.connect(Machine(name="member1", address="lab"))


@pytest.mark.parametrize(
    "text",
    [
        "Include config\n",
        "Host lab\n  ProxyJump other\nHost other\n  ProxyJump lab\n",
        "Host lab\n  ProxyJump other:port\n",
        "Nonsense\n",
        "Port a\n",
    ],
)
def test_an_ssh_config_that_cannot_be(connections: Connections, write_config: Callable[[str], Path], text: str) -> None:
    """Circles and lines nobody understands are configuration errors, not tracebacks."""
    write_config(text)
    with pytest.raises(ConfigurationError, match=r"ssh_config|config: too many") as caught:
        connections.connect(Machine(name="member1", address="lab"))
    assert caught.value.exit_code == 2


def test_host_key_alias(sshd: Sshd, connections: Connections, write_config: Callable[[str], Path]) -> None:
    """With HostKeyAlias a machine is known by that name alone."""
    sshd.know("gate {key}")
    write_config(host("lab", sshd, "HostKeyAlias gate"))
    assert connects(connections, Machine(name="member1", address="lab"))


def test_what_was_settled_can_be_shown(
    connections: Connections, write_config: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Login, way, keys and known_hosts of a machine are told without connecting to it."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    write_config("Host lab\n  HostName 192.0.2.1\n  User me\n  ProxyJump one@a,two@b:2222\n  IdentitiesOnly yes\n")
    machine = Machine(name="m", address="lab", identity_file=Path("/key"), known_hosts=Path("/known"))
    assert connections.describe(machine) == {
        "login": "me@192.0.2.1 port 22",
        "through": "one@a port 22, two@b port 2222",
        "keys": "/key, the agent at /agent for these keys only",
        "known_hosts": "/known",
        "host_key_policy": "strict",
    }
