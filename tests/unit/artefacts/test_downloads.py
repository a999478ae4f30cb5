"""Downloads from a server on loopback."""

from __future__ import annotations

import gzip
import hashlib
import re
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from fedssh.artefacts import Download, fetch, find, http
from fedssh.artefacts import downloads as module
from fedssh.artefacts.downloads import fetch_text
from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fedssh.artefacts import Fetched

CONTENT = b"\x1f\x8b what is called an archive here"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/releases/kubefedctl-0.10.0.tgz"


@dataclass
class Said:
    """What a server says to a request.

    Attributes:
        body: What it sends.
        code: Its code, and the words after it.
        headers: Headers besides, or instead of, the length of the body.
        busy: How often it says 503 before, and asks for a long wait.
        packs: Whether it packs what it sends for those who say that they unpack it.
        stalls: Whether it sends half of the body, and then says nothing more.
    """

    body: bytes = CONTENT
    code: tuple[int, str] = (200, "OK")
    headers: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    packs: bool = False
    stalls: bool = False


@dataclass
class Site:
    """A web server: where it is, what it says at which path, and which paths it was asked for."""

    url: str = ""
    says: dict[str, Said] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def wanted(self, path: str = PATH, *, sha256: str = "", checksum: str = "", key: str = "") -> Download:
        """Return the download of a path, whose checksum lies at another path where that is said."""
        checksum_url = f"{self.url}{checksum}" if checksum else ""
        return Download(title="the tool", url=f"{self.url}{path}", sha256=sha256, checksum_url=checksum_url, key=key)


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that has the archive."""
    made, is_over = Site(says={PATH: Said()}), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        """Says what stands in ``made``."""

        def do_GET(self) -> None:
            """Answer, and break off where the length is a lie."""
            made.asked.append(self.path)
            said = made.says.get(self.path, Said(b"", (404, "Not Found")))
            if said.busy:
                said.busy -= 1
                said = Said(b"", (503, "Busy"), {"Retry-After": "20"})
            if said.packs and "gzip" in self.headers.get("Accept-Encoding", ""):
                said = Said(gzip.compress(said.body), headers={"Content-Encoding": "gzip"})
            self.send_response(*said.code)
            for name, value in ({"Content-Length": str(len(said.body))} | said.headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body[: len(said.body) // 2] if said.stalls else said.body)
            if said.stalls:
                self.wfile.flush()
                is_over.wait(20)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        is_over.set()
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fedssh"


def files(cache: Path) -> list[str]:
    """Return the names of everything in the cache but the folders that stand for keys."""
    return sorted(path.name for path in cache.rglob("*") if path.parent != cache)


def get(wanted: Download) -> Fetched:
    """Fetch something, without a word."""
    return fetch(wanted, lambda _: None)


def failed(wanted: Download) -> StepError:
    """Return why something cannot be fetched."""
    with pytest.raises(StepError) as caught:
        get(wanted)
    assert (caught.value.exit_code, caught.value.step) == (3, "fetch")
    assert find(wanted) is None
    return caught.value


def test_a_download_is_kept_and_not_asked_for_again(site: Site, cache: Path) -> None:
    """It lies in the cache under its own name, with its checksum."""
    wanted = site.wanted()
    assert (find(wanted), site.asked) == (None, [])
    fetched = get(wanted)
    assert (fetched.path.read_bytes(), fetched.sha256) == (CONTENT, SHA256)
    assert files(cache) == [".kubefedctl-0.10.0.tgz.sha256", "kubefedctl-0.10.0.tgz"]
    assert [get(wanted), find(wanted)] == [fetched] * 2
    assert site.asked == [PATH]


def test_a_file_that_was_damaged_in_the_cache_is_fetched_again(site: Site) -> None:
    """Nobody is given it in between."""
    wanted = site.wanted()
    fetched = get(wanted)
    fetched.path.write_bytes(b"damaged")
    assert find(wanted) is None
    assert get(wanted) == fetched
    assert fetched.path.read_bytes() == CONTENT
    assert site.asked == [PATH] * 2


def test_a_checksum_that_lies_beside_it_is_compared(site: Site) -> None:
    """Its first word, in capitals or not, whatever follows; it is not asked for where hosts.yaml names one."""
    site.says["/sum"] = Said(f"\n {SHA256.upper()}  kubefedctl-0.10.0.tgz\nand more\n".encode())
    assert get(site.wanted(checksum="/sum")).sha256 == SHA256
    assert site.asked == ["/sum", PATH]
    site.asked.clear()
    assert get(site.wanted(checksum="/sum", sha256=SHA256, key="another")).sha256 == SHA256
    assert site.asked == [PATH]


@pytest.mark.parametrize("whose", ["hosts.yaml", "/sum"])
def test_a_wrong_checksum_is_an_error(site: Site, cache: Path, whose: str) -> None:
    """It says both checksums and whose they are; nothing of the file is kept."""
    wrong = "ab" * 32
    site.says["/sum"] = Said(wrong.encode())
    wanted = site.wanted(checksum="/sum") if whose == "/sum" else site.wanted(sha256=wrong)
    error = failed(wanted)
    says = whose if whose == "hosts.yaml" else f"{site.url}/sum"
    assert error.message == f"{site.url}{PATH} has the SHA-256 checksum {SHA256}, but {says} says {wrong}"
    assert files(cache) == []


def test_a_checksum_that_somebody_else_says_is_compared_as_well(site: Site, cache: Path) -> None:
    """It is told who that is; nothing is kept."""
    wrong = "ab" * 32
    error = failed(replace(site.wanted(sha256=wrong), whose="http://x/index.yaml"))
    assert error.message.endswith(f" has the SHA-256 checksum {SHA256}, but http://x/index.yaml says {wrong}")
    assert files(cache) == []


@pytest.mark.parametrize("text", [b"", b" \n", b"<html>Not found</html>", b"0" * 63, b"g" * 64, b"\xff" * 64])
def test_what_is_no_checksum_is_an_error(site: Site, cache: Path, text: bytes) -> None:
    """And no reason to go without one: the file is not asked for."""
    site.says["/sum"] = Said(text)
    assert failed(site.wanted(checksum="/sum")).message == f"{site.url}/sum does not begin with a SHA-256 checksum"
    assert (files(cache), site.asked) == ([], ["/sum"])


@pytest.mark.parametrize("missing", [PATH, "/sum"])
def test_what_is_not_there_is_an_error(site: Site, cache: Path, missing: str) -> None:
    """With the server's words, made visible; the checksum's file is as needed as the file."""
    site.says["/sum"] = Said(SHA256.encode())
    site.says[missing] = Said(b"no such thing", (404, "Not \x1b[31mFound"))
    error = failed(site.wanted(checksum="/sum"))
    assert error.message == f"cannot download {site.url}{missing}: 404 Not \\x1b[31mFound"
    assert files(cache) == []


def test_a_server_that_refuses_connections_is_an_error(cache: Path) -> None:
    """In the system's words, after a few tries; the address stands before them once."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = failed(Download(title="x", url=f"http://127.0.0.1:{port}/x"))
    begins = f"cannot download http://127.0.0.1:{port}/x: "
    assert error.message.startswith(begins)
    assert re.fullmatch(r"Failed to establish .*\[Errno \d+\] Connection refused", error.message.removeprefix(begins))
    assert files(cache) == []


@pytest.mark.parametrize("body", [CONTENT, b"x" * 600_000])
def test_fault_67_a_download_that_breaks_off_is_not_kept(site: Site, cache: Path, body: bytes) -> None:
    """Without a checksum, only its length tells; it is told how much has come."""
    site.says[PATH] = Said(body, headers={"Content-Length": str(len(body) + 1)})
    error = failed(site.wanted())
    words = f"Connection broken: IncompleteRead({len(body)} bytes read, 1 more expected)"
    assert error.message == f"cannot download {site.url}{PATH}: {words}"
    assert files(cache) == []
    site.says[PATH] = Said()
    assert get(site.wanted()).sha256 == SHA256


def test_a_server_that_falls_silent_is_an_error(site: Site, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for as long as a server may be silent."""
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", (15, 0.3))
    site.says[PATH] = Said(stalls=True)
    assert failed(site.wanted()).message == f"cannot download {site.url}{PATH}: Read timed out."
    assert (files(cache), site.asked) == ([], [PATH])


def test_a_text_that_breaks_off_is_an_error(site: Site) -> None:
    """Half an index would lack versions that are there."""
    site.says["/text"] = Said(b"half", headers={"Content-Length": "8"})
    with pytest.raises(StepError, match="/text"):
        fetch_text(f"{site.url}/text")


def test_a_text_without_end_is_not_read_to_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not a disk. As much as the limit is fine."""
    monkeypatch.setattr(module, "_LARGEST_TEXT", 2**20)
    site.says["/text"] = Said(b"x" * 2**20)
    assert fetch_text(f"{site.url}/text") == "x" * 2**20
    site.says["/text"] = Said(b"x" * 2**20 + b"y")
    with pytest.raises(StepError, match="is larger than 1 MiB"):
        fetch_text(f"{site.url}/text")


def test_a_text_that_is_no_utf_8_is_read_all_the_same(site: Site) -> None:
    """What cannot be read is replaced."""
    site.says["/text"] = Said(b"gr\xfcn")
    assert fetch_text(f"{site.url}/text") == "gr\N{REPLACEMENT CHARACTER}n"


def test_it_is_told_how_much_has_come(site: Site) -> None:
    """Of how much, where the server says that."""
    told: list[str] = []
    site.says[PATH] = Said(b"x" * 2_600_000)
    fetch(site.wanted(), told.append)
    assert list(dict.fromkeys(told)) == ["0 of 2 MB", "1 of 2 MB", "2 of 2 MB"]
    told.clear()
    site.says[PATH].headers["Content-Length"] = ""
    fetch(site.wanted(key="another"), told.append)
    assert list(dict.fromkeys(told)) == ["0 MB", "1 MB", "2 MB"]
    told.clear()
    fetch(site.wanted(), told.append)
    assert told == []


@pytest.mark.parametrize("said", ["many", "-1", "1e3", "0x21", "\u00b2", "9" * 5000])
def test_a_length_that_is_no_number_is_none(site: Site, said: str) -> None:
    """Python makes no number of so many digits, either. All that comes is taken."""
    told: list[str] = []
    site.says[PATH] = Said(headers={"Content-Length": said})
    assert fetch(site.wanted(), told.append).sha256 == SHA256
    assert told == ["0 MB"]


def test_what_a_server_would_pack_comes_unpacked(site: Site) -> None:
    """A text could not be read, and an archive would have another checksum."""
    site.says = {"/index.yaml": Said(b"entries: {}", packs=True), PATH: Said(packs=True)}
    assert fetch_text(f"{site.url}/index.yaml") == "entries: {}"
    assert get(site.wanted(sha256=SHA256)).path.read_bytes() == CONTENT


def test_an_archive_is_kept_as_it_comes(site: Site) -> None:
    """Servers call a .tgz a file that is packed on its way; its checksum is that of the packed one."""
    packed = gzip.compress(CONTENT)
    site.says[PATH] = Said(packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/x-tar"})
    fetched = get(site.wanted(sha256=hashlib.sha256(packed).hexdigest()))
    assert fetched.path.read_bytes() == packed


def test_a_server_that_is_busy_for_a_moment_is_asked_again(site: Site, cache: Path) -> None:
    """Once or twice, as soon as suits us and not when suits it; then its answer counts."""
    begin = time.monotonic()
    site.says[PATH].busy = 1
    assert get(site.wanted()).sha256 == SHA256
    assert site.asked == [PATH] * 2
    site.says["/busy"] = Said(busy=9)
    assert "503" in failed(site.wanted("/busy")).message
    assert (site.asked.count("/busy"), len(files(cache))) == (3, 2)
    assert time.monotonic() - begin < 15


def test_a_server_that_wants_to_be_left_alone_is(site: Site) -> None:
    """It may mean an hour."""
    site.says[PATH] = Said(b"", (429, "Too Many Requests"), {"Retry-After": "20"})
    assert failed(site.wanted()).message == f"cannot download {site.url}{PATH}: 429 Too Many Requests"
    assert site.asked == [PATH]


def test_a_redirection_is_followed(site: Site) -> None:
    """GitHub's releases are one; the file bears the name of the address that was wanted."""
    site.says["/latest/tool.tgz"] = Said(b"", (302, "Found"), {"Location": f"{site.url}{PATH}"})
    fetched = get(site.wanted("/latest/tool.tgz"))
    assert (fetched.sha256, fetched.path.name) == (SHA256, "tool.tgz")


@pytest.mark.parametrize("where", ["ftp://x/tool.tgz", "http://[", "http://", "/tool.tgz" * 9])
def test_a_redirection_to_nowhere_is_an_error(site: Site, where: str) -> None:
    """Whatever a server calls an address."""
    site.says[PATH] = Said(b"", (302, "Found"), {"Location": where})
    assert failed(site.wanted()).message.startswith(f"cannot download {site.url}{PATH}: ")


def test_the_cache_knows_a_file_by_its_key(site: Site) -> None:
    """Wherever it comes from then."""
    fetched = get(site.wanted(key="https://example.com/kubefed-0.10.0.tgz"))
    assert fetched.path.name == "kubefed-0.10.0.tgz"
    elsewhere = Download(title="x", url="http://127.0.0.1:1/gone", key="https://example.com/kubefed-0.10.0.tgz")
    assert get(elsewhere) == fetched
    assert find(site.wanted()) is None


def test_a_new_checksum_in_hosts_yaml_fetches_anew(site: Site) -> None:
    """The old file stays until the new one is there, and is right."""
    fetched = get(site.wanted())
    new = hashlib.sha256(b"new").hexdigest()
    assert "but hosts.yaml says" in failed(site.wanted(sha256=new)).message
    assert find(site.wanted()) == fetched
    site.says[PATH] = Said(b"new")
    assert get(site.wanted(sha256=new)).path.read_bytes() == b"new"
