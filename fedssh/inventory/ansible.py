"""Ansible's inventory, as ``ansible-inventory --list`` prints it: which clusters of a hosts.yaml it comes to. Pure.

A secret of it goes nowhere: what is copied are addresses, ports, users, the paths of keys and the names of groups. A
value that is not copied stands in no message, either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh.documents import quoted
from fedssh.errors import ConfigurationError
from fedssh.inventory.draft import DraftedCluster, enumerated, local_path, shown
from fedssh.inventory.forms import LARGEST_PORT, Address, LabelKey, LocalPath, User, fits
from fedssh.inventory.hostsfile import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_BUILTIN_GROUPS: Final = {"all", "ungrouped"}
_CONNECTIONS: Final = {"ssh", "smart", "paramiko", "paramiko_ssh"}
_PASSWORD: Final = re.compile(r"ansible_\w*(pass|passwd|password|passphrase)")
_KEY_TEXT: Final = re.compile(r"ansible_(ssh_)?private_key")
_SSH_SETTINGS: Final = re.compile(r"ansible_(ssh|scp|sftp|paramiko)_(\w+_)?(args|command|executable)")
_TRUE: Final = {"1", "on", "t", "true", "y", "yes"}
_TRUTH_VALUES: Final = _TRUE | {"0", "f", "false", "n", "no", "off"}
_LONGEST_LABEL: Final = 63
_LONGEST_NUMBER: Final = 18

_ADDRESS: Final = ("ansible_host", "ansible_ssh_host")
_PORT: Final = ("ansible_port", "ansible_ssh_port")
_USER: Final = ("ansible_user", "ansible_ssh_user")
_BECOME: Final = "ansible_become"
_KEY: Final = ("ansible_ssh_private_key_file", "ansible_private_key_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    variables: Mapping[str, Any]


class _Remarks:
    """What is said of several hosts at once, in the order in which it was met."""

    def __init__(self) -> None:
        self._hosts: dict[str, dict[str, None]] = {}

    def add(self, host: str, text: str) -> None:
        self._hosts.setdefault(text, {})[host] = None

    def render(self) -> list[str]:
        return [f"{enumerated(list(hosts))}: {text}" for text, hosts in self._hosts.items()]


def parse_ansible(
    document: object, *, words: Sequence[str] = (), host: str = "", folder: Path
) -> tuple[list[DraftedCluster], list[str]]:
    """Return the clusters that an inventory of Ansible's comes to, and what was left out of it.

    Args:
        document: What ``ansible-inventory --list`` has printed, as Python data.
        words: Hosts and groups of it, which are taken in this order, also ``NAME=HOST``; all hosts if there are none.
        host: A host of it that is taken, too; any other name is none of this function's business.
        folder: Where relative paths of keys begin; absolute.

    Raises:
        ConfigurationError: It is something else, or a word is none of its hosts and groups (2).
    """
    groups, own = _read(document)
    members = {name: _hosts_of(name, groups) for name in groups}
    known = dict.fromkeys([*members.get("all", []), *(one for hosts in members.values() for one in hosts), *own])
    chosen = _choose(words, known, members)
    if host in known and host not in chosen:
        chosen = {host: host, **chosen}
    levels = _levels(groups)
    remarks = _Remarks()
    clusters = []
    by_level = sorted(groups, key=lambda group: (levels[group], group))
    for name, called in chosen.items():
        around = [group for group in by_level if name in members[group]]
        variables: dict[str, Any] = {}
        for group in around:
            variables |= groups[group].variables
        reader = _Reader(name, variables | own.get(name, {}), remarks)
        cluster = reader.cluster(called, around, folder)
        clusters += [cluster] if cluster else []
    return clusters, remarks.render()


def _read(document: object) -> tuple[dict[str, _Group], dict[str, dict[str, Any]]]:
    """Return the groups of the document, and the variables of its hosts."""
    if not isinstance(document, dict) or not isinstance(document.get("_meta"), dict):
        raise ConfigurationError(
            "this is no inventory of Ansible's: _meta is missing", hint="Make one by: ansible-inventory -i FILE --list"
        )
    variables = _mapping(document["_meta"].get("hostvars"))
    groups = {}
    for name, said in document.items():
        if name == "_meta":
            continue
        # A script of old may list the hosts alone.
        section = _mapping(said) if not isinstance(said, list) else {"hosts": said}
        groups[name] = _Group(
            hosts=_names(section.get("hosts")),
            children=_names(section.get("children")),
            variables=_mapping(section.get("vars")),
        )
    return groups, {name: _mapping(said) for name, said in variables.items()}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, (list, dict)) else ()


def _hosts_of(group: str, groups: Mapping[str, _Group]) -> dict[str, None]:
    """Return the hosts of a group and of those below it, in the inventory's order."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = [group]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in groups:
            continue
        seen.add(name)
        found |= dict.fromkeys(groups[name].hosts)
        waiting += reversed(groups[name].children)
    return found


def _levels(groups: Mapping[str, _Group]) -> dict[str, int]:
    """Return how deep each group lies; what a deeper one says stands above what the others say."""
    levels = {name: 0 if name == "all" else 1 for name in groups}
    for _ in groups:  # no way down is longer; in a circle there would be no end
        deeper = [
            (child, levels[name] + 1)
            for name, group in groups.items()
            for child in group.children
            if child in levels and levels[child] <= levels[name]
        ]
        if not deeper:
            break
        levels |= dict(deeper)
    return levels


def _choose(
    words: Sequence[str], known: Mapping[str, None], members: Mapping[str, Mapping[str, None]]
) -> dict[str, str]:
    """Return the hosts that are meant, and how each is to be called."""
    if not words:
        return {name: name for name in known}
    chosen: dict[str, str] = {}
    for word in words:
        called, named, wanted = word.partition("=")
        if not named:
            called, wanted = "", word
        if wanted in known:
            chosen[wanted] = called or chosen.get(wanted, wanted)
        elif wanted in members and not named:
            chosen |= {name: chosen.get(name, name) for name in members[wanted]}
        else:
            nearest = did_you_mean(wanted, [*known, *members])
            what = "host" if named else "host or group"
            raise ConfigurationError(
                f"no {what} {quoted(wanted)} in the inventory{nearest}", hint=f"hosts there: {enumerated(list(known))}"
            )
    return chosen


class _Reader:
    """Reads the variables of one host, and remarks what of them is left out."""

    def __init__(self, host: str, variables: Mapping[str, Any], remarks: _Remarks) -> None:
        self._host = host
        self._variables = variables
        self._remarks = remarks

    def cluster(self, called: str, groups: Sequence[str], folder: Path) -> DraftedCluster | None:
        """Return the cluster, or None where it is no machine that is reached by SSH."""
        connection = self._text(("ansible_connection",))
        if connection and connection.removeprefix("ansible.builtin.") not in _CONNECTIONS:
            self._remarks.add(self._host, "left out: ansible_connection is not ssh")
            return None
        address = self._text(_ADDRESS)
        if not fits(address or self._host, Address):
            self._remarks.add(self._host, f"left out: {'ansible_host' if address else 'its name'} is no address")
            return None
        if address is None and any(self._variables.get(key) for key in _ADDRESS):
            self._remarks.add(self._host, "its name stands as its address: correct it")
        key = self._checked(_KEY, lambda text: fits(local_path(text, folder), LocalPath))
        self._say_what_stays()
        port = self._checked(_PORT, _is_port)
        return DraftedCluster(
            name=called,
            address=address or self._host,
            port=int(port) if port else None,
            user=self._checked(_USER, lambda text: fits(text, User)),
            identity_file=local_path(key, folder) if key else None,
            sudo=self._is_root_by_sudo(),
            labels=self._labels(groups),
        )

    def _say_what_stays(self) -> None:
        """Say which settings are for somebody else to take over."""
        if any(_PASSWORD.fullmatch(key) for key in self._variables):
            self._remarks.add(self._host, "passwords are left out: they are asked for on a terminal")
        if any(_KEY_TEXT.fullmatch(key) for key in self._variables):
            self._remarks.add(self._host, "the text of a private key is left out: put it into a file")
        for key in filter(_SSH_SETTINGS.fullmatch, self._variables):
            self._remarks.add(
                self._host, f"{key} is not copied: put what it says, such as ProxyJump, into ~/.ssh/config"
            )

    def _text(self, keys: Sequence[str]) -> str | None:
        """Return the first of these variables that says something, as text."""
        for key in keys:
            value = self._variables.get(key)
            if isinstance(value, dict) and isinstance(value.get("__ansible_unsafe"), str):
                value = value["__ansible_unsafe"]
            elif isinstance(value, (dict, list)) or (isinstance(value, str) and re.search(r"\{[{%#]", value)):
                self._remarks.add(self._host, f"{key} is left out: it is encrypted, or a template")
                continue
            elif not isinstance(value, (str, int, type(None))) or (isinstance(value, bool) and key != _BECOME):
                self._remarks.add(self._host, f"{key} is left out: it is no text")
                continue
            if value not in {None, ""}:
                return str(value)
        return None

    def _checked(self, keys: Sequence[str], is_right: Callable[[str], bool]) -> str | None:
        """Return the text of a variable that hosts.yaml takes, too; it is not shown otherwise."""
        text = self._text(keys)
        if text is None or is_right(text):
            return text
        self._remarks.add(self._host, f"{keys[0]} is left out: hosts.yaml takes no such value")
        return None

    def _is_root_by_sudo(self) -> bool:
        become = self._text((_BECOME,))
        if become is None or become.lower() not in _TRUTH_VALUES:
            if become is not None:
                self._remarks.add(self._host, "ansible_become is left out: it is neither true nor false")
            return False
        if become.lower() not in _TRUE:
            return False
        method = self._text(("ansible_become_method",)) or "sudo"
        user = self._text(("ansible_become_user",)) or "root"
        if method.removeprefix("ansible.builtin.") != "sudo" or user != "root":
            self._remarks.add(self._host, "ansible_become is left out: fedssh can be root by sudo, and nothing else")
            return False
        return True

    def _labels(self, groups: Sequence[str]) -> dict[str, str]:
        labels = {}
        for group in groups:
            if group in _BUILTIN_GROUPS:
                continue
            key = re.sub(r"[^A-Za-z0-9_.-]+", "-", group)[:_LONGEST_LABEL].strip("-_.")
            if fits(key, LabelKey):
                labels[key] = "true"
            else:
                self._remarks.add(self._host, f"the group {shown(group)} is left out: no label can be called like it")
        return labels


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER and 0 < int(text) <= LARGEST_PORT
