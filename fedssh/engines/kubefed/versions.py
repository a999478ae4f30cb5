"""Which KubeFed works with which Kubernetes, and where KubeFed's versions differ: facts, with their sources.

What is said here of a version holds from it on, until the next one that stands here. Only 0.7.0 and 0.10.0 have been
tried by fedssh's own tests, on Kubernetes 1.21 and 1.33.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fedssh.inventory.sources import SOURCES, UPSTREAM
from fedssh.versions import parse_version

Minor = tuple[int, int]
"""A version of Kubernetes, without its patch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a KubeFed bears.

    Attributes:
        since: From which version on.
        oldest_host: The oldest Kubernetes that it can be installed on.
        newest_host: The newest Kubernetes that it can be installed on; None where no limit is known.
        why_host: What a newer one lacks.
        newest_join: The newest Kubernetes whose clusters it can join; None where no limit is known.
        why_join: Why a newer one cannot join.
        newest_ingress: The newest Kubernetes on which it federates Ingresses; None where no limit is known.
        tested: The newest Kubernetes that its own project has tested it with; None where that is not known.
        reuses_secret: Whether a join uses a Secret that a join before has made.
    """

    since: tuple[int, int, int]
    oldest_host: Minor = (1, 16)
    newest_host: Minor | None = None
    why_host: str = ""
    newest_join: Minor | None = None
    why_join: str = ""
    newest_ingress: Minor | None = None
    tested: Minor | None = None
    reuses_secret: bool = True


_BETA_WEBHOOKS: Final = "its webhooks are of admissionregistration.k8s.io/v1beta1, which Kubernetes 1.22 has dropped"
_LISTED_SECRETS: Final = "its join waits for a token Secret that Kubernetes has not made by itself since 1.24"

# Sources, all in sigs.k8s.io/kubefed at the version that is named, unless said otherwise:
# webhooks: charts/kubefed/charts/controllermanager/templates/webhook.yaml (v0.7.0, v0.8.1), Kubernetes's deprecation
# guide (v1.22); definitions of apiextensions.k8s.io/v1, which Kubernetes has since 1.16: crds/crds.yaml (v0.6.1);
# joins: pkg/kubefedctl/join.go, populateSecretInHostCluster (v0.7.0, v0.9.1, v0.10.0: kubefed#1515, #1517), and of
# Kubernetes, LegacyServiceAccountTokenNoAutoGeneration (v1.24); Secrets used again: kubefed#1332 (v0.8.0);
# Ingresses: templates/federatedtypeconfig.yaml (v0.7.0, v0.10.0: kubefed#1521); tests: KubeFed's kind images, 1.19
# (v0.7.0), 1.21 (v0.8.1), 1.24 (v0.10.0, kubefed#1516); the fork's kind image 1.35 since 0.11.3 (its CHANGELOG.md).
LIMITS: Final = (
    Limits(
        since=(0, 0, 0),
        newest_host=(1, 21),
        why_host=_BETA_WEBHOOKS,
        newest_join=(1, 23),
        why_join=_LISTED_SECRETS,
        newest_ingress=(1, 21),
        tested=(1, 19),
        reuses_secret=False,
    ),
    Limits(since=(0, 8, 0), newest_join=(1, 23), why_join=_LISTED_SECRETS, newest_ingress=(1, 21), tested=(1, 21)),
    Limits(since=(0, 10, 0), tested=(1, 24)),
    Limits(since=(0, 10, 1)),
    Limits(since=(0, 11, 3), tested=(1, 35)),
)


def limits_of(version: str) -> Limits:
    """Return what a version of KubeFed bears; of one that is no version, what the newest bears."""
    numbers = parse_version(version)
    if numbers is None:
        return LIMITS[-1]
    return [limits for limits in LIMITS if limits.since <= numbers][-1]


def why_no_host(version: str, kubernetes: str) -> str:
    """Return why a KubeFed cannot be installed on a cluster of that Kubernetes, or ""."""
    limits, minor = limits_of(version), _minor(kubernetes)
    if minor is None:
        return ""
    if limits.newest_host and minor > limits.newest_host:
        return limits.why_host
    if minor < limits.oldest_host:
        return "its definitions are of apiextensions.k8s.io/v1, which Kubernetes has since 1.16"
    return ""


def why_no_join(version: str, kubernetes: str) -> str:
    """Return why a cluster of that Kubernetes cannot join a federation of that KubeFed, or ""."""
    limits, minor = limits_of(version), _minor(kubernetes)
    return limits.why_join if minor and limits.newest_join and minor > limits.newest_join else ""


def version_that_works(*, host: str, joining: str = "") -> str:
    """Return the release of KubeFed's own project that such a host, and such a joining cluster, can have; or ""."""
    version = UPSTREAM.version
    return "" if why_no_host(version, host) or why_no_join(version, joining or host) else version


def untested(version: str, kubernetes: str) -> str:
    """Return what has to be said where a Kubernetes is newer than those that KubeFed was tested with, or ""."""
    tested, minor = limits_of(version).tested, _minor(kubernetes)
    if minor is None or tested is None or minor <= tested:
        return ""
    said = f"newer than Kubernetes {_written(tested)}, up to which its project tested KubeFed {version}"
    for source in SOURCES.values():
        other = limits_of(source.version).tested
        if other and other >= minor:
            named = "" if source is UPSTREAM else f"kubefed.source: {source.name}, "
            tested_by = f"{source.title} has tested its {source.version} up to {_written(other)}"
            return f"{said}; {tested_by}: {named}kubefed.version: {source.version}"
    return said


def lacks_ingresses(version: str, kubernetes: str) -> bool:
    """Whether Ingresses of a cluster of that Kubernetes are of a kind that such a KubeFed does not federate."""
    limits, minor = limits_of(version), _minor(kubernetes)
    return bool(minor and limits.newest_ingress and minor > limits.newest_ingress)


def _minor(kubernetes: str) -> Minor | None:
    numbers = parse_version(kubernetes)
    return numbers[:2] if numbers else None


def _written(minor: Minor) -> str:
    return ".".join(map(str, minor))
