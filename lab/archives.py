"""Archives the machines read: pod images, and kubefedctl as its project releases it."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO


def write_pod_image(archive: Path, name: str, binary: Path, *, path: str, links: tuple[str, ...] = ()) -> None:
    """Write a pod image of one static binary, and links to it, in the form that containerd imports.

    It is written here and not by the engine, where its name would hide the image that really is so called.
    """
    layer, config = _image(binary, path, links)
    with tarfile.open(archive, "w") as image:
        _add_bytes(image, "layer.tar", layer)
        _add_bytes(image, "config.json", config)
        manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
        _add_bytes(image, "manifest.json", json.dumps(manifest).encode())


def write_registry_image(
    root: Path, name: str, tag: str, binary: Path, *, path: str, links: tuple[str, ...] = ()
) -> None:
    """Write the same image into the folder that a registry (distribution, 2.8) serves, under a name and a tag."""
    layer, config = _image(binary, path, links)
    packed = gzip.compress(layer, compresslevel=1, mtime=0)
    kind = "application/vnd.docker.container.image.v1+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": kind, "size": len(config), "digest": _digest(config)},
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": len(packed),
                "digest": _digest(packed),
            }
        ],
    }
    told = json.dumps(manifest).encode()
    base = root / "docker" / "registry" / "v2"
    repository = base / "repositories" / name
    for content in (packed, config, told):
        digest = _digest(content)
        value = digest.removeprefix("sha256:")
        _write_bytes(base / "blobs" / "sha256" / value[:2] / value / "data", content)
        _write_bytes(repository / "_layers" / "sha256" / value / "link", digest.encode())
    value = _digest(told).removeprefix("sha256:")
    for link in (
        repository / "_manifests" / "revisions" / "sha256" / value / "link",
        repository / "_manifests" / "tags" / tag / "current" / "link",
        repository / "_manifests" / "tags" / tag / "index" / "sha256" / value / "link",
    ):
        _write_bytes(link, _digest(told).encode())


def write_release(path: Path, name: str, binary: Path) -> None:
    """Write `binary` as `name` into a .tgz, and its checksum beside it."""
    with tarfile.open(path, "w:gz") as archive:
        archive.add(binary, name, filter=_plain)
    write_checksum(path)


def write_checksum(path: Path) -> None:
    """Write a file's checksum beside it, as releases have it."""
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha").write_text(f"{checksum}  {path.name}\n")


def write_context(target: IO[bytes], files: Mapping[str, Path]) -> None:
    """Write what the engine builds an image from: names within it, and what stands there."""
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name)


def _image(binary: Path, path: str, links: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return the only layer of an image, and its configuration."""
    place = PurePosixPath(path)
    layer = _layer(place, binary, links)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": [str(place.parent / links[0]) if links else path],
            "WorkingDir": str(place.parent),
            "User": "1001",
        },
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    return layer, json.dumps(config).encode()


def _layer(place: PurePosixPath, binary: Path, links: tuple[str, ...]) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(binary, str(place).lstrip("/"), filter=_plain)
        for link in links:
            entry = tarfile.TarInfo(str(place.parent / link).lstrip("/"))
            entry.type = tarfile.SYMTYPE
            entry.linkname = place.name
            archive.addfile(entry)
    return layer.getvalue()


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out who built it and when: equal binaries give equal archives."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    entry.mode = 0o755
    return entry


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
