"""Archives the machines read: pod images, and kubefedctl as its project releases it."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any


def write_pod_image(archive: Path, name: str, binary: Path, *, path: str, links: tuple[str, ...] = ()) -> None:
    """Write a pod image of one static binary, and links to it, in the form that containerd imports.

    It is written here and not by the engine, where its name would hide the image that really is so called.
    """
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
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    with tarfile.open(archive, "w") as image:
        _add_bytes(image, "layer.tar", layer)
        _add_json(image, "config.json", config)
        _add_json(image, "manifest.json", [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}])


def write_release(path: Path, name: str, binary: Path) -> None:
    """Write `binary` as `name` into a .tgz, and its checksum beside it."""
    with tarfile.open(path, "w:gz") as archive:
        archive.add(binary, name, filter=_plain)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha").write_text(f"{checksum}  {path.name}\n")


def write_context(target: IO[bytes], files: Mapping[str, Path]) -> None:
    """Write what the engine builds an image from: names within it, and what stands there."""
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name)


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


def _add_json(archive: tarfile.TarFile, name: str, document: Any) -> None:
    _add_bytes(archive, name, json.dumps(document).encode())
