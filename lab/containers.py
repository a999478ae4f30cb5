"""The containers of a lab: how one is made, and which of them exist."""

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import docker.errors
from docker.models.containers import Container
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from lab.engine import engine
from lab.errors import LabError
from lab.machine import ADDRESS

# On every container: the lab it belongs to, its name there, where it is published, and what Kubernetes it has.
LAB_LABEL: Final = "fedssh.lab"
NAME_LABEL: Final = "fedssh.name"
PORT_LABEL: Final = "fedssh.port"
GENERATION_LABEL: Final = "fedssh.generation"
# Below the ports the kernel hands out: no connection takes one while its machine is stopped.
FREE_PORTS: Final = range(20000, 30000)
# What a machine does that a container usually may not. `privileged` would be shorter, and fails where
# the engine itself runs without one of the many capabilities it asks for.
PRIVILEGES: Final[dict[str, Any]] = {
    "cap_add": ["AUDIT_CONTROL", "NET_ADMIN", "SYSLOG", "SYS_ADMIN", "SYS_PTRACE"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "cgroupns": "private",
    "device_cgroup_rules": ["a *:* rwm"],
    "devices": ["/dev/kmsg"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A container that a lab should have; with a port, what listens `inside` is published at it: its sshd.

    Without a generation it is no cluster, and needs no privileges.
    """

    lab: str
    name: str
    image: str
    port: int | None
    generation: str = ""
    inside: int = 22
    runs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def container(self) -> str:
        """The name the engine knows it by."""
        return f"{self.lab}-{self.name}"


def find_containers(lab: str) -> dict[str, Container]:
    """Return the containers of a lab by their names in it, stopped ones included."""
    found = engine().containers.list(all=True, filters={"label": f"{LAB_LABEL}={lab}"}, ignore_removed=True)
    return {container.labels[NAME_LABEL]: container for container in found}


def is_published(container: Container) -> bool:
    """Tell whether a container is published at a port of this computer."""
    return PORT_LABEL in container.labels


def published_port(container: Container) -> int:
    """Return the port that a container is published at, whether it runs or not."""
    return int(container.labels[PORT_LABEL])


def generation_of(container: Container) -> str:
    """Return the name of the generation that a cluster's machine is of; "" of other containers."""
    return str(container.labels.get(GENERATION_LABEL, ""))


def ensure_running(wanted: Wanted, found: Container | None) -> None:
    """Start the container; make it first where there is none, or one of another image or purpose."""
    if found is not None and _is_outdated(found, wanted):
        remove_container(found)
        found = None
    try:
        if found is None:
            _create(wanted)
        elif found.status == "paused":
            found.unpause()
        elif found.status != "running":
            found.start()
    except docker.errors.APIError as error:
        raise LabError(f"{wanted.container} did not start: {error.explanation}") from error


def remove_container(container: Container) -> None:
    """Remove a container and its volumes, running or not."""
    try:
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        return


def ensure_network(lab: str) -> None:
    """Make the lab's network, whose resolver knows every machine by name."""
    try:
        engine().networks.get(lab)
    except docker.errors.NotFound:
        _named_network(lab).create()


def remove_network(lab: str) -> None:
    """Remove the lab's network."""
    try:
        engine().networks.get(lab).remove()
    except docker.errors.NotFound:
        return


def free_ports() -> Iterator[int]:
    """Find ports on which nothing listens, each once."""
    for port in random.sample(FREE_PORTS, len(FREE_PORTS)):
        with socket.socket() as attempt:
            taken = attempt.connect_ex((ADDRESS, port)) == 0
        if not taken:
            yield port


def _is_outdated(found: Container, wanted: Wanted) -> bool:
    config = found.attrs["Config"]
    return config["Image"] != wanted.image or (bool(wanted.runs) and config["Entrypoint"] != list(wanted.runs))


def _create(wanted: Wanted) -> None:
    container = (
        DockerContainer(wanted.image)
        .with_name(wanted.container)
        .with_network(_named_network(wanted.lab))
        .with_network_aliases(wanted.name, *wanted.aliases)
    )
    labels = {LAB_LABEL: wanted.lab, NAME_LABEL: wanted.name, GENERATION_LABEL: wanted.generation}
    options: dict[str, Any] = {"entrypoint": list(wanted.runs)} if wanted.runs else {}
    if wanted.port is not None:
        # Only this computer may reach it: with_bind_ports would open it to every network.
        ports: dict[str, Any] = container.ports
        ports[f"{wanted.inside}/tcp"] = (ADDRESS, wanted.port)
        container.with_tmpfs_mount("/run")
        labels[PORT_LABEL] = str(wanted.port)
    if wanted.generation:
        options |= PRIVILEGES
    container.with_kwargs(hostname=wanted.name, labels=labels, **options).start()


def _named_network(lab: str) -> Network:
    network = Network()
    network.name = lab
    return network
