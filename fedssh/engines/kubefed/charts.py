"""KubeFed's chart: where Helm finds it on the host's machine, and with which values."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.downloads import DOWNLOAD
from fedssh.kubernetes import helm
from fedssh.shell import Command, clean_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Uploaded
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
        lines: Its first lines: they leave as ``"$@"`` the words that name the chart on Helm's command line.
        is_added: Whether the chart is in a repository that has to be added before.
    """

    lines: str
    is_added: bool = False


def chart_place(wanted: KubeFed, version: str, uploaded: Uploaded | None) -> ChartPlace:
    """Return how a script comes to the chart of that version; ``uploaded`` is its archive where it was uploaded."""
    folders = '"$work" "$new"'
    begin = f"""
        set -e
        work= new=
        {clean_up(folders)}
        {DOWNLOAD}
    """
    if uploaded:
        path, sha256 = shlex.quote(uploaded.path), uploaded.sha256
        verify = f"verify {path} {path} {sha256} 'its name' || {{ rm -f {path}; exit 1; }}"
        return ChartPlace(lines=f"{begin}{verify}\nset -- {path}\n")
    url, repository = wanted.chart_url, chart_repository(wanted)
    begin += "work=$(mktemp -d)\nchart=$work/kubefed.tgz\n"
    if url:
        source, fetch = url, f'fetch {shlex.quote(url)} "$chart"\n'
    elif wanted.chart_sha256:
        source = f"{CHART}-{version} of {repository}"
        pull = helm.helm("pull", CHART, f"--repo={repository}", f"--version={version}").line
        fetch = f'{pull} --destination="$work/pulled" </dev/null >/dev/null\nmv "$work/pulled/"*.tgz "$chart"\n'
        fetch = f'mkdir "$work/pulled"\n{fetch}'
    else:
        return ChartPlace(lines=f"{begin}set -- {REPOSITORY}/{CHART} --version={version}\n", is_added=True)
    if wanted.chart_sha256:
        words = shlex.join([source, wanted.chart_sha256, "hosts.yaml"])
        fetch += f'verify "$chart" {words}\n'
    return ChartPlace(lines=f'{begin}{fetch}set -- "$chart"\n')


def chart_repository(wanted: KubeFed) -> str:
    """Return the Helm repository that the chart is in."""
    return wanted.chart_repository or wanted.source.chart_repository


def add_repository(wanted: KubeFed) -> Command:
    """Return the command that is the first to reach the chart repository."""
    return helm.helm("repo", "add", REPOSITORY, chart_repository(wanted), "--force-update")


def chart_values(wanted: KubeFed, installed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the chart's values: those of hosts.yaml, with the image that it names where they name none.

    The chart's own are in charts/kubefed/values.yaml (v0.7.0, v0.10.0): the image's path and name stand apart there.

    Args:
        wanted: What hosts.yaml says.
        installed: The values that KubeFed was installed with. They stay, under those of hosts.yaml, but for the tag of
            the image, which would be that of another version.
    """
    path, _, name = (wanted.image or "").rpartition("/")
    image = {"repository": path, "image": name} if wanted.image else {}
    image |= {"tag": wanted.image_tag} if wanted.image_tag else {}
    values = dict(wanted.values)
    manager = _unless_none(values.get("controllermanager"))
    # What is no mapping stays as it is: Helm has its own words for it.
    if image and isinstance(manager, dict):
        parts = {part: _unless_none(manager.get(part)) for part in _DEPLOYMENTS}
        given = {part: image | said if isinstance(said, dict) else said for part, said in parts.items()}
        values["controllermanager"] = manager | given
    return _merged(_without_tags(installed or {}), values)


def _without_tags(values: Mapping[str, Any]) -> dict[str, Any]:
    manager = values.get("controllermanager")
    if not isinstance(manager, dict):
        return dict(values)
    parts = {part: manager[part] for part in _DEPLOYMENTS if isinstance(manager.get(part), dict)}
    untagged = {part: {key: value for key, value in said.items() if key != "tag"} for part, said in parts.items()}
    return {**values, "controllermanager": manager | untagged}


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with others over them, as Helm does it."""
    found = dict(under)
    for key, value in over.items():
        before = found.get(key)
        found[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


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
            said |= _mapping(_mapping(source.get("controllermanager")).get(part))
        if {"repository", "image", "tag"} <= said.keys():
            images.append(f"{said['repository']}/{said['image']}:{said['tag']}")
    return list(dict.fromkeys(images))


def _unless_none(value: Any) -> Any:
    """Return a value; {} for one that is not there."""
    return {} if value is None else value


def _mapping(value: Any) -> dict[str, Any]:
    """Return a mapping of values; {} for anything else."""
    return dict(value) if isinstance(value, dict) else {}
