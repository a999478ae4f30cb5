"""The host: what it has, and bringing KubeFed onto it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed import clusters as kubefed
from fedssh.engines.kubefed import install as kubefed_install
from fedssh.engines.kubefed import kubefedctl
from fedssh.errors import RefusedError, StepError, visible
from fedssh.federation.kubeconfig_file import KubeconfigFile, check_usable, lock, parse_file, read_command
from fedssh.federation.member import parse_clock
from fedssh.kubernetes.access import MemberAccess
from fedssh.kubernetes.endpoint import check_server
from fedssh.kubernetes.kubectl import Target, check_version, explain, has_lost_context, kubectl, version_command
from fedssh.sensitive import Sensitive
from fedssh.shell import command, failure, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedssh.engines.kubefed.clusters import JoinedCluster
    from fedssh.engines.kubefed.install import Installation
    from fedssh.federation.ledger import Ledger
    from fedssh.inventory import Inventory, Machine
    from fedssh.shell import Held, Shell

    Connect = Callable[[Machine], Shell]

_STEP: Final = "look at the host"
_READ_NAMES: Final = """
    [ -z "${HTTPS_PROXY:-$https_proxy}" ] || echo proxy
    sed 's/#.*//' /etc/hosts
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What a probe found on the host.

    Attributes:
        file: The host's kubeconfig.
        target: How the host's tools reach the host's cluster.
        cluster_uid: The UID of its namespace kube-system, which tells one cluster from another.
        server: The API address in its kubeconfig.
        clock: What its clock said, in seconds since 1970.
        own_names: The names in its /etc/hosts, in lower case, which its pods do not read.
        has_proxy: Whether its tools reach other machines by a proxy, as its pods do not.
        installation: What there is of KubeFed.
        joined: The KubeFedClusters by name.
    """

    file: KubeconfigFile
    target: Target
    cluster_uid: str
    server: str
    clock: float
    own_names: frozenset[str]
    has_proxy: bool
    installation: Installation
    joined: Mapping[str, JoinedCluster] = field(default_factory=dict)

    def access(self, name: str) -> MemberAccess:
        """Return what KubeFed's own credential for the host itself must lead to."""
        return MemberAccess(name=name, server=self.server, ca="", token=Sensitive(""), cluster_uid=self.cluster_uid)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHost:
    """The host, reached and locked, and what was found on it."""

    shell: Shell
    lock: Held
    state: HostState


def open_host(inventory: Inventory, connect: Connect) -> OpenHost:
    """Connect to the host, take fedssh's lock there for as long as the connection lives, and look at it.

    Raises:
        BusyError: Another run holds the lock.
        FedsshError: As ``connect`` and ``probe_host`` raise it.
    """
    shell = connect(inventory.host.machine)
    held = lock(shell, path=inventory.host.kubeconfig)
    return OpenHost(shell=shell, lock=held, state=probe_host(shell, inventory))


def probe_host(shell: Shell, inventory: Inventory, *, only_look: bool = False) -> HostState:
    """Look at the host; nothing is changed.

    Its context is the one that bears the host's name, once there is one, and until then the current one: what an
    administrator chooses there later does not lead fedssh to another cluster.

    Args:
        shell: The host's machine.
        inventory: What hosts.yaml says.
        only_look: Whether a state that could not be worked with (another KubeFed version) is no error.

    Raises:
        StepError: A tool is missing or does not reach the host's cluster.
        RefusedError: The kubeconfig cannot be used, or another KubeFed is installed.
    """
    try:
        return _look(shell, inventory, only_look=only_look)
    except StepError as error:
        if not has_lost_context(error.message):
            raise
    return _look(shell, inventory, only_look=only_look)


def _look(shell: Shell, inventory: Inventory, *, only_look: bool) -> HostState:
    host = inventory.host.name
    read, clock, version, names, *tools = shell.run(
        [
            read_command(path=inventory.host.kubeconfig),
            command("date", "+%s"),
            version_command(),
            script(_READ_NAMES, title="read of /etc/hosts"),
            *kubefed_install.tool_commands(),
        ]
    )
    check_version(version, machine=host, step=_STEP)
    file = parse_file(read, shell)
    target = Target(kubeconfig=file.path, context=_choose_context(file, shell, inventory))
    where = [
        kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}", target=target),
        kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}", target=target),
    ]
    install = kubefed_install.probe_commands(target=target)
    listing = kubefed.list_commands(target=target)
    server, uid, *rest = shell.run([*where, *install, *listing])
    for result in (server, uid):
        if not result.ok:
            raise explain(result, machine=host, step=_STEP)
    return HostState(
        file=file,
        target=target,
        cluster_uid=visible(uid.stdout.strip()),
        server=visible(server.stdout.strip()),
        clock=parse_clock(clock),
        own_names=frozenset(name for line in names.stdout.lower().splitlines() for name in line.split()[1:]),
        has_proxy="proxy" in names.stdout.splitlines()[:1],
        installation=kubefed_install.parse_probe(
            tools, rest[: len(install)], version=inventory.kubefed.version, machine=host, only_look=only_look
        ),
        joined=kubefed.parse_list(rest[len(install) :], machine=host),
    )


def _choose_context(file: KubeconfigFile, shell: Shell, inventory: Inventory) -> str:
    check_usable(shell, file)
    host = inventory.host.name
    try:
        document = file.document()
        # A trial: it tells whether there is a context that can bear the host's name.
        file.document().name_host_context(host, how=inventory.host_context)
    except RefusedError as error:
        raise RefusedError(error.message, machine=host, step=_STEP, hint=error.hint) from None
    return host if host in document.names("contexts") else document.current_context


def check_address(host: OpenHost) -> None:
    """Check that the host's own API address works for KubeFed's controller, too, which runs in a pod.

    Raises:
        RefusedError: It cannot (``join`` copies it as it is, and the cluster never becomes Ready: kubefed#1498).
    """
    try:
        check_server(host.state.server, member=host.shell.name)
    except RefusedError as error:
        where = shlex.join(host.state.target.flags())
        name = f'"$(kubectl config view {where} --minify -o jsonpath={{.clusters[0].name}})"'
        raise RefusedError(
            f"{error.message}, and KubeFed's controller runs in a pod",
            machine=error.machine,
            step=_STEP,
            hint=f"Write an address that pods reach into {host.state.file.path} there: "
            f"kubectl config set-cluster {name} {where} --server=https://…",
        ) from None


def install_kubefed(host: OpenHost, inventory: Inventory, ledger: Ledger) -> None:
    """Install what is missing of KubeFed and wait until it serves.

    Args:
        host: The host, and what is there already.
        inventory: Which version, from where, with which values.
        ledger: Where each step and each change is entered.

    Raises:
        StepError: A download, Helm or the rollout failed. Running it again goes on from there.
    """
    wanted, installation, shell = inventory.kubefed, host.state.installation, host.shell
    if installation.is_complete(wanted.version):
        return
    if installation.kubefedctl != wanted.version:
        ledger.begin(shell.name, "downloading kubefedctl")
        download = kubefedctl.install_command(wanted.kubefedctl_url, version=wanted.version)
        (result,) = shell.run(download, timeout_seconds=kubefedctl.INSTALL_SECONDS)
        kubefedctl.check_install(result, version=wanted.version, machine=shell.name)
        ledger.change(shell.name, f"installed kubefedctl {wanted.version}")
    if installation.release is None or kubefed_install.is_leftover(installation.release):
        ledger.begin(shell.name, "installing KubeFed")
        commands = kubefed_install.install_commands(
            release=installation.release,
            version=wanted.version,
            repository=wanted.chart_repository,
            values=wanted.values,
            target=host.state.target,
        )
        for one in [*commands, *kubefed_install.gate_commands(wanted.values, target=host.state.target)]:
            (result,) = shell.run(one, timeout_seconds=kubefed_install.INSTALL_SECONDS)
            if not result.ok:
                raise failure(result, machine=shell.name, step="prepare KubeFed")
        ledger.change(shell.name, f"installed KubeFed {wanted.version}")
    ledger.begin(shell.name, "waiting for KubeFed to serve")
    results = shell.run(
        kubefed_install.rollout_commands(target=host.state.target),
        timeout_seconds=kubefed_install.ROLLOUT_SECONDS + 30,
    )
    kubefed_install.check_rollout(results, machine=shell.name)
