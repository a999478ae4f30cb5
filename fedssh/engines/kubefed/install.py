"""KubeFed's installation on the host cluster: its parts, the commands that install each, and their answers."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed import kubefedctl
from fedssh.engines.kubefed.charts import add_repository
from fedssh.engines.kubefed.kubefedctl import source_hint
from fedssh.engines.protocol import Part
from fedssh.errors import StepError
from fedssh.kubernetes import helm
from fedssh.kubernetes.kubectl import Target, explain, kubectl
from fedssh.shell import Command, Result, failure, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.engines.kubefed.charts import ChartPlace
    from fedssh.inventory import KubeFed

NAMESPACE: Final = "kube-federation-system"
RELEASE: Final = "kubefed"
OWNER: Final = "fedssh"
"""Who has applied KubeFed's custom resources, and made its namespace, where that was fedssh."""

_TYPES: Final = "federatedtypeconfigs.core.kubefed.io"
WEBHOOK: Final = "kubefed-admission-webhook"
CONTROLLER: Final = "kubefed-controller-manager"
WEBHOOKS: Final = {
    "validations.core.kubefed.io": "validatingwebhookconfiguration",
    "mutation.core.kubefed.io": "mutatingwebhookconfiguration",
}
"""The configurations by which the API server asks KubeFed's webhook, and their kinds."""

CONFIGURATION: Final = "charts/controllermanager/templates/kubefedconfig.yaml"
"""The chart's template of the KubeFedConfig."""

ROLLOUT_SECONDS: Final = 300
"""How long KubeFed's images may take to be pulled and started."""

PART_SECONDS: Final = ROLLOUT_SECONDS + 30.0
"""How long each command of a part may take: Helm and a download have less to do than the rollout."""

ESTABLISHED_SECONDS: Final = 30
"""How long the API server may take to serve KubeFed's custom resources."""

_STEP: Final = "prepare KubeFed"


def tool_part(version: str, *, why: str) -> Part:
    """Return the part that is kubefedctl."""
    name = f"kubefedctl {version}"
    return Part(name="tool", text=f"install {name}", running="installing kubefedctl", done=f"installed {name}", why=why)


def chart_part(version: str, *, why: str) -> Part:
    """Return the part that is KubeFed's chart."""
    name = f"KubeFed {version}"
    return Part(name="chart", text=f"install {name}", running="installing KubeFed", done=f"installed {name}", why=why)


def rollout_part(*, why: str) -> Part:
    """Return the part that waits until KubeFed serves."""
    return Part(
        name="rollout", text="wait until KubeFed serves", running="waiting for KubeFed to serve", done="", why=why
    )


def check_part(part: Part, results: Sequence[Result], wanted: KubeFed, *, version: str, machine: str) -> None:
    """Check the answers to ``part_stages``, as far as they were run.

    Raises:
        StepError: A download, Helm or the rollout failed (3). Running it again goes on from there.
    """
    if part.name == "tool":
        kubefedctl.check_install(results[0], wanted, version=version, machine=machine)
    elif part.name == "rollout":
        check_rollout(results, machine=machine)
    elif part.name == "ready":
        check_ready(results[0], machine=machine)
    else:
        for result in results:
            if not result.ok:
                key = "chart_url" if wanted.chart_url else "chart_repository"
                is_fetch = result.command == add_repository(wanted) or "cannot download" in result.stderr
                hint = source_hint(key, wanted, machine=machine) if is_fetch else ""
                raise failure(result, machine=machine, step=_STEP, hint=hint)


def is_leftover(release: helm.Release | None) -> bool:
    """Whether a release is what an interrupted first installation leaves: it must go before the next one."""
    return release is not None and release.status != "deployed" and release.revision == 1


def install_commands(
    place: ChartPlace, *, release: helm.Release | None, values: Mapping[str, Any], target: Target
) -> list[Command]:
    """Return the commands, to be run one after the other, that install the chart.

    Hooks are left out: the chart's only one is a Job whose image is gone from its registry
    (https://github.com/bitnami/containers/issues/83267). What it would do, writing the feature gates into the
    KubeFedConfig, is done by ``gate_commands``.
    """
    uninstall = helm.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--no-hooks", target=target)
    given = json.dumps(values or {})
    install = helm.helm("install", RELEASE, f"--namespace={NAMESPACE}", "--no-hooks", "--values=-", target=target)
    return [
        *([uninstall, _let_types_go(target=target)] if is_leftover(release) else []),
        script(place.lines + _configure(target=target), title="making of KubeFed's configuration", stdin=given),
        script(f'{place.lines}{install.line} "$@"', title="helm install", stdin=given),
    ]


def _let_types_go(*, target: Target) -> Command:
    """Return the command that ends what an uninstalled KubeFed cannot end any more.

    Its controller, where it has run, has put finalizers on the FederatedTypeConfigs of the chart, and is gone. They
    would stay until the next controller lets them go: those that Helm then takes for its own.
    """
    where = f"--namespace={NAMESPACE}"
    going = 'jsonpath={range .items[?(@.metadata.deletionTimestamp)]}{.metadata.name}{"\\n"}{end}'
    listed = kubectl("get", _TYPES, where, "-o", going, target=target)
    patch = kubectl("patch", _TYPES, where, "--type=merge", '--patch={"metadata":{"finalizers":null}}', target=target)
    text = f'{listed.line} 2>/dev/null | while read -r name; do {patch.line} "$name" >/dev/null || :; done'
    return script(text, title="removal of what was going")


def _configure(*, target: Target) -> str:
    """Return the script that creates the chart's KubeFedConfig before everything else, marked as its release's own.

    KubeFed's controller makes one with other values when it finds none (cmd/controller-manager/app, v0.10.0), and
    where its image is at hand it is there before Helm comes to the chart's, which then "already exists".
    """
    crds = helm.helm("show", "crds").line
    rendered = helm.helm(
        "template", RELEASE, f"--namespace={NAMESPACE}", f"--show-only={CONFIGURATION}", "--values=-"
    ).line
    marks = [f"meta.helm.sh/release-name={RELEASE}", f"meta.helm.sh/release-namespace={NAMESPACE}"]
    annotated = kubectl("annotate", "--local", "--filename=-", "--output=json", *marks).line
    labelled = kubectl("label", "--local", "--filename=-", "--output=json", "app.kubernetes.io/managed-by=Helm").line
    apply = kubectl(
        "apply", "--server-side", "--force-conflicts", f"--field-manager={OWNER}", "--filename=-", target=target
    ).line
    known = kubectl(
        "wait", "--for=condition=Established", "customresourcedefinitions/kubefedconfigs.core.kubefed.io",
        f"--timeout={ESTABLISHED_SECONDS}s", target=target, request_timeout_seconds=0,
    ).line  # fmt: skip
    exists = kubectl("get", "namespace", NAMESPACE, target=target).line
    labels = {"app.kubernetes.io/managed-by": OWNER}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    create = f"printf %s {shlex.quote(json.dumps(namespace))} | {apply}"
    # While nothing is said of a new definition's state yet, kubectl takes that for an error (cli-runtime's wait).
    return f"""
        {crds} "$@" </dev/null | {apply}
        end=$(( $(date +%s) + {ESTABLISHED_SECONDS} ))
        until said=$({known} 2>&1); do
            case $said in *"conditions accessor error"*) ;; *) end=0 ;; esac
            [ "$(date +%s)" -lt "$end" ] || {{ printf '%s\\n' "$said" >&2; exit 1; }}
            sleep 0.2 2>/dev/null || sleep 1
        done
        {exists} >/dev/null 2>&1 || {create}
        {rendered} "$@" | {annotated} | {labelled} | {apply}
    """


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


def check_ready(result: Result, *, machine: str) -> None:
    """Check that KubeFed has found its clusters Ready after an upgrade.

    Raises:
        StepError: It has not.
    """
    if not result.ok:
        raise StepError(
            "after the upgrade KubeFed does not find all clusters Ready that were before",
            machine=machine,
            step=_STEP,
            hint="See what it says of them: fedssh status, and fedssh check",
        )
