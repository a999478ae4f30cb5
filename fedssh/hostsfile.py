"""The shape of hosts.yaml: its sections, what each text in it must look like, and every mistake's place."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import core_schema

from fedssh.documents import compose, entry, located, quoted, to_value
from fedssh.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import yaml
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import ErrorDetails

RELEASED_VERSION: Final = "0.10.0"
RELEASED_CHARTS: Final = "https://raw.githubusercontent.com/kubernetes-sigs/kubefed/master/charts"
HostContext = Literal["rename", "alias"]
HostKeyPolicy = Literal["strict", "accept-new", "off"]


@dataclass(frozen=True, slots=True)
class _Form:
    """What a text must look like: checked by pydantic, and shown to editors by the JSON Schema."""

    pattern: str
    expected: str
    longest: int = 4096
    check: Callable[[str], bool] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = {"pattern": f"^(?:{self.pattern})$", "maxLength": self.longest, "description": self.expected}
        return handler(schema) | shown

    def _checked(self, text: str) -> str:
        fits = len(text) <= self.longest and re.fullmatch(self.pattern, text)
        if not fits or (self.check and not self.check(text)):
            raise ValueError(f"expected {self.expected}")
        return text


def _is_address(text: str) -> bool:
    try:
        if ":" in text:
            ipaddress.IPv6Address(text)
        elif re.fullmatch(r"[0-9.]+", text):
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.port != 0 and _is_address(url.hostname or "")
    except ValueError:
        return False


def _has_short_prefix(text: str) -> bool:
    return len(text.rpartition("/")[0]) <= _LONGEST_DOMAIN


def _is_local_path(text: str) -> bool:
    try:
        Path(text).expanduser()
    except RuntimeError:  # ~name of a user that is not there
        return False
    return text.isprintable()


_LONGEST_DOMAIN = 253
_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_URL = r"://([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[-A-Za-z0-9._~%/+@:,=]*)?"

Name = Annotated[
    str, _Form(_DNS_LABEL, "a name of lower-case letters, digits and '-' (at most 63), such as member1", 63)
]
Address = Annotated[
    str,
    _Form(
        r"[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.]+)?",
        "a host name, an IP address or an alias from ssh_config",
        _LONGEST_DOMAIN,
        _is_address,
    ),
]
User = Annotated[str, _Form(r"[A-Za-z0-9_][-A-Za-z0-9_.]*", "a user's name of letters, digits, '.', '_' and '-'", 64)]
Port = Annotated[int, Field(ge=1, le=65535)]
LocalPath = Annotated[
    str, _Form(r"\S(.*\S)?", "a path; ~ or a relative one (to this file) is fine", 4096, _is_local_path)
]
RemotePath = Annotated[str, _Form(r"/.*[^/\s]", "an absolute path on the cluster's machine", 4096, str.isprintable)]
LabelKey = Annotated[
    str,
    _Form(rf"({_DNS_LABEL}(\.{_DNS_LABEL})*/)?{_LABEL_NAME}", "a Kubernetes label's key", 317, _has_short_prefix),
]
LabelValue = Annotated[str, _Form(rf"({_LABEL_NAME})?", "a Kubernetes label's value", 63)]
ApiServer = Annotated[str, _Form(f"https{_URL}", "an https:// address: host, port, path", 2048, _is_url)]
Url = Annotated[str, _Form(f"https?{_URL}", "an http:// or https:// address: host, port, path", 2048, _is_url)]
Version = Annotated[str, _Form(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}", "three numbers, such as 0.10.0", 32)]


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
    """How machines are reached; what is said nowhere comes from ssh_config."""

    port: Port | None = None
    user: User | None = None
    identity_file: LocalPath | None = None
    known_hosts: LocalPath | None = None
    host_key_policy: HostKeyPolicy | None = None


class MemberSection(MachineSection):
    """A member cluster."""

    address: Address
    labels: dict[LabelKey, LabelValue] = {}
    api_server: ApiServer | None = None
    kubeconfig: RemotePath | None = None


class HostSection(MemberSection):
    """The host cluster; its kubeconfig's context is renamed to its name, or gets the name as an alias."""

    name: Name
    context: HostContext = "rename"


class KubeFedSection(Section):
    """The KubeFed to install; values go to helm as they are."""

    version: Version = RELEASED_VERSION
    chart_repository: Url = RELEASED_CHARTS
    kubefedctl_url: Url | None = None
    values: dict[str, Any] = {}


class HostsFile(Section):
    """The clusters that fedssh federates, and how their machines are reached."""

    kubefed: KubeFedSection = KubeFedSection()
    defaults: MachineSection = MachineSection()
    host: HostSection
    members: dict[Name, MemberSection] = {}


_SECTIONS: Final[dict[str, type[Section]]] = {
    "kubefed": KubeFedSection,
    "defaults": MachineSection,
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
    value = to_value(root, source=source)
    try:
        hosts = HostsFile.model_validate(value)
    except ValidationError as error:
        problems = [_problem(root, details) for details in error.errors()]
    else:
        problems = [(_mark(root, ("members", name), at_key=True), what) for name, what in _clashes(hosts)]
        if not problems:
            return hosts
    problems.sort(key=lambda problem: problem[0].index)
    raise ConfigurationError("\n".join(located(source, mark, what) for mark, what in problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Render "; did you mean …?" with the nearest of the known words, or ""."""
    nearest = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {quoted(nearest[0])}?" if nearest else ""


def _clashes(hosts: HostsFile) -> Iterator[tuple[str, str]]:
    """Find members which are the host or one another: the member's name and the problem."""
    seen: dict[tuple[str, int | None, str | None], str] = {}
    for name, section in ((hosts.host.name, hosts.host), *hosts.members.items()):
        reached = (
            section.address.lower(),
            section.port or hosts.defaults.port,
            section.user or hosts.defaults.user,
        )
        other = seen.setdefault(reached, name)
        if section is hosts.host:
            continue
        if name == hosts.host.name:
            yield name, f"members.{name}: the host has this name, too"
        elif other != name:
            yield name, f"members.{name}: the same address, port and user as {other}"


def _problem(root: yaml.Node, details: ErrorDetails) -> tuple[yaml.Mark, str]:
    """Render one of pydantic's errors, and find its place."""
    kind, context = details["type"], details.get("ctx", {})
    names = [str(step) for step in details["loc"] if step != "[key]"]
    at_key = kind in {"missing", "extra_forbidden"} or "[key]" in details["loc"]
    if kind == "missing":
        what = "is missing"
    elif kind == "extra_forbidden":
        section = HostsFile if len(names) == 1 else _SECTIONS[names[0]]
        known = sorted(section.model_fields)
        what = "unknown key" + (did_you_mean(names[-1], known) or f"; known here: {', '.join(known)}")
    elif kind == "value_error":
        what = str(context["error"])
    else:
        what = _EXPECTED.get(kind) or details["msg"].replace("Input should be", "expected")
    where = ".".join(name if name.isprintable() else quoted(name) for name in names)
    return _mark(root, names, at_key=at_key), f"{where}: {what}" if where else what


_EXPECTED: Final = {
    "string_type": "expected text: quote it",
    "int_type": "expected a whole number, without quotes",
    "greater_than_equal": "expected a number from 1 to 65535",
    "less_than_equal": "expected a number from 1 to 65535",
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
