from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fedssh.errors import ConfigurationError
from fedssh.inventory import KubeFed, Machine, find_hosts_file, load_inventory, parse_inventory

CHECKOUT = Path(__file__).parents[3]
FULL = """\
kubefed:
  version: 0.9.2
defaults:
  user: root
  port: 2222
  identity_file: keys/id
  known_hosts: ~/known
  host_key_policy: accept-new
  sudo: true
host:
  name: fedhost
  address: fedhost.example.com
  context: alias
members:
  zeta:
    address: gate.example.com
    port: 3022
    user: 4711-42
    identity_file: /keys/zeta
    host_key_policy: off
    sudo: false
    labels: {region: eu}
    api_server: https://zeta.example.com/api/
    kubeconfig: /etc/kubernetes/admin.conf
  alpha:
    address: alpha
"""
SMALL = "host: {name: fedhost, address: h}\nmembers: {member1: {address: m1}, member2: {address: m2}}\n"


def test_defaults_reach_every_machine_and_paths_are_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cluster says itself wins; relative paths start at the file's folder, ~ is the home."""
    monkeypatch.setenv("HOME", "/home/me")
    inventory = parse_inventory(FULL, path=Path("/etc/fed/hosts.yaml"))
    key, known = Path("/etc/fed/keys/id"), Path("/home/me/known")
    zeta, alpha = inventory.members
    assert zeta.machine == Machine(
        name="zeta",
        address="gate.example.com",
        port=3022,
        user="4711-42",
        identity_file=Path("/keys/zeta"),
        known_hosts=known,
        host_key_policy="off",
    )
    assert alpha.machine == Machine(
        name="alpha",
        address="alpha",
        port=2222,
        user="root",
        identity_file=key,
        known_hosts=known,
        host_key_policy="accept-new",
        sudo=True,
    )
    assert (inventory.host.machine.name, inventory.host.machine.user) == ("fedhost", "root")
    assert inventory.host_context == "alias"
    assert zeta.labels == {"region": "eu"}
    assert zeta.api_server == "https://zeta.example.com/api/"
    assert zeta.kubeconfig == "/etc/kubernetes/admin.conf"


def test_a_relative_file_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a later change of the folder does no harm."""
    monkeypatch.chdir(tmp_path)
    inventory = parse_inventory(FULL, path=Path("hosts.yaml"))
    assert inventory.path == tmp_path / "hosts.yaml"
    assert inventory.host.machine.identity_file == tmp_path / "keys" / "id"


def test_a_name_and_an_address_are_enough() -> None:
    """Everything else is None, for ssh_config to decide, or KubeFed's release."""
    inventory = parse_inventory("host: {name: fedhost, address: h}\n", path=Path("/x/hosts.yaml"))
    assert inventory.host.machine == Machine(name="fedhost", address="h")
    assert inventory.members == ()
    assert inventory.host_context == "rename"
    assert inventory.kubefed == KubeFed()
    assert inventory.kubefed.source.version == "0.10.0"


@pytest.mark.parametrize(
    ("said", "tls", "pin"),
    [
        ("", "ca", None),
        ("tls: pin", "pin", None),
        (f"pin: 'SHA256:{'0a' * 32}'", "pin", f"SHA256:{'0a' * 32}"),
        (f"pin: 'SHA256:{'0a' * 32}', tls: pin", "pin", f"SHA256:{'0a' * 32}"),
        ("tls: system", "system", None),
    ],
)
def test_a_pin_says_how_a_member_is_verified(said: str, tls: str, pin: str | None) -> None:
    """Without the word, too: nothing else is meant by a fingerprint."""
    text = f"host: {{name: fedhost, address: h}}\nmembers: {{m: {{address: a, {said}}}}}\n"
    member = parse_inventory(text, path=Path("hosts.yaml")).member("m")
    assert (member.tls, member.pin) == (tls, pin)


def test_a_source_says_where_everything_lies() -> None:
    """Chart, kubefedctl and version are those of KubeFed's project, or of the fork, unless hosts.yaml names others."""
    upstream = parse_inventory(FULL, path=Path("/x/hosts.yaml")).kubefed
    released = "https://github.com/kubernetes-sigs/kubefed/releases/download/"
    assert (upstream.source.name, upstream.version) == ("upstream", "0.9.2")
    url = upstream.source.kubefedctl_url("0.9.2", "amd64")
    assert url == released + "v0.9.2/kubefedctl-0.9.2-linux-amd64.tgz"
    text = "kubefed: {source: nutanix, kubefedctl_url: 'http://mirror/k.tgz'}\nhost: {name: h, address: a}\n"
    fork = parse_inventory(text, path=Path("/x/hosts.yaml")).kubefed
    assert (fork.source.version, fork.version, fork.kubefedctl_url) == ("0.12.2", None, "http://mirror/k.tgz")
    assert fork.source.chart_repository.startswith("https://raw.githubusercontent.com/nutanix-cloud-native/kubefed/")
    assert fork.source.kubefedctl_url("0.12.2", "arm64").endswith("/v0.12.2/kubefedctl-0.12.2-linux-arm64.tgz")


def test_the_checkouts_hosts_yaml_describes_the_lab() -> None:
    """As it stands in a checkout, and with the members in its comments."""
    path = CHECKOUT / "hosts.yaml"
    inventory = load_inventory(path)
    lab = inventory.host.machine
    assert (lab.address, lab.port, lab.user) == ("127.0.0.1", 2200, "root")
    assert (lab.identity_file, lab.known_hosts) == (
        CHECKOUT / ".lab/id_ed25519",
        CHECKOUT / ".lab/known_hosts",
    )
    assert [member.name for member in inventory.members] == ["member1"]
    text = path.read_text(encoding="utf-8")
    begin = text.index("  # member2:")
    more = text[:begin] + text[begin:].replace("  # ", "  ")
    ports = [member.machine.port for member in parse_inventory(more, path=path).members]
    assert ports == [2201, 2202, 2203]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("memebr1", "no member 'memebr1' in /x/hosts.yaml; did you mean 'member1'?"),
        ("--help", "no member '--help' in /x/hosts.yaml"),
        ("", "no member '' in /x/hosts.yaml"),
        ("\x1b[31m", "no member '\\x1b[31m' in /x/hosts.yaml"),
        ("fedhost", "'fedhost' is the host cluster, not a member"),
    ],
)
def test_an_unknown_member_is_answered_with_the_nearest(name: str, message: str) -> None:
    """And with those that are there."""
    inventory = parse_inventory(SMALL, path=Path("/x/hosts.yaml"))
    with pytest.raises(ConfigurationError) as caught:
        inventory.member(name)
    assert caught.value.message == message
    assert caught.value.hint == "members there: member1, member2"


def test_a_member_is_found_by_its_name() -> None:
    """Exactly by it."""
    inventory = parse_inventory(SMALL, path=Path("/x/hosts.yaml"))
    assert inventory.member("member2") is inventory.members[1]


def test_hosts_yaml_is_looked_for_upwards(tmp_path: Path) -> None:
    """The nearest one is taken."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "hosts.yaml").touch()
    assert find_hosts_file(below) == tmp_path / "hosts.yaml"
    (tmp_path / "a" / "hosts.yaml").touch()
    assert find_hosts_file(below) == tmp_path / "a" / "hosts.yaml"


def test_a_relative_start_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders above the working directory are looked at, too."""
    (tmp_path / "hosts.yaml").touch()
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert find_hosts_file(Path()) == tmp_path / "hosts.yaml"


def test_no_hosts_yaml_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    """A first run outside of a checkout."""
    with pytest.raises(ConfigurationError) as caught:
        find_hosts_file(tmp_path)
    assert str(tmp_path) in caught.value.message
    assert "--hosts" in caught.value.hint
    assert "FEDSSH_HOSTS" in caught.value.hint


@pytest.mark.parametrize(
    ("path", "mode", "said"),
    [
        ("hosts.yaml", 0o646, "others can write to {path}"),
        (".", 0o707, "others can write to the folder of {path}"),
        (".", 0o1777, "others can write to the folder of {path}"),
    ],
)
def test_a_file_that_others_can_have_written_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, mode: int, said: str
) -> None:
    """What was only found could lead tokens to anybody's machine; named, it is taken."""
    file = tmp_path / "hosts.yaml"
    file.write_text("host: {name: h, address: h}\n")
    (tmp_path / path).chmod(mode)
    monkeypatch.chdir(tmp_path / "..")
    with pytest.raises(ConfigurationError) as caught:
        find_hosts_file(tmp_path)
    assert caught.value.message == said.format(path=f"{tmp_path.name}/hosts.yaml") + ", and it was found, not named"
    assert f"--hosts {tmp_path.name}/hosts.yaml" in caught.value.hint
    assert load_inventory(file).host.name == "h"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_file_has_to_be_named(tmp_path: Path) -> None:
    """Or one in somebody else's folder; a group of one's own may write to both."""
    file = tmp_path / "hosts.yaml"
    file.write_text("host: {name: h, address: h}\n")
    for path in (file, tmp_path):
        path.chmod(0o770)
        assert find_hosts_file(tmp_path) == file
        os.chown(path, -1, 12345)
        with pytest.raises(ConfigurationError, match="others can write to"):
            find_hosts_file(tmp_path)
        path.chmod(0o700)
        os.chown(path, 12345, -1)
        with pytest.raises(ConfigurationError, match="belongs to somebody else"):
            find_hosts_file(tmp_path)
        os.chown(path, 0, 0)


def test_files_that_cannot_be_read_are_mistakes(tmp_path: Path) -> None:
    """Missing, a folder, not UTF-8, too large: each says which file and why."""
    for name, content, expected in [
        ("missing.yaml", None, "missing.yaml: No such file"),
        (".", None, ": Is a directory"),
        ("latin.yaml", b"a: b\nc: \xfc\n", "latin.yaml:2:4: not UTF-8 text"),
        ("utf16.yaml", "a: b\n".encode("utf-16"), "utf16.yaml:1:1: not UTF-8 text"),
        ("large.yaml", "ü".encode() * 600_000, "large.yaml: larger than 1048576 bytes"),
    ]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            load_inventory(path)
        assert expected in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_is_closed_to_us_is_a_mistake(tmp_path: Path) -> None:
    """Not a traceback."""
    path = tmp_path / "hosts.yaml"
    path.touch(mode=0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        load_inventory(path)


def test_an_endless_file_is_a_mistake() -> None:
    """No more than the limit is read."""
    with pytest.raises(ConfigurationError, match="larger than"):
        load_inventory(Path("/dev/zero"))


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "hosts.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load_inventory(path).host.name == "fedhost"


def test_messages_name_the_file_from_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short below the working directory, whole elsewhere, and never with terminal escapes."""
    text = "host: {name: a}\n"
    monkeypatch.chdir(tmp_path)
    for path, expected in [
        (tmp_path / "hosts.yaml", "hosts.yaml:1:1: host.address: is missing"),
        (Path("/x/hosts.yaml"), "/x/hosts.yaml:1:1: host.address: is missing"),
        (Path("/x/\x1b.yaml"), "'/x/\\x1b.yaml':1:1: host.address: is missing"),
    ]:
        with pytest.raises(ConfigurationError) as caught:
            parse_inventory(text, path=path)
        assert caught.value.message == expected


def calls_to_load(count: int) -> int:
    """Return how many calls of Python functions it takes to load so many members."""
    settings = "{port: 22, user: root, address: m%d.example.com, labels: {region: eu, zone: a}}"
    members = "".join(f"  member{i}: {settings % i}\n" for i in range(count))
    text = "host: {name: fedhost, address: h}\nmembers:\n" + members
    calls = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        inventory = parse_inventory(text, path=Path("/x/hosts.yaml"))
    finally:
        sys.setprofile(before)
    assert len(inventory.members) == count
    return calls


def test_twice_as_many_members_take_twice_as_much_to_load() -> None:
    """Loading is a part of every command; nothing in it looks at every member for every member."""
    calls_to_load(1)
    once, twice = calls_to_load(200), calls_to_load(400)
    assert once < 200 * 300
    assert twice < 2.2 * once
