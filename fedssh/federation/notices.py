"""What has to be said of a member at every run, though it forbids nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from fedssh.federation.findings import Finding, notice
from fedssh.federation.trust import pinned_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import HostFacts, MemberFacts
    from fedssh.kubernetes.credentials import Endpoint

CLOCK_SKEW_SECONDS: Final = 300
"""From how far on clocks matter: certificates are dated a few minutes back by those who issue them."""


def member_notices(member: MemberFacts, endpoint: Endpoint, host: HostFacts, engine: Engine) -> Iterator[Finding]:
    """Return what has to be said of a member, and what was found in order."""
    name, trust, title = member.name, endpoint.trust, engine.TITLE
    clock = _clock_notice(member, host=host.name, host_clock=host.clock)
    if clock:
        yield notice(name, clock, "clocks")
    elif member.clock:
        agrees = f"its clock agrees with that of {host.name}"
        yield Finding(cluster=name, state="checked", text=agrees, topic="clocks")
    server_host = urlsplit(endpoint.server).hostname or ""
    if server_host in host.own_names:
        yield notice(
            name,
            f"{server_host} stands in /etc/hosts of {host.name}; {title}'s controller, in a pod, resolves it "
            "by DNS only",
        )
    if trust.is_insecure:
        yield notice(name, f"nobody verifies {endpoint.server} (tls: insecure)")
    if trust.server_name:
        yield notice(
            name,
            f"{host.name} verifies its certificate as {trust.server_name}; {title} cannot, and checks no name "
            "(server_name)",
        )
    if trust.word == "pin":
        renewed = f"when it is renewed, {title} takes the member Offline"
        yield notice(name, f"pinned to the certificate {pinned_fingerprint(trust)}; {renewed}")


def _clock_notice(member: MemberFacts, *, host: str, host_clock: float) -> str:
    """Return what has to be said when a member's clock and the host's differ much, or ""."""
    skew = round(member.clock - host_clock) if member.clock and host_clock else 0
    if abs(skew) <= CLOCK_SKEW_SECONDS:
        return ""
    return (
        f"its clock is {abs(skew) // 60} minutes {'ahead of' if skew > 0 else 'behind'} that of {host}: certificates "
        "and tokens may count as expired, or as not yet valid (NotBefore)"
    )
