"""KubeFed's installation on the host cluster: the Helm chart and what it comes to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed import kubefedctl
from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes import helm
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_items
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE: Final = "kube-federation-system"
RELEASE: Final = "kubefed"
REPOSITORY: Final = "kubefed-charts"

WEBHOOK: Final = "kubefed-admission-webhook"
CONTROLLER: Final = "kubefed-controller-manager"

ROLLOUT_SECONDS: Final = 300
"""How long KubeFed's images may take to be pulled and started."""

INSTALL_SECONDS: Final = 180
"""How long Helm may take to fetch the chart and create its objects."""

ESTABLISHED_SECONDS: Final = 30
"""How long the API server may take to serve KubeFed's custom resources."""

_STEP: Final = "prepare KubeFed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What there is of KubeFed on the host.

    Attributes:
        release: The Helm release, or None.
        rolled_out: Whether the webhook and the controller-manager serve. A join before that would fail half-way,
            since creating a KubeFedCluster passes the webhook.
        kubefedctl: The version of the kubefedctl on the host's machine, or "".
    """

    release: helm.Release | None
    rolled_out: bool
    kubefedctl: str

    def is_complete(self, version: str) -> bool:
        """Whether nothing is left to install for that KubeFed version."""
        return self.release is not None and self.rolled_out and self.kubefedctl == version


def tool_commands() -> list[Command]:
    """Return the commands that ask the host's tools for their versions."""
    return [helm.version(), kubefedctl.version_command()]


def probe_commands(*, target: Target) -> list[Command]:
    """Return the commands that look at the installation; they change nothing."""
    return [
        helm.find_release(RELEASE, NAMESPACE, target=target),
        kubectl(
            "get", "deployments", f"--namespace={NAMESPACE}", "--ignore-not-found", "-o", "json", target=target
        ),
    ]  # fmt: skip


def parse_probe(
    tools: Sequence[Result], results: Sequence[Result], *, version: str, machine: str, only_look: bool = False
) -> Installation:
    """Return the installation from the answers to ``tool_commands`` and ``probe_commands``.

    Args:
        tools: The answers to ``tool_commands``.
        results: The answers to ``probe_commands``.
        version: The KubeFed version that hosts.yaml asks for.
        machine: The host's name, for messages.
        only_look: Whether another version, or a broken release, is only reported and not refused.

    Raises:
        StepError: A tool is missing or failed.
        RefusedError: Another version is installed, or in another way, or a release is in a state that only a person
            can judge.
    """
    helm_version, kubefedctl_version = tools
    found_release, deployments = results
    helm.check_version(helm_version, machine=machine, step=_STEP)
    release = helm.parse_release(found_release, chart="kubefed", machine=machine, step=_STEP)
    if release and not only_look:
        _check_release(release, version=version, machine=machine)
    items = parse_items(deployments, machine=machine, step=_STEP)
    if release is None and not only_look:
        _check_nobodys(items, machine=machine)
    return Installation(
        release=release,
        rolled_out=all(_is_rolled_out(items, name) for name in (WEBHOOK, CONTROLLER)),
        kubefedctl=kubefedctl.parse_version(kubefedctl_version),
    )


def is_leftover(release: helm.Release | None) -> bool:
    """Whether a release is what an interrupted first installation leaves: it must go before the next one."""
    return release is not None and release.status != "deployed" and release.revision == 1


def install_commands(
    *, release: helm.Release | None, version: str, repository: str, values: Mapping[str, Any], target: Target
) -> list[Command]:
    """Return the commands, to be run one after the other, that install the chart.

    Hooks are left out: the chart's only one is a Job whose image is gone from its registry
    (https://github.com/bitnami/containers/issues/83267). What it would do, writing the feature gates into the
    KubeFedConfig, is done by ``gate_commands``.
    """
    uninstall = [helm.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--no-hooks", target=target)]
    chart = [f"{REPOSITORY}/kubefed", f"--version={version}"]
    where, given = f"--namespace={NAMESPACE}", json.dumps(values or {})
    return [
        *(uninstall if is_leftover(release) else []),
        helm.helm("repo", "add", REPOSITORY, repository, "--force-update"),
        _configure_command(chart, values=given, target=target),
        helm.helm("install", RELEASE, *chart, where, "--no-hooks", "--values=-", target=target, stdin=given),
    ]


def _configure_command(chart: Sequence[str], *, values: str, target: Target) -> Command:
    """Return the command that creates the chart's KubeFedConfig before everything else, marked as its release's own.

    KubeFed's controller makes one with other values when it finds none (cmd/controller-manager/app, v0.10.0), and
    where its image is at hand it is there before Helm comes to the chart's, which then "already exists".
    """
    config = "charts/controllermanager/templates/kubefedconfig.yaml"
    crds = helm.helm("show", "crds", *chart).line
    rendered = helm.helm(
        "template", RELEASE, *chart, f"--namespace={NAMESPACE}", f"--show-only={config}", "--values=-"
    ).line
    marks = [f"meta.helm.sh/release-name={RELEASE}", f"meta.helm.sh/release-namespace={NAMESPACE}"]
    annotated = kubectl("annotate", "--local", "--filename=-", "--output=json", *marks).line
    labelled = kubectl("label", "--local", "--filename=-", "--output=json", "app.kubernetes.io/managed-by=Helm").line
    apply = kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=fedssh", "--filename=-", target=target
    ).line
    known = kubectl(
        "wait", "--for=condition=Established", "customresourcedefinitions/kubefedconfigs.core.kubefed.io",
        f"--timeout={ESTABLISHED_SECONDS}s", target=target, request_timeout_seconds=0,
    ).line  # fmt: skip
    exists = kubectl("get", "namespace", NAMESPACE, target=target).line
    create = kubectl("create", "namespace", NAMESPACE, target=target).line
    text = f"""
        set -e
        {crds} </dev/null | {apply}
        {known}
        {exists} >/dev/null 2>&1 || {create}
        {rendered} | {annotated} | {labelled} | {apply}
    """
    return script(text, title="helm template", stdin=values)


def gate_commands(values: Mapping[str, Any], *, target: Target) -> list[Command]:
    """Return the commands that write the feature gates of the chart's ``values``; none when they name none.

    The chart's hook does the same (charts/kubefed/charts/controllermanager/templates/post-install-job.yaml, v0.10.0).
    """
    gates = (values.get("controllermanager") or {}).get("featureGates") or {}
    if not gates:
        return []
    defaults = {
        "PushReconciler": "Enabled",
        "RawResourceStatusCollection": "Disabled",
        "SchedulerPreferences": "Enabled",
    }
    wanted = [{"name": name, "configuration": gates.get(name) or default} for name, default in defaults.items()]
    patch = json.dumps({"spec": {"featureGates": wanted}})
    where = f"--namespace={NAMESPACE}"
    return [
        kubectl("patch", "kubefedconfig", "kubefed", where, "--type=merge", f"--patch={patch}", target=target),
        kubectl("rollout", "restart", f"deployment/{CONTROLLER}", where, target=target),
    ]


def rollout_commands(*, target: Target) -> list[Command]:
    """Return the commands that wait until KubeFed serves."""
    return [
        kubectl(
            "rollout",
            "status",
            f"deployment/{name}",
            f"--namespace={NAMESPACE}",
            f"--timeout={ROLLOUT_SECONDS}s",
            target=target,
            request_timeout_seconds=0,
        )
        for name in (WEBHOOK, CONTROLLER)
    ]


def check_rollout(results: Sequence[Result], *, machine: str) -> None:
    """Check the answers to ``rollout_commands``.

    Raises:
        StepError: A Deployment did not come up.
    """
    for result in results:
        if not result.ok:
            error = explain(result, machine=machine, step=_STEP)
            pods = f"kubectl -n {NAMESPACE} describe pods"
            raise StepError(error.message, machine=machine, step=_STEP, hint=f"See why on the host: {pods}")


def _check_release(release: helm.Release, *, version: str, machine: str) -> None:
    if release.version != version:
        raise RefusedError(
            f"KubeFed {release.version} is installed, and hosts.yaml asks for {version}",
            machine=machine,
            step=_STEP,
            # helm upgrade would issue new certificates for a webhook that still serves the old ones (kubefed#1333).
            hint=f"fedssh does not upgrade KubeFed. To keep what is there, write: kubefed.version: {release.version}",
        )
    if release.status != "deployed" and not is_leftover(release):
        raise RefusedError(
            f"Helm calls the release {RELEASE} {release.status!r}",
            machine=machine,
            step=_STEP,
            hint=f"Repair it on the host first: helm -n {NAMESPACE} history {RELEASE}",
        )


def _check_nobodys(deployments: Sequence[Mapping[str, Any]], *, machine: str) -> None:
    """Raise RefusedError where KubeFed runs without a Helm release: installing it would be a second installation."""
    for one in deployments:
        if one["metadata"]["name"] in {WEBHOOK, CONTROLLER} and "deletionTimestamp" not in one["metadata"]:
            raise RefusedError(
                f"KubeFed is installed in {NAMESPACE}, but not by Helm as the release {RELEASE}",
                machine=machine,
                step=_STEP,
                hint=f"Take it off the host, or install it by Helm under that name: helm -n {NAMESPACE} list --all",
            )


def _is_rolled_out(deployments: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether a Deployment is complete, by the rules of ``kubectl rollout status``."""
    for one in deployments:
        if one["metadata"]["name"] == name:
            wanted, status = one["spec"].get("replicas", 1), one.get("status", {})
            return bool(
                status.get("observedGeneration", 0) >= one["metadata"].get("generation", 0)
                and status.get("updatedReplicas", 0) >= wanted
                and status.get("availableReplicas", 0) >= wanted
            )
    return False
