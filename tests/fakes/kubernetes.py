"""A member cluster in memory: what its machine answers to fedssh's commands, and what they do to it."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from fedssh.sensitive import Sensitive
from tests.conftest import CANARY
from tests.fakes.shells import Answer

if TYPE_CHECKING:
    from fedssh.shell import Command


def base64_of(text: str) -> str:
    """Return the base64 of a text."""
    return base64.b64encode(text.encode()).decode()


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


def token_of(subject: Any, *, header: str = "eyJhbGciOiJSUzI1NiJ9") -> str:
    """Return a token as a cluster mints it for ``system:serviceaccount:…``; its signature is the canary."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": subject}).encode()).decode().rstrip("=")
    return f"{header}.{claims}.{CANARY}"


def account_token(name: str) -> str:
    """Return the token of a member's ServiceAccount."""
    return token_of(f"system:serviceaccount:default:{name}")


def argv_of(command: Command) -> list[str]:
    """Return a command's words; of a script, ``sh`` and its arguments."""
    words = _words(command.line)
    return ["sh", *words[4:]] if words[:2] == ("sh", "-c") else list(words)


@cache
def _words(line: str) -> tuple[str, ...]:
    return tuple(shlex.split(line))


def stdin_of(command: Command) -> str:
    """Return what a command reads."""
    return command.stdin.reveal() if isinstance(command.stdin, Sensitive) else command.stdin


def error(words: str, *, code: int = 1) -> Answer:
    """Return the answer of a command that failed."""
    return Answer(code=code, stderr=words)


@dataclass
class Member:
    """A member cluster and its machine.

    Attributes:
        name: The member.
        server: The address in its kubeconfig.
        objects: What stands in its API, by kind/name.
        rights: Whether a token of it may do everything.
        broken: Titles of commands that fail, and how.
        applied: Whether anything was ever applied or deleted.
    """

    name: str
    server: str = ""
    uid: str = ""
    ca: str = CA
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    rights: bool = True
    clock: int = 1_000_000
    broken: dict[str, Answer] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = self.server or f"https://{self.name}.example.com:6443"
        self.uid = self.uid or f"uid-of-{self.name}"

    def answer(self, command: Command) -> Answer:
        """Do what a command says."""
        if command.title in self.broken:
            return self.broken[command.title]
        argv = [one for one in argv_of(command) if not one.startswith("--")]
        if command.title == "kubectl config":
            stanza = {"server": self.server, "certificate-authority-data": self.ca}
            return Answer(json.dumps({key: value for key, value in stanza.items() if value}))
        if command.title in {"kubectl apply", "kubectl replace", "kubectl delete"}:
            text, fill = stdin_of(command), command.title == "kubectl apply"
            return self._delete(argv[2:]) if "delete" in argv else self._apply(text, fill=fill)
        fixed = {"date +%s": f"{self.clock}\n", "kubectl version": '{"clientVersion": {"gitVersion": "v1.33.13"}}'}
        if command.title in fixed:
            return Answer(fixed[command.title])
        if command.title == "kubectl get secret":  # the script that waits for the token
            secret = self.objects.get(f"secret/{self.name}-fedssh-1")
            return Answer(json.dumps(secret)) if secret else error("Error from server (NotFound)")
        return Answer(self.uid) if "kube-system" in argv else self._get(command, argv)

    def accepts(self, token: str) -> bool:
        """Whether it knows a token, KubeFed's own included."""
        secrets = [one for reference, one in self.objects.items() if reference.startswith("secret/")]
        return base64_of(token) in [one.get("data", {}).get("token") for one in secrets]

    def _delete(self, references: list[str]) -> Answer:
        self.applied += [f"delete {one}" for one in references]
        for one in references:
            self.objects.pop(one, None)
        return Answer() if references else error("error: resource(s) were provided, but no name was specified")

    def _get(self, command: Command, argv: list[str]) -> Answer:
        if command.title == "hostname" or "/version" in argv or "cluster-info" in argv:
            return error("unknown")
        found = [one for reference, one in self.objects.items() if reference in argv]
        return Answer(json.dumps({"kind": "List", "items": found}))

    def _apply(self, text: str, *, fill: bool) -> Answer:
        for one in json.loads(text)["items"]:
            reference = f"{one['kind'].lower()}/{one['metadata']['name']}"
            self.applied.append(reference)
            if fill and one["kind"] == "Secret":
                one["data"] = {"token": base64_of(account_token(self.name)), "ca.crt": self.ca}
            self.objects[reference] = one
        return Answer()
