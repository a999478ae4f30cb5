"""The ways to do what fedssh does: each tool's command line, with the settings that stand in ``bench/peers``."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measuring import run
from bench.venvs import PEERS, programs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measuring import Sample
    from bench.site import Site

FEDSSH: Final = "fedssh"
SCRIPT: Final = "script, one ssh a command"
SHARED_SCRIPT: Final = "script, ControlMaster"
ANSIBLE: Final = "Ansible"
PYINFRA: Final = "pyinfra"

PROGRAM: Final = Path(sys.executable).with_name("fedssh")
"""fedssh as it is installed here."""

_CHECKOUT: Final = PEERS.parents[1]


@dataclass(frozen=True, kw_only=True)
class Way:
    """How something is done: a command line, and where it runs."""

    argv: Sequence[object]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


def federate(site: Site, folder: Path) -> Way:
    """Return how fedssh federates all members, and tells it in lines with times."""
    argv = [PROGRAM, "federate", "--all", "--log-format", "json", "-f", site.folder / "hosts.yaml"]
    return Way(argv=argv, cwd=folder)


def fedssh_members(site: Site, folder: Path) -> Way:
    """Return how fedssh's own functions work on the members alone."""
    del folder
    return Way(argv=[sys.executable, "-m", "bench.fedssh_members", site.folder / "hosts.yaml"], cwd=_CHECKOUT)


def fedssh_host(site: Site, folder: Path) -> Way:
    """Return how fedssh federates members in memory with a host."""
    del folder
    return Way(argv=[sys.executable, "-m", "bench.fedssh_host", site.folder / "hosts.yaml"], cwd=_CHECKOUT)


def script(phase: str, site: Site, folder: Path, *, shared: bool = False) -> Way:
    """Return how the manual procedure runs as a script; with ``shared``, commands on a machine share a connection."""
    names = [one.name for one in site.members]
    argv = ["sh", PEERS / "with_ssh/seed.sh", site.folder / "ssh_config", phase, site.host.name, *names]
    (folder / "cp").mkdir()
    options = f"-o ControlMaster=auto -o ControlPath={folder}/cp/%C -o ControlPersist=60s"
    return Way(argv=argv, cwd=folder, env={"SSH_OPTIONS": options if shared else ""})


def xargs(site: Site, folder: Path) -> Way:
    """Return how ``ssh`` under xargs works on the members."""
    names = [one.name for one in site.members]
    return Way(argv=["sh", PEERS / "with_ssh/xargs.sh", site.folder / "ssh_config", *names], cwd=folder)


def fabric(site: Site, folder: Path) -> Way:
    """Return how Fabric works on the members."""
    argv = [programs("fabric") / "python", PEERS / "with_fabric/members.py", site.folder / "machines.json"]
    return Way(argv=argv, cwd=folder)


def pyinfra(deploy: str, site: Site, folder: Path, *, with_host: bool = False) -> Way:
    """Return how pyinfra runs a deploy, on the host, too, where that is meant."""
    argv = [programs("pyinfra") / "pyinfra", "-y", "--parallel", "50", "inventory.py", deploy]
    env = {"SITE": str(site.folder / "machines.json"), "WITH_HOST": "1" * with_host, "HOME": str(folder)}
    return Way(argv=argv, cwd=PEERS / "with_pyinfra", env=env)


def ansible(playbook: str, site: Site, folder: Path, *, mitogen: bool = False) -> Way:
    """Return how Ansible runs a playbook; all its connections are new."""
    venv = programs("mitogen" if mitogen else "ansible")
    env = {
        "ANSIBLE_CONFIG": str(PEERS / "with_ansible/ansible.cfg"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
    }
    if mitogen:
        (package,) = venv.parent.glob("lib/python*/site-packages/ansible_mitogen")
        env |= {"ANSIBLE_STRATEGY_PLUGINS": str(package / "plugins/strategy"), "ANSIBLE_STRATEGY": "mitogen_linear"}
    argv = [venv / "ansible-playbook", "-i", site.folder / "inventory.json", PEERS / "with_ansible" / playbook]
    return Way(argv=argv, cwd=folder, env=env)


def new_folder(site: Site) -> Path:
    """Return an empty folder for a run, in the place of the one before."""
    folder = site.folder.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def run_way(way: Way, site: Site, folder: Path) -> Sample:
    """Run a way that was made for a folder, with what it says in ``log`` of the site's own; leave no connection."""
    sample = run(way.argv, log=site.folder / "log", cwd=way.cwd, env=way.env)
    _close_masters(site, folder)
    return sample


def _close_masters(site: Site, folder: Path) -> None:
    """End the connections that stay open behind a run (ControlPersist)."""
    for socket in (folder / "cp").glob("*"):
        argv = ["ssh", "-F", site.folder / "ssh_config", "-o", f"ControlPath={socket}", "-O", "exit", "any"]
        run(argv, log=folder / "log", cwd=folder, expect=(0, 255))
