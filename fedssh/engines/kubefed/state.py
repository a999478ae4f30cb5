"""What there is of KubeFed on the host, and what follows from it: what is missing, and what cannot be gone on with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed import install, join, kubefedctl, versions
from fedssh.engines.kubefed.clusters import list_commands, parse_list
from fedssh.engines.kubefed.install import CONTROLLER, NAMESPACE, RELEASE, WEBHOOK, is_leftover
from fedssh.errors import FedsshError, RefusedError, StepError, visible
from fedssh.inventory.sources import SOURCES
from fedssh.kubernetes import helm
from fedssh.kubernetes.kubectl import NOT_FOUND, Target, kubectl, parse_items, section
from fedssh.shell import command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.protocol import JoinedCluster, Part
    from fedssh.inventory import Inventory
    from fedssh.shell import Command, Result

_STEP: Final = "prepare KubeFed"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_LONGEST_PROCESSOR: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeFedState:
    """What there is of KubeFed on the host.

    Attributes:
        machine: The host's name, for messages.
        helm_problem: Why the machine's Helm cannot install it, or None.
        release: The Helm release, or None.
        is_running: Whether its Deployments are there, whoever has made them.
        is_kubespheres: Whether its pods run KubeSphere's image.
        serves: Whether the webhook and the controller-manager are rolled out. A join before that would fail half-way,
            since creating a KubeFedCluster passes the webhook.
        processor: What the machine's processor is, as ``uname -m`` calls it, or "".
        tools: The kubefedctls on the machine.
        clusters: The KubeFedClusters by name.
        gaps: What could not be found out, and why.
        cluster_gaps: Those of them that are not about Helm.
    """

    machine: str
    helm_problem: StepError | None = None
    release: helm.Release | None = None
    is_running: bool = False
    is_kubespheres: bool = False
    serves: bool = False
    processor: str = ""
    tools: tuple[kubefedctl.Tool, ...] = ()
    clusters: Mapping[str, JoinedCluster] = field(default_factory=dict)
    gaps: tuple[FedsshError, ...] = ()
    cluster_gaps: tuple[FedsshError, ...] = ()

    @property
    def architecture(self) -> str:
        """What the machine's processor is, as Go calls it."""
        return _ARCHITECTURES.get(self.processor, self.processor)

    @property
    def version(self) -> str:
        """The version that is installed, or ""."""
        return "" if self.release is None or is_leftover(self.release) else self.release.version

    def wanted_version(self, inventory: Inventory) -> str:
        """Return the version that hosts.yaml asks for; where it names none, what is installed stays."""
        kubefed = inventory.kubefed
        return kubefed.version or self.version or kubefed.source.version

    def refusals(self, inventory: Inventory, *, kubernetes: str) -> list[FedsshError]:
        """Return why hosts.yaml's KubeFed cannot be installed over what is there, or be used as it is."""
        found: list[FedsshError] = [self.helm_problem] if self.helm_problem else []
        release, wanted = self.release, self.wanted_version(inventory)
        if self.is_kubespheres:
            return [*found, self._kubespheres()]
        if release is None:
            # Without an answer of Helm's nobody knows whose it is.
            is_nobodys = self.is_running and not (found or self.gaps)
            found += [self._nobodys()] if is_nobodys else []
        elif release.version != wanted:
            found.append(self._other_version(release, wanted))
        if release and release.status != "deployed" and not is_leftover(release):
            hint = f"Repair it on the host first: helm -n {NAMESPACE} history {RELEASE}"
            found.append(self._refused(f"Helm calls the release {RELEASE} {release.status!r}", hint))
        reason = "" if self.version else versions.why_no_host(wanted, kubernetes)
        if reason:
            problem = f"KubeFed {wanted} cannot be installed on Kubernetes {kubernetes}: {reason}"
            found.append(self._refused(problem, self._version_hint(host=kubernetes)))
        elif inventory.host.name not in self.clusters:
            found += filter(None, [self.why_no_join(self.machine, inventory, kubernetes=kubernetes)])
        return [*found, *filter(None, [self._why_no_tool(inventory)])]

    def why_no_join(self, name: str, inventory: Inventory, *, kubernetes: str) -> FedsshError | None:
        """Return why a cluster of that Kubernetes cannot join, or None."""
        version = self.wanted_version(inventory)
        why = versions.why_no_join(version, kubernetes)
        if not why:
            return None
        return RefusedError(
            f"a cluster of Kubernetes {kubernetes} cannot join KubeFed {version}: {why}",
            machine=name,
            step="join",
            hint=self._version_hint(host="" if name != self.machine else kubernetes, joining=kubernetes),
        )

    def version_notice(self, inventory: Inventory, *, kubernetes: str) -> str:
        """Return what has to be known before a cluster of that Kubernetes takes part, or ""."""
        version = self.wanted_version(inventory)
        if versions.lacks_ingresses(version, kubernetes):
            return f"newer than Kubernetes 1.21, up to which KubeFed {version} federates Ingresses"
        return versions.untested(version, kubernetes)

    def missing(self, inventory: Inventory) -> list[Part]:
        """Return the parts that have to be installed or waited for, in this order."""
        version = self.wanted_version(inventory)
        parts = []
        if version not in {tool.version for tool in self.tools}:
            others = [f"{tool.path} is version {tool.version or 'unknown'}" for tool in self.tools]
            parts.append(install.tool_part(version, why=" and ".join(others) or "there is no kubefedctl"))
        if not self.version:
            why = "an earlier installation stopped half-way" if self.release else "it is not installed"
            parts.append(install.chart_part(version, why=why))
        if not (self.version and self.serves):
            parts.append(install.rollout_part(why="it does not serve yet"))
        return parts

    def part_stages(self, part: Part, inventory: Inventory, *, target: Target) -> list[list[Command]]:
        """Return the stages that install a part: one execution each, one after the other while they succeed."""
        wanted, version = inventory.kubefed, self.wanted_version(inventory)
        url = wanted.kubefedctl_url or wanted.source.kubefedctl_url(version, self.architecture or "amd64")
        return install.part_stages(part, wanted, version, self.release, tool_url=url, target=target)

    def check_part(self, part: Part, results: Sequence[Result], inventory: Inventory) -> None:
        """Check the answers to ``part_stages``, as far as they were run; raises StepError (3)."""
        version = self.wanted_version(inventory)
        install.check_part(part, results, inventory.kubefed, version=version, machine=self.machine)

    def join_command(self, name: str, inventory: Inventory, *, target: Target, member: Target) -> Command:
        """Return the command that joins a cluster by the kubefedctl of the right version.

        It is called by its path: another one may stand before it on PATH.
        """
        version = self.wanted_version(inventory)
        right = [tool.path for tool in self.tools if tool.version == version]
        tool = [*right, f"{kubefedctl.FOLDER}/kubefedctl"][0]
        return join.join_command(name, tool=tool, version=version, target=target, member=member)

    def _version_hint(self, *, host: str, joining: str = "") -> str:
        """Return which version would work, and how the host comes to it."""
        version = versions.version_that_works(host=host, joining=joining)
        if not version:
            return "No KubeFed that fedssh knows works there."
        upgrade = " Then: fedssh prepare --upgrade" if self.version else ""
        return f"KubeFed {version} works there. Write: kubefed.version: {version}.{upgrade}"

    def _why_no_tool(self, inventory: Inventory) -> RefusedError | None:
        """Return why no kubefedctl runs on the machine, where one would have to be fetched for it."""
        wanted = inventory.kubefed
        is_there = self.wanted_version(inventory) in {tool.version for tool in self.tools}
        if is_there or wanted.kubefedctl_url or not self.processor or self.architecture in wanted.source.architectures:
            return None
        released = ", ".join(wanted.source.architectures)
        others = [source for source in SOURCES.values() if self.architecture in source.architectures]
        hint = "Name a kubefedctl for it: kubefed.kubefedctl_url"
        if others:
            hint = f"{others[0].title.capitalize()} has one: kubefed.source: {others[0].name}. Or name one: "
            hint += "kubefed.kubefedctl_url"
        problem = f"{wanted.source.title} releases kubefedctl for {released} only, and the machine is {self.processor}"
        return self._refused(problem, hint)

    def _kubespheres(self) -> RefusedError:
        # Its ks-controller-manager owns the KubeFedClusters, and takes out those that it has not made.
        return self._refused(
            "this KubeFed is a part of KubeSphere, which takes out every cluster that it has not joined itself",
            "Add clusters by KubeSphere there; or choose another host cluster.",
        )

    def _nobodys(self) -> RefusedError:
        return self._refused(
            f"KubeFed is installed in {NAMESPACE}, but not by Helm as the release {RELEASE}",
            f"Take it off the host, or install it by Helm under that name: helm -n {NAMESPACE} list --all",
        )

    def _other_version(self, release: helm.Release, wanted: str) -> RefusedError:
        # helm upgrade would issue new certificates for a webhook that still serves the old ones (kubefed#1333).
        return self._refused(
            f"KubeFed {release.version} is installed, and hosts.yaml asks for {wanted}",
            f"To keep it, write: kubefed.version: {release.version}. To upgrade it: fedssh prepare --upgrade",
        )

    def _refused(self, problem: str, hint: str) -> RefusedError:
        return RefusedError(problem, machine=self.machine, step=_STEP, hint=hint)


def tool_commands() -> list[Command]:
    """Return the commands that ask the host's tools for their versions."""
    return [helm.version(), kubefedctl.find_command(), command("uname", "-m")]


def state_commands(*, target: Target) -> list[Command]:
    """Return the commands that look at the installation, the clusters and their credentials; they change nothing."""
    where = f"--namespace={NAMESPACE}"
    return [
        helm.find_release(RELEASE, NAMESPACE, target=target),
        kubectl("get", "deployments", where, "--ignore-not-found", "-o", "json", target=target),
        *list_commands(target=target),
    ]


def parse_state(tools: Sequence[Result], state: Sequence[Result], *, machine: str) -> KubeFedState:
    """Return what the answers to ``tool_commands`` and ``state_commands`` say; nothing is refused."""
    helm_version, found_tools, processor = tools
    found_release, deployments, *listed = state
    gaps: list[FedsshError] = []
    problem, release, items, clusters = None, None, [], {}
    try:
        helm.check_version(helm_version, machine=machine, step=_STEP)
    except StepError as error:
        problem = error
    try:
        release = helm.parse_release(found_release, chart="kubefed", machine=machine, step=_STEP)
    except StepError as error:
        gaps.append(problem or error)
    if helm_version.code == NOT_FOUND and problem and not gaps:
        gaps.append(problem)
    about_helm = len(gaps)
    try:
        items = parse_items(deployments, machine=machine, step=_STEP)
    except StepError as error:
        gaps.append(error)
    try:
        clusters = parse_list(listed, machine=machine)
    except StepError as error:
        gaps.append(error)
    return KubeFedState(
        machine=machine,
        helm_problem=problem,
        release=replace(release, version=visible(release.version)) if release else None,
        is_running=any(_name(item) in {WEBHOOK, CONTROLLER} and not _is_going(item) for item in items),
        serves=all(_is_rolled_out(items, name) for name in (WEBHOOK, CONTROLLER)),
        is_kubespheres="kubesphere/kubefed" in deployments.stdout,
        processor=visible(processor.stdout.strip()[:_LONGEST_PROCESSOR]) if processor.ok else "",
        tools=kubefedctl.parse_tools(found_tools),
        clusters=clusters,
        gaps=tuple(gaps),
        cluster_gaps=tuple(gaps[about_helm:]),
    )


def _name(item: Mapping[str, Any]) -> str:
    return str(section(item, "metadata").get("name"))


def _is_going(item: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" in section(item, "metadata")


def _is_rolled_out(deployments: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether a Deployment is complete, by the rules of ``kubectl rollout status``, and has a pod at all."""
    for item in deployments:
        if _name(item) == name:
            wanted = max(1, _number(section(item, "spec"), "replicas", default=1))
            status = section(item, "status")
            return (
                _number(status, "observedGeneration") >= _number(section(item, "metadata"), "generation")
                and _number(status, "updatedReplicas") >= wanted
                and _number(status, "availableReplicas") >= wanted
            )
    return False


def _number(part: Mapping[str, Any], key: str, *, default: int = 0) -> int:
    value = part.get(key)
    return value if isinstance(value, int) else default
