"""Ansible's inventories, by the real program: what of them becomes a hosts.yaml, and what is never shown."""

from __future__ import annotations

import json
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.cli import ansible
from fedssh.cli.init import write_draft
from fedssh.errors import ConfigurationError
from tests.fakes.drafts import Person, loaded
from tests.fakes.shells import install_tool, path_with

if TYPE_CHECKING:
    from tests.conftest import Leaks

ASKING = """
import sys
from fedssh.cli.init import write_draft
text = write_draft([], tell=lambda said: print(f"told: {said}", file=sys.stderr))
print("text:", text)
"""


VAULT = "  $ANSIBLE_VAULT;1.1;AES256\n            3132"


SSH_CONFIG = "put what it says, such as ProxyJump, into ~/.ssh/config"


@pytest.fixture
def real_ansible(monkeypatch: pytest.MonkeyPatch, leaks: Leaks, home: Path) -> None:
    """The real program, from this environment; its own folder is none of ours."""
    monkeypatch.setenv("PATH", path_with(Path(sysconfig.get_path("scripts"))))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    leaks.may_hold(home / ".ansible")


@pytest.mark.usefixtures("real_ansible")
def test_a_real_ini_inventory_is_taken_over(tmp_path: Path, person: Person, leaks: Leaks, canary: str) -> None:
    """By Ansible's own program; the passwords stay where they are."""
    path = leaks.may_hold(tmp_path / "inventory.ini")
    path.write_text(f"""\
[cluster_eu]
edge1 ansible_host=192.0.2.1 ansible_port=2222 ansible_password={canary}
edge2.example.com ansible_become=yes ansible_become_password='{canary} x'
[cluster_eu:vars]
ansible_user=root
ansible_ssh_private_key_file=~/.ssh/id
ansible_ssh_common_args=-o ProxyJump=bastion
[others]
laptop ansible_connection=local
db1 ansible_user="{{{{ dbuser }}}}"
""")
    text = write_draft([], ansible=str(path), tell=person.told.append, ask=person.ask)
    inventory = loaded(text)
    edge1 = inventory.host
    assert (edge1.machine.address, edge1.machine.port, edge1.machine.user) == ("192.0.2.1", 2222, "root")
    assert edge1.machine.identity_file == Path("~/.ssh/id").expanduser()
    assert edge1.labels == {"cluster_eu": "true"}
    assert [(one.name, one.machine.sudo) for one in inventory.members] == [("edge2-example-com", True), ("db1", False)]
    assert person.told == [
        "edge1, edge2.example.com: passwords are left out: they are asked for on a terminal",
        f"edge1, edge2.example.com: ansible_ssh_common_args is not copied: {SSH_CONFIG}",
        "laptop: left out: ansible_connection is not ssh",
        "db1: ansible_user is left out: it is encrypted, or a template",
        "edge2.example.com is called edge2-example-com: a name has lower-case letters, digits and '-' only, 63 at most",
        "edge1 (192.0.2.1) is the host cluster, the first one",
    ]
    assert "canary" not in text + "".join(person.told)
    assert person.asked == []


@pytest.mark.usefixtures("real_ansible")
def test_a_real_yaml_inventory_is_taken_over(tmp_path: Path, person: Person, leaks: Leaks, canary: str) -> None:
    """What is encrypted is left out; words choose, and a host is chosen besides."""
    path = leaks.may_hold(tmp_path / "inventory.yml")
    path.write_text(f"""\
all:
  vars: {{ansible_user: root, ansible_ssh_pass: {canary}}}
  children:
    edge:
      hosts:
        e1: {{ansible_host: 192.0.2.1, ansible_become: true}}
        e2:
          ansible_host: '2001:db8::1'
          ansible_user: !vault |
          {VAULT}
    mgmt:
      hosts:
        m1: {{ansible_host: 192.0.2.9}}
""")
    text = write_draft(["north=e2", "e1"], host="m1", ansible=str(path), tell=person.told.append)
    inventory = loaded(text)
    assert inventory.host.machine.address == "192.0.2.9"
    members = [(one.name, one.machine.address, one.machine.user, one.machine.sudo) for one in inventory.members]
    assert members == [("north", "2001:db8::1", None, False), ("e1", "192.0.2.1", "root", True)]
    assert "e2: ansible_user is left out: it is encrypted, or a template" in person.told
    assert "canary" not in text + "".join(person.told)


BROKEN = {
    "words.ini": "h ansible_password={} and more {}\n",
    "quote.ini": "h ansible_password='{}\n",
    "colon.ini": "[all:{}]\nh ansible_password={}\n",
    "open.yml": "all:\n  hosts:\n    h: {{ansible_password: {}, x: [}}\n",
    "plain.yml": "all:\n  hosts:\n    h:\n      ansible_password: {}: {}\n",
    "tab.yml": "all:\n  hosts:\n\t{}: {}\n",
}


@pytest.mark.usefixtures("real_ansible")
@pytest.mark.parametrize("name", BROKEN)
def test_what_ansible_does_not_understand_is_told_without_its_values(
    name: str, tmp_path: Path, leaks: Leaks, canary: str
) -> None:
    """Ansible quotes what it stumbles over, and that may be a password."""
    path = leaks.may_hold(tmp_path / name)
    path.write_text(BROKEN[name].format(canary, canary))
    with pytest.raises(ConfigurationError, match="ansible-inventory does not understand") as caught:
        write_draft([], ansible=str(path), tell=str)
    assert "canary" not in caught.value.message
    assert "[ERROR]: No inventory was parsed" in caught.value.message
    assert caught.value.hint == f"All that it says is shown by: ansible-inventory -i {path} --list"


@pytest.mark.usefixtures("real_ansible")
def test_a_folder_beside_the_inventory_is_read_and_not_shown(tmp_path: Path, leaks: Leaks, canary: str) -> None:
    """The variables of groups stand there; a mistake in them is Ansible's error."""
    folder = leaks.may_hold(tmp_path / "site")
    (folder / "group_vars").mkdir(parents=True)
    (folder / "hosts").write_text("[edge]\ne1\n")
    (folder / "group_vars" / "edge.yml").write_text(f"ansible_user: admin\nansible_password: {canary}\n")
    assert loaded(write_draft([], ansible=str(folder), tell=str)).host.machine.user == "admin"
    (folder / "group_vars" / "edge.yml").write_text(f"ansible_password: {canary}: {canary}\n")
    with pytest.raises(ConfigurationError, match=r"exit code [1-9]\d*\): \[ERROR\]: YAML parsing failed: Colons"):
        write_draft([], ansible=str(folder), tell=str)


def test_what_ansible_quotes_is_cut_off(canary: str) -> None:
    """Behind a "got:", in quotation marks, and in the lines that it shows of the file; of newer and older versions."""
    said = f"""\
[WARNING]: Failed to parse inventory with 'ini' plugin: Expected key=value, got: {canary}
Origin: /x/hosts.yml:3:26

3     e1: {{ansible_password: {canary}}}
           ^ column 26
ERROR! Error parsing host definition 'h p="{canary}': No closing quotation {canary}
The offending line appears to be: {canary}
ERROR: something else\x1b[31m
"""
    assert ansible._without_values(said) == (
        "[WARNING]: Failed to parse inventory with the plugin ini: Expected key=value, …\n"
        "Origin: /x/hosts.yml:3:26\n"
        "ERROR! Error parsing host definition …\n"
        "ERROR: something else\\x1b[31m"
    )


def test_what_ansible_prints_is_read_without_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The laptop may have none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps({"_meta": {"hostvars": {"h": {"ansible_port": 23}}}, "all": {"hosts": ["h"]}}))
    assert loaded(write_draft([], ansible=str(path), tell=str)).host.machine.port == 23


@pytest.mark.parametrize("text", ["[edge]\nh\n", "{", "{}", '{"all": 1}', "[" * 100_000, ""])
def test_without_ansible_it_is_said_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Elsewhere, where Ansible is."""
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "inventory"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="ansible-inventory is not there") as caught:
        write_draft([], ansible=str(path), tell=str)
    assert f"ansible-inventory -i {path} --list >inventory.json" in caught.value.hint


def test_an_inventory_that_is_not_there_or_empty_is_a_mistake(tmp_path: Path) -> None:
    """The first is not left to Ansible, which would take it for a list of hosts."""
    with pytest.raises(ConfigurationError, match=r"gone,x: there is no such inventory"):
        write_draft([], ansible=str(tmp_path / "gone,x"), tell=str)
    path = tmp_path / "empty.json"
    path.write_text('{"_meta": {"hostvars": {"l": {"ansible_connection": "local"}}}}')
    person = Person()
    with pytest.raises(ConfigurationError, match="names no machine that is reached by SSH"):
        write_draft([], ansible=str(path), tell=person.told.append)
    assert person.told == ["l: left out: ansible_connection is not ssh"]


def test_an_inventory_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all that it has started."""
    bin_folder, noted = tmp_path / "bin", tmp_path / "pid"
    install_tool(bin_folder, "ansible-inventory", f"sleep 300 & echo $! >{noted}; wait")
    monkeypatch.setenv("PATH", path_with(bin_folder))
    monkeypatch.setattr(ansible, "SECONDS", 0.5)
    (tmp_path / "inventory").touch()
    with pytest.raises(ConfigurationError, match="did not answer within"):
        write_draft([], ansible=str(tmp_path / "inventory"), tell=str)
    pid, until = int(noted.read_text()), time.monotonic() + 5
    while _is_alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.timeout(60)
@pytest.mark.parametrize("said", ["", "no JSON", "[]", "[" * 100_000])
def test_an_answer_that_is_none_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    """Whatever stands in for Ansible's program."""
    (tmp_path / "said").write_text(said)
    install_tool(tmp_path / "bin", "ansible-inventory", f"cat {tmp_path / 'said'} -")
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    (tmp_path / "inventory").touch()
    with pytest.raises(ConfigurationError):
        write_draft([], ansible=str(tmp_path / "inventory"), tell=str)
