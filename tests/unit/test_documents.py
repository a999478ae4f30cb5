from __future__ import annotations

import json
import time
import traceback

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedssh import documents
from fedssh.documents import DocumentError, compose, entry, quoted, to_value

CANARY = "c4n4ry-s3cret"


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def _parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything holds with libyaml's parser and with PyYAML's own."""
    loader = getattr(yaml, request.param, None)
    if loader is None:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(documents, "_Loader", loader)


def refusal(text: str) -> DocumentError:
    """Read a document that is refused; give the error."""
    with pytest.raises(DocumentError) as caught:
        to_value(compose(text, source="f.yaml"), source="f.yaml")
    return caught.value


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_a_document_without_content_is_none(text: str) -> None:
    """Comments alone make no node."""
    assert compose(text, source="f.yaml") is None


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[("1", 1), ("-7", -7), ("0", 0), ("1.5", 1.5), ("1e+16", 1e16), ("true", True), ("False", False)],
        *[("~", None), ("null", None), ("", None), ("'on'", "on"), ('"0123"', "0123"), ("''", "")],
        *[("x", "x"), ("0.10.0", "0.10.0"), ("::1", "::1"), ("4711-42", "4711-42"), ("--help", "--help")],
        *[("|\n  12:30:00", "12:30:00\n"), ("[null, {k: v}]", [None, {"k": "v"}])],
    ],
)
def test_values_are_those_of_yaml_1_2(written: str, value: object) -> None:
    """Plain words, numbers and nulls are read; what is quoted or a block is text."""
    read = to_value(compose(f"a: {written}\n", source="f"), source="f")
    assert read == {"a": value}
    assert json.dumps(read) == json.dumps({"a": value})  # 1, 1.0 and true are equal in Python


AMBIGUOUS = (
    "on off yes no y n Y N On OFF 0123 1_2 0o17 0x1F 0b1 +1 -0 1.30 0.10 1. .5 1e3 -.inf .nan 12:30:00 "
    "1:2:3:4:5:6:7:8 2001-01-01 2001-01-01T00:00:00Z = 12345678901234567890"
)


@pytest.mark.parametrize("word", AMBIGUOUS.split())
def test_fault_44_what_yaml_versions_read_differently_must_be_quoted(word: str) -> None:
    """As a value and as a key, with its place; the same in quotes is text."""
    assert refusal(f"x: 1\nkey: {word}\n").message.startswith("f.yaml:2:6: not clear whether this is text or ")
    assert refusal(f"x: 1\n{word}: value\n").message.endswith("is not clearly text: quote it")
    assert to_value(compose(f"'{word}': '{word}'", source="f"), source="f") == {word: word}


def test_all_unclear_values_are_named_at_once() -> None:
    """One line for each, in the file's order."""
    lines = refusal("a: on\nb:\n  - 0123\n  - fine\n  - 1.30\n").message.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["f.yaml:1:4", "f.yaml:3:5", "f.yaml:5:5"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\n'a': 3\n", "f.yaml:3:1: the key 'a' is there twice; first in line 1"),
        ("m:\n  {a: 1, a: 1}\n", "f.yaml:2:10: the key 'a' is there twice; first in line 2"),
        ("a: &x [1]\nb: *x\n", "f.yaml:2:4: aliases"),
        ("a: &x [*x]\n", "f.yaml:1:8: aliases"),
        ("a: !secret b\n", "f.yaml:1:4: tags"),
        ("a: !!python/name:os.system x\n", "f.yaml:1:4: tags"),
        ("!!map\na: 1\n", "f.yaml:1:1: tags"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document"),
        ("1: a\n", "f.yaml:1:1: the key '1' is not clearly text: quote it"),
        ("~: a\n", "f.yaml:1:1: the key '~' is not clearly text: quote it"),
        ("<<: {a: 1}\n", "f.yaml:1:1: the key '<<' is not clearly text: quote it"),
        ("? [a]\n: b\n", "f.yaml:1:3: a key must be text"),
        ('a: 1\n"b\\nc": 1\n', "f.yaml:2:1: the key 'b\\nc' has characters that cannot be shown"),
        ('"\\u202eb": 1\n', "f.yaml:1:1: the key '\\u202eb' has characters that cannot be shown"),
        ("a: 1\nb: \x1b[31m\n", "f.yaml:2:4: a control character"),
        ("a: 1\nb: \x85\n", "f.yaml:2:4: a control character"),
        ('a: "\\e[31m"\n', "f.yaml:1:4: a control character, written as an escape"),
        ('a: "\\0"\n', "f.yaml:1:4: a control character, written as an escape"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: found character"),
        ("a: b: c\n", "f.yaml:1:5: mapping values are not allowed"),
        ("a: [1, 2\n", "f.yaml:2:1: "),
    ],
)
def test_fault_43_what_is_refused_is_named_with_its_place(text: str, expected: str) -> None:
    """Lines and columns count from 1."""
    assert refusal(text).message.startswith(expected)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
def test_fault_43_depth_is_refused_before_it_hurts(opening: str) -> None:
    """A hundred thousand levels are an answer within a second, not a RecursionError."""
    begun = time.process_time()
    assert "nested deeper than 20 levels" in refusal(opening * 100_000).message
    assert time.process_time() - begun < 1


def test_twenty_levels_are_fine() -> None:
    """The limit itself is inside."""
    text = "[" * 20 + "]" * 20
    assert json.dumps(to_value(compose(text, source="f"), source="f")) == text
    assert refusal("[" + text + "]").message.startswith("f.yaml:1:21: nested deeper")


def test_fault_43_size_is_refused_before_parsing() -> None:
    """Ten megabytes are refused at once; the limit counts bytes, not characters, and can be chosen."""
    begun = time.process_time()
    assert "larger than 1048576 bytes" in refusal("- a\n" * 2_500_000).message
    assert time.process_time() - begun < 1
    assert compose("ä: b", source="f", largest_bytes=5) is not None
    with pytest.raises(DocumentError, match="larger than 4 bytes"):
        compose("ä: b", source="f", largest_bytes=4)


def test_fault_43_an_alias_bomb_is_refused() -> None:
    """The first alias ends it."""
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    assert refusal(f"a0: &a0 [x]\n{levels}").message.startswith("f.yaml:2:10: aliases")


@pytest.mark.parametrize(
    "text",
    [
        f"token: !{CANARY} x\n",
        f"token: !{CANARY}!x y\n",
        f"token: *{CANARY}\n",
        f"token: {CANARY}: x\n",
        f"token: '{CANARY}\n",
        f'token: "{CANARY}\\q"\n',
        f"token: @{CANARY}\n",
        f"token: {CANARY}\n  other: [\n",
        f"token: [{CANARY}\n",
        f'token: "{CANARY}\\0"\n',
        f"token: {CANARY}\x00\n",
        f"a: {CANARY}\na: {CANARY}\n",
        f"a: {CANARY}\n---\nb: {CANARY}\n",
        f"token: |3{CANARY}\n",
        f"%TAG {CANARY}\n---\na: b\n",
        f"a: {CANARY}\nb: on\n",
    ],
)
def test_no_error_shows_a_value(text: str) -> None:
    """Neither the message nor the whole chain of exceptions holds one."""
    error = refusal(text)
    assert CANARY not in "".join(traceback.format_exception(error))
    assert error.__context__ is None
    assert error.__cause__ is None


@given(st.text(alphabet="ab:- \n[]{},'\"#&*!|>%@?~0.\t\\", max_size=60))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    """No other exception escapes, and what is accepted fits into JSON."""
    for loader in (yaml.SafeLoader, documents._Loader):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(documents, "_Loader", loader)
            try:
                value = to_value(compose(text, source="f.yaml"), source="f.yaml")
            except DocumentError as error:
                if not error.message.startswith("f.yaml:"):
                    raise
            else:
                assert json.loads(json.dumps(value, allow_nan=False)) == value


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cc", "Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), max_size=5), inner)
    ),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_json_is_read_as_it_is(value: object) -> None:
    """Every JSON document of fitting depth is read, and means the same."""
    text = json.dumps(value, ensure_ascii=False)
    assert to_value(compose(text, source="f"), source="f") == value


def test_scalars_keep_their_bytes_when_nodes_are_written_again() -> None:
    """What is not changed is written as it was, whatever it could be read as."""
    text = "a: 0x1F\nb: 'on'\nc: \"1.30\"\nd: 2001-01-01\ne: |\n  x\n  y\nf: on\ng: {h: [1, 2.50]}\n"
    node = compose(text, source="f")
    assert node is not None
    assert yaml.serialize(node, Dumper=yaml.SafeDumper) == text


def test_entry_finds_keys_of_mappings_only() -> None:
    """A key that is not there, or a list, gives None."""
    node = compose("a: {b: c}\nd: [a]\n", source="f")
    assert node is not None
    found = entry(node, "a")
    assert found is not None
    assert (found[0].value, found[1].start_mark.column) == ("a", 3)
    assert entry(node, "b") is None
    assert entry(node.value[1][1], "a") is None


def test_quoted_is_safe_on_a_terminal() -> None:
    """Escapes are shown as text and long text is cut."""
    assert quoted("a\x1b[31m\u202eü") == "'a\\x1b[31m\\u202eü'"
    assert len(quoted("x" * 1000)) == 82
