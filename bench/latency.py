"""How long fedssh takes to reach a machine and to run something there, by the length of the link.

``make bench`` prints the medians, and what they come to: so many round trips (R), and so many milliseconds besides.
Compare runs of one computer only, and with nothing else running on it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from bench.wan import NAMESPACE, address, wan
from fedssh.inventory import Machine
from fedssh.shell import command
from fedssh.ssh import Connections

RTTS: Final = (0, 50, 100, 200)
ROUNDS: Final = 7
PORT: Final = 2222
STEPS: Final = ("connect", "first run", "next run")

_MILLISECONDS: Final = 1000  # in a second

Value = TypeVar("Value")


def main() -> None:
    """Measure, and print a table."""
    if os.geteuid() != 0:
        sys.exit("the link between the ends takes root")
    with tempfile.TemporaryDirectory() as folder, wan(RTTS), _sshd(Path(folder)):
        found = {rtt: _measure(_machine(Path(folder), rtt)) for rtt in RTTS}
    print(f"{'':10}" + "".join(f"{f'{rtt} ms':>9}" for rtt in RTTS) + "   is")
    for step in STEPS:
        medians = [found[rtt][step] for rtt in RTTS]
        fit = statistics.linear_regression(RTTS, medians)
        shown = "".join(f"{median:9.0f}" for median in medians)
        print(f"{step:10}{shown}   {fit.slope:.1f} R + {fit.intercept:.0f} ms")


def _measure(machine: Machine) -> dict[str, float]:
    """Return the median of each step, in milliseconds; what is read once per run is read anew in each round."""
    rounds = [_round(machine) for _ in range(ROUNDS)]
    return dict(zip(STEPS, map(statistics.median, zip(*rounds, strict=True)), strict=True))


def _round(machine: Machine) -> tuple[float, float, float]:
    with Connections() as connections:
        taken, shell = _timed(lambda: connections.connect(machine))
        first, _ = _timed(lambda: shell.run([command("true")] * 4))
        second, _ = _timed(lambda: shell.run([command("true")] * 4))
    return taken, first, second


def _timed(function: Callable[[], Value]) -> tuple[float, Value]:
    started = time.perf_counter()
    value = function()
    return (time.perf_counter() - started) * _MILLISECONDS, value


@contextmanager
def _sshd(folder: Path) -> Iterator[None]:
    """Run an sshd on the machines' side, as Debian has it but for its keys."""
    for name in ("identity", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text("".join(f"[{address(rtt)}]:{PORT} {host_key}\n" for rtt in RTTS))
    options = [
        f"Port {PORT}",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/identity.pub",
        f"SetEnv HOME={folder}",  # bash reads a .bashrc there, which may take longer than all the rest
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin prohibit-password",
        "PidFile none",
    ]
    (folder / "sshd_config").write_text("\n".join([*options, ""]))
    Path("/run/sshd").mkdir(exist_ok=True)
    argv = ["ip", "netns", "exec", NAMESPACE, "/usr/sbin/sshd", "-D", "-q", "-f", str(folder / "sshd_config")]
    with subprocess.Popen(argv) as sshd:
        try:
            _wait(_machine(folder, 0))
            yield
        finally:
            sshd.terminate()


def _wait(machine: Machine) -> None:
    """Wait until the sshd lets us in; connecting tries several times by itself."""
    with Connections() as connections:
        connections.connect(machine)


def _machine(folder: Path, rtt: int) -> Machine:
    return Machine(
        name=f"{rtt} ms",
        address=address(rtt),
        port=PORT,
        user="root",
        identity_file=folder / "identity",
        known_hosts=folder / "known_hosts",
    )


if __name__ == "__main__":
    main()
