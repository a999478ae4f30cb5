"""The inventory: the clusters of a hosts.yaml, with everything filled in that the file says."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from fedssh.documents import LARGEST_BYTES, quoted
from fedssh.errors import ConfigurationError
from fedssh.inventory.hostsfile import (
    Artefacts,
    ClusterSection,
    Credentials,
    HostContext,
    HostKeyPolicy,
    KubeFedSection,
    MachineSection,
    MemberSection,
    NodeSection,
    Tls,
    did_you_mean,
    parse_hosts_file,
)
from fedssh.inventory.sources import SOURCES, UPSTREAM, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "hosts.yaml"
DEFAULT_CONCURRENCY: Final = 100
"""How many machines are worked on at the same time unless somebody says otherwise; more gains little."""

_AS_WRITTEN: Final = [name for name in KubeFedSection.model_fields if name != "source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is reached by SSH; None was not said in hosts.yaml."""

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    identity_file: Path | None = None
    known_hosts: Path | None = None
    host_key_policy: HostKeyPolicy = "strict"
    sudo: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The host cluster or a member, and the machine that administers it.

    Attributes:
        name: Its name in the federation.
        machine: Where its kubectl runs.
        labels: For its KubeFedCluster.
        kubeconfig: A path on the machine; None leaves the choice to kubectl.
        nodes: The machines of its other nodes. The host only.
        api_server: Where the host, and the host's pods, reach its API; None is what its kubeconfig says. The rest is
            of members only:
        tls: How the host verifies it: by the CA of its kubeconfig (or ``ca_file``), by the host's trust store, by
            the certificate that it presents, or not at all.
        ca_file: A CA on the laptop, instead of the one in the member's kubeconfig.
        server_name: The name that its certificate is checked against, where its address is not in it.
        pin: The fingerprint of the certificate that it must present, with ``tls: pin``; None takes the one that its
            own machine is presented.
        credentials: Whether fedssh's own token for it is kept, or made for each use and ends by itself.
    """

    name: str
    machine: Machine
    labels: Mapping[str, str] = field(default_factory=dict)
    kubeconfig: str | None = None
    nodes: tuple[Machine, ...] = ()
    api_server: str | None = None
    tls: Tls = "ca"
    ca_file: Path | None = None
    server_name: str | None = None
    pin: str | None = None
    credentials: Credentials = "stored"

    @property
    def is_ephemeral(self) -> bool:
        """Whether no token of fedssh's is kept for it."""
        return self.credentials == "ephemeral"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeFed:
    """The KubeFed to install; None was not said in hosts.yaml.

    Attributes:
        source: Who releases it.
        version: The version that hosts.yaml names.
        chart_repository: The Helm repository that hosts.yaml names.
        chart_url: The address of its chart's archive, instead of a repository.
        chart_sha256: The checksum of that archive.
        kubefedctl_url: The address of kubefedctl that hosts.yaml names; its checksum lies there with ``.sha`` added.
        kubefedctl_sha256: Its checksum, instead.
        image: The image of its pods, without the tag; None is what the chart says.
        image_tag: That image's tag; None is what the chart says.
        artefacts: Whether the host's machine downloads chart and kubefedctl, or they are uploaded to it.
        values: What Helm gives to the chart.
    """

    source: Source = UPSTREAM
    version: str | None = None
    chart_repository: str | None = None
    chart_url: str | None = None
    chart_sha256: str | None = None
    kubefedctl_url: str | None = None
    kubefedctl_sha256: str | None = None
    image: str | None = None
    image_tag: str | None = None
    artefacts: Artefacts = "download"
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """A whole hosts.yaml; the members are in the file's order.

    Attributes:
        path: The file.
        kubefed: The KubeFed that it asks for.
        host: The host cluster.
        host_context: How the host's context gets its name.
        members: The members.
        concurrency: How many machines are worked on at the same time.
    """

    path: Path
    kubefed: KubeFed
    host: Cluster
    host_context: HostContext = "rename"
    members: tuple[Cluster, ...] = ()
    concurrency: int = DEFAULT_CONCURRENCY

    @property
    def uploads(self) -> bool:
        """Whether what is installed on the host is uploaded to it."""
        return self.kubefed.artefacts == "upload"

    @property
    def shown(self) -> str:
        """Its path, for a message."""
        return _shown(self.path)

    def member(self, name: str) -> Cluster:
        """Find a member by its name.

        Raises:
            ConfigurationError: No member has that name; the error tells the nearest name, and all names.
        """
        for member in self.members:
            if member.name == name:
                return member
        names = [member.name for member in self.members]
        if name == self.host.name:
            problem = f"{quoted(name)} is the host cluster, not a member"
        else:
            problem = f"no member {quoted(name)} in {_shown(self.path)}{did_you_mean(name, names)}"
        raise ConfigurationError(problem, hint=f"members there: {', '.join(names) or 'none'}")


def choose_hosts_file(named: str) -> Path:
    """Return the hosts.yaml that is named, or the one that is found from the working directory upwards.

    Raises:
        ConfigurationError: None is named, and none is found that may be taken (2).
    """
    if named:
        return Path(named).expanduser()
    try:
        return find_hosts_file(Path.cwd())
    except FileNotFoundError:
        raise ConfigurationError("the working directory is gone", hint="name a file by --hosts FILE") from None


def find_hosts_file(start: Path) -> Path:
    """Look for hosts.yaml in a folder and in those above it.

    What it says decides which machines get tokens. So one that others could have put there is not taken.

    Raises:
        ConfigurationError: There is none, others can write to it or its folder, or it is somebody else's (2).
    """
    folder = start.absolute()
    for candidate in (above / FILE_NAME for above in (folder, *folder.parents)):
        with suppress(OSError):  # a folder above may be closed to us
            if candidate.exists():
                _check_owner(candidate)
                return candidate
    problem = f"no {FILE_NAME} in {_shown(folder)} or in a folder above it"
    raise ConfigurationError(problem, hint="name one by --hosts FILE or FEDSSH_HOSTS")


def load_inventory(path: Path | str) -> Inventory:
    """Read a hosts.yaml.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It cannot be read, or is not right: a ``file:line:column`` for each mistake.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return read_inventory(file, path=path)
    except OSError as error:
        raise ConfigurationError(f"{_shown(path)}: {error.strerror}") from None


def read_inventory(stream: BinaryIO, *, path: Path) -> Inventory:
    """Read a hosts.yaml from an open file; its path is what relative paths and errors refer to.

    Raises:
        ConfigurationError: See ``load_inventory``.
    """
    content = stream.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise ConfigurationError(f"{_shown(path)}: larger than {LARGEST_BYTES} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise ConfigurationError(f"{_shown(path)}:{line}:{column}: not UTF-8 text") from None
    return parse_inventory(text, path=path)


def parse_inventory(text: str, *, path: Path) -> Inventory:
    """Make the inventory of a hosts.yaml's text; its path is what relative paths and errors refer to.

    Raises:
        ConfigurationError: See ``load_inventory``.
    """
    hosts = parse_hosts_file(text, source=_shown(path))
    path = path.absolute()

    def member(name: str, section: MemberSection) -> Cluster:
        return Cluster(
            name=name,
            machine=_machine(name, section, hosts.defaults, path.parent),
            labels=section.labels,
            kubeconfig=section.kubeconfig,
            api_server=section.api_server,
            tls="pin" if section.pin else section.tls,
            ca_file=_local(section.ca_file, path.parent),
            server_name=section.server_name,
            pin=section.pin,
            credentials=section.credentials or hosts.defaults.credentials or "stored",
        )

    kubefed, host = hosts.kubefed, hosts.host
    return Inventory(
        path=path,
        kubefed=KubeFed(source=SOURCES[kubefed.source], **{name: getattr(kubefed, name) for name in _AS_WRITTEN}),
        concurrency=hosts.concurrency or DEFAULT_CONCURRENCY,
        host=Cluster(
            name=host.name,
            machine=_machine(host.name, host, hosts.defaults, path.parent),
            labels=host.labels,
            kubeconfig=host.kubeconfig,
            nodes=tuple(_machine(name, node, hosts.defaults, path.parent) for name, node in host.nodes.items()),
            api_server=host.api_server,
        ),
        host_context=host.context,
        members=tuple(member(name, section) for name, section in hosts.members.items()),
    )


def _check_owner(path: Path) -> None:
    """Refuse a file that was found, not named, when somebody else can have written it."""
    user = os.geteuid()
    for place, what in ((path, _shown(path)), (path.parent, f"the folder of {_shown(path)}")):
        about = place.stat()
        if about.st_mode & stat.S_IWOTH or (about.st_mode & stat.S_IWGRP and not _is_private_group(about.st_gid)):
            problem = f"others can write to {what}"
        elif about.st_uid not in ({user} if place == path else {user, 0}):
            problem = f"{what} belongs to somebody else"
        else:
            continue
        raise ConfigurationError(
            f"{problem}, and it was found, not named", hint=f"If it is right, name it: --hosts {_shown(path)}"
        )


def _is_private_group(number: int) -> bool:
    """Whether a group is the user's own, with nobody else in it, as Linux makes one for each user."""
    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return number == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _machine(name: str, section: ClusterSection | NodeSection, defaults: MachineSection, folder: Path) -> Machine:
    return Machine(
        name=name,
        address=section.address,
        port=section.port or defaults.port,
        user=section.user or defaults.user,
        identity_file=_local(section.identity_file or defaults.identity_file, folder),
        known_hosts=_local(section.known_hosts or defaults.known_hosts, folder),
        host_key_policy=section.host_key_policy or defaults.host_key_policy or "strict",
        sudo=bool(defaults.sudo if section.sudo is None else section.sudo),
    )


def _local(written: str | None, folder: Path) -> Path | None:
    return folder / Path(written).expanduser() if written else None


def _shown(path: Path) -> str:
    """Render a path for a message: as short as it can be, and escaped for a terminal."""
    shown = str(path)
    with suppress(OSError):  # the working directory may be gone
        here = Path.cwd()
        shown = str(path.relative_to(here) if path != here and path.is_relative_to(here) else path)
    return shown if shown.isprintable() else quoted(shown)
