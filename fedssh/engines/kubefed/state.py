"""What there is of KubeFed on the host, and what follows: what is missing, and what cannot be gone on with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed import install, join, kubefedctl, versions
from fedssh.engines.kubefed.charts import add_repository, chart_place, chart_values
from fedssh.engines.kubefed.clusters import BEGIN, wait_command
from fedssh.engines.kubefed.install import NAMESPACE, RELEASE, is_leftover
from fedssh.engines.kubefed.supplies import CHART_PART, UPGRADE_PART, chart_of, tool_of, tool_url
from fedssh.engines.kubefed.upgrade import (
    parse_release_answers,
    ready_part,
    release_commands,
    upgrade_commands,
    upgrade_part,
)
from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.inventory.sources import SOURCES
from fedssh.kubernetes.runtimes import architecture_of
from fedssh.shell import command
from fedssh.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.artefacts import Artefact
    from fedssh.engines.protocol import JoinedCluster, Part, Uploaded
    from fedssh.inventory import Inventory
    from fedssh.kubernetes import helm
    from fedssh.kubernetes.kubectl import Target
    from fedssh.shell import Command, Result

STEP: Final = "prepare KubeFed"
"""What a message calls this part of a run."""


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
        is_upgrading: Whether another version that is installed is to be upgraded.
        values: The values that the release was installed with; known where it is to be upgraded.
        has_old_webhooks: Whether the release holds webhooks that Kubernetes 1.22 does not know; known there, too.
        tools: The kubefedctls on the machine.
        clusters: The KubeFedClusters by name.
        gaps: What could not be found out, and why.
        cluster_gaps: Those of them that are not about Helm.
    """

    machine: str
    helm_problem: StepError | RefusedError | None = None
    release: helm.Release | None = None
    is_running: bool = False
    is_kubespheres: bool = False
    serves: bool = False
    processor: str = ""
    is_upgrading: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    has_old_webhooks: bool = False
    tools: tuple[kubefedctl.Tool, ...] = ()
    clusters: Mapping[str, JoinedCluster] = field(default_factory=dict)
    gaps: tuple[FedsshError, ...] = ()
    cluster_gaps: tuple[FedsshError, ...] = ()

    @property
    def architecture(self) -> str:
        """What the machine's processor is, as Go calls it."""
        return architecture_of(self.processor)

    @property
    def version(self) -> str:
        """The version that is installed, or ""."""
        return "" if self.release is None or is_leftover(self.release) else self.release.version

    def wanted_version(self, inventory: Inventory) -> str:
        """Return the version that hosts.yaml asks for; where it names none, what is installed stays."""
        kubefed = inventory.kubefed
        installed = "" if self.is_upgrading else self.version
        return kubefed.version or installed or kubefed.source.version

    def upgrade_questions(self, *, target: Target) -> list[Command]:
        """Return the commands whose answers ``to_upgrade`` takes; none where nothing is installed."""
        return release_commands(target=target) if self.version else []

    def to_upgrade(self, answers: Sequence[Result] = ()) -> KubeFedState:
        """Return the same, where another version that is installed is to be upgraded; raises StepError (3)."""
        if not answers:
            return replace(self, is_upgrading=True)
        values, has_old_webhooks = parse_release_answers(answers, machine=self.machine)
        return replace(self, is_upgrading=True, values=values, has_old_webhooks=has_old_webhooks)

    def refusals(self, inventory: Inventory, *, kubernetes: str) -> list[FedsshError]:
        """Return why hosts.yaml's KubeFed cannot be installed over what is there, or be used as it is."""
        release, wanted = self.release, self.wanted_version(inventory)
        found: list[FedsshError] = [self.helm_problem] if self.helm_problem else []
        if self.is_kubespheres:
            return [*found, self._kubespheres()]
        if release is None:
            # Without an answer of Helm's nobody knows whose it is.
            is_nobodys = self.is_running and not (found or self.gaps)
            found += [self._nobodys()] if is_nobodys else []
        elif self.is_upgrading:
            found += filter(None, [self._why_no_upgrade(release, wanted, kubernetes=kubernetes)])
        elif release.version != wanted and not is_leftover(release):
            found.append(self._other_version(release, wanted))
        if release and release.status != "deployed" and not (is_leftover(release) or self.is_upgrading):
            hint = f"See what has happened: helm -n {NAMESPACE} history {RELEASE}. "
            hint += "An upgrade that stopped half-way is gone on with by: fedssh prepare --upgrade"
            found.append(self._refused(f"Helm calls the release {RELEASE} {release.status!r}", hint))
        is_installing = not self.version or self._is_to_be_upgraded(wanted)
        reason = versions.why_no_host(wanted, kubernetes) if is_installing else ""
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
        if self._is_to_be_upgraded(version):
            upgrade = upgrade_part(version, before=self.release.version if self.release else "")
            return [*parts, upgrade, install.rollout_part(why="it starts anew"), ready_part()]
        if not self.version:
            why = "an earlier installation stopped half-way" if self.release else "it is not installed"
            parts.append(install.chart_part(version, why=why))
        if not (self.version and self.serves):
            parts.append(install.rollout_part(why="it does not serve yet"))
        return parts

    def pods_artefacts(self, inventory: Inventory) -> dict[str, Artefact]:
        """Return what names the images of its pods, where those do not all serve yet."""
        is_waiting = any(part.name == "rollout" for part in self.missing(inventory))
        return {CHART_PART: chart_of(inventory.kubefed, self.wanted_version(inventory))} if is_waiting else {}

    def supplies(self, inventory: Inventory) -> dict[str, Artefact]:
        """Return what a machine without internet has to be given for the missing parts, by their names."""
        wanted, version = inventory.kubefed, self.wanted_version(inventory)
        chart = chart_of(wanted, version)
        known = {"tool": tool_of(wanted, version, self._own_architecture), CHART_PART: chart, UPGRADE_PART: chart}
        return {part.name: known[part.name] for part in self.missing(inventory) if part.name in known}

    def part_stages(
        self, part: Part, inventory: Inventory, *, target: Target, uploaded: Uploaded | None
    ) -> list[list[Command]]:
        """Return the stages that install a part: one execution each, one after the other while they succeed."""
        wanted, version = inventory.kubefed, self.wanted_version(inventory)
        if part.name == "rollout":
            return [install.rollout_commands(target=target)]
        if part.name == "ready":
            ready = {name: BEGIN for name, cluster in self.clusters.items() if cluster.ready}
            return [[wait_command(ready, target=target)]]
        if part.name == "tool":
            if uploaded:
                return [[kubefedctl.unpack_command(uploaded, version=version)]]
            url, sha256 = tool_url(wanted, version, self._own_architecture), wanted.kubefedctl_sha256 or ""
            return [[kubefedctl.install_command(url, version=version, sha256=sha256)]]
        place, values = chart_place(wanted, version, uploaded), chart_values(wanted, self.values)
        commands = [add_repository(wanted)] if place.is_added else []
        if part.name == UPGRADE_PART:
            commands += upgrade_commands(place, values=values, target=target)
        else:
            commands += install.install_commands(place, release=self.release, values=values, target=target)
        commands += install.gate_commands(values, target=target)
        if uploaded:
            commands.append(command("rm", "-f", uploaded.path))
        return [[one] for one in commands]

    def check_part(self, part: Part, results: Sequence[Result], inventory: Inventory) -> None:
        """Check the answers to ``part_stages``, as far as they were run; raises StepError (3)."""
        version = self.wanted_version(inventory)
        install.check_part(part, results, inventory.kubefed, version=version, machine=self.machine)

    def join_command(
        self, name: str, inventory: Inventory, *, target: Target, member: Target, namespace: str
    ) -> Command:
        """Return the command that joins a cluster by the kubefedctl of the right version.

        It is called by its path: another one may stand before it on PATH.
        """
        version = self.wanted_version(inventory)
        right = [tool.path for tool in self.tools if tool.version == version]
        tool = [*right, f"{kubefedctl.FOLDER}/kubefedctl"][0]
        return join.join_command(name, tool=tool, version=version, target=target, member=member, namespace=namespace)

    @property
    def _own_architecture(self) -> str:
        return self.architecture or "amd64"

    def _is_to_be_upgraded(self, version: str) -> bool:
        release = self.release
        if release is None or not self.is_upgrading or is_leftover(release):
            return False
        return release.version != version or release.status != "deployed"

    def _why_no_upgrade(self, release: helm.Release, wanted: str, *, kubernetes: str) -> RefusedError | None:
        """Return why a release cannot be upgraded to a version, or None."""
        if _is_older(wanted, release.version):
            hint = f"To keep what is there, write: kubefed.version: {release.version}"
            return self._refused(f"KubeFed {release.version} is installed, which is newer than {wanted}", hint)
        why = versions.why_no_host(release.version, kubernetes) if self.has_old_webhooks else ""
        if why:
            hint = "Helm's plugin mapkubeapis mends what it has noted (github.com/helm/helm-mapkubeapis); type on the "
            hint += f"host: helm mapkubeapis {RELEASE} --namespace {NAMESPACE}. Then run this again."
            problem = f"Helm does not upgrade KubeFed {release.version} on Kubernetes {kubernetes}: {why}"
            return self._refused(problem, hint)
        return None

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
        is_older, upgrade = _is_older(wanted, release.version), ". To upgrade it: fedssh prepare --upgrade"
        return self._refused(
            f"KubeFed {release.version} is installed, and hosts.yaml asks for {wanted}",
            f"To keep it, write: kubefed.version: {release.version}" + ("" if is_older else upgrade),
        )

    def _refused(self, problem: str, hint: str) -> RefusedError:
        return RefusedError(problem, machine=self.machine, step=STEP, hint=hint)


def _is_older(version: str, other: str) -> bool:
    mine, theirs = parse_version(version), parse_version(other)
    return bool(mine and theirs and mine < theirs)
