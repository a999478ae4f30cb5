"""A draft of hosts.yaml: the clusters that somebody names, each under a name that fits, and the file's text. Pure.

What is changed on the way or cannot be taken is a remark: a sentence for whoever has named the clusters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from fedssh.documents import DocumentError, compose, quoted, to_value
from fedssh.errors import ConfigurationError
from fedssh.inventory.forms import LARGEST_PORT, LONGEST_NAME, Address, Name, User, fits, nearest_name
from fedssh.inventory.hostsfile import KUBERNETES_OWN, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

WORDS_HINT: Final = (
    "Write NAME=USER@ADDRESS:PORT, as in member1=root@192.0.2.1:2222. NAME=, USER@ and :PORT may be left out; an IPv6 "
    "address stands in brackets; an alias from ~/.ssh/config is fine."
)

_LONGEST_SHOWN: Final = 80
_MOST_SHOWN: Final = 10
_PLACE: Final = re.compile(r"(\[(?P<inside>[^]]*)]|(?P<plain>[^:]*))(:(?P<port>[0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedCluster:
    """A cluster that a hosts.yaml is to have, as the keys of its section; None and empty ones are left out.

    Attributes:
        name: How it is called; until its draft is made, as somebody has written it.
        address: Its machine: an address, a host name, or an alias from ssh_config.
        port: Where its sshd listens.
        user: Whom to log in as.
        identity_file: A private key on the laptop; absolute, or from the home folder (~).
        sudo: Whether to become root by sudo.
        labels: For placement.
        kubeconfig: The administrator's kubeconfig on the machine.
        api_server: Where the host reaches its API.
    """

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    identity_file: str | None = None
    sudo: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    kubeconfig: str | None = None
    api_server: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The clusters of a hosts.yaml that is to be written; their names are right, and no two are alike."""

    host: DraftedCluster
    members: tuple[DraftedCluster, ...] = ()

    @property
    def clusters(self) -> tuple[DraftedCluster, ...]:
        """All of them, the host first."""
        return (self.host, *self.members)


def parse_words(words: Sequence[str]) -> list[DraftedCluster]:
    """Return the clusters that are named on a command line.

    Args:
        words: ``NAME=USER@ADDRESS:PORT`` or less of it, each; a cluster without a name has its address as one.

    Raises:
        ConfigurationError: A word is none of those, or a name is given twice (2).
    """
    clusters = [_parse_word(word) for word in words]
    pairs = zip(clusters, words, strict=True)
    given = Counter(cluster.name for cluster, word in pairs if word.startswith(f"{cluster.name}="))
    for name, times in given.items():
        if times > 1:
            raise ConfigurationError(f"{times} clusters are called {shown(name)}; a name leads to one", hint=WORDS_HINT)
    return clusters


def make_draft(clusters: Sequence[DraftedCluster], *, host: str = "") -> tuple[Draft, list[str]]:
    """Return the draft of a hosts.yaml, and what is called otherwise in it.

    Args:
        clusters: All clusters, in the order in which they are to stand there.
        host: The name or address of the one that is the federation's host; "" is the first.

    Raises:
        ConfigurationError: There is no cluster, ``host`` is none of them, or two are on the same machine (2).
    """
    if not clusters:
        raise ConfigurationError("there is no cluster to write down", hint=WORDS_HINT)
    first = _find_host(clusters, host)
    named, remarks = _settle_names([first, *(cluster for cluster in clusters if cluster is not first)])
    _check_machines(named)
    return Draft(host=named[0], members=tuple(named[1:])), remarks


def render_draft(draft: Draft) -> str:
    """Return the text of a hosts.yaml; what is the same for all machines stands in its defaults."""
    clusters = draft.clusters
    common: dict[str, Any] = {}
    for key in ("user", "identity_file", "sudo"):
        values = {getattr(cluster, key) for cluster in clusters}
        if len(values) == 1:
            common[key] = values.pop()
    lines = [
        "# The clusters that fedssh federates, drafted by fedssh init. What else can stand here: docs/hosts-yaml.md",
        "",
    ]
    if any(common.values()):
        lines += ["# For all machines that do not say otherwise; the rest comes from ~/.ssh/config."]
        lines += ["defaults:", *_indented(_render(common)), ""]
    lines += ["# The cluster on which KubeFed runs.", "host:"]
    lines += _indented(_render({"name": draft.host.name, **_keys(draft.host, common)}))
    if draft.members:
        lines += ["", "# The clusters that join it.", "members:"]
        lines += _indented(_render({member.name: _keys(member, common) for member in draft.members}))
    return "\n".join(lines) + "\n"


def local_path(written: str, folder: Path) -> str:
    """Return a path that means the same in every hosts.yaml; a relative one begins in ``folder``."""
    return written if written.startswith("~") else str(folder / written)


def shown(name: str) -> str:
    """Render a name that somebody else has given for a message: as it is, unless a terminal would mind."""
    return name if name.isprintable() and name and len(name) <= _LONGEST_SHOWN else quoted(name)


def enumerated(names: Sequence[str]) -> str:
    """Render names for a message: the first few, and how many there are besides."""
    more = len(names) - _MOST_SHOWN
    return ", ".join(map(shown, names[:_MOST_SHOWN])) + (f" and {more} more" if more > 0 else "")


def _parse_word(word: str) -> DraftedCluster:
    name, named, rest = word.partition("=")
    if not named or set(name) & set("@:/"):  # the = is no name's, as in root:pass=word@host
        name, named, rest = "", "", word
    user, logs_in, place = rest.removeprefix("ssh://").removesuffix("/").rpartition("@")
    address, port = _split_place(place)
    if ":" in user:  # what stands there is not shown
        problem = "a password on the command line can be read by every user of this machine"
        raise ConfigurationError(problem, hint=f"Leave it out: passwords are asked for on a terminal. {WORDS_HINT}")
    if named and (not name or name.startswith("-")):  # most likely a flag
        problem = "no name stands before the ="
    elif logs_in and not fits(user, User):
        problem = "no name of a user stands before the @"
    elif not fits(address, Address):
        problem = "no address of a machine stands there" + ", or no port behind it" * (":" in place)
    elif port is not None and not 0 < port <= LARGEST_PORT:
        problem = "the port has to be from 1 to 65535"
    else:
        return DraftedCluster(name=name or address, address=address, port=port, user=user or None)
    raise ConfigurationError(f"{quoted(word)}: {problem}", hint=WORDS_HINT)


def _split_place(place: str) -> tuple[str, int | None]:
    """Return address and port of ``ADDRESS:PORT``; an IPv6 address without brackets has no port."""
    parts = _PLACE.fullmatch(place)
    if not parts:
        return place, None
    return parts["inside"] or parts["plain"] or "", int(parts["port"]) if parts["port"] else None


def _find_host(clusters: Sequence[DraftedCluster], host: str) -> DraftedCluster:
    if not host:
        return clusters[0]
    for cluster in clusters:
        if host in {cluster.name, cluster.address}:
            return cluster
    for cluster in clusters:
        if nearest_name(host) == nearest_name(cluster.name) != "":
            return cluster
    names = [cluster.name for cluster in clusters]
    raise ConfigurationError(
        f"the host cluster {quoted(host)} is none of those that are named{did_you_mean(host, names)}",
        hint=f"named are: {enumerated(names)}",
    )


def _settle_names(clusters: Sequence[DraftedCluster]) -> tuple[list[DraftedCluster], list[str]]:
    """Return the clusters, the host first, under names that hosts.yaml takes; and which these are not as written."""
    names: dict[int, str] = {}
    for number, cluster in enumerate(clusters):  # who has a right name keeps it, whoever comes before
        is_own = number > 0 and cluster.name in KUBERNETES_OWN
        if fits(cluster.name, Name) and cluster.name not in names.values() and not is_own:
            names[number] = cluster.name
    taken = set(names.values())
    remarks = []
    for number, cluster in enumerate(clusters):
        if number in names:
            continue
        wanted = nearest_name(cluster.name) or "cluster"
        why = "a name has lower-case letters, digits and '-' only, 63 at most"
        if number > 0 and wanted in KUBERNETES_OWN:
            why = f"every cluster has a {KUBERNETES_OWN[wanted]} of that name"
            wanted += "-cluster"
        elif wanted in taken:
            why = f"another one is called {wanted}"
        names[number] = next(name for name in _variants(wanted) if name not in taken)
        taken.add(names[number])
        remarks.append(f"{shown(cluster.name)} is called {names[number]}: {why}")
    return [replace(cluster, name=names[number]) for number, cluster in enumerate(clusters)], remarks


def _variants(name: str) -> Iterator[str]:
    """Yield a name, and then names like it without an end."""
    yield name
    for number in count(2):
        end = f"-{number}"
        yield name[: LONGEST_NAME - len(end)].rstrip("-") + end


def _check_machines(clusters: Iterable[DraftedCluster]) -> None:
    """Check that no two clusters are on the same machine: hosts.yaml would not be accepted.

    Raises:
        ConfigurationError: Two are (2).
    """
    seen: dict[tuple[str, int | None, str | None], str] = {}
    for cluster in clusters:
        other = seen.setdefault((cluster.address.lower(), cluster.port, cluster.user), cluster.name)
        if other != cluster.name:
            raise ConfigurationError(
                f"{cluster.name} and {other} are the same machine: the same address, port and user",
                hint="Name each cluster once, by the machine that administers it.",
            )


def _keys(cluster: DraftedCluster, common: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands in a cluster's section, but for its name."""
    keys = ("address", "port", "user", "identity_file", "sudo", "labels", "kubeconfig", "api_server")
    found = {key: getattr(cluster, key) for key in keys if key not in common}
    return {key: value for key, value in found.items() if value}


def _render(mapping: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a mapping of texts, numbers, truth values and more such mappings."""
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield f"{_scalar(key)}:"
            yield from _indented(_render(value))
        elif value:
            yield f"{_scalar(key)}: {_scalar(value)}"


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _scalar(value: str | float | bool) -> str:
    """Render a key or a value, in quotes where it could be taken for something else."""
    if not isinstance(value, str):
        return str(value).lower()
    return value if _is_plain(value) else "'" + value.replace("'", "''") + "'"


def _is_plain(text: str) -> bool:
    """Whether a text means itself without quotes, to YAML 1.1 and to YAML 1.2."""
    if not re.fullmatch(r"[A-Za-z0-9_./~]([-A-Za-z0-9_./~@%+:]*[-A-Za-z0-9_./~@%+])?", text):
        return False
    try:
        return to_value(compose(text, source="draft"), source="draft") == text
    except DocumentError:
        return False
