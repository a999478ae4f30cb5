"""What would work where something does not: other addresses of a member, other ways to verify it.

Asked only after a refusal. Everything is tried from the host, anonymously; what works is told, never chosen.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fedssh.documents import DocumentError, compose, to_value
from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.look.proof import reach
from fedssh.federation.threads import at_once
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.endpoint import check_server
from fedssh.kubernetes.kubectl import Target, kubectl, section
from fedssh.sensitive import Sensitive
from fedssh.shell import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.federation.findings import Finding
    from fedssh.inventory import Cluster
    from fedssh.shell import Command, Shell

_MOST_CANDIDATES: Final = 8
_MOST_LISTED: Final = 100
_SOUGHT_AT_ONCE: Final = 8
"""Each tries its addresses by a channel of its own to the host, where sshd opens ten (MaxSessions)."""
_MOST_SOUGHT: Final = 2 * _SOUGHT_AT_ONCE
"""For how many members other ways are tried; the others get the plain hint."""
_DEFAULT_PORT: Final = 6443
_LONGEST_NAME: Final = 253
_LONGEST_URL: Final = 2048


def seek_advice(
    machines: Mapping[str, Shell],
    findings: Sequence[Finding],
    clusters: Mapping[str, Cluster],
    endpoints: Mapping[str, Endpoint],
    *,
    host: str,
    kubeconfig: str,
) -> list[Finding]:
    """Return ``findings`` whose refusals say what would work instead, where something can be tried.

    Args:
        machines: The open connections, by cluster.
        findings: What the rules have found.
        clusters: What hosts.yaml says of the members, by name.
        endpoints: What does not work, by member; of those whose address cannot work at all, the address alone.
        host: The host's name.
        kubeconfig: The path of the host's kubeconfig.
    """
    sought = {finding.cluster: finding for finding in findings if finding.seek and finding.cluster in machines}
    # What fails for hundreds of members fails for one reason, and each has to wait for addresses that do not answer.
    sought = dict([*sought.items()][:_MOST_SOUGHT])

    def seek(finding: Finding) -> str:
        name = finding.cluster
        if finding.seek == "trust":
            return advise_trust(machines[host], clusters[name], endpoints[name], finding.text, kubeconfig=kubeconfig)
        server = endpoints[name].server if name in endpoints else ""
        return advise_address(machines[host], machines[name], clusters[name], server, kubeconfig=kubeconfig)

    tasks = {name: partial(seek, finding) for name, finding in sought.items()}
    found = at_once(tasks, limit=_SOUGHT_AT_ONCE)
    return [
        _advised(finding, found[finding.cluster]) if finding is sought.get(finding.cluster) else finding
        for finding in findings
    ]


def _advised(finding: Finding, advice: str | FedsshError) -> Finding:
    error = finding.error
    if error is None or isinstance(advice, FedsshError):
        return finding  # what went wrong before is what has to be told
    return replace(finding, error=type(error)(error.message, machine=error.machine, step=error.step, hint=advice))


def advise_address(host: Shell, member: Shell, cluster: Cluster, server: str, *, kubeconfig: str) -> str:
    """Return a sentence on which of a member's other addresses work from the host.

    Args:
        host: The host.
        member: The member.
        cluster: What hosts.yaml says of it.
        server: The address that does not work, or "".
        kubeconfig: The path of the host's kubeconfig.
    """
    key = f"members.{cluster.name}.api_server"
    plain = f"Name an address that works from {host.name}: {key}: https://…"
    try:
        tried = other_addresses(member, cluster, server)
    except FedsshError:  # what went wrong before is what has to be told
        return plain
    found = reach(host, tried, kubeconfig=kubeconfig)
    works = [address for address, problem in found.items() if not problem]
    if works:
        return f"From {host.name} this works: {key}: {works[0]}" + _also(works[1:])
    listed = "".join(f"\n{address}: {problem}" for address, problem in found.items())
    return plain + (f"\nTried from there:{listed}" if listed else "")


def other_addresses(member: Shell, cluster: Cluster, server: str) -> dict[str, Credential]:
    """Return how to try, anonymously, the addresses at which a member may be reached from elsewhere.

    Args:
        member: The member, where all places that know an address are asked.
        cluster: What hosts.yaml says of it.
        server: The address that does not work and is left out, or "".

    Raises:
        FedsshError: The member's answer was lost, or too large.
    """
    own, names, numbers, machine, published, ca = member.run(_candidate_commands(cluster))
    port = _port(server or own.stdout.strip())
    itself = machine.stdout.split()[:_MOST_LISTED]
    hosts = [cluster.machine.address, *itself, *_names_in(names.stderr), *_names_in(numbers.stderr)]
    usable = [f"https://{_in_url(name)}:{port}" for name in hosts if _is_for_others(name)]
    known = _servers([own.stdout, *_cluster_info(published.stdout), *usable])
    addresses = list(dict.fromkeys(known))[:_MOST_CANDIDATES]
    trust = _trust_of_itself(cluster, ca.stdout.strip())
    return {address: _anonymous(address, trust) for address in addresses if address != server}


def advise_trust(host: Shell, cluster: Cluster, endpoint: Endpoint, problem: str, *, kubeconfig: str) -> str:
    """Return a sentence on how else a member's certificate can be verified from the host.

    Args:
        host: The host.
        cluster: What hosts.yaml says of it.
        endpoint: What does not verify.
        problem: kubectl's words, which hold the names in the certificate.
        kubeconfig: The path of the host's kubeconfig.
    """
    server, own = endpoint.server, endpoint.trust
    by_store = Trust(word="system")
    tried = {"tls: system": by_store} if cluster.tls != "system" else {}
    for name in filter(_is_host, _names_in(problem)):
        tried[f"server_name: {name}"] = Trust(word=own.word, ca=own.ca, server_name=name)
        if cluster.tls != "system":
            tried[f"tls: system and server_name: {name}"] = Trust(word="system", server_name=name)
    found = reach(host, {way: _anonymous(server, trust) for way, trust in tried.items()}, kubeconfig=kubeconfig)
    works = [way for way, why in found.items() if not why]
    if "has expired" in problem:
        # Go has one sentence for both, and says whether the time is before or after.
        if " is before " in problem:
            return f"The certificate is not valid yet: are the clocks of {host.name} and of the member right?"
        return "The certificate has to be renewed on the member's side."
    if works:
        return f"From {host.name} this verifies: members.{cluster.name}.{works[0]}" + _also(works[1:])
    return (
        f"In hosts.yaml, name the CA that has issued it (members.{cluster.name}.ca_file: /path), or pin the "
        f"certificate after comparing its fingerprint (members.{cluster.name}.tls: pin)."
    )


def _anonymous(server: str, trust: Trust) -> Credential:
    """Return a credential without a token: an address that is not yet verified gets none."""
    return Credential(endpoint=Endpoint(server=server, trust=trust), token=Sensitive(""))


def _trust_of_itself(cluster: Cluster, ca: str) -> Trust:
    """Return how other addresses of a member are verified: by its own CA, where its kubeconfig has one."""
    if cluster.tls == "insecure":
        return Trust(word="insecure")
    name = cluster.server_name or ""
    return Trust(word="ca", ca=ca, server_name=name) if ca else Trust(word="system", server_name=name)


def _candidate_commands(cluster: Cluster) -> list[Command]:
    target = Target(kubeconfig=cluster.kubeconfig or "")
    return [
        kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}", target=target),
        # A certificate's names are told by the error for a name, its addresses by the error for an address that is
        # not in it (RFC 2606, RFC 5737: neither can be real).
        kubectl("get", "--raw", "/version", "--tls-server-name=fedssh.invalid", target=target),
        kubectl("get", "--raw", "/version", "--tls-server-name=192.0.2.1", target=target),
        script("hostname -f; hostname -I || ip -o addr | awk '{print $4}' | cut -d/ -f1", title="hostname"),
        kubectl(
            "get",
            "configmap",
            "cluster-info",
            "--namespace=kube-public",
            "-o",
            "jsonpath={.data.kubeconfig}",
            target=target,
        ),
        kubectl(
            "config", "view", "--raw", "--minify", "--flatten", "-o",
            "jsonpath={.clusters[0].cluster.certificate-authority-data}",
            target=target,
        ),
    ]  # fmt: skip


def _names_in(problem: str) -> list[str]:
    """Return the names that Go lists of a certificate: "certificate is valid for a, b, not c"."""
    found = re.search(r"certificate is valid for (.+?), not ", problem)
    return found[1].split(", ")[:_MOST_CANDIDATES] if found else []


def _is_host(text: str) -> bool:
    """Whether it is a name or an address; one with a zone, which may hold any text, is for its own machine only."""
    with suppress(ValueError):
        return "%" not in text and bool(ipaddress.ip_address(text))
    return len(text) <= _LONGEST_NAME and bool(re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?", text))


def _is_for_others(host: str) -> bool:
    """Whether a name or address can lead to the member from elsewhere; anything but those two is left out."""
    if not _is_host(host):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost" and not re.match(r"kubernetes(\.default(\.|$)|$)", host)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _cluster_info(text: str) -> list[str]:
    """Return the addresses in kube-public's cluster-info, where kubeadm publishes them."""
    try:
        value = to_value(compose(text, source="cluster-info"), source="cluster-info")
    except DocumentError:
        return []
    clusters = value.get("clusters") if isinstance(value, dict) else None
    clusters = clusters if isinstance(clusters, list) else []
    return [str(section(one, "cluster").get("server")) for one in clusters[:_MOST_LISTED] if isinstance(one, dict)]


def _servers(found: list[str]) -> list[str]:
    """Return those that can work from elsewhere."""
    kept = []
    for one in found:
        with suppress(RefusedError):
            server = check_server(one, member="candidate")
            if len(server) <= _LONGEST_URL and _is_for_others(urlsplit(server).hostname or ""):
                kept.append(server)
    return kept


def _port(server: str) -> int:
    """Return the port of an API server's address, which may be no URL at all."""
    with suppress(ValueError):
        return urlsplit(server).port or _DEFAULT_PORT
    return _DEFAULT_PORT


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _also(others: list[str]) -> str:
    return f" (also {', '.join(others)})" if others else ""
