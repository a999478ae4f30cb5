"""A member cluster in memory: what its machine answers to fedssh's commands, and what they do to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.fakes.api import Api, Objects, as_list, base64_of, error, namespace, token_of
from tests.fakes.lines import Call, Key, argv_of, run_line, stdin_of
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.shell import Command

__all__ = ["CA", "Member", "account_token", "argv_of", "base64_of", "ca_of", "error", "stdin_of", "token_of"]

UNAUTHORIZED: Final = "error: You must be logged in to the server (Unauthorized)"
KUBERNETES: Final = "v1.24.17"
"""The newest for which KubeFed 0.10.0 says nothing: its project tested it."""
KUBECTL_VERSION: Final = (
    f'{{"clientVersion": {{"gitVersion": "{KUBERNETES}"}}, "serverVersion": {{"gitVersion": "{KUBERNETES}"}}}}'
)


def ca_of(pem: str) -> str:
    """Return a PEM text as a kubeconfig holds it."""
    return base64_of(pem)


CA = ca_of("""\
-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUA+VVgVQRJSRVRFWWEh6MeGr0eEwwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjMwNzIxMzRaGA8yMTI2MTAz
MDA3MjEzNFowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABKyB6SiYe/4y7cOMQvMC1FKi+HZljbYdfvzJVhNxMU1E/pP0tl1I
6rp9mr8T6CFxqJGpmjkXmkBzVeEZVSpyWqWjUzBRMB0GA1UdDgQWBBS6r5VZmE7O
ANF8EcyxLMkleFE0NTAfBgNVHSMEGDAWgBS6r5VZmE7OANF8EcyxLMkleFE0NTAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIBu+hD7IdFOlavS10h8A
qY99WamLrm5BPcWeFnytwDVBAiAfD57WvCsFskS4sixlTdyjqjX6K3Y0jLjH2h9a
w0nCzw==
-----END CERTIFICATE-----
""")


def account_token(name: str) -> str:
    """Return the token of a member's first ServiceAccount."""
    return token_of(f"system:serviceaccount:default:{name}")


def nothing_before(_: Call) -> None:
    """Let a call be done as it is."""


@dataclass
class Member:
    """A member cluster and its machine.

    Attributes:
        name: The member.
        server: The address in its kubeconfig.
        uid: That of its namespace kube-system.
        ca: The CA in its kubeconfig.
        login: What its kubeconfig would log in by, besides a certificate or token.
        presented: What its API server presents to its own machine: PEM.
        clock: What its machine's clock says.
        known_tokens: Tokens that it accepts without knowing a ServiceAccount for them.
        broken: Calls that fail, and how.
        before: Called with each call before it is done.
        calls: What was called, in order.
    """

    name: str
    server: str = ""
    uid: str = ""
    ca: str = CA
    login: str = ""
    presented: str = ""
    clock: int = 1_000_000
    known_tokens: set[str] = field(default_factory=set)
    broken: dict[Key, Answer] = field(default_factory=dict)
    before: Callable[[Call], None] = nothing_before
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = self.server or f"https://{self.name}.example.com:6443"
        self.uid = self.uid or f"uid-of-{self.name}"
        self.api = Api(self.ca)

    @property
    def objects(self) -> Objects:
        """What stands in its API, by kind/name."""
        return self.api.objects

    @property
    def applied(self) -> list[str]:
        """What was ever applied or deleted."""
        return self.api.changes

    def answer(self, command: Command) -> Answer:
        """Do what a command says."""
        return run_line(command, self._do)

    def accepts(self, token: str) -> bool:
        """Whether it lets somebody with this token in, an engine's own included."""
        return token in self.known_tokens or bool(self.api.account(token))

    def prove(self, token: str) -> Answer:
        """Answer to somebody who asks, by the script of a proof, what a token is worth here."""
        if not self.accepts(token):
            return error(UNAUTHORIZED)
        account = self.api.account(token)
        allowed = f"SelfSubjectAccessReview {'true' if self.api.may_do_everything(account) else 'false'}\n"
        return Answer(f"uid {self.uid}\n{allowed * 2}SelfSubjectReview {account}\n")

    def _do(self, call: Call) -> Answer:
        self.calls.append(call)
        self.before(call)
        doing: dict[str, Callable[[], Answer]] = {
            "binding": lambda: self.api.kubectl(call),
            "date": lambda: Answer(f"{self.clock}\n"),
            "distribution": Answer,
            "hostname": Answer,
            "kubectl": lambda: self._kubectl(call),
            "look": lambda: self._look(call),
            "openssl": lambda: Answer(self.presented),
            "token": lambda: self.api.print_token(call.names[1]),
        }
        assert call.key[0] in doing, f"no member's machine knows this: {call}"
        return call.broken(self.broken) or doing[call.key[0]]()

    def _kubectl(self, call: Call) -> Answer:
        match call.key[1]:
            case "config":
                return self._view(call.flags["-o"])
            case "version":
                return Answer(KUBECTL_VERSION)
            case "get" if "--raw" in call.flags or "cluster-info" in call.names:
                return error("unknown")
        return self.api.kubectl(call)

    def _look(self, call: Call) -> Answer:
        """Do what the script of a look does: a part for each kubectl, up to the first that fails."""
        kubeconfig, selector, versions, *names = call.names
        flags = {"--kubeconfig": kubeconfig} if kubeconfig else {}
        there = [item for reference, item in self.objects.items() if reference in names]
        asked: dict[str, tuple[Key, Callable[[], Answer]]] = {
            "clock": (("date", "+%s"), lambda: Answer(str(self.clock))),
            "view": (("kubectl", "config"), lambda: self._view("")),
            "objects": (("kubectl", "get", *names), lambda: as_list([*there, namespace(self.uid)])),
            "secrets": (("kubectl", "get", "secrets"), lambda: self._secrets(selector)),
            "version": (("kubectl", "version"), lambda: Answer(KUBECTL_VERSION)),
        }
        if not any(item["kind"] in {"ServiceAccount", "ClusterRoleBinding"} for item in there):
            del asked["secrets"]
        if not versions:
            del asked["version"]
        said = ""
        for part, (key, ask) in asked.items():
            done = Call(key=key[:2], names=key[2:], flags=flags)
            self.calls.append(done)
            self.before(done)
            answer = done.broken(self.broken) or ask()
            said += f"--- {part}\n{answer.stdout}\n"
            if answer.code:
                return Answer(said, code=answer.code, stderr=answer.stderr)
            if part == "view" and self.login:
                return Answer(f"{said}--- login\n")
        return Answer(said)

    def _secrets(self, selector: str) -> Answer:
        flags = {"--selector": selector, "--namespace": "default"}
        return self.api.kubectl(Call(key=("kubectl", "get"), names=("secrets",), flags=flags))

    def _view(self, columns: str) -> Answer:
        stanza = {"server": self.server, "certificate-authority-data": self.ca}
        if "users" in columns:
            return Answer(self.login)
        for key, value in stanza.items():
            if columns.endswith(f".{key}}}"):
                return Answer(value)
        return Answer(json.dumps({key: value for key, value in stanza.items() if value}))
