"""Untrusted YAML: text in; nodes, or plain values, out.

A node keeps its scalars as they were written, so that a document can be changed in one place and be written
again. No error quotes a value, since a kubeconfig's values are secrets; keys are quoted.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from fedssh.errors import ConfigurationError

LARGEST_BYTES: Final = 1 << 20
DEEPEST: Final = 20

# libyaml's parser, where PyYAML was built with it, is many times as fast as the one in Python.
_Loader: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNFIT: Final = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final = {"bool": "true or false", "int": "a number", "float": "a number", "timestamp": "a date"}


class DocumentError(ConfigurationError):
    """A document that is not what it must be; the message begins with ``source:line:column``."""


def compose(text: str, *, source: str, largest_bytes: int = LARGEST_BYTES) -> yaml.Node | None:
    """Compose one YAML document into its nodes; every key in it is unique, printable text.

    Args:
        text: The document.
        source: What errors call the document: a path, printable.
        largest_bytes: How much is read at most.

    Returns:
        The root node, or None when there is nothing but comments.

    Raises:
        DocumentError: It is too large or too deep, is not YAML, has control characters, aliases, tags,
            duplicate keys or keys that are not text, or more documents follow.
    """
    if len(text.encode("utf-8", "surrogatepass")) > largest_bytes:
        raise DocumentError(f"{source}:1:1: larger than {largest_bytes} bytes")
    if unfit := _UNFIT.search(text):
        before = text[: unfit.start()]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise DocumentError(f"{source}:{line}:{column}: a control character")
    try:
        return _Composer(text, source).document()
    except yaml.MarkedYAMLError as error:
        problem = _syntax_problem(error, source)
    except yaml.YAMLError:
        problem = f"{source}: not YAML"
    # Raised outside of the handler: PyYAML's error, which quotes the text, must not become the context.
    raise DocumentError(problem)


def to_value(node: yaml.Node | None, *, source: str) -> object:
    """Convert a composed node into plain Python data, as YAML 1.2 reads it.

    Args:
        node: What ``compose`` gave.
        source: What errors call the document.

    Returns:
        dict, list, str, int, float, bool or None; all of it fits into JSON.

    Raises:
        DocumentError: Unquoted scalars which YAML 1.1 and 1.2 read differently, or which do not survive
            being read (``on``, ``0123``, ``1.30``, ``12:30:00``, a date): one line for each.
    """
    problems: list[str] = []
    value = _value(node, source, problems)
    if problems:
        raise DocumentError("\n".join(problems))
    return value


def entry(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Find a mapping's entry: its key node and its value node; None when it, or the mapping, is not there."""
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == key:
                return key_node, value_node
    return None


def located(source: str, mark: yaml.Mark, problem: str) -> str:
    """Render ``source:line:column: problem``, counted from 1."""
    return f"{source}:{mark.line + 1}:{mark.column + 1}: {problem}"


def quoted(text: str) -> str:
    """Render text for a message: in quotes, escaped for a terminal, and cut when it is long."""
    longest = 80
    return repr(text if len(text) <= longest else text[: longest - 3] + "...")


class _Composer:
    """Builds nodes from the parser's events.

    PyYAML's own composer recurses without a limit, replaces duplicates silently and follows aliases.
    """

    def __init__(self, text: str, source: str) -> None:
        # PyYAML's types name two classes of marks and leave methods out: Any until a node is made of it.
        self._loader: Any = _Loader(text)
        self._source = source

    def document(self) -> yaml.Node | None:
        try:
            self._loader.get_event()  # the stream's start
            if self._loader.check_event(yaml.StreamEndEvent):
                return None
            self._loader.get_event()  # the document's start
            root = self._node(depth=0)
            self._loader.get_event()  # the document's end
            if not self._loader.check_event(yaml.StreamEndEvent):
                raise self._refused(self._loader.peek_event(), "a second document begins here")
            return root
        finally:
            self._loader.dispose()

    def _node(self, *, depth: int) -> yaml.Node:
        if self._loader.check_event(yaml.AliasEvent):
            refused = "aliases (*name) are not accepted: write the value again"
            raise self._refused(self._loader.peek_event(), refused)
        event: Any = self._loader.get_event()
        if event.tag is not None:
            raise self._refused(event, "tags (!name) are not accepted")
        mark, kind = event.start_mark, type(event)
        if kind is yaml.ScalarEvent:
            if _UNFIT.search(event.value):
                raise self._refused(event, "a control character, written as an escape")
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
            return yaml.ScalarNode(tag, event.value, mark, style=event.style)
        if depth == DEEPEST:
            raise self._refused(event, f"nested deeper than {DEEPEST} levels")
        if kind is yaml.SequenceStartEvent:
            items = self._items(depth + 1)
            return yaml.SequenceNode(f"{_TAG}seq", items, mark, flow_style=event.flow_style)
        pairs = self._pairs(depth + 1)
        return yaml.MappingNode(f"{_TAG}map", pairs, mark, flow_style=event.flow_style)

    def _items(self, depth: int) -> list[yaml.Node]:
        items = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            items.append(self._node(depth=depth))
        self._loader.get_event()
        return items

    def _pairs(self, depth: int) -> list[tuple[yaml.Node, yaml.Node]]:
        pairs = []
        lines: dict[str, int] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            event = self._loader.peek_event()
            key = self._node(depth=depth)
            name = self._key(key, event)
            if name in lines:
                twice = f"the key {quoted(name)} is there twice; first in line {lines[name]}"
                raise self._refused(event, twice)
            lines[name] = event.start_mark.line + 1
            pairs.append((key, self._node(depth=depth)))
        self._loader.get_event()
        return pairs

    def _key(self, node: yaml.Node, event: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._refused(event, "a key must be text")
        name = str(node.value)
        value, doubt = _scalar(node)
        if doubt or value != name:
            raise self._refused(event, f"the key {quoted(name)} is not clearly text: quote it")
        if not name.isprintable():
            raise self._refused(event, f"the key {quoted(name)} has characters that cannot be shown")
        return name

    def _refused(self, event: Any, problem: str) -> DocumentError:
        return DocumentError(located(self._source, event.start_mark, problem))


def _value(node: yaml.Node | None, source: str, problems: list[str]) -> object:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _value(value, source, problems) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, source, problems) for item in node.value]
    if not isinstance(node, yaml.ScalarNode):
        return None
    value, doubt = _scalar(node)
    if doubt:
        problems.append(located(source, node.start_mark, doubt))
    return value


def _scalar(node: yaml.ScalarNode) -> tuple[str | float | bool | None, str]:
    """Read one scalar: its value, and why that is in doubt or ""."""
    text = str(node.value)
    if node.style:  # in quotes or a block
        return text, ""
    if text in _WORDS:
        return _WORDS[text], ""
    if _INTEGER.fullmatch(text):
        return int(text), ""
    number = _NUMBER.fullmatch(text)
    # 1.30 is not written as it reads (1.3): most often it is a version.
    if number and repr(float(text)) == text:
        return float(text), ""
    kind = node.tag.removeprefix(_TAG)
    if number or text.startswith("0o"):
        kind = "float"
    elif text in {"y", "Y", "n", "N"}:
        kind = "bool"
    if kind == "str":
        return text, ""
    return text, f"not clear whether this is text or {_KINDS.get(kind, 'a special word')}: quote it"


def _syntax_problem(error: yaml.MarkedYAMLError, source: str) -> str:
    # The only words of a document in PyYAML's problems are tag handles; <scalar> and the like are its own.
    problem = re.sub(r" '[^'<][^']+'", "", error.problem or "not YAML")
    if error.context == "while parsing a flow node":  # as [::1] is
        problem += "; text that begins with [ or { must be quoted"
    mark = error.problem_mark or error.context_mark
    return located(source, mark, problem) if mark else f"{source}: {problem}"
