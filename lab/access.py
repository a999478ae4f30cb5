"""How one logs in to a lab: its key, its known_hosts, and a hosts.yaml that describes it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.machine import Machine

REGIONS: Final = ("eu", "us", "asia")


def make_key(directory: Path) -> Path:
    """Make the lab's key, once; return its path."""
    key = directory / "id_ed25519"
    if not key.exists():
        directory.mkdir(parents=True, exist_ok=True)
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fedssh-lab", "-f", str(key)]
        subprocess.run(argv, check=True)
    return key


def admit(machine: Machine, key: Path) -> list[str]:
    """Let the key's owner in; return the machine's host keys as lines of a known_hosts file."""
    script = "umask 077; mkdir -p /root/.ssh; cat >/root/.ssh/authorized_keys; cat /etc/ssh/ssh_host_*_key.pub"
    public = key.with_name(f"{key.name}.pub").read_bytes()
    keys = machine.check("sh", "-c", script, stdin=public).splitlines()
    return [f"[{machine.address}]:{machine.port} {' '.join(line.split()[:2])}" for line in keys]


def note(known_hosts: Path, lines: Sequence[str]) -> None:
    """Put lines into a known_hosts file in the place of those that stand there for the same names."""
    names = {line.split()[0] for line in lines}
    kept = [line for line in known_hosts.read_text().splitlines() if line.split()[0] not in names]
    known_hosts.write_text("".join(f"{line}\n" for line in [*kept, *lines]))


def render_inventory(host: Machine, members: Sequence[Machine], directory: Path, *, kubefed: str) -> str:
    """Write a hosts.yaml for the lab."""
    lines = [
        "# The lab's clusters, not an example: for your own, see `fedssh init` and docs/hosts.example.yaml.",
        "kubefed:",
        f"  version: {kubefed}",
        "  chart_repository: http://artefacts/charts",
        f"  kubefedctl_url: http://artefacts/kubefedctl/kubefedctl-{kubefed}-linux-amd64.tgz",
        "",
        "defaults:  # for every machine below",
        "  user: root",
        f"  identity_file: {directory / 'id_ed25519'}",
        f"  known_hosts: {directory / 'known_hosts'}",
        "",
        "host:",
        f"  name: {host.name}",
        f"  address: {host.address}",
        f"  port: {host.port}",
        "",
        "members:",
    ]
    for number, member in enumerate(members):
        lines += [
            f"  {member.name}:",
            f"    address: {member.address}",
            f"    port: {member.port}",
            "    labels:",
            f"      region: {REGIONS[number % len(REGIONS)]}",
        ]
    return "\n".join([*lines, ""])
