"""KubeFed's chart: where Helm finds it on the host's machine, and with which values."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.downloads import DOWNLOAD
from fedssh.kubernetes import helm
from fedssh.shell import Command, clean_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.inventory import KubeFed

REPOSITORY: Final = "kubefed-charts"
"""How the chart repository is called on the host, as by KubeFed's users."""

CHART: Final = "kubefed"
"""How the chart is called in its repository."""

_DEPLOYMENTS: Final = ("controller", "webhook")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPlace:
    """How a script comes to the chart.

    Attributes:
        lines: Its first lines: they set ``chart`` to the words that name the chart on Helm's command line.
        stdin: What it reads from stdin before anything else does; it ends with a newline, or is "".
        is_added: Whether the chart is in a repository that has been added before.
    """

    lines: str
    stdin: str = ""
    is_added: bool = False


def chart_place(wanted: KubeFed, version: str, archive: bytes | None) -> ChartPlace:
    """Return how a script comes to the chart of that version; ``archive`` is the chart where it is uploaded."""
    work = f"""
        set -e
        work=$(mktemp -du)
        {clean_up('"$work"')}
        mkdir "$work"
        chart=$work/kubefed.tgz
        {DOWNLOAD}
    """
    if archive is not None:
        unpack = 'IFS= read -r packed; printf %s "$packed" | base64 -d >"$chart"\n'
        return ChartPlace(lines=work + unpack, stdin=base64.b64encode(archive).decode() + "\n")
    url, repository = wanted.chart_url, chart_repository(wanted)
    if url:
        source, fetch = url, f'fetch {shlex.quote(url)} "$chart"\n'
    elif wanted.chart_sha256:
        source = f"{CHART}-{version} of {repository}"
        pull = helm.helm("pull", CHART, f"--repo={repository}", f"--version={version}").line
        fetch = f'{pull} --destination="$work" </dev/null >/dev/null\nmv "$work"/*.tgz "$chart" 2>/dev/null || :\n'
    else:
        return ChartPlace(lines=f"set -e\nchart='{REPOSITORY}/{CHART} --version={version}'\n", is_added=True)
    if wanted.chart_sha256:
        words = shlex.join([source, wanted.chart_sha256, "hosts.yaml"])
        fetch += f'verify "$chart" {words}\n'
    return ChartPlace(lines=work + fetch)


def chart_repository(wanted: KubeFed) -> str:
    """Return the Helm repository that the chart is in."""
    return wanted.chart_repository or wanted.source.chart_repository


def add_repository(wanted: KubeFed) -> Command:
    """Return the command that is the first to reach the chart repository."""
    return helm.helm("repo", "add", REPOSITORY, chart_repository(wanted), "--force-update")


def chart_values(wanted: KubeFed) -> dict[str, Any]:
    """Return the chart's values: those of hosts.yaml, with the image that it names where they name none.

    The chart's own are in charts/kubefed/values.yaml (v0.7.0, v0.10.0): the image's path and name stand apart there.
    """
    path, _, name = (wanted.image or "").rpartition("/")
    image = {"repository": path, "image": name} if wanted.image else {}
    image |= {"tag": wanted.image_tag} if wanted.image_tag else {}
    values = dict(wanted.values)
    if image:
        manager = dict(values.get("controllermanager") or {})
        for part in _DEPLOYMENTS:
            manager[part] = image | dict(manager.get(part) or {})
        values["controllermanager"] = manager
    return values


def chart_images(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return the images of KubeFed's pods, as they stand in its Deployments.

    Args:
        defaults: The chart's own values.
        values: Those that Helm gives to it (``chart_values``).
    """
    images = []
    for part in _DEPLOYMENTS:
        said: dict[str, Any] = {}
        for source in (defaults, values):
            said |= dict((source.get("controllermanager") or {}).get(part) or {})
        images.append(f"{said.get('repository')}/{said.get('image')}:{said.get('tag')}")
    return list(dict.fromkeys(images))
