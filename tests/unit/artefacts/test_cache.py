"""The laptop's cache, on a real disk."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from fedssh.artefacts.cache import Fetched, cache_folder, cached, keep, sha256_of
from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "https://example.com/charts/kubefed-0.10.0.tgz"
NAME = "kubefed-0.10.0.tgz"
CONTENT = b"what was fetched"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache; it is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fedssh"


def writing(content: bytes) -> Callable[[Path], None]:
    """Return what writes a content."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def files(folder: Path) -> list[str]:
    """Return the names of all files and folders that lie below a folder, in the cache's own one or deeper."""
    return sorted(path.name for path in folder.rglob("*") if path.parent != folder)


def test_the_cache_is_where_the_system_keeps_caches(cache: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By XDG's variable, or in its default place."""
    assert cache_folder() == cache
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder().is_relative_to(home)
    assert cache_folder().name == "fedssh"


def test_what_is_kept_is_found_again(cache: Path) -> None:
    """With its checksum, by its key and its name; nothing else lies beside them."""
    assert cached(KEY, NAME) is None
    kept = keep(KEY, NAME, writing(CONTENT))
    assert kept == Fetched(path=kept.path, sha256=SHA256)
    assert (kept.path.read_bytes(), kept.path.name) == (CONTENT, NAME)
    assert kept.path.is_relative_to(cache)
    assert cached(KEY, NAME) == kept
    assert files(cache) == [f".{NAME}.sha256", NAME]


def test_a_checksum_that_is_wanted_has_to_be_the_one_that_it_has() -> None:
    """Another one is another file, which has to be fetched."""
    kept = keep(KEY, NAME, writing(CONTENT))
    assert cached(KEY, NAME, sha256=SHA256) == kept
    assert cached(KEY, NAME, sha256="0" * 64) is None


def test_another_key_is_another_file() -> None:
    """Also where both are called the same: two sources may differ in what they call version 0.10.0."""
    first = keep(KEY, NAME, writing(b"one"))
    second = keep(f"{KEY}?", NAME, writing(b"two"))
    assert first.path != second.path
    assert (cached(KEY, NAME), cached(f"{KEY}?", NAME)) == (first, second)
    assert first.path.read_bytes() == b"one"


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "without a note", "with an empty note", "a binary note"])
def test_a_file_that_has_changed_since_is_none(damage: str) -> None:
    """Nor is one of which nobody knows any more what it was; it is kept anew over what is there."""
    kept = keep(KEY, NAME, writing(CONTENT))
    note = kept.path.with_name(f".{NAME}.sha256")
    if damage == "gone":
        kept.path.unlink()
    elif damage == "without a note":
        note.unlink()
    elif damage.endswith("note"):
        note.write_bytes(b"" if "empty" in damage else b"\xff\xfe")
    else:
        kept.path.write_bytes(CONTENT[:-1] + b"x" * (damage == "changed"))
    assert cached(KEY, NAME) is None
    assert cached(KEY, NAME, sha256=SHA256) is None
    assert keep(KEY, NAME, writing(CONTENT)) == kept == cached(KEY, NAME)


def test_what_could_not_be_written_whole_is_not_kept(cache: Path) -> None:
    """The error is the writer's own, and no temporary folder stays."""

    def write(path: Path) -> None:
        path.write_bytes(CONTENT[:5])
        raise StepError("it broke off", step="fetch")

    with pytest.raises(StepError, match="it broke off"):
        keep(KEY, NAME, write)
    assert (files(cache), cached(KEY, NAME)) == ([], None)


def test_a_writer_that_fails_leaves_what_was_there(cache: Path) -> None:
    """It is as whole as before, and its note is its own."""
    kept = keep(KEY, NAME, writing(CONTENT))

    def write(path: Path) -> None:
        path.write_bytes(b"half of someth")
        raise StepError("it broke off", step="fetch")

    with pytest.raises(StepError):
        keep(KEY, NAME, write)
    assert cached(KEY, NAME) == kept
    assert files(cache) == [f".{NAME}.sha256", NAME]


def test_a_writer_that_is_interrupted_leaves_nothing(cache: Path) -> None:
    """Ctrl-C may come at any time."""

    def write(path: Path) -> None:
        path.write_bytes(CONTENT)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(KEY, NAME, write)
    assert (files(cache), cached(KEY, NAME)) == ([], None)


def test_a_cache_that_cannot_be_written_is_said(cache: Path) -> None:
    """With its folder and the system's words; the exit code is a step's."""
    cache.parent.mkdir()
    cache.write_text("a file, where the folder should be")
    with pytest.raises(StepError, match=r"cannot be written: (Not a directory|File exists)") as caught:
        keep(KEY, NAME, writing(CONTENT))
    assert str(cache) in caught.value.message
    assert (caught.value.exit_code, caught.value.step) == (3, "fetch")
    assert cached(KEY, NAME) is None


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("", "file"),
        ("..", "file"),
        (".hidden", "hidden"),
        ("a b;c/d", "a-b-c-d"),
        ("../../etc/passwd", "-..-etc-passwd"),
        ("x" * 300 + ".tgz", "x" * 96 + ".tgz"),
    ],
)
def test_no_name_leads_out_of_the_cache(cache: Path, name: str, called: str) -> None:
    """Names come from addresses: what a file cannot be called, or where it would be hidden or outside, is left out."""
    kept = keep(KEY, name, writing(CONTENT))
    assert kept.path.name == called
    assert kept.path.parent.parent == cache
    assert cached(KEY, name) == kept


def test_two_that_fetch_the_same_at_once_do_not_harm_each_other(cache: Path) -> None:
    """Each writes a file of its own; both are told of a whole one."""
    both, kept = threading.Barrier(2), list[Fetched]()

    def write(path: Path) -> None:
        path.write_bytes(CONTENT)
        both.wait(10)

    threads = [threading.Thread(target=lambda: kept.append(keep(KEY, NAME, write))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert kept == [cached(KEY, NAME)] * 2
    assert files(cache) == [f".{NAME}.sha256", NAME]


def test_a_large_file_has_its_checksum(tmp_path: Path) -> None:
    """As sha256sum prints it."""
    (tmp_path / "large").write_bytes(b"x" * 5_000_000)
    assert sha256_of(tmp_path / "large") == hashlib.sha256(b"x" * 5_000_000).hexdigest()
