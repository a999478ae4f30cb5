"""Ways in that are not a machine's own sshd: a jump host, and a gate as hosting platforms have one."""

from dataclasses import dataclass
from typing import Final

from docker.models.containers import Container

from lab.access import admit, note
from lab.build import build
from lab.clusters import Lab, each
from lab.containers import Wanted, ensure_running, find_containers, free_ports, published_port
from lab.generations import NEW
from lab.machine import Machine
from lab.versions import SOURCE

JUMP: Final = "jump"
GATE: Final = "gate"
GATE_PORT: Final = 3022
FIRST_NODE: Final = 4710  # the host; member1 is 4711
USER_ID: Final = 42

_PREPARE_GATE: Final = """
    set -eu
    umask 077
    test -e /root/.ssh/id_ed25519 || ssh-keygen -q -t ed25519 -N '' -C gate -f /root/.ssh/id_ed25519
    printf '%s\n' "$1" >/root/.ssh/known_hosts
    printf '%s\n' "$2" >/root/.ssh/config
    cat >/usr/local/bin/gate
    chmod 755 /usr/local/bin/gate
    shift 2
    for user; do
        id "$user" >/dev/null 2>&1 ||
            useradd --badname --non-unique --uid 0 --gid 0 --no-create-home --home-dir /root --shell /bin/sh "$user"
    done
    cat /root/.ssh/id_ed25519.pub
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontDoors:
    """Both let the lab's key in, and their host keys are in the lab's known_hosts.

    The jump host forwards to the machines by their names, port 22, as its user root. The gate forwards nothing:
    who logs in as a machine's `gate_user` is on that machine, as root. It has a key of its own for the machines.
    """

    jump: Machine
    gate: Machine
    nodes: dict[str, int]

    def gate_user(self, machine: Machine) -> str:
        """Return the user who, at the gate, is on this machine."""
        return f"{self.nodes[machine.name]}-{USER_ID}"


def start_front_doors(lab: Lab) -> FrontDoors:
    """Start them beside a lab, or make them whole; they go with it.

    To be called again when the lab has been started again: its known_hosts then holds its machines' own lines only.
    """
    found, free = find_containers(lab.prefix), free_ports()

    def start(name: str, port: int, options: tuple[str, ...]) -> Machine:
        published = published_port(found[name]) if name in found else next(free)
        return _start(lab, name, found.get(name), port=port, published=published, options=options)

    jump = start(JUMP, 22, ("-o", "AllowTcpForwarding=yes"))
    forced = ("ForceCommand=/usr/local/bin/gate", "DisableForwarding=yes", "AllowUsers=*-*")
    gate = start(GATE, GATE_PORT, tuple(part for one in forced for part in ("-o", one)))
    nodes = {machine.name: FIRST_NODE + number for number, machine in enumerate(lab.machines)}
    doors = FrontDoors(jump=jump, gate=gate, nodes=nodes)
    known = each(lambda door: admit(door, lab.identity_file), (jump, gate))
    inside = each(_inner_host_keys, lab.machines)
    note(lab.known_hosts, [line for lines in (*known, *inside) for line in lines])
    _prepare_gate(lab, doors, [line for lines in inside for line in lines])
    return doors


def _start(
    lab: Lab, name: str, found: Container | None, *, port: int, published: int, options: tuple[str, ...]
) -> Machine:
    boot = (SOURCE / "servers" / "door").read_text()
    wanted = Wanted(
        lab=lab.prefix,
        name=name,
        image=build().nodes[NEW.name],
        port=published,
        inside=port,
        runs=("bash", "-c", boot, "door", str(port), *options),
    )
    ensure_running(wanted, found)
    door = Machine(name=name, container=wanted.container, port=published)
    door.wait_until_ready()
    return door


def _inner_host_keys(machine: Machine) -> list[str]:
    """Return a machine's host keys as lines of a known_hosts file, by the name it has inside the lab."""
    keys = machine.check("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub").splitlines()
    return [f"{machine.name} {' '.join(line.split()[:2])}" for line in keys]


def _prepare_gate(lab: Lab, doors: FrontDoors, known: list[str]) -> None:
    """Tell the gate which node is which machine, and let its key in there, beside the lab's."""
    config = [f"Host {node}\n    HostName {name}\n    User root" for name, node in doors.nodes.items()]
    users = [doors.gate_user(machine) for machine in lab.machines]
    command = (SOURCE / "servers" / "gate").read_bytes()
    arguments = ("\n".join(known), "\n".join(config), *users)
    key = doors.gate.check("sh", "-c", _PREPARE_GATE, "prepare", *arguments, stdin=command)
    let_in = "umask 077; cat >/root/.ssh/authorized_keys2"
    each(lambda machine: machine.check("sh", "-c", let_in, stdin=key.encode()), lab.machines)
