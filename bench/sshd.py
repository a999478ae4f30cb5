"""A real sshd at the far end of the links, and fedssh's descriptions of it."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.wan import NAMESPACE, address
from fedssh.inventory import Machine
from fedssh.ssh import Connections

PORT: Final = 2222


@contextmanager
def serve(folder: Path, rtts: Sequence[int]) -> Iterator[None]:
    """Run an sshd on the machines' side, as Debian has it but for its keys."""
    for name in ("identity", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text("".join(f"[{address(rtt)}]:{PORT} {host_key}\n" for rtt in rtts))
    options = [
        f"Port {PORT}",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/identity.pub",
        f"SetEnv HOME={folder}",  # bash reads a .bashrc there, which may take longer than all the rest
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


def machine(folder: Path, rtt: int) -> Machine:
    """Return the sshd's machine, as a link of so many milliseconds leads to it."""
    return Machine(
        name=f"{rtt} ms",
        address=address(rtt),
        port=PORT,
        user="root",
        identity_file=folder / "identity",
        known_hosts=folder / "known_hosts",
    )


def _wait(there: Machine) -> None:
    """Wait until the sshd lets us in; connecting tries several times by itself."""
    with Connections() as connections:
        connections.connect(there)
