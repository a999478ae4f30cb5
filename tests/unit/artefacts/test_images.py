"""Images from a registry on loopback, and the archives that are made of them."""

from __future__ import annotations

import gc
import json
import socket
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.artefacts import Image, fetch, find, http
from fedssh.artefacts import images as module
from fedssh.errors import StepError
from tests.fakes.registries import DOCKER, LAYERS, OCI, Registry, certify, digest_of, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fedssh.artefacts import Fetched


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry with an image, to which nobody has to log in."""
    made = Registry()
    made.push("v1")
    with serving(made):
        yield made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fedssh"


def get(wanted: Image) -> Fetched:
    """Fetch an image, without a word."""
    return fetch(wanted, lambda _: None)


def failed(wanted: Image, cache: Path) -> str:
    """Return why an image cannot be fetched; it is told quickly, and nothing of it is left."""
    begin = time.monotonic()
    with pytest.raises(StepError) as caught:
        get(wanted)
    assert time.monotonic() - begin < 5
    assert (caught.value.exit_code, caught.value.step) == (3, "fetch")
    begins = f"cannot fetch the image {wanted.reference} ({wanted.architecture}): "
    assert caught.value.message.startswith(begins)
    assert find(wanted) is None
    assert [path for path in cache.rglob("*") if path.parent != cache] == []
    return caught.value.message.removeprefix(begins)


def unpack(path: Path) -> dict[str, bytes]:
    """Return the files of an archive, each of which stands in it once."""
    with tarfile.open(path) as archive:
        names = archive.getnames()
        assert len(names) == len(set(names))
        files = [archive.extractfile(name) for name in names]
        return {name: file.read() for name, file in zip(names, files, strict=True) if file}


@pytest.mark.parametrize("kind", [OCI[0], DOCKER[0]])
def test_the_archive_is_what_every_runtime_imports(registry: Registry, kind: str) -> None:
    """An OCI layout for containerd and podman, docker save's format for Docker; with the name that a pod asks for."""
    digest = registry.push("v1", kind)
    wanted = registry.image()
    files = unpack(get(wanted).path)
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads(files["index.json"])["manifests"]
    annotations = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    size = len(registry.manifests["v1"][1])
    said = {"mediaType": kind, "digest": digest, "size": size}
    assert entry == {**said, "annotations": dict.fromkeys(annotations, wanted.reference)}
    (saved,) = json.loads(files["manifest.json"])
    assert saved["RepoTags"] == [wanted.reference]
    assert json.loads(files[saved["Config"]])["architecture"] == "amd64"
    assert [files[name] for name in saved["Layers"]] == LAYERS
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}
    assert {f"blobs/{digest_of(content).replace(':', '/')}" for content in blobs.values()} == set(blobs)
    assert blobs[f"blobs/{digest.replace(':', '/')}"] == registry.manifests["v1"][1]
    assert len(blobs) == 4


def test_an_image_is_kept_and_not_asked_for_again(registry: Registry, cache: Path) -> None:
    """By its name and its processor; nothing else lies in the cache. Equal images are equal archives."""
    wanted = registry.image()
    assert (find(wanted), registry.asked) == (None, [])
    first = get(wanted)
    registry.asked.clear()
    assert [get(wanted), find(wanted), registry.asked] == [first, first, []]
    assert find(registry.image(architecture="arm64")) is None
    assert find(registry.image("v2")) is None
    names = [".app-v1-amd64.tar.sha256", "app-v1-amd64.tar"]
    assert sorted(path.name for path in cache.rglob("*") if path.parent != cache) == names
    first.path.unlink()
    assert get(wanted) == first


@pytest.mark.parametrize(("manifest", "index"), [OCI, DOCKER])
def test_of_several_images_the_one_for_the_processor_is_taken(registry: Registry, manifest: str, index: str) -> None:
    """By its digest; one for another system is not it, nor is one of which nothing is said."""
    made = [("windows", "amd64"), ("linux", "amd64"), ("linux", "arm64")]
    digests = {(os, one): registry.push(os + one, manifest, layers=[os.encode()], processor=one) for os, one in made}
    listed = [{"digest": digest, "platform": {"os": os, "architecture": one}} for (os, one), digest in digests.items()]
    registry.put("v1", index, {"manifests": [{"digest": "sha256:x"}, *listed]})
    for processor in ("amd64", "arm64"):
        files = unpack(get(registry.image(architecture=processor)).path)
        (entry,) = json.loads(files["index.json"])["manifests"]
        assert (entry["digest"], entry["mediaType"]) == (digests["linux", processor], manifest)
    assert registry.asked.count("/v2/team/app/manifests/v1") == 2


def test_a_processor_that_has_none_is_an_error(registry: Registry, cache: Path) -> None:
    """In Kubernetes's words."""
    entry = {"digest": registry.push("x"), "platform": {"os": "linux", "architecture": "amd64"}}
    registry.put("v1", OCI[1], {"manifests": [entry]})
    assert failed(registry.image(architecture="s390x"), cache) == "there is none for linux/s390x"
    with pytest.raises(module.NoSuchImageError):
        get(registry.image(architecture="s390x"))


def test_an_image_without_an_index_is_for_the_processor_that_it_was_made_for(registry: Registry, cache: Path) -> None:
    """Its config says for which; no layer is fetched for another. The caller can tell this from other failures."""
    digest = registry.push("v1", processor="arm64")
    assert failed(registry.image(), cache) == "there is none for linux/amd64"
    with pytest.raises(module.NoSuchImageError):
        get(registry.image())
    assert not any(digest_of(layer) in path for path in registry.asked for layer in LAYERS)
    files = unpack(get(registry.image(architecture="arm64")).path)
    (saved,) = json.loads(files["manifest.json"])
    assert json.loads(files[saved["Config"]]) == {"architecture": "arm64", "os": "linux"}
    assert digest_of(files[saved["Config"]]).removeprefix("sha256:") in saved["Config"]
    # An index knows better: images of other processors have been made with the wrong word in their config.
    entry = {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}
    registry.put("v2", OCI[1], {"manifests": [entry]})
    assert get(registry.image("v2")).path.exists()


@pytest.mark.parametrize("config", [b"{}", b"[]", b"{", b"\xff", b"[" * 100_000], ids=lambda content: repr(content[:9]))
def test_an_image_of_which_nobody_says_for_which_processor_is_an_error(
    registry: Registry, cache: Path, config: bytes
) -> None:
    """Another one than that there is none for the processor."""
    registry.blobs[digest_of(config)] = config
    registry.put("v1", OCI[0], {"config": {"digest": digest_of(config), "size": len(config)}, "layers": []})
    assert "there is none" not in failed(registry.image(), cache)
    with pytest.raises(StepError) as caught:
        get(registry.image())
    assert not isinstance(caught.value, module.NoSuchImageError)


def test_a_layer_that_is_there_twice_is_kept_once(registry: Registry) -> None:
    """Empty layers are often alike; the image has it in both places."""
    registry.push("v1", layers=[LAYERS[0], LAYERS[0]])
    files = unpack(get(registry.image()).path)
    (saved,) = json.loads(files["manifest.json"])
    assert [files[name] for name in saved["Layers"]] == [LAYERS[0]] * 2
    assert len([name for name in files if name.startswith("blobs/")]) == 3


def test_it_is_told_how_much_has_come(registry: Registry) -> None:
    """After each part, up to the whole and no further; a layer that is there twice counts once."""
    registry.push("v1", layers=[*LAYERS, LAYERS[1]])
    told: list[str] = []
    fetch(registry.image(), told.append)
    assert list(dict.fromkeys(told)) == ["0 of 1 MB", "1 of 1 MB"]
    assert len(told) > 2


def test_what_is_larger_than_its_manifest_says_is_an_error(registry: Registry, cache: Path) -> None:
    """Whatever its digest is; and nobody is told that more has come than there is."""
    content = json.loads(registry.manifests["v1"][1])
    content["layers"][1]["size"] = 5
    registry.put("v1", DOCKER[0], content)
    told: list[str] = []
    with pytest.raises(StepError, match=f"{digest_of(LAYERS[1])} has .*and should have 5"):
        fetch(registry.image(), told.append)
    failed(registry.image(), cache)
    assert set(told) == {"0 of 0 MB"}
    gc.collect()  # no connection stays open, either


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1"])
def test_this_computers_own_registry_is_spoken_to_without_tls(address: str) -> None:
    """By whatever name; an image there is named after it."""
    made = Registry()
    made.push("v1")
    try:
        with serving(made, "127.0.0.1" if address == "localhost" else address):
            made.host = made.host.replace("127.0.0.1", address)
            files = unpack(get(made.image()).path)
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == [f"{made.host}/team/app:v1"]


def test_any_other_registry_is_spoken_to_by_tls_alone(cache: Path) -> None:
    """Even where it would answer without: nothing is asked of it then."""
    made = Registry()
    made.push("v1")
    with serving(made, "127.0.0.2"):
        assert "SSL" in failed(made.image(), cache)
    assert made.asked == []


def test_docker_hub_is_asked_where_it_answers(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a name of its own, which nobody else is told."""
    tls, trusted = certify(tmp_path, "127.0.0.2")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    with serving(registry, "127.0.0.2", tls=tls):
        monkeypatch.setattr(module, "_HUBS_SERVER", registry.host)
        files = unpack(get(Image(reference="app:v1", architecture="amd64")).path)
    assert "/v2/library/app/manifests/v1" in registry.asked
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == ["docker.io/library/app:v1"]
    assert registry.host.encode() not in b"".join(files.values())


def test_what_is_not_what_its_digest_says_is_an_error(registry: Registry, cache: Path) -> None:
    """Whether it is a part of an image, or its manifest."""
    registry.blobs[digest_of(LAYERS[1])] = b"something else"
    wrong = f"expected digest {digest_of(LAYERS[1])}, got {digest_of(b'something else')}"
    assert failed(registry.image(), cache) == wrong
    digest = f"sha256:{'ab' * 32}"
    entry = {"digest": digest, "platform": {"os": "linux", "architecture": "amd64"}}
    registry.manifests[digest] = registry.manifests["v1"]
    registry.put("v1", OCI[1], {"manifests": [entry]})
    assert failed(registry.image(), cache) == f"what came is not {digest}"


def test_what_is_not_there_is_an_error(registry: Registry, cache: Path) -> None:
    """In the registry's words; there is no login that would help."""
    assert failed(registry.image("v9"), cache) == "404 Not Found"
    with pytest.raises(StepError) as caught:
        get(registry.image("v9"))
    assert caught.value.hint == ""


def test_a_part_that_is_not_there_is_an_error(registry: Registry, cache: Path) -> None:
    """No connection stays open: Python would warn of it."""
    del registry.blobs[digest_of(LAYERS[0])]
    assert failed(registry.image(), cache) == "404 Not Found"
    gc.collect()


@pytest.mark.parametrize(
    ("kind", "document", "words"),
    [
        ("text/html", {}, "its manifest is of an unknown kind, text/html"),
        (OCI[0], {"layers": []}, "config"),
        (OCI[0], {"config": {"digest": "sha512:ab", "size": 1}, "layers": []}, "sha512:ab is no SHA-256 digest"),
        (OCI[0], {"config": {"digest": "sha256:../x", "size": 1}, "layers": []}, "sha256:../x is no SHA-256 digest"),
        (OCI[0], {"config": {"digest": "sha256:ab"}, "layers": [{}]}, "size"),
        (OCI[0], {"config": None, "layers": []}, "not subscriptable"),
        (OCI[1], {}, "manifests"),
        (OCI[1], {"manifests": []}, "there is none for linux/amd64"),
        (OCI[1], [], "list indices"),
    ],
)
def test_another_answer_is_an_error(*, registry: Registry, cache: Path, kind: str, document: Any, words: str) -> None:
    """Whatever it is, no name of it becomes a path."""
    registry.put("v1", kind, document)
    assert words in failed(registry.image(), cache)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000], ids=lambda content: repr(content[:9]))
def test_a_manifest_that_is_no_json_is_an_error(registry: Registry, cache: Path, content: bytes) -> None:
    """Of whichever kind it is said to be."""
    for kind in OCI:
        registry.manifests["v1"] = (kind, content)
        assert failed(registry.image(), cache)


@pytest.mark.parametrize("stalls", ["/manifests/", "/blobs/"])
@pytest.mark.parametrize("is_half_way", [False, True])
def test_a_registry_that_falls_silent_is_an_error(
    *, registry: Registry, cache: Path, monkeypatch: pytest.MonkeyPatch, stalls: str, is_half_way: bool
) -> None:
    """It is waited for as long as a server may be silent, and is not asked again."""
    monkeypatch.setattr(http, "TIMEOUT_SECONDS", (15, 0.5))
    registry.stalls, registry.halves = stalls, stalls * is_half_way
    assert "Read timed out" in failed(registry.image(), cache)
    assert sum(stalls in path for path in registry.asked) == 1


def test_an_image_that_breaks_off_is_an_error(registry: Registry, cache: Path) -> None:
    """It is told how much has come of the part; nothing is kept."""
    registry.halves = "/blobs/"
    assert failed(registry.image(), cache).startswith("Connection broken: IncompleteRead(")


def test_a_registry_that_refuses_connections_is_told_at_once(cache: Path) -> None:
    """Nobody waits for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        host = f"127.0.0.1:{unused.getsockname()[1]}"
    error = failed(Image(reference=f"{host}/a/b:1", architecture="amd64"), cache)
    assert "Connection refused" in error
    assert "object at 0x" not in error


def test_an_images_name_has_its_registry() -> None:
    """As container runtimes know it; a message calls it what a pod does."""
    added = {
        "docker.io/library/": ("alpine", "alpine:3"),
        "docker.io/": ("library/x:1", "mesosphere/kubectl:v1"),
        "": ("docker.io/a/b", "ghcr.io/a/b:v1", "localhost/a", "127.0.0.1:5000/a/b", "r:5000/a"),
    }
    for before, reference in ((before, one) for before, some in added.items() for one in some):
        image = Image(reference=reference, architecture="amd64")
        assert (image.name, image.title) == (before + reference, f"the image {reference} (amd64)")
