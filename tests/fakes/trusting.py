"""A decision on how one member is verified, by a host that sees made-up certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fedssh.errors import FedsshError
from fedssh.federation.member import MemberState
from fedssh.federation.trust import Trust, resolve_trust
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.kubeconfig import Kubeconfig, parse_kubeconfig
from tests.fakes.authorities import Issued, issue
from tests.fakes.kubernetes import argv_of
from tests.fakes.shells import Answer, ScriptedShell

if TYPE_CHECKING:
    from fedssh.shell import Command, Shell

ROOT = issue("root")
LEAF = issue("leaf", by=ROOT)
SELF_SIGNED = issue("self", names=["localhost"])
EMPTY = parse_kubeconfig("", source="config")


def cluster(**said: Any) -> Cluster:
    """Return a member as hosts.yaml says."""
    return Cluster(name="member1", machine=Machine(name="member1", address="a"), **said)


def state(server: str = "https://m1:6443", ca: str = "") -> MemberState:
    """Return what a probe found."""
    return MemberState(name="member1", server=server, ca=ca, cluster_uid="uid", present=frozenset(), token=None)


class Host:
    """A host that sees certificates; it notes what it was asked."""

    def __init__(self, *presented: Issued, store: str = "", answer: Answer | None = None) -> None:
        self.asked: list[Command] = []
        self._store = store
        self._presented = answer or Answer("CONNECTED(00000003)\n" + "".join(one.pem for one in presented))
        self.shell = ScriptedShell("fedhost", self._answer)

    def _answer(self, command: Command) -> Answer:
        self.asked.append(command)
        return Answer(self._store) if command.title == "read of the trust store" else self._presented

    @property
    def argv(self) -> list[str]:
        """The words of the command that looked at the certificate."""
        (asked,) = [argv_of(one) for one in self.asked if one.title == "openssl s_client"]
        return asked


def resolve(
    shell: Shell, one: Cluster, found: MemberState | None = None, document: Kubeconfig = EMPTY, ca_file: str = ""
) -> Trust:
    """Decide on one member."""
    (trust,) = resolve_trust(shell, [(one, found or state())], {one.name: ca_file}, document).values()
    if isinstance(trust, FedsshError):
        raise trust
    return trust
