"""How long fedssh takes to upload 100 MB, beside OpenSSH's own ways: ``ssh`` with ``cat``, and ``sftp``.

Each uploads the same file over a new connection, in turns. ``make bench`` prints the medians, the connections included.
Compare runs of one computer only, and with nothing else running on it.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.sshd import PORT, machine, serve
from bench.wan import address, wan
from fedssh.ssh import Connections

if TYPE_CHECKING:
    from collections.abc import Callable

RTTS: Final = (0, 50)
ROUNDS: Final = 5
BYTES: Final = 100_000_000


def main() -> None:
    """Measure, and print a table."""
    if os.geteuid() != 0:
        sys.exit("the link between the ends takes root")
    with tempfile.TemporaryDirectory() as name, wan(RTTS), serve(Path(name), RTTS):
        folder = Path(name)
        file = folder / "file"
        file.write_bytes(os.urandom(BYTES))
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        print(f"{'100 MB':10}" + "".join(f"{f'{rtt} ms':>9}" for rtt in RTTS))
        found = {rtt: _measure(folder, rtt, file, sha256) for rtt in RTTS}
    for way in found[RTTS[0]]:
        print(f"{way:10}" + "".join(f"{found[rtt][way]:7.2f} s" for rtt in RTTS))
    for rtt in RTTS:
        best = min(found[rtt]["ssh cat"], found[rtt]["sftp"])
        print(f"at {rtt} ms, fedssh has {best / found[rtt]['fedssh']:.2f} of the speed of the faster one")


def _measure(folder: Path, rtt: int, file: Path, sha256: str) -> dict[str, float]:
    """Return the median of each way, in seconds."""
    ways: dict[str, Callable[[], None]] = {
        "fedssh": partial(_by_fedssh, folder, rtt, file, sha256),
        "ssh cat": partial(_by_ssh, folder, rtt, file),
        "sftp": partial(_by_sftp, folder, rtt, file),
    }
    rounds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, upload in ways.items():
            started = time.perf_counter()
            upload()
            rounds[way].append(time.perf_counter() - started)
    return {way: statistics.median(taken) for way, taken in rounds.items()}


def _by_fedssh(folder: Path, rtt: int, file: Path, sha256: str) -> None:
    with Connections() as connections:
        path = connections.connect(machine(folder, rtt)).upload(file, sha256=sha256, sent=lambda _: None)
    _check(Path(path))


def _by_ssh(folder: Path, rtt: int, file: Path) -> None:
    with file.open("rb") as source:
        argv = ["ssh", *_options(folder), "-p", str(PORT), f"root@{address(rtt)}", f"cat >{folder}/copy"]
        subprocess.run(argv, stdin=source, check=True)
    _check(folder / "copy")


def _by_sftp(folder: Path, rtt: int, file: Path) -> None:
    argv = ["sftp", "-q", "-b", "-", *_options(folder), "-P", str(PORT), f"root@{address(rtt)}"]
    subprocess.run(argv, input=f"put {file} {folder}/copy\n".encode(), check=True, stdout=subprocess.DEVNULL)
    _check(folder / "copy")


def _options(folder: Path) -> list[str]:
    return ["-F", "none", "-i", str(folder / "identity"), "-o", f"UserKnownHostsFile={folder}/known_hosts"]


def _check(copy: Path) -> None:
    """All of it has arrived; the next one begins anew."""
    if copy.stat().st_size != BYTES:
        sys.exit(f"{copy} is not whole")
    copy.unlink()


if __name__ == "__main__":
    main()
