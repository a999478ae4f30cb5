"""Names and certificates of API servers, seen from the host's machine and from a pod on it. Pure."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fedssh.engines.protocol import CheckFinding
from fedssh.federation.checkup.facts import HostCheckup
from fedssh.kubernetes.certificates import valid_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import CheckState, Engine
    from fedssh.federation.checkup.facts import Checkup

SOON_DAYS = 30
"""How many days before its end a certificate or a token is worth a word."""


def server_names(checkup: Checkup, servers: dict[str, str]) -> dict[str, str]:
    """Return the names in API addresses, by cluster; an address that is a number needs none."""
    found = {}
    for cluster in checkup.names:
        name = urlsplit(servers.get(cluster, "")).hostname or ""
        if name and not _is_number(name):
            found[cluster] = name
    return found


def check_names(checkup: Checkup, servers: dict[str, str], engine: Engine) -> Iterator[CheckFinding]:
    """Return how the names in API addresses resolve, on the host's machine and for a pod."""
    host = checkup.host
    if checkup.facts is None or not isinstance(host, HostCheckup):
        return
    own, at_host = checkup.wishes.inventory.host.name, checkup.facts.host
    for cluster, name in server_names(checkup, servers).items():
        resolved = host.names.get(name)
        joined = at_host.clusters.get(cluster)
        is_reached = bool(joined and joined.ready)
        if resolved is None:
            continue
        if not resolved.address:
            yield CheckFinding(
                cluster=cluster,
                topic="network",
                state="problem",
                text=f"{name} does not resolve on {own}",
                leads_to=f"the host does not reach its API server, and it cannot join {own}",
                hint="Correct the name in DNS, or name another address in hosts.yaml: "
                f"members.{cluster}.api_server: https://…",
            )
        elif is_reached:
            text = f"{name} resolves to {resolved.address} on {own}, and for {engine.TITLE}'s controller, in a pod, too"
            yield CheckFinding(cluster=cluster, topic="network", state="ok", text=text)
        elif resolved.in_cluster is False:
            known_by = "/etc/hosts there knows it alone" if name in at_host.own_names else f"{own} itself resolves it"
            yield CheckFinding(
                cluster=cluster,
                topic="network",
                state="problem",
                text=f"the DNS of the cluster {own} does not know {name}; {known_by}",
                leads_to=f"{engine.TITLE}'s controller, in a pod, does not reach it: it never becomes Ready",
                hint=f"Have the name in DNS, or name an address that pods resolve: members.{cluster}.api_server",
            )
        elif resolved.in_cluster:
            text = f"{name} resolves to {resolved.address} on {own}, and the cluster's DNS knows it"
            yield CheckFinding(cluster=cluster, topic="network", state="ok", text=text)
        else:
            yield CheckFinding(
                cluster=cluster,
                topic="network",
                state="ok" if cluster == own else "notice",
                text=f"{name} resolves to {resolved.address} on {own}; whether it does in a pod is not known: "
                f"{host.dns}",
            )


def check_certificates(checkup: Checkup, servers: dict[str, str], engine: Engine) -> Iterator[CheckFinding]:
    """Return until when the certificates are valid that API servers present to the host."""
    if not isinstance(checkup.host, HostCheckup):
        return
    for cluster, presented in checkup.host.presented.items():
        server = servers.get(cluster, "")
        if not presented.chain:
            continue  # why the host does not get through is told where it tries the access
        until = valid_until(presented.chain[0])
        state, when = judge_end(until, checkup)
        leads_to = f"{engine.TITLE} takes it Offline, and every kubectl that verifies it refuses it"
        yield CheckFinding(
            cluster=cluster,
            topic="credentials",
            state=state,
            text=f"the certificate of {server} {when}",
            leads_to="" if state == "ok" else leads_to if state == "problem" else f"then {leads_to}",
            hint="" if state == "ok" else "Renew it on that cluster's masters, and restart its API server "
            "(kubeadm: kubeadm certs renew all).",
        )  # fmt: skip


def judge_end(until: str, checkup: Checkup) -> tuple[CheckState, str]:
    """Return the state of what ends then, and when it ends, in words."""
    if not until:
        return "notice", "has an end that could not be read"
    if until <= checkup.now:
        return "problem", f"ended {until}"
    return ("notice" if until <= checkup.later(SOON_DAYS) else "ok"), f"ends {until}"


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
