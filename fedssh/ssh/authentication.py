"""Logging in: which keys are tried, and what to do where none is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import paramiko

from fedssh.errors import AuthenticationError, UnreachableError, visible
from fedssh.ssh.identities import Agent, Identity, order

if TYPE_CHECKING:
    from fedssh.ssh.closing import Closing
    from fedssh.ssh.identities import IdentityFiles
    from fedssh.ssh.target import Target

AUTH_TIMEOUT_SECONDS = 20.0
"""How long a machine may take to answer one key."""


class KeyAuthentication:
    """Tries a target's keys in order; the ``auth_strategy`` of Paramiko's client.

    Paramiko's own way reads every file once for each type of key, prompts, and asks an agent whether wanted or not.
    """

    def __init__(self, target: Target, files: IdentityFiles, closing: Closing) -> None:
        self._target = target
        self._files = files
        self._closing = closing
        self._tried: list[str] = []

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in.

        Raises:
            AuthenticationError: no key was accepted, or keys are not enough.
            UnreachableError: the connection was reset meanwhile.
        """
        agent = self._open_agent()
        try:
            identities = self._find_identities(agent)
            if any(self._accepts(transport, identity) for identity in identities):
                return
        finally:
            if agent:
                agent.close()
        self._fail(identities, ended=not transport.is_active())

    def _open_agent(self) -> Agent | None:
        if not self._target.agent:
            return None
        try:
            return Agent(self._target.agent, self._closing)
        except (OSError, paramiko.SSHException):
            return None  # as for OpenSSH: an agent that has gone is no agent

    def _find_identities(self, agent: Agent | None) -> list[Identity]:
        target = self._target
        paths = [path for path in target.identity_files if target.identities_named or path.exists()]
        files = [one for path in paths for one in (self._files.certified(path), self._files.load(path)) if one]
        return order(files, agent.identities() if agent else [], files_only=target.identities_only)

    def _accepts(self, transport: paramiko.Transport, identity: Identity) -> bool:
        if not transport.is_active():
            return False
        if identity.locked:
            identity = self._files.unlock(identity.locked)
        if identity.key is None:
            return False
        self._tried.append(f"{identity.source} ({identity.key.fingerprint})")
        try:
            more = transport.auth_publickey(self._target.user, identity.key)
        except paramiko.BadAuthenticationType as error:
            self._not_enough(error.allowed_types)
        except paramiko.AuthenticationException as error:
            if "timeout" in str(error):
                raise AuthenticationError(
                    f"{self._target.place} did not answer the login within {AUTH_TIMEOUT_SECONDS:.0f} s",
                    hint="Its sshd may be waiting for a name server (UseDNS) or a login module; try again.",
                ) from None
            return False
        except (paramiko.SSHException, OSError) as error:
            if isinstance(error, OSError) and not transport.is_active():
                raise UnreachableError(f"{self._target.place} broke the connection off during the login") from None
            return False  # an agent that would not sign, or the server has had enough
        if more:
            self._not_enough(more)
        return True

    def _not_enough(self, wanted: list[str]) -> NoReturn:
        raise AuthenticationError(
            f"{self._target.place} does not let anybody in by a key alone; it wants {visible(', '.join(wanted))}",
            hint="Let the user log in by key: PubkeyAuthentication and AuthenticationMethods in sshd_config.",
        )

    def _fail(self, identities: list[Identity], *, ended: bool) -> NoReturn:
        identities = [self._files.load(one.locked) if one.locked else one for one in identities]
        unread = [f"{identity.source} ({identity.problem})" for identity in identities if identity.problem]
        lines = [f"{self._target.place} let us in with none of our keys"]
        lines += [f"  tried:    {visible(source)}" for source in self._tried]
        lines += [f"  not used: {visible(source)}" for source in unread]
        if not identities:
            lines[0] = f"there is no key to log in with to {self._target.place}"
        hints = []
        if ended and self._tried:
            lines.append("  it ended the connection: too many keys were tried (MaxAuthTries), or it is going down")
            hints.append("Name the one right key: identity_file in hosts.yaml (as IdentitiesOnly in ~/.ssh/config).")
        if any(identity.locked for identity in identities):
            hints.append(
                "Put a key with a passphrase into an agent (ssh-add; SSH_AUTH_SOCK), or run on a terminal and be asked."
            )
        elif not ended:
            hints.append(
                f"Put the public key into ~{self._target.user}/.ssh/authorized_keys on the machine "
                "(ssh-copy-id), or name another key: identity_file in hosts.yaml."
            )
        raise AuthenticationError("\n".join(lines), hint=" ".join(hints))
