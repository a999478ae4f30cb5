"""Changing YAML nodes: find, replace, add and write again; what is not touched stays as it was written."""

from __future__ import annotations

from typing import Any, Final

import yaml

_TAG: Final = "tag:yaml.org,2002:"
_TEXT: Final = f"{_TAG}str"
# libyaml's emitter, where PyYAML was built with it, is many times as fast as the one in Python.
_Dumper: Final[type[yaml.SafeDumper]] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def represent(value: Any) -> Any:
    """Return plain data (texts, truth values, lists and mappings) as nodes, in lines and not in braces.

    PyYAML's own representer does the same, and takes ten times as long: it looks for what is there twice.
    """
    if isinstance(value, dict):
        pairs = [(represent(key), represent(inner)) for key, inner in value.items()]
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=False)
    if isinstance(value, list):
        return yaml.SequenceNode(f"{_TAG}seq", [represent(inner) for inner in value], flow_style=False)
    kind = "bool" if isinstance(value, bool) else "str"
    return yaml.ScalarNode(f"{_TAG}{kind}", text_of(value))


def text_of(value: Any) -> str:
    """Return how a scalar is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise TypeError(f"no kubeconfig of fedssh's holds a {type(value).__name__}")
    return value


def plain_of(value: Any) -> Any:
    """Return what ``plain`` returns of ``represent(value)``."""
    if isinstance(value, dict):
        return {key: plain_of(inner) for key, inner in value.items()}
    return [plain_of(inner) for inner in value] if isinstance(value, list) else text_of(value)


def copy(node: yaml.Node) -> Any:
    """Return a node whose parts can be changed without it; scalars are never changed, only replaced."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(key, copy(value)) for key, value in node.value]
        return yaml.MappingNode(node.tag, pairs, node.start_mark, flow_style=node.flow_style)
    if isinstance(node, yaml.SequenceNode):
        return yaml.SequenceNode(
            node.tag, [copy(item) for item in node.value], node.start_mark, flow_style=node.flow_style
        )
    return node


def render(root: yaml.Node) -> str:
    """Return a document's text."""
    _unflow(root)
    rendered: str = yaml.serialize(root, Dumper=_Dumper, allow_unicode=True, width=2**31 - 1)
    return rendered


def _unflow(node: yaml.Node) -> bool:
    """Let what cannot be written plainly in braces, ``12:30:00`` and an empty null, stand in lines; tell whether it is.

    In quotes they would be text, so that the emitter adds a tag, which nobody expects in a kubeconfig.
    """
    if isinstance(node, yaml.ScalarNode):
        return not node.style and node.tag != _TEXT and (not node.value or ":" in node.value)
    found = [_unflow(part) for item in node.value for part in (item if isinstance(item, tuple) else (item,))]
    if any(found) and isinstance(node, yaml.CollectionNode):
        node.flow_style = False
    return any(found)


def replace(mapping: yaml.MappingNode, key: str, value: yaml.Node) -> None:
    """Set a key of a mapping, at its place when it is there and else at the end."""
    for index, (key_node, _) in enumerate(mapping.value):
        if key_node.value == key:
            mapping.value[index] = (key_node, value)
            return
    mapping.value.append((represent(key), value))


def plain(node: yaml.Node) -> Any:
    """Return a node as dicts, lists and the text of its scalars, for comparing."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return node.value
