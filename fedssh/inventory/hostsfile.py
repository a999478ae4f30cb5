"""The shape of hosts.yaml: its sections, what each text in it must look like, and every mistake's place."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from fedssh.documents import compose, entry, located, quoted, to_value
from fedssh.errors import ConfigurationError
from fedssh.inventory.forms import (
    LARGEST_PORT,
    MOST_CONCURRENCY,
    Address,
    ApiServer,
    Concurrency,
    Image,
    ImageTag,
    LabelKey,
    LabelValue,
    LocalPath,
    Name,
    Pin,
    Port,
    RemotePath,
    ServerName,
    Sha256,
    Url,
    User,
    Version,
)
from fedssh.inventory.sources import SourceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic_core import ErrorDetails

HostContext = Literal["rename", "alias"]
HostKeyPolicy = Literal["strict", "accept-new", "off"]
Tls = Literal["ca", "system", "pin", "insecure"]
Credentials = Literal["stored", "ephemeral"]
Artefacts = Literal["download", "upload"]


KUBERNETES_OWN: Final = {
    "default": "ServiceAccount",
    "admin": "ClusterRole",
    "cluster-admin": "ClusterRole",
    "edit": "ClusterRole",
    "view": "ClusterRole",
}
"""Objects that every cluster has, and that bear names which a member's account would want (Kubernetes 1.33)."""


class Section(BaseModel):
    """One mapping of hosts.yaml; a key without a value counts as one that is not there."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        if data is None:
            return {}
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data


class MachineSection(Section):
    """How machines are reached. What is missing here comes from ssh_config."""

    port: Port | None = None
    user: User | None = None
    identity_file: LocalPath | None = None
    known_hosts: LocalPath | None = None
    host_key_policy: HostKeyPolicy | None = None
    sudo: bool | None = None


class DefaultsSection(MachineSection):
    """What holds for all machines, and for all members, that do not say otherwise."""

    credentials: Credentials | None = None


class ClusterSection(MachineSection):
    """A cluster, by the machine that administers it."""

    address: Address
    labels: dict[LabelKey, LabelValue] = {}
    kubeconfig: RemotePath | None = None


class MemberSection(ClusterSection):
    """A member cluster, and how the host reaches and verifies its API."""

    api_server: ApiServer | None = None
    tls: Tls = "ca"
    ca_file: LocalPath | None = None
    server_name: ServerName | None = None
    pin: Pin | None = None
    credentials: Credentials | None = None

    @model_validator(mode="after")
    def _one_trust(self) -> Self:
        if self.pin and (self.ca_file or ("tls" in self.model_fields_set and self.tls != "pin")):
            other = "ca_file" if self.ca_file else f"tls: {self.tls}"
            raise ValueError(f"pin and {other} exclude each other")
        if self.ca_file and self.tls != "ca":
            raise ValueError(f"ca_file and tls: {self.tls} exclude each other")
        if self.server_name and self.tls == "insecure":
            raise ValueError("server_name and tls: insecure exclude each other: nothing is verified")
        return self


class NodeSection(MachineSection):
    """A node of the host cluster, besides the machine that administers it."""

    address: Address


class HostSection(ClusterSection):
    """The host cluster; its kubeconfig's context is renamed to its name, or gets the name as an alias."""

    name: Name
    context: HostContext = "rename"
    api_server: ApiServer | None = None
    nodes: dict[Name, NodeSection] = {}


class KubeFedSection(Section):
    """The KubeFed to install, and where its parts come from; values go to helm as they are."""

    source: SourceName = "upstream"
    version: Version | None = None
    chart_repository: Url | None = None
    chart_url: Url | None = None
    chart_sha256: Sha256 | None = None
    kubefedctl_url: Url | None = None
    kubefedctl_sha256: Sha256 | None = None
    image: Image | None = None
    image_tag: ImageTag | None = None
    artefacts: Artefacts = "download"
    values: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_chart(self) -> Self:
        if self.chart_url and self.chart_repository:
            raise ValueError("chart_url and chart_repository exclude each other")
        return self


class HostsFile(Section):
    """The clusters that fedssh federates, and how their machines are reached."""

    concurrency: Concurrency | None = None
    kubefed: KubeFedSection = KubeFedSection()
    defaults: DefaultsSection = DefaultsSection()
    host: HostSection
    members: dict[Name, MemberSection] = {}


_SECTIONS: Final[dict[str, type[Section]]] = {
    "kubefed": KubeFedSection,
    "defaults": DefaultsSection,
    "host": HostSection,
    "members": MemberSection,
}


def render_schema() -> str:
    """Render the JSON Schema of hosts.yaml, for editors."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | HostsFile.model_json_schema()
    return json.dumps(schema, indent=2) + "\n"


def parse_hosts_file(text: str, *, source: str) -> HostsFile:
    """Read the text of a hosts.yaml.

    Args:
        text: The file's content.
        source: What errors call the file.

    Raises:
        ConfigurationError: It is not right: one line ``source:line:column`` for each mistake.
    """
    root = compose(text, source=source)
    if root is None:
        raise ConfigurationError(f"{source}:1:1: empty: a host and its members are wanted")
    _accept_off(root)
    value = to_value(root, source=source)
    try:
        hosts = HostsFile.model_validate(value)
    except ValidationError as error:
        problems = [_problem(root, details) for details in error.errors()]
    else:
        clashes = (*_clashes(hosts), *_node_clashes(hosts))
        problems = [(_mark(root, place, at_key=True), f"{'.'.join(place)}: {what}") for place, what in clashes]
        if not problems:
            return hosts
    problems.sort(key=lambda problem: problem[0].index)
    raise ConfigurationError("\n".join(located(source, mark, what) for mark, what in problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Render "; did you mean …?" with the nearest of the known words, or ""."""
    nearest = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {quoted(nearest[0])}?" if nearest else ""


def _accept_off(root: yaml.Node) -> None:
    """Let ``host_key_policy: off`` be the word that it looks like; everywhere else it may be meant as false."""
    host = entry(root, "host")
    within = (entry(root, "members"), entry(host[1], "nodes") if host else None)
    inside = [one for some in within if some and isinstance(some[1], yaml.MappingNode) for one in some[1].value]
    for section in (entry(root, "defaults"), host, *inside):
        found = entry(section[1], "host_key_policy") if section else None
        if found and isinstance(found[1], yaml.ScalarNode) and found[1].value == "off":
            found[1].style = "'"  # as if it were quoted


def _clashes(hosts: HostsFile) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find members which are the host, one another, or called as Kubernetes' own: the way to each, and the problem."""
    seen = {_reached(hosts.host, hosts.defaults): hosts.host.name}
    for name, section in hosts.members.items():
        place = ("members", name)
        other = seen.setdefault(_reached(section, hosts.defaults), name)
        if name in KUBERNETES_OWN:
            yield place, f"every cluster has a {KUBERNETES_OWN[name]} of this name; choose another"
        elif name == hosts.host.name:
            yield place, "the host has this name, too"
        elif other != name:
            yield place, f"the same address, port and user as {other}"


def _node_clashes(hosts: HostsFile) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find nodes which are the host's machine, one another, or called as a cluster: the way to each, and what it is."""
    seen = {_reached(hosts.host, hosts.defaults): hosts.host.name}
    for name, section in hosts.host.nodes.items():
        place = ("host", "nodes", name)
        other = seen.setdefault(_reached(section, hosts.defaults), name)
        if name == hosts.host.name or name in hosts.members:
            yield place, "a cluster has this name, too"
        elif other != name:
            yield place, f"the same address, port and user as {other}"


def _reached(section: ClusterSection | NodeSection, defaults: DefaultsSection) -> tuple[str, int | None, str | None]:
    return section.address.lower(), section.port or defaults.port, section.user or defaults.user


def _problem(root: yaml.Node, details: ErrorDetails) -> tuple[yaml.Mark, str]:
    """Render one of pydantic's errors, and find its place."""
    kind, context = details["type"], details.get("ctx", {})
    names = [str(step) for step in details["loc"] if step != "[key]"]
    at_key = kind in {"missing", "extra_forbidden"} or "[key]" in details["loc"]
    if kind == "missing":
        what = "is missing"
    elif kind == "extra_forbidden":
        known = sorted(_section(names).model_fields)
        what = "unknown key" + (did_you_mean(names[-1], known) or f"; known here: {', '.join(known)}")
    elif kind == "value_error":
        what = str(context["error"])
    elif kind == "string_type" and isinstance(details["input"], list):
        inside = [item for item in details["input"] if isinstance(item, str) and item.isprintable()]
        what = "expected text, and brackets make a list" + f": write '{inside[0]}'" * (len(inside) == 1)
    elif kind == "dict_type" and names == ["members"]:
        what = "expected a mapping: each member's name, and under it what is said of it (member1: {address: …})"
    elif kind in {"greater_than_equal", "less_than_equal"}:
        largest = MOST_CONCURRENCY if names[-1] == "concurrency" else LARGEST_PORT
        what = f"expected a number from 1 to {largest}"
    else:
        what = _EXPECTED.get(kind) or details["msg"].replace("Input should be", "expected")
    where = ".".join(name if name.isprintable() else quoted(name) for name in names)
    return _mark(root, names, at_key=at_key), f"{where}: {what}" if where else what


def _section(names: Sequence[str]) -> type[Section]:
    """Return the section in which the last of these names stands."""
    if len(names) == 1:
        return HostsFile
    return NodeSection if names[:2] == ["host", "nodes"] else _SECTIONS[names[0]]


_EXPECTED: Final = {
    "string_type": "expected text: quote it",
    "int_type": "expected a whole number, without quotes",
    "model_type": "expected a mapping (lines of key: value)",
    "dict_type": "expected a mapping (lines of key: value)",
}


def _mark(root: yaml.Node, names: Iterable[str], *, at_key: bool) -> yaml.Mark:
    """Find the place of an entry, or of the nearest one around it that is there."""
    key = value = root
    for name in names:
        found = entry(value, name)
        if found is None:
            break
        key, value = found
    return (key if at_key else value).start_mark
