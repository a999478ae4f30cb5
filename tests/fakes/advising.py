"""A host that tries ways to a member, for tests of advice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import yaml

from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.account import MemberAccess
from fedssh.sensitive import Sensitive
from tests.fakes.kubernetes import CA, account_token, argv_of, error, stdin_of
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


def access(server: str = "https://127.0.0.1:6443", **more: Any) -> MemberAccess:
    """Return what does not work."""
    token = Sensitive(account_token("member1"))
    return MemberAccess(name="member1", server=server, ca=CA, token=token, cluster_uid="u", **more)


class Tried:
    """A host that tries ways to a member; it notes the kubeconfig it was given."""

    def __init__(self, works: Works = lambda *_: False, *, refusal: str = "") -> None:
        self._works = works
        self._success = error(refusal) if refusal else Answer()
        self.clusters: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.shell = ScriptedShell("fedhost", self._answer)

    def _answer(self, command: Command) -> Answer:
        if command.title == "write of a temporary kubeconfig":
            written = yaml.safe_load(stdin_of(command))
            self.clusters = {one["name"]: one["cluster"] for one in written["clusters"]}
            self.tokens = {one["user"]["token"] for one in written["users"]}
        if command.title != "try":
            return Answer()
        context = argv_of(command)[2]
        return self._success if self._works(context, self.clusters[context]) else error(f"no way to {context}")

    @property
    def servers(self) -> list[str]:
        """The addresses that were tried, in order."""
        return [one["server"] for one in self.clusters.values()]
