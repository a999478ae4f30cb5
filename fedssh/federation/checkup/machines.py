"""The machines: their tools, what their kubeconfigs may do, their clocks. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.engines.protocol import CheckFinding
from fedssh.errors import FedsshError
from fedssh.federation.notices import CLOCK_SKEW_SECONDS
from fedssh.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import CheckState
    from fedssh.federation.checkup.facts import Checkup, ClusterCheckup, HostCheckup

DOWNLOADERS: Final = ("curl", "wget")
"""Tools of which the host needs one, to download what it installs."""

TOOLS: Final = {
    "kubectl": "nothing can be asked or changed there",
    "helm": "{engine} cannot be installed there",
    "flock": "two runs at once could not be kept apart: federate does not begin",
    "tar": "the tool that joins clusters cannot be unpacked",
    "sha256sum": "nothing that is downloaded, and no kubeconfig, can be verified",
    "openssl": "certificates are not looked at: tls: system and tls: pin do not work, and nobody tells when one ends",
}
"""What the host needs, and what it leads to when it is missing."""

_NOT_NEEDED: Final = {"openssl"}


def check_tools(checkup: Checkup, *, engine: str) -> Iterator[CheckFinding]:
    """Return which tools there are, and which are missing."""
    name = checkup.wishes.inventory.host.name
    if isinstance(checkup.host, FedsshError):
        yield CheckFinding(
            cluster=name, topic="tools", state="problem",
            text=f"the host's tools and files could not be looked at: {checkup.host.message}", hint=checkup.host.hint,
        )  # fmt: skip
    elif checkup.host:
        downloads = not checkup.wishes.inventory.uploads
        yield from _check_hosts_tools(checkup.host, name, engine=engine, downloads=downloads)
    for cluster in checkup.names:
        found = checkup.clusters.get(cluster)
        if isinstance(found, FedsshError):
            yield CheckFinding(
                cluster=cluster, topic="tools", state="problem", text=f"it could not be looked at: {found.message}",
                hint=found.hint,
            )  # fmt: skip
        elif found and found.kubectl:
            yield _check_kubectl(cluster, found)


def _check_kubectl(name: str, found: ClusterCheckup) -> CheckFinding:
    text = f"kubectl is {found.kubectl}" + f", Kubernetes {found.kubernetes}" * bool(found.kubernetes)
    own, server = parse_version(found.kubectl), parse_version(found.kubernetes)
    if own and server and (own[0] != server[0] or abs(own[1] - server[1]) > 1):
        return CheckFinding(
            cluster=name,
            topic="tools",
            state="notice",
            text=text,
            leads_to="Kubernetes promises nothing for a kubectl that is more than one minor version away",
            hint=f"Install kubectl of the cluster's own version on the machine of {name}.",
        )
    return CheckFinding(cluster=name, topic="tools", state="ok", text=text)


def _check_hosts_tools(host: HostCheckup, name: str, *, engine: str, downloads: bool) -> Iterator[CheckFinding]:
    if not host.tools:
        return
    for tool, leads_to in TOOLS.items():
        if host.tools.get(tool) or tool == "kubectl":  # of which the look has told
            continue
        state: CheckState = "notice" if tool in _NOT_NEEDED else "problem"
        yield CheckFinding(
            cluster=name, topic="tools", state=state, text=f"{tool} is not there",
            leads_to=leads_to.format(engine=engine), hint=f"Install {tool} on the machine of {name}.",
        )  # fmt: skip
    if downloads and not any(host.tools.get(tool) for tool in DOWNLOADERS):
        yield CheckFinding(
            cluster=name, topic="tools", state="problem", text=f"neither {' nor '.join(DOWNLOADERS)} is there",
            leads_to="the tool that joins clusters cannot be downloaded",
            hint=f"Install {DOWNLOADERS[0]} on the machine of {name}.",
        )  # fmt: skip
    there = [tool for tool, path in host.tools.items() if path]
    if there:
        user = f", as {host.user}" * bool(host.user)
        yield CheckFinding(cluster=name, topic="tools", state="ok", text=f"{', '.join(there)} are there{user}")


def check_rights(checkup: Checkup) -> Iterator[CheckFinding]:
    """Return whether the machines' own kubeconfigs are a cluster administrator's."""
    for name in checkup.names:
        found = checkup.clusters.get(name)
        if found is None or isinstance(found, FedsshError):
            continue
        if found.is_admin:
            yield CheckFinding(
                cluster=name, topic="rights", state="ok", text="its kubeconfig is a cluster administrator's"
            )
        elif found.is_admin is False:
            yield CheckFinding(
                cluster=name,
                topic="rights",
                state="problem",
                text="its kubeconfig is not a cluster administrator's: it may not do everything everywhere",
                leads_to="Kubernetes lets nobody grant more than they have, so that no access can be granted there",
                hint=f"Name an administrator's kubeconfig in hosts.yaml (kubeconfig: /path for {name}).",
            )
        elif found.admin_problem:
            yield CheckFinding(
                cluster=name, topic="rights", state="notice",
                text=f"whether its kubeconfig may do everything could not be asked: {found.admin_problem}",
            )  # fmt: skip


def check_laptop_clock(checkup: Checkup) -> Iterator[CheckFinding]:
    """Return whether the laptop's clock agrees with the host's; the members' are compared with the host's, too."""
    clock = checkup.facts.host.clock if checkup.facts else 0
    if not clock:
        return
    name, skew = checkup.wishes.inventory.host.name, round(clock - checkup.laptop_clock)
    if abs(skew) <= CLOCK_SKEW_SECONDS:
        yield CheckFinding(cluster=name, topic="clocks", state="ok", text="its clock agrees with this computer's")
        return
    way = "ahead of" if skew > 0 else "behind"
    yield CheckFinding(
        cluster=name,
        topic="clocks",
        state="notice",
        text=f"its clock is {abs(skew) // 60} minutes {way} this computer's",
        leads_to="if the host's is wrong, certificates and tokens may count as expired, or as not yet valid",
        hint="Have both clocks set by a time server (chrony, systemd-timesyncd).",
    )
