"""The way to a machine: settings, host keys and keys, gateways, the login. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines.protocol import CheckFinding
from fedssh.errors import AuthenticationError, ConfigurationError, FedsshError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.federation.checkup.facts import Checkup, Hop


def check_ways(checkup: Checkup) -> Iterator[CheckFinding]:
    """Return what is to be said of the ways to all machines, and of who was let in."""
    for name in checkup.names:
        way = checkup.ways.get(name, ())
        if isinstance(way, FedsshError):
            yield CheckFinding(cluster=name, topic="ssh", state="problem", text=way.message, hint=way.hint)
            continue
        for hop in way:
            yield from _check_host_key(hop, name)
            yield from _check_keys(hop, name, is_in=name in checkup.connected)
        if name in checkup.connected and way:
            gateways = [hop.place for hop in way if hop.is_gateway]
            through = f", through {', '.join(gateways)}" * bool(gateways)
            sudo = ", root by sudo" * checkup.machine(name).sudo
            text = f"logged in as {way[-1].place}{through}{sudo}"
            yield CheckFinding(cluster=name, topic="ssh", state="ok", text=text)


def check_connection(name: str, error: FedsshError) -> CheckFinding | None:
    """Return why a machine was not connected to; None for an error of another kind."""
    if not isinstance(error, UnreachableError | AuthenticationError | ConfigurationError):
        return None
    return CheckFinding(
        cluster=name,
        topic="ssh",
        state="problem",
        text=error.message,
        leads_to="nothing on its machine could be looked at, and no verb that needs it works for it",
        hint=error.hint,
    )


def _check_host_key(hop: Hop, name: str) -> Iterator[CheckFinding]:
    what = f"the gateway {hop.place}" if hop.is_gateway else hop.place
    if hop.unreadable:
        yield CheckFinding(
            cluster=name,
            topic="ssh",
            state="notice",
            text=f"lines of known_hosts files are not understood: {', '.join(hop.unreadable)}",
            leads_to="a host key in them counts as unknown",
        )
    if hop.host_keys:
        keys = f"{hop.host_keys} host key{'s' * (hop.host_keys != 1)}"
        yield CheckFinding(
            cluster=name, topic="ssh", state="ok", text=f"{what}: {keys} known as {hop.name} ({hop.policy})"
        )
        return
    if hop.policy == "off":
        yield CheckFinding(
            cluster=name,
            topic="ssh",
            state="notice",
            text=f"{what}: nobody checks its host key (host_key_policy: off)",
            leads_to="whoever stands between can take its place, and gets the tokens",
        )
        return
    if hop.policy == "accept-new":
        yield CheckFinding(
            cluster=name,
            topic="ssh",
            state="notice",
            text=f"{what}: its host key is not known, and the first one is accepted (host_key_policy: accept-new)",
        )
        return
    only = "; a certificate authority alone does not count (@cert-authority)" * hop.has_authority
    host, _, port = hop.name.strip("[").partition("]:")
    scan = f"ssh-keyscan {f'-p {port} ' if port else ''}{host}"
    yield CheckFinding(
        cluster=name,
        topic="ssh",
        state="problem",
        text=f"{what}: its host key is not known, {hop.name} is not in {', '.join(hop.known_hosts) or 'any file'}"
        f"{only}",
        leads_to="fedssh sends nothing to a machine that cannot prove who it is",
        hint=f"Compare the fingerprints with the machine's own, then add its keys: {scan}",
    )


def _check_keys(hop: Hop, name: str, *, is_in: bool) -> Iterator[CheckFinding]:
    usable = [key for key in hop.keys if key.exists and not key.problem]
    if hop.agent and not hop.has_agent:
        yield CheckFinding(
            cluster=name,
            topic="ssh",
            state="notice",
            text=f"there is no SSH agent at {hop.agent}",
            leads_to="only keys in files are tried",
            hint="Start one, or unset SSH_AUTH_SOCK (IdentityAgent none in ssh_config).",
        )
    for key in hop.keys:
        if key.problem:
            text = f"the key {key.path} cannot be used: {key.problem}"
            yield CheckFinding(
                cluster=name,
                topic="ssh",
                state="problem" if key.is_named and not (is_in or usable or hop.has_agent) else "notice",
                text=text,
                leads_to="it is left out of the login",
                hint="Correct identity_file in hosts.yaml, or IdentityFile in ssh_config.",
            )
        elif key.is_open:
            yield CheckFinding(
                cluster=name,
                topic="ssh",
                state="notice",
                text=f"the key {key.path} can be read by others",
                leads_to="whoever reads it can log in; OpenSSH itself refuses such a key",
                hint=f"chmod 600 {key.path}",
            )
        elif key.is_locked:
            text = f"the key {key.path} has a passphrase, which is asked for when it is needed"
            yield CheckFinding(cluster=name, topic="ssh", state="ok", text=text)
        else:
            yield CheckFinding(cluster=name, topic="ssh", state="ok", text=f"the key {key.path} can be read")
    if not usable and not hop.has_agent and not is_in:
        yield CheckFinding(
            cluster=name,
            topic="ssh",
            state="problem",
            text=f"{hop.place}: there is no key to log in with, neither in a file nor in an agent",
            leads_to="only a password is left, if the machine takes one",
            hint="Name a key: identity_file in hosts.yaml, or IdentityFile in ssh_config.",
        )
