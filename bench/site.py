"""The machines of a measurement, described to each tool in its own file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILES: Final = ("hosts.yaml", "ssh_config", "inventory.json", "machines.json")


@dataclass(frozen=True)
class Place:
    """A machine: where its sshd answers, for root."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """A host and its members.

    Attributes:
        folder: Where the files lie that describe it.
        host: The host's machine.
        members: The members' machines.
        identity_file: The key that all of them let in.
        known_hosts: The host keys of all of them.
        kubefed: More lines for hosts.yaml, of the section ``kubefed``.
    """

    folder: Path
    host: Place
    members: Sequence[Place]
    identity_file: Path
    known_hosts: Path
    kubefed: Sequence[str] = ()

    def write(self) -> None:
        """Write the files."""
        texts = (self._hosts_yaml(), self._ssh_config(), self._ansible_inventory(), self._machines_json())
        self.folder.mkdir(exist_ok=True)
        for name, text in zip(FILES, texts, strict=True):
            (self.folder / name).write_text(text)

    def _hosts_yaml(self) -> str:
        def described(place: Place) -> str:
            return f"address: {place.address}, port: {place.port}"

        lines = [
            *(["kubefed:", *(f"  {line}" for line in self.kubefed)] if self.kubefed else []),
            f"defaults: {{user: root, identity_file: {self.identity_file}, known_hosts: {self.known_hosts}}}",
            f"host: {{name: {self.host.name}, {described(self.host)}}}",
            "members:",
            *(f"  {one.name}: {{{described(one)}}}" for one in self.members),
        ]
        return "\n".join([*lines, ""])

    def _ssh_config(self) -> str:
        blocks = [
            f"Host {one.name}\n  HostName {one.address}\n  Port {one.port}\n" for one in (self.host, *self.members)
        ]
        common = [
            "Host *",
            "  User root",
            f"  IdentityFile {self.identity_file}",
            "  IdentitiesOnly yes",
            f"  UserKnownHostsFile {self.known_hosts}",
            "  StrictHostKeyChecking yes",
            "  BatchMode yes",
        ]
        return "".join(blocks) + "\n".join([*common, ""])

    def _ansible_inventory(self) -> str:
        def described(place: Place) -> dict[str, object]:
            return {"ansible_host": place.address, "ansible_port": place.port}

        groups = {
            "members": {"hosts": {one.name: described(one) for one in self.members}},
            "federation_host": {"hosts": {self.host.name: described(self.host)}},
        }
        common = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.identity_file),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o IdentitiesOnly=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        return json.dumps({"all": {"vars": common, "children": groups}}, indent=1)

    def _machines_json(self) -> str:
        def described(place: Place) -> dict[str, object]:
            return {"name": place.name, "address": place.address, "port": place.port}

        return json.dumps({
            "identity_file": str(self.identity_file),
            "known_hosts": str(self.known_hosts),
            "host": described(self.host),
            "members": [described(one) for one in self.members],
        })  # fmt: skip
