"""A virtual environment for each peer, with the versions that its file pins."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).with_name("peers")

_VENVS: Final = Path(__file__).with_name(".venvs")


def programs(peer: str) -> Path:
    """Return the folder of a peer's programs; its virtual environment is made when it is not there yet."""
    wanted = PEERS / f"{peer}.txt"
    venv = _VENVS / peer
    mark = venv / "made-from"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        print(f"installing {peer} into {venv}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [str(venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(wanted)], check=True)
        mark.write_text(digest)
    return venv / "bin"


def versions(peer: str) -> list[str]:
    """Return what a peer's file pins before its first comment, as it is installed: ``["pyinfra 3.10.0"]``."""
    names = [line.split("==")[0] for line in (PEERS / f"{peer}.txt").read_text().partition("#")[0].split()]
    listed = subprocess.run(
        [programs(peer) / "pip", "list", "--format=freeze", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = dict(line.split("==", 1) for line in listed.splitlines() if "==" in line)
    return [f"{name} {found[name]}" for name in names if name in found]
