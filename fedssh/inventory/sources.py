"""Where KubeFed comes from: its own project, which has ended, and the fork that goes on with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

SourceName = Literal["upstream", "nutanix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who releases a KubeFed, and where its parts lie.

    Attributes:
        name: Its name in hosts.yaml.
        title: How a message calls it.
        version: What is installed where hosts.yaml names no version: the last release that is known here.
        chart_repository: Its Helm repository.
        kubefedctl: The address of kubefedctl, with ``{version}`` and ``{architecture}``; with ``.sha`` added, that of
            its checksum.
        architectures: For which processors kubefedctl is released, as Go calls them.
    """

    name: SourceName
    title: str
    version: str
    chart_repository: str
    kubefedctl: str
    architectures: tuple[str, ...]

    def kubefedctl_url(self, version: str, architecture: str) -> str:
        """Return where a kubefedctl lies."""
        return self.kubefedctl.format(version=version, architecture=architecture)


# scripts/build-release-artifacts.sh and charts/index.yaml, v0.10.0: one binary, for amd64.
UPSTREAM: Final = Source(
    name="upstream",
    title="KubeFed's own project",
    version="0.10.0",
    chart_repository="https://raw.githubusercontent.com/kubernetes-sigs/kubefed/master/charts",
    kubefedctl="https://github.com/kubernetes-sigs/kubefed/releases/download/v{version}/"
    "kubefedctl-{version}-linux-{architecture}.tgz",
    architectures=("amd64",),
)
# Was mesosphere/kubefed until 0.11.3, whose addresses lead here. CHANGELOG.md (0.12.2, 2026-09-17), charts/index.yaml,
# Makefile. Nobody has fetched from these addresses for fedssh's tests.
NUTANIX: Final = Source(
    name="nutanix",
    title="the maintained fork",
    version="0.12.2",
    chart_repository="https://raw.githubusercontent.com/nutanix-cloud-native/kubefed/master/charts",
    kubefedctl="https://github.com/nutanix-cloud-native/kubefed/releases/download/v{version}/"
    "kubefedctl-{version}-linux-{architecture}.tgz",
    architectures=("amd64", "arm64", "ppc64le", "s390x"),
)
SOURCES: Final[dict[SourceName, Source]] = {source.name: source for source in (UPSTREAM, NUTANIX)}
