"""What a machine may answer: any JSON, a right document with one wrong place in it, or no document at all."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from fedssh.errors import FedsshError

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXTS: Final = st.text(max_size=8) | st.sampled_from(["", "True", "\x1b[31m", "*", "\ud800", "%", "1", "\n", "\0"])
_NUMBERS: Final = st.integers(-1, 3) | st.floats(allow_nan=False) | st.just(10**400)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)
NO_DOCUMENTS: Final = ["", "{", "[" * 100_000, '{"items":' * 100_000, "\x1b[31m", "\ufffd", "NaN", "1" * 5000, '"x"']


def mangled(document: Any) -> st.SearchStrategy[str]:
    """Return texts: ``document`` as JSON with one of its values replaced or removed, or something else altogether."""
    places = list(_places(document))

    @st.composite
    def change(draw: st.DrawFn) -> str:
        *way, last = draw(st.sampled_from(places))
        changed = copy.deepcopy(document)
        inside = changed
        for step in way:
            inside = inside[step]
        if draw(st.booleans()):
            inside[last] = draw(VALUES)
        else:
            del inside[last]
        return json.dumps(changed)

    return change() | VALUES.map(json.dumps) | st.sampled_from(NO_DOCUMENTS) | st.text(max_size=20)


def answer_of(parse: Callable[[], Any]) -> Any:
    """Return what a parser returns, or its ``FedsshError``, whose text can be shown; it may raise nothing else."""
    try:
        return parse()
    except FedsshError as error:
        found = error
    assert found.message.replace("\n", "").replace("\t", "").isprintable()
    return found


def _places(value: Any) -> Any:
    """Yield the way to every value in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (key,)
        yield from ((key, *rest) for rest in _places(inner))
