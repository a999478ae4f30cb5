"""Helm 3: its command lines, its answers, its failures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes.kubectl import NOT_FOUND, OWN, Target, missing_tool, parse_json
from fedssh.shell import Command, Result, command, failure
from fedssh.versions import parse_version

_MAJOR: Final = 3
_CHART: Final = re.compile(r"[0-9A-Za-z._+-]{1,300}")
_STATUS: Final = re.compile(r"[a-z-]{1,40}")
_REVISION: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """An installed chart.

    Attributes:
        version: The chart's version.
        status: Helm's word for its state: ``deployed``, ``failed``, ``pending-install``, …
        revision: How often it was installed or upgraded.
    """

    version: str
    status: str
    revision: int


def helm(*arguments: str, target: Target = OWN, stdin: str = "") -> Command:
    """Return the command for ``helm arguments…``."""
    flags = target.flags(context_flag="--kube-context")
    return command("helm", *arguments, *flags, stdin=stdin, title=f"helm {arguments[0]}")


def version() -> Command:
    """Return the command that prints Helm's version, e.g. ``v3.18.4``."""
    return command("helm", "version", "--template={{.Version}}", title="helm version")


def check_version(result: Result, *, machine: str, step: str) -> None:
    """Check that Helm is there and of a major version that works.

    Raises:
        StepError: It is missing, or does not answer (3).
        RefusedError: It is not Helm 3 (6). Helm 4 installs webhook configurations before the custom
            resources that they would check (helm#30701), so a chart with both cannot be installed with it.
    """
    if result.code == NOT_FOUND:
        raise missing_tool("helm", machine=machine, step=step)
    if not result.ok:
        raise failure(result, machine=machine, step=step)
    version = parse_version(result.stdout)
    if version is None or version[0] != _MAJOR:
        raise RefusedError(
            f"helm is {result.stdout.strip()[:40]!r}, and the chart needs Helm 3",
            machine=machine,
            step=step,
            hint=f"Install Helm 3 on the machine of {machine}, such as 3.18 or newer.",
        )


def find_release(name: str, namespace: str, *, target: Target) -> Command:
    """Return the command that prints a release, whatever its state, for ``parse_release``."""
    return helm("list", "--all", f"--filter=^{name}$", f"--namespace={namespace}", "--output=json", target=target)


def parse_release(result: Result, *, chart: str, machine: str, step: str) -> Release | None:
    """Return the release that ``find_release`` found, or None.

    Raises:
        StepError: Helm failed, or a release of that name holds another chart.
    """
    if not result.ok:
        raise failure(result, machine=machine, step=step)
    try:
        found = parse_json(result.stdout or "[]")
        if found is None or found == []:
            return None
        name, release = _parse_listed(found[0])
    except (ValueError, LookupError, TypeError):
        raise StepError("helm list printed something else than releases", machine=machine, step=step) from None
    if name != chart:
        raise StepError(f"the release is of the chart {name!r}, not {chart!r}", machine=machine, step=step)
    return release


def _parse_listed(listed: Any) -> tuple[str, Release]:
    """Return the name of a release's chart, and the release."""
    chart, status, revision = (str(listed[key]) for key in ("chart", "status", "revision"))
    if not (_CHART.fullmatch(chart) and _STATUS.fullmatch(status) and _REVISION.fullmatch(revision)):
        raise ValueError("no release is like that")
    name, _, chart_version = chart.rpartition("-")
    return name, Release(version=chart_version, status=status, revision=int(revision))
