"""kubectl's ``-o jsonpath=…``, as much of it as is asked of a stand-in."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_STEP: Final = re.compile(
    r"""\.?\[\?\(@(?P<asked>[^=)]+?)(?:\s*==\s*["'](?P<value>[^"']*)["'])?\)\]  # [?(@.type=="Ready")]
    | \.?\[(?:(?P<all>\*)|(?P<index>-?\d+)|'(?P<quoted>[^']*)')\]
    | \.(?P<key>(?:\\.|[^.\[\\])+)""",
    re.VERBOSE,
)
_PARTS: Final = re.compile(r"\{([^{}]*)\}|([^{}]+)")


@dataclass(frozen=True)
class _Range:
    path: str
    inner: tuple[str | _Path | _Range, ...]


@dataclass(frozen=True)
class _Path:
    path: str


def render(template: str, root: Any) -> str:
    """Return what kubectl prints of an object, or of a List of several, by a template; what is missing is left out."""
    return _render(_parse(template), root)


def find(path: str, root: Any) -> list[Any]:
    """Return what a path such as ``.items[*].metadata.name`` leads to."""
    found = [root]
    for step in _steps(path):
        found = [there for one in found for there in _follow(step, one)]
    return found


def _render(nodes: Iterable[str | _Path | _Range], root: Any) -> str:
    text = ""
    for node in nodes:
        match node:
            case str():
                text += node
            case _Path(path):
                text += " ".join(map(_show, find(path, root)))
            case _Range(path, inner):
                text += "".join(_render(inner, one) for one in find(path, root))
    return text


@lru_cache(maxsize=256)
def _parse(template: str) -> tuple[str | _Path | _Range, ...]:
    open_nodes: list[list[str | _Path | _Range]] = [[]]
    paths: list[str] = []
    for braced, plain in _PARTS.findall(template):
        asked = braced.strip()
        if asked.startswith("range "):
            paths.append(asked.removeprefix("range ").strip().lstrip("@$"))
            open_nodes.append([])
        elif asked == "end":
            inner = open_nodes.pop()
            open_nodes[-1].append(_Range(paths.pop(), tuple(inner)))
        elif asked[:1] in {'"', "'"}:
            open_nodes[-1].append(str(json.loads(f'"{asked[1:-1]}"')))
        else:
            open_nodes[-1].append(_Path(asked.lstrip("@$")) if asked else plain)
    (nodes,) = open_nodes
    return tuple(nodes)


@lru_cache(maxsize=256)
def _steps(path: str) -> tuple[re.Match[str], ...]:
    found, place = [], 0
    while place < len(path) and path != ".":
        step = _STEP.match(path, place)
        if step is None:
            raise ValueError(f"a stand-in does not know this path: {path}")
        found.append(step)
        place = step.end()
    return tuple(found)


def _follow(step: re.Match[str], one: Any) -> list[Any]:
    key = step["key"].replace("\\", "") if step["key"] else step["quoted"]
    if key:
        return [one[key]] if isinstance(one, dict) and one.get(key) is not None else []
    items = list(one.values()) if isinstance(one, dict) else one
    if not isinstance(items, list):
        return []
    if step["all"]:
        return items
    if step["index"]:
        place = int(step["index"])
        return items[place : place + 1 or None]
    asked, value = step["asked"], step["value"]
    return [item for item in items if (found := find(asked, item)) and (value is None or _show(found[0]) == value)]


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
