"""How ships leave an Armada, the second engine: its traces are other objects than KubeFed's, under other names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines.protocol import HostTraces, MemberTraces, Removal
from fedssh.kubernetes.kubectl import Target, kubectl
from fedssh.kubernetes.objects import ObjectName, core, delete_command, parse_names, rbac

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fedssh.engines.protocol import EngineState, JoinedCluster
    from fedssh.errors import FedsshError
    from fedssh.shell import Command, Result


class ArmadaInstallation:
    """Its control plane, which is one object."""

    def refusals(self, *, leaving: Sequence[str], with_objects: bool) -> list[FedsshError]:
        """Return nothing: it may always go."""
        assert leaving
        assert with_objects is not None
        return []

    def removals(self, *, target: Target) -> list[Removal]:
        """Return its only part."""
        scuttle = kubectl("delete", "armada", target=target)
        return [Removal(name="armada", text="scuttle it", running="…", done="scuttled it", by_hand="", command=scuttle)]


class LeavingArmada:
    """What an Armada says of ships that leave."""

    def account_of(self, cluster: JoinedCluster, *, host: str) -> str:
        """Return the crew."""
        return self.usual_account(cluster.name, host=host)

    def usual_account(self, name: str, *, host: str) -> str:
        """Return the crew's namespace and name."""
        return f"armada/{name}-of-{host}"

    def account_base(self, account: str) -> str:
        """Return the crew whom others relieve."""
        return account.replace("relief-of-", "")

    def secrets_of(self, name: str, cluster: JoinedCluster | None) -> set[str]:
        """Return the only Secret of a ship."""
        assert cluster is None or cluster.name == name
        return {f"papers-of-{name}"}

    def host_trace_commands(self, *, target: Target) -> list[Command]:
        """Return one command."""
        return [kubectl("get", "papers", target=target)]

    def parse_host_traces(self, results: Sequence[Result], *, machine: str) -> HostTraces:
        """Return no papers."""
        assert results
        assert machine
        return HostTraces(types=("cargoes",))

    def note_command(self, clusters: Sequence[JoinedCluster], *, target: Target) -> Command:
        """Return how the log is written."""
        return kubectl("annotate", *(cluster.name for cluster in clusters), target=target)

    def member_trace_commands(self, types: Sequence[str], *, target: Target) -> list[Command]:
        """Return one command."""
        return [kubectl("get", ",".join(types), target=target)]

    def parse_member_traces(self, results: Sequence[Result], accounts: Iterable[str], *, machine: str) -> MemberTraces:
        """Return what a ship carries."""
        assert machine
        return MemberTraces(access=tuple(rbac("Role", name) for name in accounts), workloads=parse_names(results[0]))

    def expected_traces(self, account: str) -> MemberTraces:
        """Return the crew."""
        namespace, _, name = account.partition("/")
        return MemberTraces(access=(core("ServiceAccount", name, namespace),))

    def withdraw_command(self, names: Sequence[str], *, target: Target) -> Command:
        """Return how ships are let go."""
        return kubectl("delete", "ships", *names, target=target)

    def forget_command(self, secrets: Sequence[str], *, target: Target) -> Command:
        """Return how papers are burnt."""
        return kubectl("delete", "papers", *secrets, target=target)

    def let_go_command(self, workloads: Sequence[ObjectName], *, target: Target) -> Command:
        """Return how cargo is left."""
        return kubectl("annotate", *(one.resource for one in workloads), target=target)

    def let_go_by_hand(self) -> str:
        """Return the same by hand."""
        return "kubectl annotate"

    def empty_namespace_command(self, namespace: str, *, target: Target, wait_seconds: int) -> Command:
        """Return how a namespace goes."""
        return delete_command([core("Namespace", namespace)], target=target, wait_seconds=wait_seconds)

    def installation_commands(self, *, target: Target) -> list[Command]:
        """Return one command."""
        return [kubectl("get", "armada", target=target)]

    def parse_installation(self, results: Sequence[Result], state: EngineState, *, machine: str) -> ArmadaInstallation:
        """Return that it is there."""
        assert results
        assert machine
        assert not state.gaps
        return ArmadaInstallation()
