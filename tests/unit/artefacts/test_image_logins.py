"""Logins to registries: where docker and podman keep them, and when a registry is shown them."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.artefacts import fetch, find
from fedssh.artefacts.images import find_login
from fedssh.errors import StepError
from tests.fakes.registries import Registry, certify, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Leaks

HINT = "Log in by docker login or podman login first"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fedssh"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry with an image, which is spoken to by https and wants a token."""
    tls, trusted = certify(tmp_path, "127.0.0.2")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    made = Registry()
    made.push("v1")
    with serving(made, "127.0.0.2", tls=tls):
        made.wants_token()
        yield made


@pytest.fixture
def word(canary: str) -> str:
    """A password; no message, log or file shows it."""
    return f"{canary}:with a colon"


def encoded(user: str, password: str) -> str:
    """Return a login as docker and podman keep it, and as HTTP shows it."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def keep(path: Path, logins: Any, leaks: Leaks | None = None) -> None:
    """Write logins by their registries to a file, which may hold secrets where there is somebody to be told that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": logins}))
    if leaks:
        leaks.may_hold(path)


def get(registry: Registry) -> None:
    """Fetch its image, which comes whole."""
    assert fetch(registry.image(), lambda _: None).path.stat().st_size > 1_000_000


def failed(registry: Registry) -> StepError:
    """Return why an image cannot be fetched; that is told quickly, and nothing of it is kept."""
    begin = time.monotonic()
    with pytest.raises(StepError) as caught:
        fetch(registry.image(), lambda _: None)
    assert time.monotonic() - begin < 5
    assert (caught.value.exit_code, caught.value.step, find(registry.image())) == (3, "fetch", None)
    return caught.value


@pytest.mark.parametrize("key", ["token", "access_token"])
def test_a_token_is_got_without_a_login_where_there_is_none(registry: Registry, key: str) -> None:
    """Once for all parts, where the registry says, and for what it says."""
    registry.wants_token(key=key)
    get(registry)
    assert registry.shown == [""]
    (asked,) = [path for path in registry.asked if path.startswith("/token")]
    assert asked == "/token?service=here&scope=repository%3Ateam%2Fapp%3Apull"


def test_a_login_is_shown_where_the_token_is_got(registry: Registry, home: Path, word: str, leaks: Leaks) -> None:
    """That of the registry, and no other; the registry itself sees the token alone."""
    logins = {"other.example.com": {"auth": encoded("other", "x")}, registry.host: {"auth": encoded("me", word)}}
    keep(home / ".docker" / "config.json", logins, leaks)
    get(registry)
    assert registry.shown == [f"Basic {encoded('me', word)}"]


def test_a_login_is_not_shown_without_tls(registry: Registry, home: Path, word: str, leaks: Leaks) -> None:
    """Even where the registry says that tokens are got so."""
    registry.wants_token(f"http://{registry.host}/token")
    keep(home / ".docker" / "config.json", {registry.host: {"auth": encoded("me", word)}}, leaks)
    get(registry)
    assert registry.shown == [f"Basic {encoded('me', word)}"]  # which was by https: the server knows nothing else


def test_a_local_registry_is_shown_no_login(home: Path, word: str, leaks: Leaks) -> None:
    """It is spoken to without TLS."""
    made = Registry()
    made.push("v1")
    with serving(made):
        made.wants_token()
        keep(home / ".docker" / "config.json", {made.host: {"auth": encoded("me", word)}}, leaks)
        assert "Auth requires HTTPS" in failed(made).message
    assert (made.shown, made.asked) == ([], ["/v2/team/app/manifests/v1"])


def test_a_registry_may_want_the_login_itself(registry: Registry, home: Path, word: str, leaks: Leaks) -> None:
    """Small ones give no tokens."""
    registry.challenge, registry.accepts = 'Basic realm="here"', [f"Basic {encoded('me', word)}"]
    keep(home / ".docker" / "config.json", {registry.host: {"auth": encoded("me", word)}}, leaks)
    get(registry)
    assert registry.shown == []


@pytest.mark.parametrize("challenge", ['Basic realm="here"', "Bearer"])
def test_without_a_login_it_is_told_how_to_log_in(registry: Registry, challenge: str) -> None:
    """At once: where the registry lets in nobody without one, or gives no token."""
    if challenge == "Bearer":
        registry.refuses = [""]
    else:
        registry.challenge = challenge
    error = failed(registry)
    assert error.message == f"cannot fetch {registry.image().title}: the registry lets nobody in"
    assert error.hint.startswith(HINT)
    assert len(registry.asked) == 2


@pytest.mark.parametrize("where", ["the token", "the image"])
def test_a_login_that_is_refused_is_an_error(
    *, registry: Registry, home: Path, word: str, leaks: Leaks, where: str
) -> None:
    """Whether a token is not given, or does not do for the image: Docker Hub hides so what is not there."""
    shown = f"Basic {encoded('me', word)}"
    registry.refuses = [shown] if where == "the token" else []
    registry.accepts = []
    keep(home / ".docker" / "config.json", {registry.host: {"auth": encoded("me", word)}}, leaks)
    error = failed(registry)
    assert (error.hint.startswith(HINT), registry.shown) == (True, [shown])


@pytest.mark.parametrize("challenge", ["Negotiate", "Bearer", 'Bearer realm="x', "=", 'Bearer realm="ftp://["'])
def test_a_challenge_that_nobody_understands_is_an_error(registry: Registry, challenge: str) -> None:
    """It is one of the registry's, and no fault of this program's."""
    registry.challenge = challenge
    assert failed(registry).message.startswith(f"cannot fetch {registry.image().title}: ")


@pytest.mark.parametrize("token", [{}, {"token": None}, {"token": 5}, []])
def test_an_answer_without_a_token_is_an_error(registry: Registry, token: Any) -> None:
    """What comes may be anything."""
    registry.token = token
    assert failed(registry).message.startswith(f"cannot fetch {registry.image().title}: ")


@pytest.mark.parametrize("place", [".docker/config.json", ".config/containers/auth.json", "run/containers/auth.json"])
def test_a_login_is_found_where_docker_and_podman_keep_it(
    *, home: Path, monkeypatch: pytest.MonkeyPatch, word: str, leaks: Leaks, place: str
) -> None:
    """For the registry with its port, whichever of them has logged in; nothing else is anybody's login."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    assert find_login("r.example.com:5000") == ("", "")
    keep(home / place, {"r.example.com:5000": {"auth": encoded("me", word)}}, leaks)
    assert find_login("r.example.com:5000") == ("me", word)
    assert [find_login(host) for host in ("r.example.com", "example.com", "docker.io", "")] == [("", "")] * 4


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io"])
def test_docker_hubs_login_has_another_name(home: Path, key: str) -> None:
    """Docker's or podman's; it is nobody else's."""
    keep(home / ".docker" / "config.json", {key: {"auth": encoded("me", "word")}})
    assert find_login("docker.io") == ("me", "word")
    assert find_login("quay.io") == ("", "")


def test_dockers_file_comes_first(home: Path) -> None:
    """A registry that it does not name is looked for in podman's."""
    keep(home / ".docker" / "config.json", {"a": {"auth": encoded("docker", "x")}})
    keep(home / ".config" / "containers" / "auth.json", {name: {"auth": encoded("podman", "y")} for name in "ab"})
    assert [find_login(host) for host in "abc"] == [("docker", "x"), ("podman", "y"), ("", "")]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'{"auths": null}', b'{"auths": []}', b'{"auths": "r"}'),
        *(b'{"auths": {"r": null}}', b'{"auths": {"r": {}}, "credsStore": "desktop"}', b'{"auths": {"r": "x"}}'),
        *(b'{"auths": {"r": {"auth": null}}}', b'{"auths": {"r": {"auth": "no base64!"}}}'),
        *(b'{"auths": {"r": {"auth": "//8="}}}', b'{"auths": {"r": {"auth": ["x"]}}}', b"[" * 100_000),
    ],
    ids=lambda content: repr(content[:40]),
)
def test_a_damaged_file_holds_no_login(home: Path, content: bytes) -> None:
    """Nor does one whose logins are in a credential helper; what another file holds is found all the same."""
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_bytes(content)
    assert find_login("r") == ("", "")
    keep(home / ".config" / "containers" / "auth.json", {"r": {"auth": encoded("me", "word")}})
    assert find_login("r") == ("me", "word")


def test_a_folder_in_its_place_holds_no_login(home: Path) -> None:
    """Docker makes such folders where a container is given a file that is not there."""
    (home / ".docker" / "config.json").mkdir(parents=True)
    assert find_login("r") == ("", "")
