"""KubeFed's installation on the host cluster: the Helm chart, and kubefedctl on the host's machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh import helm
from fedssh.errors import RefusedError, StepError
from fedssh.kubectl import NOT_FOUND, Target, explain, kubectl, parse_items
from fedssh.shell import Command, Result, command, failure, script

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
"""How long Helm may take to fetch the chart and create its objects, and kubefedctl to be downloaded."""

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
    return [helm.version(), command("kubefedctl", "version")]


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
        RefusedError: Another version is installed, or a release is in a state that only a person can judge.
    """
    helm_version, kubefedctl_version = tools
    found_release, deployments = results
    helm.check_version(helm_version, machine=machine, step=_STEP)
    release = helm.parse_release(found_release, chart="kubefed", machine=machine, step=_STEP)
    if release and not only_look:
        _check_release(release, version=version, machine=machine)
    items = parse_items(deployments, machine=machine, step=_STEP)
    return Installation(
        release=release,
        rolled_out=all(_is_rolled_out(items, name) for name in (WEBHOOK, CONTROLLER)),
        kubefedctl=_parse_kubefedctl_version(kubefedctl_version),
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
    return [
        *(uninstall if is_leftover(release) else []),
        helm.helm("repo", "add", REPOSITORY, repository, "--force-update"),
        helm.helm(
            "install",
            RELEASE,
            f"{REPOSITORY}/kubefed",
            f"--version={version}",
            f"--namespace={NAMESPACE}",
            "--create-namespace",
            "--no-hooks",
            "--values=-",
            target=target,
            stdin=json.dumps(values or {}),
        ),
    ]


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


def kubefedctl_command(url: str, *, folder: str = "/usr/local/bin") -> Command:
    """Return the command that puts kubefedctl into ``folder``, checked against the checksum at ``url`` + .sha."""
    text = """
        set -eu
        case $(uname -s)/$(uname -m) in
            Linux/x86_64) ;;
            *) echo "kubefedctl is released for Linux on x86_64 only; this is $(uname -s) on $(uname -m)" >&2; exit 1 ;;
        esac
        umask 077
        work=$(mktemp -du)  # made only once it is sure to be removed
        trap 'rm -rf "$work"' EXIT
        trap 'exit 1' HUP INT TERM
        trap '' PIPE  # a shell says whom a signal has ended; nobody may be there to read it
        mkdir "$work"
        fetch() {
            if command -v curl >/dev/null; then curl -fsSL --connect-timeout 15 --retry 2 -o "$2" "$1"
            elif command -v wget >/dev/null; then wget -q -T 15 -O "$2" "$1"
            else echo "neither curl nor wget is there" >&2; return 1
            fi || { echo "cannot download $1" >&2; return 1; }
        }
        fetch "$1" "$work/kubefedctl.tgz"
        fetch "$1.sha" "$work/sum"
        read -r expected rest <"$work/sum" || [ -n "$expected" ]
        actual=$(sha256sum <"$work/kubefedctl.tgz")
        [ "${actual%% *}" = "$expected" ] || {
            echo "$1 has the SHA-256 checksum ${actual%% *}, but $1.sha says $expected" >&2
            exit 1
        }
        tar -xzf "$work/kubefedctl.tgz" -C "$work" kubefedctl
        (umask 022; mkdir -p "$2")
        cp "$work/kubefedctl" "$2/.kubefedctl.new"
        chmod 0755 "$2/.kubefedctl.new"
        mv -f "$2/.kubefedctl.new" "$2/kubefedctl"
        "$2/kubefedctl" version
    """
    return script(text, url, folder, title="download of kubefedctl")


def check_kubefedctl(result: Result, *, version: str, machine: str) -> None:
    """Check the answer to ``kubefedctl_command``.

    Raises:
        StepError: It could not be downloaded, its checksum is wrong, or it is another version.
    """
    if not result.ok:
        hint = "hosts.yaml can name another address: kubefed.kubefedctl_url"
        raise failure(result, machine=machine, step=_STEP, hint=hint)
    found = _parse_kubefedctl_version(result)
    if found != version:
        raise StepError(f"the downloaded kubefedctl is version {found or 'unknown'}, not {version}", machine=machine)


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


def _parse_kubefedctl_version(result: Result) -> str:
    """Return the version that ``kubefedctl version`` prints (``version.Info{Version:"v0.10.0", …``), or ""."""
    if result.code == NOT_FOUND:
        return ""
    found = re.search(r'Version:"v?(\d+\.\d+\.\d+)', result.stdout)
    return found[1] if found else ""
