"""The computer and the versions of everything that takes part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Final

from bench.venvs import versions
from bench.ways import PROGRAM
from lab.generations import NEW
from lab.versions import HELM

PEERS: Final = ("ansible", "mitogen", "fabric", "pyinfra")
_CHECKOUT: Final = Path(__file__).parents[1]
_GIBI: Final = 2**30


def describe() -> list[str]:
    """Return lines that say what was measured, and on what."""
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIBI
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    own = [f"{name} {metadata.version(name)}" for name in ("fabric", "paramiko", "invoke")]
    peers = [" with ".join([first, *([", ".join(more)] if more else [])]) for first, *more in map(versions, PEERS)]
    load = "/".join(f"{one:.1f}" for one in os.getloadavg())
    return [
        (
            f"{os.cpu_count()} cores ({processor[1] if processor else platform.machine()}), {memory:.0f} GiB, "
            f"{system}, Linux {platform.release().partition('-')[0]}; load at the start {load}"
        ),
        f"{_said(['ssh', '-V'])}, Python {platform.python_version()}",
        f"fedssh {_said([PROGRAM, '--version']).removeprefix('fedssh ')} ({_commit()}), with {', '.join(own)}",
        f"peers: {'; '.join(peers)}",
        f"real clusters: Kubernetes {NEW.kubernetes}, KubeFed {NEW.kubefed[0]}, Helm {HELM}",
    ]


def _said(argv: list[str | Path]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().partition(",")[0].partition("\n")[0]


def _commit() -> str:
    argv = ["git", "-C", str(_CHECKOUT), "describe", "--always", "--dirty"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip() or "no commit"
