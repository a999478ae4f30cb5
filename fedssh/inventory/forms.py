"""What the texts in a hosts.yaml must look like: names, addresses, paths, labels, versions."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field
from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler


@dataclass(frozen=True, slots=True)
class _Form:
    """What a text must look like: checked by pydantic, and shown to editors by the JSON Schema.

    Attributes:
        pattern: The regular expression that all of it matches.
        expected: What is said of it when it does not.
        longest: How many characters it may have.
        check: What must hold besides.
        instead: Returns what somebody who wrote such a text meant, as they should write it; or "".
    """

    pattern: str
    expected: str
    longest: int = 4096
    check: Callable[[str], bool] | None = None
    instead: Callable[[str], str] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = {"pattern": f"^(?:{self.pattern})$", "maxLength": self.longest, "description": self.expected}
        return handler(schema) | shown

    def _checked(self, text: str) -> str:
        if not self.fits(text):
            instead = self.instead(text) if self.instead else ""
            raise ValueError(f"expected {self.expected}" + f"; write {instead}" * bool(instead))
        return text

    def fits(self, text: str) -> bool:
        """Whether a text has this form."""
        fits = len(text) <= self.longest and re.fullmatch(self.pattern, text)
        return bool(fits) and (self.check is None or self.check(text))


def fits(text: object, form: Any) -> bool:
    """Whether something is a text of one of the forms below (``Name``, ``Address``, …)."""
    (known,) = form.__metadata__
    return isinstance(text, str) and bool(known.fits(text))


def _is_address(text: str) -> bool:
    try:
        if ":" in text:
            ipaddress.IPv6Address(text)
        elif re.fullmatch(r"[0-9.]+", text):
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _instead_of_ssh(text: str) -> str:
    """Return the keys for what ssh takes in one text: ``root@10.0.0.1``, ``10.0.0.2:22``, ``ssh://[::1]:22``."""
    parts = re.fullmatch(
        r"(ssh://)?((?P<user>\w[\w.-]*)@)?(?P<address>\[[^]]+]|[^]:@/[]+)(:(?P<port>[0-9]{1,5}))?/?", text, re.ASCII
    )
    address = parts["address"].strip("[]") if parts else ""
    if not parts or not re.fullmatch(_ADDRESS, address) or not _is_address(address):
        return ""
    keys = [f"address: '{address}'" if ":" in address else f"address: {address}"]
    keys += [f"{key}: {parts[key]}" for key in ("user", "port") if parts[key]]
    return ", ".join(keys)


def nearest_name(text: str) -> str:
    """Return the name that is nearest to one with capitals, dots or underscores, as a kubeconfig's context may have.

    There may be none: "".
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()[:LONGEST_NAME]).strip("-")


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
LONGEST_NAME = 63
MOST_CONCURRENCY = 1000
LARGEST_PORT = 65535
_ADDRESS = r"[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.]+)?"
_LABEL_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_URL = r"://([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[-A-Za-z0-9._~%/+@:,=]*)?"

Name = Annotated[
    str,
    _Form(
        _DNS_LABEL,
        "a name of lower-case letters, digits and '-' (at most 63), such as member1",
        LONGEST_NAME,
        instead=nearest_name,
    ),
]
Address = Annotated[
    str,
    _Form(
        _ADDRESS,
        "a host name, an IP address or an alias from ssh_config",
        _LONGEST_DOMAIN,
        _is_address,
        _instead_of_ssh,
    ),
]
User = Annotated[str, _Form(r"[A-Za-z0-9_][-A-Za-z0-9_.]*", "a user's name of letters, digits, '.', '_' and '-'", 64)]
Port = Annotated[int, Field(ge=1, le=LARGEST_PORT)]
Concurrency = Annotated[int, Field(ge=1, le=MOST_CONCURRENCY)]
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
ServerName = Annotated[
    str,
    _Form(
        r"[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*",
        "a host name or an IP address that stands in the certificate",
        _LONGEST_DOMAIN,
        _is_address,
    ),
]
Url = Annotated[str, _Form(f"https?{_URL}", "an http:// or https:// address: host, port, path", 2048, _is_url)]
Version = Annotated[str, _Form(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*)){2}", "three numbers, such as 0.10.0", 32)]
Sha256 = Annotated[str, _Form(r"[0-9a-f]{64}", "a SHA-256 checksum: 64 hexadecimal digits, as sha256sum prints it", 64)]
# The grammar of references: github.com/distribution/reference, regexp.go.
Image = Annotated[
    str,
    _Form(
        r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+",
        "an image without its tag: registry, path and name, such as quay.io/kubernetes-multicluster/kubefed",
        255,
    ),
]
ImageTag = Annotated[str, _Form(r"[A-Za-z0-9_][-A-Za-z0-9_.]*", "an image's tag, such as v0.10.0", 128)]
Pin = Annotated[
    str,
    _Form(
        r"SHA256:([0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31})",
        "a certificate's fingerprint, such as SHA256:0A:1B:… (32 pairs), as fedssh and openssl x509 show it",
        102,
    ),
]
