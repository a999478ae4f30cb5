"""Starts and stops labs: a host cluster and its members, on a network of their own."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from docker.models.containers import Container

from lab.access import admit, make_key, render_inventory
from lab.build import build
from lab.containers import (
    Wanted,
    ensure_network,
    ensure_running,
    find_containers,
    free_ports,
    generation_of,
    is_published,
    published_port,
    remove_container,
    remove_network,
)
from lab.generations import GENERATIONS, NEW, Generation
from lab.machine import Machine, Server

HOST: Final = "fedhost"
MEMBER: Final = "member"
ARTEFACTS: Final = "artefacts"

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lab:
    """A lab's machines, and the directory that holds its key and known_hosts."""

    prefix: str
    directory: Path
    host: Machine
    members: tuple[Machine, ...]
    kubefed: str  # the version that its host is to have
    artefacts: Server
    artefacts_port: int  # where this computer reaches them, at 127.0.0.1

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The host and its members."""
        return (self.host, *self.members)

    @property
    def identity_file(self) -> Path:
        """The private key that every machine lets in."""
        return self.directory / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys of every machine."""
        return self.directory / "known_hosts"

    def inventory_text(self) -> str:
        """Return a hosts.yaml that describes this lab."""
        return render_inventory(self.host, self.members, self.directory, kubefed=self.kubefed)


def start_lab(
    prefix: str, members: Sequence[Generation], directory: Path, ports: int | None = None, *, host: Generation = NEW
) -> Lab:
    """Start a lab of clusters of these generations, and return it when every one is Ready.

    Machines are published from `ports` upwards, the host's first, or at free ports. A lab that exists is
    made whole: what runs is left as it is, what is stopped is started, what is missing is added, what was
    made from an older image is made anew.
    """
    found = find_containers(prefix)
    generations = dict(enumerate((host, *members)))
    for name, container in found.items():
        if _is_cluster(name):
            generations.setdefault(_number(name), _generation(container))
    images = build(*generations.values())
    free = free_ports()
    port = _port(found.get(ARTEFACTS), free)
    wanted = [Wanted(lab=prefix, name=ARTEFACTS, image=images.artefacts, port=port, inside=80)]
    for number, generation in sorted(generations.items()):
        name = _name(number)
        port = _port(found.get(name), free) if ports is None else ports + number
        image = images.nodes[generation.name]
        wanted.append(Wanted(lab=prefix, name=name, image=image, port=port, generation=generation.name))
    ensure_network(prefix)
    each(lambda one: ensure_running(one, found.get(one.name)), wanted)
    lab = _describe(prefix, directory, find_containers(prefix))
    each(Machine.wait_until_ready, lab.machines)
    _admit(lab)
    return lab


def find_lab(prefix: str, directory: Path) -> Lab | None:
    """Return a lab that was started before, running or not, or None."""
    found = find_containers(prefix)
    return _describe(prefix, directory, found) if HOST in found else None


def stop_lab(prefix: str) -> int:
    """Remove a lab with all that its clusters hold; return how many machines it had."""
    found = find_containers(prefix)
    each(remove_container, found.values())
    remove_network(prefix)
    return sum(_is_cluster(name) for name in found)


def each(act: Callable[[Item], Outcome], items: Iterable[Item]) -> list[Outcome]:
    """Act on all of them at once; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=32) as pool:
        return list(pool.map(act, items))


def _describe(prefix: str, directory: Path, found: dict[str, Container]) -> Lab:
    machines = [
        Machine(name=name, container=str(container.name), port=published_port(container))
        for name, container in sorted(found.items(), key=lambda item: _number(item[0]))
        if _is_cluster(name)
    ]
    return Lab(
        prefix=prefix,
        directory=directory.resolve(),
        host=machines[0],
        members=tuple(machines[1:]),
        kubefed=_generation(found[HOST]).kubefed[0],
        artefacts=Server(name=ARTEFACTS, container=str(found[ARTEFACTS].name)),
        artefacts_port=published_port(found[ARTEFACTS]),
    )


def _admit(lab: Lab) -> None:
    """Let the lab's key in everywhere, and note every machine's host keys."""
    key = make_key(lab.directory)
    known = each(lambda machine: admit(machine, key), lab.machines)
    lab.known_hosts.write_text("".join(f"{line}\n" for lines in known for line in lines))


def _name(number: int) -> str:
    return f"{MEMBER}{number}" if number else HOST


def _is_cluster(name: str) -> bool:
    """Tell the clusters from the servers beside them."""
    return name.startswith((HOST, MEMBER))


def _number(name: str) -> int:
    """Return a machine's place in the lab: 0 is the host."""
    return int(name.removeprefix(MEMBER)) if name.startswith(MEMBER) else 0


def _generation(container: Container) -> Generation:
    return GENERATIONS.get(generation_of(container), NEW)


def _port(found: Container | None, free: Iterator[int]) -> int:
    return next(free) if found is None or not is_published(found) else published_port(found)
