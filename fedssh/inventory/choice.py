"""Which members of hosts.yaml are meant: by name, by pattern, by label."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from fedssh.documents import quoted
from fedssh.errors import ConfigurationError
from fedssh.inventory.forms import Name, fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.inventory import Cluster, Inventory


def choose_members(inventory: Inventory, names: Sequence[str] = (), labels: Sequence[str] = ()) -> tuple[Cluster, ...]:
    """Return the members that are named and have all the labels, each once, in the order of the names.

    Args:
        inventory: The hosts.yaml.
        names: Names and patterns (``eu-*``); a text may hold several, with commas between them. Without any, all
            members are meant.
        labels: What their labels have to be: ``key=value``; a text may hold several.

    Raises:
        ConfigurationError: A name or pattern is no member's, or no member has these labels: all that is wrong (2).
    """
    problems: list[str] = []
    chosen: dict[str, Cluster] = {}
    for wanted in _split(names):
        try:
            chosen |= {cluster.name: cluster for cluster in _find(inventory, wanted)}
        except ConfigurationError as error:
            problems.append(error.message)
    members = tuple(chosen.values()) if names else inventory.members
    pairs = []
    for label in _split(labels):
        key, equals, value = label.partition("=")
        pairs.append((key, value))
        if not (key and equals):
            problems.append(f"--label is {quoted(label)}; it can be KEY=VALUE")
        elif not problems and not any(cluster.labels.get(key) == value for cluster in members):
            problems.append(f"no member has the label {quoted(label)} in hosts.yaml")
    found = tuple(cluster for cluster in members if all(cluster.labels.get(key) == value for key, value in pairs))
    if not (problems or found):
        problems.append("no member has all of these labels in hosts.yaml" if pairs else "hosts.yaml has no members")
    if problems:
        there = ", ".join(f"{cluster.name}{_labels(cluster) if pairs else ''}" for cluster in inventory.members)
        raise ConfigurationError("\n".join(problems), hint=f"members there: {there or 'none'}")
    return found


def choose_beyond(inventory: Inventory, names: Sequence[str]) -> tuple[tuple[Cluster, ...], tuple[str, ...]]:
    """Return the members that are named, and the names and patterns that may be other clusters' of the federation.

    Args:
        inventory: The hosts.yaml.
        names: Names and patterns, as for ``choose_members``.

    Raises:
        ConfigurationError: A name can be nobody's: it is the host's, or no cluster can bear it (2).
    """
    chosen: dict[str, Cluster] = {}
    others = []
    for wanted in _split(names):
        is_pattern = any(character in wanted for character in "*?[")
        if wanted == inventory.host.name:
            raise ConfigurationError(
                f"{quoted(wanted)} is the host cluster, not a member", hint="It leaves with --all."
            )
        if not is_pattern and not fits(wanted, Name):
            inventory.member(wanted)
        found = [cluster for cluster in inventory.members if fnmatchcase(cluster.name, wanted)]
        chosen |= {cluster.name: cluster for cluster in found}
        if is_pattern or not found:
            others.append(wanted)
    return tuple(chosen.values()), tuple(others)


def _split(texts: Sequence[str]) -> list[str]:
    return [part for text in texts for part in text.split(",")]


def _find(inventory: Inventory, wanted: str) -> list[Cluster]:
    if not any(character in wanted for character in "*?["):
        return [inventory.member(wanted)]
    found = [cluster for cluster in inventory.members if fnmatchcase(cluster.name, wanted)]
    if not found:
        raise ConfigurationError(f"no member matches {quoted(wanted)}")
    return found


def _labels(cluster: Cluster) -> str:
    return f" ({','.join(f'{key}={value}' for key, value in sorted(cluster.labels.items()))})" if cluster.labels else ""
