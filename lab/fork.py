"""KubeFed's maintained fork as the internet has it: its names and addresses, with KubeFed 0.10.0 in them."""

import base64
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from lab import archives
from lab.certificates import make_authority, make_certificate
from lab.clusters import Lab
from lab.generations import NEW
from lab.machine import Server
from lab.proxies import serve, start_server, trust, write
from lab.versions import SOURCE

FORK: Final = "fork"
VERSION: Final = "0.12.2"
IMAGE: Final = f"ghcr.io/mesosphere/kubefed:v{VERSION}"
"""The image that the chart names: on the lab's machines it is KubeFed 0.10.0."""

_PAGES: Final = "raw.githubusercontent.com"
_RELEASES: Final = "github.com"
_ORIGIN: Final = NEW.kubefed[0]
_REPOSITORY: Final = "nutanix-cloud-native/kubefed"


def start_fork(lab: Lab) -> Server:
    """Serve the fork's chart and kubefedctl for the lab's host, which trusts it; the server goes with the lab.

    Its image is on the host's machine. Programs that say which version they are say that of the fork.
    """
    names = (_PAGES, _RELEASES)
    server = start_server(lab, FORK, names)
    root = make_authority("Lab Internet CA")
    for name in names:
        serve(server, name, make_certificate(name, root))
    with tempfile.TemporaryDirectory() as folder:
        _write_files(Path(folder), server)
        with io.BytesIO() as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.add(folder, "srv")
            server.check("tar", "-xf", "-", "-C", "/", stdin=packed.getvalue())
    write(server, "/etc/nginx/proxy.conf", (SOURCE / "servers" / "fork.conf").read_text())
    trust(lab.host, root, FORK)
    tag = ["ctr", "-n", "k8s.io", "images", "tag", "--force"]
    lab.host.check(*tag, f"quay.io/kubernetes-multicluster/kubefed:v{_ORIGIN}", IMAGE)
    return server


def _write_files(folder: Path, server: Server) -> None:
    charts = folder / _PAGES / _REPOSITORY / "master" / "charts"
    releases = folder / _RELEASES / _REPOSITORY / "releases" / "download" / f"v{VERSION}"
    for made in (charts, releases):
        made.mkdir(parents=True)
    chart = releases / f"kubefed-{VERSION}.tgz"
    _change(_read(server, f"charts/kubefed-{_ORIGIN}.tgz"), chart, _as_the_forks_chart)
    entry = {
        "apiVersion": "v2",
        "name": "kubefed",
        "version": VERSION,
        "digest": hashlib.sha256(chart.read_bytes()).hexdigest(),
        "urls": [f"https://{_RELEASES}/{_REPOSITORY}/releases/download/v{VERSION}/{chart.name}"],
    }
    (charts / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": {"kubefed": [entry]}}))
    tool = releases / f"kubefedctl-{VERSION}-linux-amd64.tgz"
    _change(_read(server, f"kubefedctl/kubefedctl-{_ORIGIN}-linux-amd64.tgz"), tool, _as_the_forks_program)
    archives.write_checksum(tool)


def _read(server: Server, path: str) -> bytes:
    """Return a file of the lab's internet, which the fork's server holds as well."""
    return base64.b64decode(server.check("base64", f"/srv/www/{path}"))


def _change(before: bytes, after: Path, change: Callable[[str, bytes], bytes]) -> None:
    """Copy an archive with the contents of its files changed."""
    with tarfile.open(fileobj=io.BytesIO(before)) as old, tarfile.open(after, "w:gz", compresslevel=1) as new:
        for entry in old:
            file = old.extractfile(entry)
            content = change(entry.name, file.read()) if file else b""
            entry.size = len(content)
            new.addfile(entry, io.BytesIO(content))


def _as_the_forks_chart(name: str, content: bytes) -> bytes:
    if Path(name).name == "values.yaml":
        return _replace(content, (b"quay.io/kubernetes-multicluster", b"ghcr.io/mesosphere"), _tags(b"tag: v"))
    return _replace(content, _tags(b"version: "), _tags(b"appVersion: v")) if name == "kubefed/Chart.yaml" else content


def _as_the_forks_program(_: str, content: bytes) -> bytes:
    return _replace(content, _tags(b"v"))


def _tags(before: bytes) -> tuple[bytes, bytes]:
    return before + _ORIGIN.encode(), before + VERSION.encode()


def _replace(content: bytes, *pairs: tuple[bytes, bytes]) -> bytes:
    for old, new in pairs:
        content = content.replace(old, new)
    return content
