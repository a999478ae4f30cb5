"""Logging in: which keys are tried, a password where none is accepted, and what to do where nothing helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import paramiko

from fedssh.errors import AuthenticationError, UnreachableError, visible
from fedssh.ssh.identities import Agent, Identity, order
from fedssh.ssh.prompting import TRIES, keyring_advice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.sensitive import Sensitive
    from fedssh.ssh.closing import Closing
    from fedssh.ssh.identities import IdentityFiles
    from fedssh.ssh.prompting import Prompting
    from fedssh.ssh.target import Target

AUTH_TIMEOUT_SECONDS = 20.0
"""How long a machine may take to answer one key."""

TYPING_TIMEOUT_SECONDS = 120.0
"""How long a login may take in which the machine itself asks a person; sshd ends it by then (LoginGraceTime)."""

_BY_PASSWORD = ("password", "keyboard-interactive")


class Authentication:
    """Tries a target's keys in order, then a password; the ``auth_strategy`` of Paramiko's client.

    Paramiko's own way reads every file once for each type of key, prompts, and asks an agent whether wanted or not.
    """

    def __init__(self, target: Target, files: IdentityFiles, prompting: Prompting, closing: Closing) -> None:
        self._target = target
        self._files = files
        self._prompting = prompting
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
            wanted = self._offer_keys(transport, identities)
        finally:
            if agent:
                agent.close()
        ended = not transport.is_active()
        methods = self._fetch_methods(transport) if wanted is None else wanted
        self._offer_password(transport, methods)
        if transport.is_authenticated():
            return
        if wanted:
            self._not_enough(wanted)
        self._fail(identities, methods, ended=ended)

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

    def _offer_keys(self, transport: paramiko.Transport, identities: Sequence[Identity]) -> list[str] | None:
        """Return what the machine wants instead or besides: nothing once we are in; None if no key was accepted."""
        for identity in identities:
            if not transport.is_active():
                return None
            key = (self._files.unlock(identity.locked) if identity.locked else identity).key
            if key is None:
                continue
            self._tried.append(f"{identity.source} ({key.fingerprint})")
            try:
                return transport.auth_publickey(self._target.user, key)
            except paramiko.BadAuthenticationType as error:
                return error.allowed_types
            except paramiko.AuthenticationException as error:
                if "timeout" in str(error):
                    raise AuthenticationError(
                        f"{self._target.place} did not answer the login within {AUTH_TIMEOUT_SECONDS:.0f} s",
                        hint="Its sshd may be waiting for a name server (UseDNS) or a login module; try again.",
                    ) from None
            except (paramiko.SSHException, OSError) as error:
                # Else an agent that would not sign, or the server has had enough.
                if isinstance(error, OSError) and not transport.is_active():
                    raise UnreachableError(f"{self._target.place} broke the connection off during the login") from None
        return None

    def _fetch_methods(self, transport: paramiko.Transport) -> list[str]:
        """Return by which methods the machine lets somebody in; a login without any tells."""
        try:
            transport.auth_none(self._target.user)
        except paramiko.BadAuthenticationType as error:
            return error.allowed_types
        except (paramiko.SSHException, OSError, EOFError):
            pass  # it has ended the connection
        return []

    def _offer_password(self, transport: paramiko.Transport, methods: Sequence[str]) -> None:
        """Log in by a password, or by what the machine asks for, if it takes that and there is somebody to ask."""
        try:
            if "password" in methods:
                for password in self._prompting.answers(f"Password for {self._target.place}", name=self._target.place):
                    if self._accepts_password(transport, password):
                        self._prompting.remember(self._target.place, password)
                        return
            elif "keyboard-interactive" in methods:
                transport.auth_timeout = TYPING_TIMEOUT_SECONDS
                for _ in range(TRIES):
                    if self._accepts_answers(transport):
                        return
        except (paramiko.SSHException, OSError, EOFError):
            pass  # nobody answered, or it has ended the connection

    def _accepts_password(self, transport: paramiko.Transport, password: Sensitive) -> bool:
        try:
            transport.auth_password(self._target.user, password.reveal(), fallback=False)
        except paramiko.BadAuthenticationType:
            raise
        except paramiko.AuthenticationException:
            return False
        return True

    def _accepts_answers(self, transport: paramiko.Transport) -> bool:
        def answer(title: str, instructions: str, questions: list[tuple[str, bool]]) -> list[str]:
            del title, instructions
            return [self._ask(question) for question, _ in questions]

        try:
            transport.auth_interactive(self._target.user, answer)
        except paramiko.BadAuthenticationType:
            raise
        except paramiko.AuthenticationException:
            return False
        return True

    def _ask(self, question: str) -> str:
        """Put a question of the machine's own; a keyring cannot know what it is about."""
        answer = self._prompting.ask(f"{self._target.place}: {visible(question.strip())} ")
        if not answer:
            raise paramiko.SSHException("nobody answered")  # ends the connection rather than to try something wrong
        return answer.reveal()

    def _not_enough(self, wanted: list[str]) -> NoReturn:
        raise AuthenticationError(
            f"{self._target.place} does not let anybody in by a key alone; it wants {visible(', '.join(wanted))}",
            hint="Let the user log in by key: PubkeyAuthentication and AuthenticationMethods in sshd_config."
            + self._password_advice(wanted),
        )

    def _password_advice(self, methods: Sequence[str]) -> str:
        if not set(methods) & set(_BY_PASSWORD):
            return ""
        stored = f", or {keyring_advice(self._target.place)}" if "password" in methods else ""
        return f" For a password, run on a terminal and be asked{stored}."

    def _fail(self, identities: list[Identity], methods: Sequence[str], *, ended: bool) -> NoReturn:
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
            path = next(identity.locked for identity in identities if identity.locked)
            hints.append(
                "Put a key with a passphrase into an agent (ssh-add; SSH_AUTH_SOCK), run on a terminal and be asked "
                f"for the passphrase, or {keyring_advice(str(path))}."
            )
        elif not ended:
            hints.append(
                f"Put the public key into ~{self._target.user}/.ssh/authorized_keys on the machine "
                "(ssh-copy-id), or name another key: identity_file in hosts.yaml."
            )
        raise AuthenticationError("\n".join(lines), hint=" ".join(hints) + self._password_advice(methods))
