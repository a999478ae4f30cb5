"""Images in a registry, as one archive that every container runtime imports.

The archive is an OCI image layout that is also what ``docker save`` writes (``manifest.json``): containerd reads the
first, older Docker engines the second.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tarfile
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from fedssh.artefacts.cache import STEP, Fetched, cached, keep
from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dxf import DXF, DXFBase
    from requests import Response

_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_HUB: Final = "docker.io"
_HUBS_SERVER: Final = "registry-1.docker.io"
_HUBS_LOGIN: Final = ("https://index.docker.io/v1/", "docker.io")
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_CHUNK_BYTES: Final = 256 * 1024
_MEGA: Final = 1_000_000


class NoSuchImageError(StepError):
    """A registry has the image, and not for the wanted processor (3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a registry.

    Attributes:
        reference: Its name with its tag, as it stands in a pod.
        architecture: For which processor it is meant, as Go calls it.
    """

    reference: str
    architecture: str

    @property
    def title(self) -> str:
        """What a message calls it."""
        return f"the image {self.reference} ({self.architecture})"

    @property
    def name(self) -> str:
        """Its name as container runtimes know it: with its registry (docker.io where it names none)."""
        first, slash, rest = self.reference.partition("/")
        is_host = bool(slash) and (bool(set(first) & {".", ":"}) or first == "localhost")
        host, path = (first, rest) if is_host else (_HUB, self.reference)
        return f"{host}/library/{path}" if host == _HUB and "/" not in path else f"{host}/{path}"


def find_image(wanted: Image) -> Fetched | None:
    """Return the image's archive from the cache, or None."""
    return cached(_key(wanted), _file(wanted))


def fetch_image(wanted: Image, told: Callable[[str], None]) -> Fetched:
    """Fetch an image into the cache, as one archive.

    Raises:
        NoSuchImageError: The registry has it for other processors alone (3).
        StepError: The registry is not reached, does not give it, or gives something else (3).
    """

    def write(path: Path) -> None:
        # Loading them takes longer than most runs need for all that they load.
        from dxf.exceptions import DXFError, DXFUnauthorizedError  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        from fedssh.artefacts.http import say_why  # noqa: PLC0415

        try:
            _write(wanted, path, told)
        except DXFUnauthorizedError:
            hint = "Log in by docker login or podman login first, without a credential helper."
            raise StepError(f"cannot fetch {wanted.title}: the registry lets nobody in", step=STEP, hint=hint) from None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, DXFError) as error:
            if isinstance(error, RequestException) and error.response is not None:
                error.response.close()
            raise StepError(f"cannot fetch {wanted.title}: {say_why(error)}", step=STEP) from None

    return keep(_key(wanted), _file(wanted), write)


def _write(wanted: Image, path: Path, told: Callable[[str], None]) -> None:
    from dxf import DXF  # noqa: PLC0415

    from fedssh.artefacts.http import TIMEOUT_SECONDS  # noqa: PLC0415

    host, _, rest = wanted.name.partition("/")
    repository, _, tag = rest.rpartition(":")
    is_local = urlsplit(f"//{host}").hostname in _LOCAL

    def log_in(registry: DXFBase, response: Response) -> None:
        user, password = find_login(host)
        registry.authenticate(user or None, password or None, response=response)

    server = _HUBS_SERVER if host == _HUB else host
    with DXF(server, repository, log_in, insecure=is_local, timeout=TIMEOUT_SECONDS[1]) as registry:
        manifest, kind, is_listed = _manifest(registry, tag, wanted)

        def check(config: IO[bytes]) -> None:
            if not is_listed and json.load(config)["architecture"] != wanted.architecture:
                raise _no_such(wanted)

        with tarfile.open(path, "w") as archive:
            _add_blobs(archive, registry, manifest, told, check)
            _add_index(archive, manifest, kind, wanted.name)


def _add_blobs(
    archive: tarfile.TarFile,
    registry: DXF,
    manifest: bytes,
    told: Callable[[str], None],
    check: Callable[[IO[bytes]], None],
) -> None:
    """Add what a manifest names: the image's config, which is checked before the layers are fetched, and these."""
    document = json.loads(manifest)
    layers, config = document["layers"], document["config"]
    blobs = {blob["digest"]: int(blob["size"]) for blob in (config, *layers)}
    total, done = sum(blobs.values()), 0
    for digest, size in blobs.items():
        entry, there = tarfile.TarInfo(_blob_name(digest)), 0
        with tempfile.TemporaryFile() as file:
            for chunk in _pull(registry, digest):
                there += len(chunk)
                if there <= size:  # what is larger is read to its end, which closes its connection, and not kept
                    file.write(chunk)
                    told(f"{(done + there) // _MEGA} of {total // _MEGA} MB")
            if there != size:
                raise ValueError(f"{digest} has {there} bytes, and should have {size}")
            done += size
            entry.size = size
            file.seek(0)
            if digest == config["digest"]:
                check(file)
                file.seek(0)
            archive.addfile(entry, file)


def _add_index(archive: tarfile.TarFile, manifest: bytes, kind: str, name: str) -> None:
    document = json.loads(manifest)
    digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    _add(archive, _blob_name(digest), manifest)
    _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    names = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
    found = {"mediaType": kind, "digest": digest, "size": len(manifest), "annotations": names}
    index = {"schemaVersion": 2, "mediaType": _INDEXES[0], "manifests": [found]}
    _add(archive, "index.json", json.dumps(index).encode())
    parts = [_blob_name(layer["digest"]) for layer in document["layers"]]
    saved = [{"Config": _blob_name(document["config"]["digest"]), "RepoTags": [name], "Layers": parts}]
    _add(archive, "manifest.json", json.dumps(saved).encode())


def _manifest(registry: DXF, tag: str, wanted: Image) -> tuple[bytes, str, bool]:
    """Return the manifest of the image, as it came, its kind, and whether an index has it for the processor."""
    content, kind = _ask(registry, tag)
    is_listed = kind in _INDEXES
    if is_listed:
        found = [entry for entry in json.loads(content)["manifests"] if _is_for(entry, wanted.architecture)]
        if not found:
            raise _no_such(wanted)
        content, kind = _ask(registry, found[0]["digest"])
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != found[0]["digest"]:
            raise ValueError(f"what came is not {found[0]['digest']}")
    if kind not in _MANIFESTS:
        raise ValueError(f"its manifest is of an unknown kind, {kind}")
    return content, kind, is_listed


def _no_such(wanted: Image) -> NoSuchImageError:
    return NoSuchImageError(f"cannot fetch {wanted.title}: there is none for linux/{wanted.architecture}", step=STEP)


def _pull(registry: DXF, digest: str) -> Iterable[bytes]:
    """Return a blob, part by part; one that is not the one of that digest raises at its end."""
    return cast("Iterable[bytes]", registry.pull_blob(digest, chunk_size=_CHUNK_BYTES))


def _ask(registry: DXF, reference: str) -> tuple[bytes, str]:
    _, answer = registry.get_manifest_and_response(reference)
    return answer.content, answer.headers.get("content-type", "").partition(";")[0]


def find_login(host: str) -> tuple[str, str]:
    """Return user and password for a registry, where somebody has logged in to it on this computer; else "", "".

    They are read where docker and podman keep them. What a credential helper keeps is not asked for.
    """
    known = _HUBS_LOGIN if host == _HUB else (host,)
    places = [Path.home() / ".docker" / "config.json", Path.home() / ".config" / "containers" / "auth.json"]
    if run := os.environ.get("XDG_RUNTIME_DIR"):
        places.append(Path(run) / "containers" / "auth.json")
    for place in places:
        try:
            logins = json.loads(place.read_bytes())["auths"]
            held = next(logins[name]["auth"] for name in known if name in logins)
            user, _, password = base64.b64decode(held, validate=True).decode().partition(":")
        except (OSError, ValueError, LookupError, TypeError, RecursionError, StopIteration):
            continue
        if user:
            return user, password
    return "", ""


def _is_for(entry: Mapping[str, Any], architecture: str) -> bool:
    platform = entry.get("platform") or {}
    return (platform.get("os"), platform.get("architecture")) == ("linux", architecture)


def _blob_name(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or not value.isalnum():
        raise ValueError(f"{digest} is no SHA-256 digest")
    return f"blobs/sha256/{value}"


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, BytesIO(content))


def _key(wanted: Image) -> str:
    return f"{wanted.name} {wanted.architecture}"


def _file(wanted: Image) -> str:
    return f"{wanted.name.rpartition('/')[2].replace(':', '-')}-{wanted.architecture}.tar"
