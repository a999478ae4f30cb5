"""Charts in a Helm repository: its index tells where an archive lies, and its checksum."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin

import yaml

from fedssh.artefacts.cache import STEP, Fetched
from fedssh.artefacts.downloads import Download, fetch_download, fetch_text, find_download
from fedssh.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
# A checksum of digits alone is no number.
_TextLoader: Final[type[yaml.BaseLoader]] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_Loader: Final[type[yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEEPEST: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart in a Helm repository.

    Attributes:
        title: What a message calls it.
        repository: The repository's address.
        name: The chart's name there.
        version: Its version.
        sha256: The checksum of its archive; "" is the one that the repository's index names.
    """

    title: str
    repository: str
    name: str
    version: str
    sha256: str = ""


def find_chart(wanted: Chart) -> Fetched | None:
    """Return the chart's archive from the cache, or None."""
    return find_download(_download(wanted, "", wanted.sha256))


def fetch_chart(wanted: Chart, told: Callable[[str], None]) -> Fetched:
    """Fetch the chart's archive into the cache.

    Raises:
        StepError: It is not in the repository, or could not be downloaded, or its checksum is another one (3).
    """
    address = f"{wanted.repository.rstrip('/')}/index.yaml"
    found = _entry(fetch_text(address), wanted)
    if found is None:
        raise StepError(
            f"{address} has no chart {wanted.name} of version {wanted.version}",
            step=STEP,
            hint="Correct the version or the chart's repository in hosts.yaml.",
        )
    try:
        url = urljoin(f"{wanted.repository.rstrip('/')}/", found[0])
    except ValueError:
        raise StepError(f"{address} names no address of {wanted.name} {wanted.version}", step=STEP) from None
    if wanted.sha256:
        return fetch_download(_download(wanted, url, wanted.sha256), told)
    return fetch_download(replace(_download(wanted, url, found[1].lower()), whose=address), told)


def read_values(archive: Path) -> dict[str, Any]:
    """Return the values that stand in a chart's archive, (``values.yaml``).

    Raises:
        StepError: It is no chart (3).
    """
    try:
        with tarfile.open(archive) as chart:
            names = [name for name in chart.getnames() if name.count("/") == 1 and name.endswith("/values.yaml")]
            file = chart.extractfile(names[0])
            return dict(_load(file.read().decode() if file else "", _Loader) or {})
    except (OSError, EOFError, tarfile.TarError, zlib.error, yaml.YAMLError, LookupError, TypeError, ValueError):
        raise StepError(f"{archive} is no chart", step=STEP, hint=f"Remove it: rm {archive}") from None


def _download(wanted: Chart, url: str, sha256: str) -> Download:
    key = f"{wanted.repository.rstrip('/')}/{wanted.name}-{wanted.version}.tgz"
    return Download(title=wanted.title, url=url, sha256=sha256, key=key)


def _entry(index: str, wanted: Chart) -> tuple[str, str] | None:
    """Return where a repository's index says that a chart lies, and its checksum or ""."""
    try:
        document = _load(index, _TextLoader)
        for entry in document["entries"][wanted.name]:
            if str(entry["version"]).removeprefix("v") == wanted.version:
                return str(entry["urls"][0]), str(entry.get("digest") or "")
    except (yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return None


def _load(text: str, loader: type[yaml.BaseLoader | yaml.SafeLoader]) -> Any:
    """Return what a document says; libyaml would go down a deep one until the program's stack ends."""
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"it is nested deeper than {_DEEPEST} levels")
    return yaml.load(text, Loader=loader)  # noqa: S506  (neither loader makes anything but plain values)
