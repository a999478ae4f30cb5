"""A host that tries ways to a member, for tests of advice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml

from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.credentials import Endpoint, Trust
from tests.fakes.kubernetes import CA, error
from tests.fakes.lines import Call, run_line
from tests.fakes.shells import Answer, ScriptedShell

if TYPE_CHECKING:
    from fedssh.shell import Command

ZONE = "2001:db8::1%;reboot\x1b[31m"
Works = Callable[[str, dict[str, Any]], bool]

VALID_FOR = (
    "Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for {}, not x"
)
CONFIG = "/root/.kube/config"


def cluster(**said: Any) -> Cluster:
    """Return a member as hosts.yaml says."""
    return Cluster(name="member1", machine=Machine(name="member1", address="m1.example.com"), **said)


def endpoint(server: str = "https://127.0.0.1:6443", **trust: Any) -> Endpoint:
    """Return what does not work."""
    return Endpoint(server=server, trust=Trust(**{"word": "ca", "ca": CA, **trust}))


class Tried:
    """A host that tries ways to a member; it notes the kubeconfig it was given."""

    def __init__(self, works: Works = lambda *_: False, *, refusal: str = "") -> None:
        self._works = works
        self._success = error(refusal) if refusal else Answer()
        self.clusters: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.shell = ScriptedShell("fedhost", self._answer)

    def _answer(self, command: Command) -> Answer:
        return run_line(command, self._do)

    def _do(self, call: Call) -> Answer:
        if call.key == ("proof", "write"):
            written = yaml.safe_load(call.stdin)
            self.clusters = {entry["name"].removeprefix("fedssh."): entry["cluster"] for entry in written["clusters"]}
            self.tokens = {entry["user"]["token"] for entry in written["users"] if "token" in entry["user"]}
        if call.key != ("proof", "reach"):
            return Answer()
        context = call.names[1]
        return self._success if self._works(context, self.clusters[context]) else error(f"no way to {context}")

    @property
    def servers(self) -> list[str]:
        """The addresses that were tried, in order."""
        return [stanza["server"] for stanza in self.clusters.values()]
