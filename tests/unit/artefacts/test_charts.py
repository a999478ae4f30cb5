"""Charts from a Helm repository on loopback, and what stands in their archives."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fedssh.artefacts import Chart, fetch, find
from fedssh.artefacts.charts import read_values
from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from fedssh.artefacts import Fetched

VALUES = {"controllermanager": {"controller": {"repository": "quay.io/x", "tag": "v0.10.0"}}, "name": "grün"}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


CHART = pack(
    {
        "kubefed/Chart.yaml": b"name: kubefed\n",
        "kubefed/charts/controllermanager/values.yaml": b"other: true\n",
        "kubefed/values.yaml": yaml.safe_dump(VALUES, allow_unicode=True).encode(),
    }
)
SHA256 = hashlib.sha256(CHART).hexdigest()
LARGE = pack({"kubefed/README.md": " ".join(map(str, range(50_000))).encode(), "kubefed/values.yaml": b"a: 1"})
DEEP = """
import sys
from pathlib import Path
from fedssh.artefacts import charts
from fedssh.errors import StepError
wanted = charts.Chart(title="x", repository="http://x", name="kubefed", version="1")
try:
    print(charts._entry("[" * 100_000, wanted), charts.read_values(Path(sys.argv[1])))
except StepError as error:
    print(error.message)
"""


@dataclass
class Repository:
    """A Helm repository: its address, its files by path, and which paths it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: {"/charts/kubefed-0.10.0.tgz": CHART})
    asked: list[str] = field(default_factory=list)

    def index(self, *versions: dict[str, Any], name: str = "kubefed") -> None:
        """Have an index of a chart's versions."""
        index = {"apiVersion": "v1", "entries": {"other": [{"version": "0.10.0", "urls": ["x"]}], name: [*versions]}}
        self.files["/charts/index.yaml"] = yaml.safe_dump(index).encode()

    def wanted(self, version: str = "0.10.0", *, sha256: str = "", end: str = "") -> Chart:
        """Return the chart that is wanted of it; its address may end in a slash."""
        title, repository = f"the chart {version}", f"{self.url}/charts{end}"
        return Chart(title=title, repository=repository, name="kubefed", version=version, sha256=sha256)


@pytest.fixture
def repository() -> Iterator[Repository]:
    """A repository whose archive lies beside its index, which says so."""
    made = Repository()
    made.index({"version": "0.10.0", "digest": SHA256, "urls": ["kubefed-0.10.0.tgz"]})

    class Handler(BaseHTTPRequestHandler):
        """Gives the files of ``made``."""

        def do_GET(self) -> None:
            """Answer."""
            made.asked.append(self.path)
            content = made.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fedssh"


def get(wanted: Chart) -> Fetched:
    """Fetch a chart, without a word."""
    return fetch(wanted, lambda _: None)


def failed(wanted: Chart) -> StepError:
    """Return why a chart cannot be fetched."""
    with pytest.raises(StepError) as caught:
        get(wanted)
    assert (caught.value.exit_code, caught.value.step, find(wanted)) == (3, "fetch", None)
    return caught.value


def test_the_index_tells_where_a_chart_lies(repository: Repository, cache: Path) -> None:
    """It is kept under its name; the second time nobody is asked."""
    wanted = repository.wanted()
    assert find(wanted) is None
    fetched = get(wanted)
    assert (fetched.path.read_bytes(), fetched.sha256) == (CHART, SHA256)
    assert fetched.path.name == "kubefed-0.10.0.tgz"
    assert repository.asked == ["/charts/index.yaml", "/charts/kubefed-0.10.0.tgz"]
    assert [get(wanted), find(wanted)] == [fetched] * 2
    assert len(repository.asked) == 2
    assert sorted(path.name for path in cache.rglob("*.*")) == [".kubefed-0.10.0.tgz.sha256", "kubefed-0.10.0.tgz"]


def test_a_slash_at_the_end_of_an_address_is_the_same_repository(repository: Repository) -> None:
    """For its index, for what is relative to it, and for the cache."""
    assert get(repository.wanted(end="/")) == get(repository.wanted())
    assert repository.asked == ["/charts/index.yaml", "/charts/kubefed-0.10.0.tgz"]


@pytest.mark.parametrize("where", ["kubefed-0.10.0.tgz", "./a/../kubefed-0.10.0.tgz", "/elsewhere/x.tgz", "{}/x.tgz"])
def test_an_archive_may_lie_anywhere(repository: Repository, where: str) -> None:
    """Relative to the index, to the server, or at an address of its own; the first address counts."""
    url = where.format(repository.url)
    repository.files |= {"/elsewhere/x.tgz": CHART, "/x.tgz": CHART}
    repository.index({"version": "0.10.0", "digest": SHA256, "urls": [url, "http://127.0.0.1:1/x"]})
    assert get(repository.wanted()).sha256 == SHA256


def test_a_v_before_the_version_is_no_other_version(repository: Repository) -> None:
    """The right one is found among others."""
    others = [{"version": version, "digest": "ab" * 32, "urls": ["x"]} for version in ("0.10.1", "0.10.0-rc1", "v0.1")]
    repository.index(*others, {"version": "v0.10.0", "digest": SHA256, "urls": ["kubefed-0.10.0.tgz"]})
    assert get(repository.wanted()).sha256 == SHA256


@pytest.mark.parametrize("whose", ["the index", "hosts.yaml"])
def test_a_chart_with_another_checksum_is_not_kept(repository: Repository, cache: Path, whose: str) -> None:
    """Whether the index or hosts.yaml names the right one; hosts.yaml has the last word."""
    wrong = "ab" * 32
    digest, own = (wrong, "") if whose == "the index" else (SHA256, wrong)
    repository.index({"version": "0.10.0", "digest": digest, "urls": ["kubefed-0.10.0.tgz"]})
    error = failed(repository.wanted(sha256=own))
    says = whose if own else f"{repository.url}/charts/index.yaml"
    archive = f"{repository.url}/charts/kubefed-0.10.0.tgz"
    assert error.message == f"{archive} has the SHA-256 checksum {SHA256}, but {says} says {wrong}"
    assert list(cache.rglob("*.*")) == []
    if whose == "the index":
        assert get(repository.wanted(sha256=SHA256)).sha256 == SHA256


@pytest.mark.parametrize("digest", ["0" * 64, "1" * 64, "0" * 63 + "8", "0x" + "a" * 62])
def test_a_checksum_that_looks_like_a_number_is_compared_as_it_is_written(repository: Repository, digest: str) -> None:
    """Without quotation marks, YAML would make a number of it."""
    entry = f"{{version: 0.10.0, digest: {digest}, urls: [kubefed-0.10.0.tgz]}}"
    repository.files["/charts/index.yaml"] = f"entries: {{kubefed: [{entry}]}}".encode()
    assert failed(repository.wanted()).message.endswith(f"index.yaml says {digest}")


def test_a_version_that_looks_like_a_number_is_found(repository: Repository) -> None:
    """As it is written; one of another length is another version."""
    entries = [f"{{version: {version}, urls: [{url}]}}" for version, url in {"1.1": "x", "1.10": "here.tgz"}.items()]
    repository.files["/charts/index.yaml"] = f"entries: {{kubefed: [{', '.join(entries)}]}}".encode()
    repository.files["/charts/here.tgz"] = CHART
    assert get(repository.wanted("1.10")).sha256 == SHA256


def test_a_checksum_may_be_in_capitals(repository: Repository) -> None:
    """It is the same one."""
    repository.index({"version": "0.10.0", "digest": SHA256.upper(), "urls": ["kubefed-0.10.0.tgz"]})
    assert get(repository.wanted()).sha256 == SHA256


@pytest.mark.parametrize("url", ["http://[", "ftp://x/y.tgz", "http://x:port/y.tgz", "//"])
def test_an_archive_that_lies_nowhere_is_an_error(repository: Repository, url: str) -> None:
    """Whatever an index calls an address."""
    repository.index({"version": "0.10.0", "urls": [url]})
    assert failed(repository.wanted()).message


def test_an_index_without_a_checksum_will_do(repository: Repository) -> None:
    """Helm asks for none, either."""
    repository.index({"version": "0.10.0", "urls": ["kubefed-0.10.0.tgz"]})
    assert get(repository.wanted()).sha256 == SHA256


def test_a_version_that_is_not_there_is_an_error(repository: Repository) -> None:
    """With what to correct; the archive is not asked for."""
    error = failed(repository.wanted("0.11.0"))
    assert error.message == f"{repository.url}/charts/index.yaml has no chart kubefed of version 0.11.0"
    assert "hosts.yaml" in error.hint
    assert repository.asked == ["/charts/index.yaml"]


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"<html><body>Log in: now</body></html>",
        b"{]",
        b"\x00\x01",
        b"- a list",
        b"entries: kubefed",
        b"entries: {other: []}",
        b"entries: {kubefed: null}",
        b"entries: {kubefed: [0.10.0]}",
        b"entries: {kubefed: [{version: 0.10.0}]}",
        b"entries: {kubefed: [{version: 0.10.0, urls: []}]}",
        b"entries: {kubefed: [{version: 0.10.0, urls: {a: b}}]}",
    ],
)
def test_an_index_that_is_none_is_an_error(repository: Repository, index: bytes) -> None:
    """A login page, for one."""
    repository.files["/charts/index.yaml"] = index
    assert "has no chart kubefed of version 0.10.0" in failed(repository.wanted()).message


def test_what_comes_from_a_repository_is_not_run(repository: Repository, tmp_path: Path) -> None:
    """YAML may name Python's functions; neither an index nor a chart's values are read so."""
    planted = f"!!python/object/apply:os.mkdir [{tmp_path}/planted]".encode()
    repository.files["/charts/index.yaml"] = b"entries: {kubefed: " + planted + b"}"
    failed(repository.wanted())
    (tmp_path / "chart.tgz").write_bytes(pack({"kubefed/values.yaml": b"a: " + planted}))
    with pytest.raises(StepError, match="is no chart"):
        read_values(tmp_path / "chart.tgz")
    assert not (tmp_path / "planted").exists()


def test_what_is_nested_without_end_ends_no_program(tmp_path: Path) -> None:
    """An index is none then, and a chart is none; in a program of its own, since the parser is one in C."""
    (tmp_path / "chart.tgz").write_bytes(pack({"kubefed/values.yaml": b"[" * 100_000}))
    argv = [sys.executable, "-c", DEEP, str(tmp_path / "chart.tgz")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/chart.tgz is no chart\n", "")


@pytest.mark.parametrize("missing", ["index.yaml", "kubefed-0.10.0.tgz"])
def test_a_file_that_is_not_there_is_an_error(repository: Repository, missing: str) -> None:
    """By its address."""
    del repository.files[f"/charts/{missing}"]
    assert failed(repository.wanted()).message == f"cannot download {repository.url}/charts/{missing}: 404 Not Found"


def test_the_charts_own_values_are_read(repository: Repository, tmp_path: Path) -> None:
    """Those in its folder, not those of a chart in it; a chart that has an empty file has none."""
    assert read_values(get(repository.wanted()).path) == VALUES
    empty = tmp_path / "empty.tgz"
    empty.write_bytes(pack({"kubefed/values.yaml": b"# none\n"}))
    assert read_values(empty) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        b"\x1f\x8b no gzip, either",
        pytest.param(CHART[:20], id="cut at its beginning"),
        pytest.param(CHART[: len(CHART) // 2], id="cut"),
        pytest.param(LARGE[: len(LARGE) // 2], id="cut in a file"),
        pytest.param(LARGE[: len(LARGE) // 2] + b"\xff" * 99 + LARGE[len(LARGE) // 2 + 99 :], id="damaged in a file"),
        {"kubefed/Chart.yaml": b"name: kubefed"},
        {"values.yaml": b"a: 1", "kubefed/templates/values.yaml": b"a: 1"},
        {"kubefed/values.yaml": b"- a list"},
        {"kubefed/values.yaml": b"a text"},
        {"kubefed/values.yaml": b"{]"},
        {"kubefed/values.yaml": b"\xff\xfe\xff"},
    ],
)
def test_a_file_that_is_no_chart_is_an_error(tmp_path: Path, content: bytes | dict[str, bytes]) -> None:
    """By its path; also where it was cut, or is damaged inside."""
    (tmp_path / "chart.tgz").write_bytes(content if isinstance(content, bytes) else pack(content))
    with pytest.raises(StepError, match=r"chart\.tgz is no chart") as caught:
        read_values(tmp_path / "chart.tgz")
    assert caught.value.exit_code == 3


def test_a_chart_that_is_gone_is_an_error(tmp_path: Path) -> None:
    """Somebody may have emptied the cache."""
    with pytest.raises(StepError, match="is no chart"):
        read_values(tmp_path / "gone.tgz")
