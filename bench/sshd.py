"""A real sshd at the far end of the links, and fedssh's descriptions of it."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.wan import NAMESPACE, address
from fedssh.inventory import Machine
from fedssh.ssh import Connections

PORT: Final = 2222


@contextmanager
def serve(
    folder: Path, rtts: Sequence[int], machines: int = 1, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run an sshd on the machines' side, as Debian has it but for its keys.

    One sshd stands for all machines: ``MaxStartups``, which each of many would have for itself, is set accordingly.

    Args:
        folder: Where its keys and its configuration are written; also the home of who logs in.
        rtts: The distances in milliseconds.
        machines: How many machines there are at each distance.
        environment: Variables that whoever logs in finds there.
    """
    for name in ("identity", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    addresses = (address(rtt, number) for rtt in rtts for number in range(1, machines + 1))
    (folder / "known_hosts").write_text("".join(f"[{one}]:{PORT} {host_key}\n" for one in addresses))
    # bash reads a .bashrc at home, which may take longer than all the rest
    variables = {"HOME": str(folder), **(environment or {})}
    options = [
        f"Port {PORT}",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/identity.pub",
        "SetEnv " + " ".join(f'{name}="{value}"' for name, value in variables.items()),
        *([f"MaxStartups {10 * machines}"] if machines > 1 else []),
        "Subsystem sftp internal-sftp",
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
            _wait(machine(folder, rtts[0]))
            yield
        finally:
            sshd.terminate()


def machine(folder: Path, rtt: int, number: int = 1) -> Machine:
    """Return a machine of the sshd's, as a link of so many milliseconds leads to it."""
    return Machine(
        name=f"{rtt} ms",
        address=address(rtt, number),
        port=PORT,
        user="root",
        identity_file=folder / "identity",
        known_hosts=folder / "known_hosts",
    )


def _wait(there: Machine) -> None:
    """Wait until the sshd lets us in; connecting tries several times by itself."""
    with Connections() as connections:
        connections.connect(there)
