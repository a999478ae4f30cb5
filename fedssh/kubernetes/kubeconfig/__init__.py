"""The host's kubeconfig: parse it, put entries in, render it. Pure; no disk and no machine is touched here.

The document is kept as YAML nodes, so that whatever fedssh does not own is written again as it was read: unknown
fields, other entries, the way a scalar is quoted. Comments are lost, as they are with ``kubectl config``.

==============================  =======================================================================
kubectl does                    fedssh does
==============================  =======================================================================
takes the first of two entries  the same
of one name
writes every entry again        changes only entries whose ``extensions`` say that they are fedssh's
``set-credentials --token``     renders the entry: an argument can be read by every user of the machine
``rename-context``              the same, and keeps the old name in the context's ``extensions``
==============================  =======================================================================
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

import yaml

from fedssh.documents import DocumentError, compose, entry
from fedssh.errors import RefusedError, visible
from fedssh.kubernetes.kubeconfig.nodes import copy, plain, plain_of, render, replace, represent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LARGEST_BYTES: Final = 4 * 1024 * 1024

Section = Literal["clusters", "contexts", "users"]

_EXTENSION: Final = "fedssh"
_SINGULAR: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}
_VERIFICATION: Final = (
    "certificate-authority",
    "certificate-authority-data",
    "insecure-skip-tls-verify",
    "tls-server-name",
)


class Kubeconfig:
    """One kubeconfig document that can be changed."""

    def __init__(self, root: yaml.MappingNode, *, source: str) -> None:
        self._root = root
        self._source = source
        # By section and name, the first of two entries of one name, as kubectl takes it.
        self._index: dict[Section, dict[str, yaml.MappingNode]] = {}

    def copy(self) -> Kubeconfig:
        """Return the same, which can be changed by itself."""
        return Kubeconfig(copy(self._root), source=self._source)

    @property
    def current_context(self) -> str:
        """The name of the current context, or ""."""
        found = entry(self._root, "current-context")
        return str(found[1].value) if found and isinstance(found[1], yaml.ScalarNode) else ""

    def names(self, section: Section) -> list[str]:
        """Return the names of a section's entries."""
        return [name for name, _ in self._entries(section)]

    def has(self, section: Section, name: str) -> bool:
        """Whether there is an entry of that name."""
        return self._find(section, name) is not None

    def has_foreign(self, section: Section, name: str) -> bool:
        """Whether there is an entry of that name which fedssh did not write."""
        existing = self._find(section, name)
        found = entry(existing, _SINGULAR[section]) if existing else None
        return existing is not None and (found is None or _extension(found[1]) is None)

    def put(
        self,
        section: Section,
        name: str,
        value: Mapping[str, Any],
        *,
        keep_unknown: bool,
        adopt: bool = False,
        mark: Mapping[str, str] = MappingProxyType({}),
    ) -> bool:
        """Write an entry that fedssh owns.

        Args:
            section: Where it belongs.
            name: Its name.
            value: What stands in it, without the mark of ownership.
            keep_unknown: Whether fields of an existing entry that ``value`` does not name stay; those that say how a
                cluster is verified never do, since two ways in one entry exclude each other.
            adopt: Whether an entry that fedssh did not write is taken over.
            mark: What is noted in the mark of ownership.

        Returns:
            Whether anything changed.

        Raises:
            RefusedError: There is an entry of that name which fedssh did not write.
        """
        existing = self._find(section, name)
        found = entry(existing, _SINGULAR[section]) if existing else None
        others = [one for one in _extensions(found[1]) if one.get("name") != _EXTENSION] if found else []
        ours = {"name": _EXTENSION, "extension": {"managed-by": "fedssh", **mark}}
        marked = {**value, "extensions": [*others, ours]}
        if existing is None:
            made = represent({"name": name, _SINGULAR[section]: marked})
            self._sequence(section).value.append(made)
            self._entries_by_name(section)[name] = made
            return True
        if not adopt and self.has_foreign(section, name):
            raise foreign_entry(self._source, section, name)
        kept: list[tuple[yaml.Node, yaml.Node]] = []
        if found and keep_unknown and isinstance(found[1], yaml.MappingNode):
            kept = [pair for pair in found[1].value if pair[0].value not in {*marked, *_VERIFICATION}]
        wanted = {**plain_of(marked), **{key.value: plain(value) for key, value in kept}}
        if found and plain(found[1]) == wanted:
            return False
        body = represent(marked)
        body.value += kept
        replace(existing, _SINGULAR[section], body)
        return True

    def remove(self, section: Section, name: str) -> bool:
        """Remove an entry that fedssh owns; return whether there was one."""
        existing = self._find(section, name)
        sequence = entry(self._root, section)
        if existing is None or sequence is None or self.has_foreign(section, name):
            return False
        sequence[1].value.remove(existing)
        self._index.pop(section, None)
        return True

    def find(self, section: Section, name: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return an entry that fedssh owns: its fields as texts, and what its mark notes; None when there is none."""
        existing = self._find(section, name)
        found = entry(existing, _SINGULAR[section]) if existing else None
        mark = _extension(found[1]) if found else None
        if not found or not mark:
            return None
        noted = mark.get("extension")
        return plain(found[1]), noted if isinstance(noted, dict) else {}

    def cluster_of(self, context: str) -> dict[str, Any]:
        """Return the fields of the cluster that a context leads to, whoever wrote them, as texts; {} for none."""
        found = self._find("contexts", context)
        body = entry(found, "context") if found else None
        fields = plain(body[1]) if body else {}
        cluster = self._find("clusters", str(fields.get("cluster"))) if isinstance(fields, dict) else None
        stanza = entry(cluster, "cluster") if cluster else None
        value = plain(stanza[1]) if stanza else {}
        return value if isinstance(value, dict) else {}

    def host_context(self, name: str) -> str:
        """Return the context that leads to the host: the one that bears its name already, else the current one.

        Raises:
            RefusedError: There is neither.
        """
        if self._find("contexts", name) is not None:
            return name
        self._current(name)
        return self.current_context

    def name_host_context(self, name: str, *, how: Literal["rename", "alias"]) -> bool:
        """Let the current context be called ``name``, by renaming it or by a second context beside it.

        Returns:
            Whether anything changed; a context of that name is left as it is.

        Raises:
            RefusedError: There is no current context.
        """
        old = self.host_context(name)
        if old == name:
            return False
        existing, context = self._current(name)
        if how == "alias":
            value = {key: found for key, found in plain(context[1]).items() if key != "extensions"}
            return self.put("contexts", name, value, keep_unknown=False)
        others = [one for one in _extensions(context[1]) if one.get("name") != _EXTENSION]
        mark = {"name": _EXTENSION, "extension": {"renamed-from": old}}
        replace(context[1], "extensions", represent([*others, mark]))
        replace(existing, "name", represent(name))
        self._index.pop("contexts", None)
        replace(self._root, "current-context", represent(name))
        return True

    def old_host_context(self, name: str) -> str | None:
        """Return what the context ``name`` was called before fedssh renamed it, or "" where fedssh has added it.

        None where fedssh has neither renamed nor added it, or where its old name is another context's now.
        """
        existing = self._find("contexts", name)
        found = entry(existing, "context") if existing else None
        mark = _extension(found[1]) if found else None
        noted = mark.get("extension") if mark else None
        if not isinstance(noted, dict):
            return None
        old = str(noted.get("renamed-from", ""))
        return None if old and self._find("contexts", old) is not None else old

    def mend_current_context(self, name: str) -> bool:
        """Let the context ``name`` be the current one where that has been removed; return whether anything changed."""
        current = self.current_context
        if not current or self.has("contexts", current) or not self.has("contexts", name):
            return False
        replace(self._root, "current-context", represent(name))
        return True

    def restore_host_context(self, name: str) -> bool:
        """Undo what ``name_host_context`` has done; return whether anything changed."""
        old = self.old_host_context(name)
        existing = self._find("contexts", name)
        found = entry(existing, "context") if existing else None
        if old is None or existing is None or found is None or not isinstance(found[1], yaml.MappingNode):
            return False
        if not old:
            value = plain(found[1])
            return self.remove("contexts", name) and self._leave_current(name, value)
        others = [one for one in _extensions(found[1]) if one.get("name") != _EXTENSION]
        found[1].value = [pair for pair in found[1].value if pair[0].value != "extensions"]
        if others:
            replace(found[1], "extensions", represent(others))
        replace(existing, "name", represent(old))
        self._index.pop("contexts", None)
        if self.current_context == name:
            replace(self._root, "current-context", represent(old))
        return True

    def _leave_current(self, name: str, value: Mapping[str, Any]) -> bool:
        """Let another context that leads where ``name`` did be the current one, where that was it."""
        if self.current_context == name:
            for other, node in self._entries("contexts"):
                body = entry(node, "context")
                about = plain(body[1]) if body else {}
                if isinstance(about, dict) and all(about.get(key) == value.get(key) for key in ("cluster", "user")):
                    replace(self._root, "current-context", represent(other))
                    break
        return True

    def _current(self, name: str) -> tuple[yaml.MappingNode, tuple[yaml.Node, yaml.MappingNode]]:
        existing = self._find("contexts", self.current_context) if self.current_context else None
        context = entry(existing, "context") if existing else None
        if existing is None or context is None or not isinstance(context[1], yaml.MappingNode):
            raise RefusedError(
                f"{self._source} has no current context to be called {name}",
                hint="Choose it on the host: kubectl config use-context …",
            )
        return existing, (context[0], context[1])

    def render(self) -> str:
        """Return the document's text."""
        return render(self._root)

    def _entries(self, section: Section) -> Iterator[tuple[str, yaml.MappingNode]]:
        found = entry(self._root, section)
        if found and isinstance(found[1], yaml.SequenceNode):
            for one in found[1].value:
                name = entry(one, "name")
                if name and isinstance(one, yaml.MappingNode):
                    yield str(name[1].value), one

    def _find(self, section: Section, name: str) -> yaml.MappingNode | None:
        return self._entries_by_name(section).get(name)

    def _entries_by_name(self, section: Section) -> dict[str, yaml.MappingNode]:
        """Return a section's entries by name, looked through once: a federation has hundreds of them."""
        if section not in self._index:
            self._index[section] = {}
            for name, entry_node in self._entries(section):
                self._index[section].setdefault(name, entry_node)
        return self._index[section]

    def _sequence(self, section: Section) -> yaml.SequenceNode:
        found = entry(self._root, section)
        if found and isinstance(found[1], yaml.SequenceNode) and found[1].value:
            return found[1]
        empty = yaml.SequenceNode("tag:yaml.org,2002:seq", [], flow_style=False)
        replace(self._root, section, empty)
        return empty


def foreign_entry(source: str, section: Section, name: str) -> RefusedError:
    """Return the error for an entry of a wanted name that fedssh did not write."""
    return RefusedError(
        f"{source} has a {_SINGULAR[section]} {visible(name)!r} that fedssh did not write",
        hint="To take it over, add --adopt; to keep it, give the member another name in hosts.yaml.",
    )


def parse_kubeconfig(text: str, *, source: str) -> Kubeconfig:
    """Return the document in ``text``; an empty one is a kubeconfig without entries.

    Raises:
        RefusedError: It is no kubeconfig: not YAML, two documents, too large, …; with ``source:line:column`` and
            without a word of what stands in it.
    """
    try:
        root = compose(text, source=source, largest_bytes=LARGEST_BYTES)
    except DocumentError as error:
        raise RefusedError(error.message, hint="Repair it by hand; fedssh has not touched it.") from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value in {"", "null", "~"}):
        root = represent({"apiVersion": "v1", "kind": "Config"})
    if not isinstance(root, yaml.MappingNode):
        raise RefusedError(f"{source} is not a kubeconfig", hint="Repair it by hand; fedssh has not touched it.")
    return Kubeconfig(root, source=source)


def _extensions(body: yaml.Node) -> list[dict[str, Any]]:
    found = entry(body, "extensions")
    listed = plain(found[1]) if found else []
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _extension(body: yaml.Node) -> dict[str, Any] | None:
    return next((one for one in _extensions(body) if one.get("name") == _EXTENSION), None)
