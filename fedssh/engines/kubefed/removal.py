"""Taking KubeFed off the host: whose it is, what stands in the way, and the commands, in the order that works.

``helm uninstall`` first would leave federated objects and types whose finalizers nobody takes off any more, and a
namespace that is Terminating for ever. Facts are of KubeFed 0.10.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fedssh.engines.kubefed import kubefedctl
from fedssh.engines.kubefed.charts import REPOSITORY
from fedssh.engines.kubefed.install import NAMESPACE, OWNER, RELEASE, WEBHOOKS
from fedssh.engines.kubefed.leaving import empty_namespace_command
from fedssh.engines.protocol import Removal
from fedssh.errors import RefusedError, visible
from fedssh.kubernetes import helm
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_json
from fedssh.kubernetes.objects import COLUMNS, ObjectName, led_to, parse_names
from fedssh.shell import Command, Result, command, script

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.engines.kubefed.state import KubeFedState
    from fedssh.engines.protocol import EngineState
    from fedssh.errors import FedsshError

_STEP: Final = "look at the federation"
_SUFFIX: Final = ".kubefed.io"
_CONFIGURATION: Final = "kubefedconfigs.core.kubefed.io"
_PATIENCE_SECONDS: Final = 20
_MOST_NAMED: Final = 5

_KINDS: Final = (
    "kubectl api-resources --verbs=list --namespaced --output=name | "
    "grep -E '[.](types|scheduling|multiclusterdns)[.]kubefed[.]io$'"
)
_OBJECTS: Final = f"""
    kinds=$({_KINDS} | tr '\\n' ',')
    [ -z "$kinds" ] || kubectl get "${{kinds%,}}" -A -o "$1"
"""

# Where KubeFed's controller still runs it takes its finalizers off itself; where it does not, nobody else will.
_DELETE_ALL: Final = """
    strip='{"metadata":{"finalizers":null}}'
    left() { kubectl get "$1" -A -o "jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"; }
    remove() {
        kubectl delete "$1" --all --all-namespaces --wait=false || return
        end=$(( $(date +%s) + patience ))
        while :; do
            found=$(left "$1") || return
            [ -n "$found" ] || return 0
            [ "$(date +%s)" -lt "$end" ] || break
            sleep 1
        done
        # Its webhook, which would be asked, may be gone as well; all that it watches over is going.
        kubectl delete $webhooks --ignore-not-found || return
        printf '%s\\n' "$found" | while read -r namespace name; do
            kubectl -n "$namespace" patch "$1" "$name" --type=merge --patch="$strip" || :  # it may just have gone
        done
        found=$(left "$1") && [ -z "$found" ]
    }
    [ $# -gt 0 ] || { echo "its kinds cannot be listed" >&2; exit 1; }
    for kind; do remove "$kind" || exit; done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeFedInstallation:
    """What is installed of KubeFed on the host.

    Attributes:
        machine: The host's name, for messages.
        is_ours: Whether fedssh has installed it.
        release: Whether Helm has the release, in whatever state.
        clusters: The KubeFedClusters.
        objects: The federated objects, which are the users'.
        definitions: KubeFed's custom resources.
        has_types: Whether there are FederatedTypeConfigs.
        has_namespace: Whether its namespace is there.
        tool: The kubefedctl that fedssh has put there, or "".
        has_repository: Whether Helm knows the chart's repository by fedssh's name.
        serves: Whether its controller runs, which takes its own finalizers off.
    """

    machine: str
    is_ours: bool
    release: bool
    clusters: tuple[str, ...]
    objects: tuple[ObjectName, ...]
    definitions: tuple[str, ...]
    has_types: bool
    has_namespace: bool
    tool: str
    has_repository: bool
    serves: bool

    def refusals(self, *, leaving: Sequence[str], with_objects: bool) -> list[FedsshError]:
        """Return why KubeFed must not be taken off."""
        found: list[FedsshError] = []
        is_there = self.release or self.definitions or self.has_namespace
        if is_there and not self.is_ours:
            found.append(
                self._refused(
                    "KubeFed was not installed by fedssh, and stays",
                    "Leave out --uninstall; whoever has installed KubeFed takes it off.",
                )
            )
        others = [name for name in self.clusters if name not in leaving]
        if others:
            found.append(
                self._refused(
                    f"clusters that hosts.yaml does not name are in the federation: {', '.join(others)}",
                    "They leave first, if they are yours: "
                    + " ".join(["unfederate", *map("--member {}".format, others)]),
                )
            )
        if self.objects and not with_objects:
            named = ", ".join(map(str, self.objects[:_MOST_NAMED]))
            more = f" and {len(self.objects) - _MOST_NAMED} more" if len(self.objects) > _MOST_NAMED else ""
            found.append(
                self._refused(
                    f"there are federated objects, which would go with KubeFed: {named}{more}",
                    "Delete them first: kubectl -n NAMESPACE annotate KIND NAME kubefed.io/orphan=true keeps what they "
                    "have made, then kubectl -n NAMESPACE delete KIND NAME. Or add --delete-workloads, and both go.",
                )
            )
        return found

    def removals(self, *, target: Target) -> list[Removal]:
        """Return KubeFed's parts that are there, in the order in which they go."""
        where = f"-n {NAMESPACE}"
        patience = _PATIENCE_SECONDS if self.serves else 0
        crds = [f"customresourcedefinition/{name}" for name in self.definitions]
        found = []
        if self.objects:
            count, kinds = len(self.objects), f"$({_KINDS})"
            found.append(
                _removal(
                    "objects", "delete", f"{count} federated object{'s' * (count > 1)}",
                    f"kubectl delete --all -A $({_KINDS} | paste -sd ,)", _delete_all(kinds, patience, target=target),
                )
            )  # fmt: skip
        if self.has_types:
            kind = "federatedtypeconfigs.core.kubefed.io"
            found.append(
                _removal(
                    "types", "delete", "KubeFed's FederatedTypeConfigs",
                    f"kubectl {where} delete {kind} --all", _delete_all(kind, patience, target=target),
                )
            )  # fmt: skip
        if self.release:
            found.append(
                _removal(
                    "release", "uninstall", "KubeFed", f"helm {where} uninstall {RELEASE} --no-hooks",
                    helm.helm("uninstall", RELEASE, f"--namespace={NAMESPACE}", "--no-hooks", "--wait", target=target),
                )
            )  # fmt: skip
        if crds:
            found.append(
                _removal(
                    "definitions", "delete", "KubeFed's custom resources",
                    "kubectl get crd -o name | grep 'kubefed.io$' | xargs kubectl delete",
                    kubectl("delete", *crds, "--ignore-not-found", "--timeout=60s", target=target),
                )
            )  # fmt: skip
        if self.has_namespace:
            found.append(
                _removal(
                    "namespace", "delete", f"the namespace {NAMESPACE}", f"kubectl delete namespace {NAMESPACE}",
                    empty_namespace_command(NAMESPACE, target=target, wait_seconds=_PATIENCE_SECONDS),
                )
            )  # fmt: skip
        if self.tool:
            found.append(_removal("tool", "remove", self.tool, f"rm {self.tool}", kubefedctl.remove_command()))
        if self.has_repository:
            remove = ["repo", "remove", REPOSITORY]
            title = f"the Helm repository {REPOSITORY}"
            found.append(_removal("repository", "remove", title, f"helm {' '.join(remove)}", helm.helm(*remove)))
        return found

    def _refused(self, problem: str, hint: str) -> RefusedError:
        return RefusedError(problem, machine=self.machine, step="uninstall KubeFed", hint=hint)


def installation_commands(*, target: Target) -> list[Command]:
    """Return the commands that look at what is installed of KubeFed; they change nothing."""
    managers = "jsonpath={range .items[*]}{.metadata.name}{'\\t'}{.metadata.managedFields[*].manager}{'\\n'}{end}"
    owner = "jsonpath={.metadata.name}{'\\t'}{.metadata.labels.app\\.kubernetes\\.io/managed-by}"
    types = "federatedtypeconfigs.core.kubefed.io"
    return [
        kubectl("get", "customresourcedefinitions", "-o", managers, target=target),
        script(led_to(target) + _OBJECTS, COLUMNS, title="kubectl get federated objects"),
        kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", owner, target=target),
        kubectl("get", types, f"--namespace={NAMESPACE}", "--ignore-not-found", "-o", "name", target=target),
        kubefedctl.owned_command(),
        command("helm", "repo", "list", "--output=json", title="helm repo list"),
    ]


def parse_installation(results: Sequence[Result], state: EngineState, *, machine: str) -> KubeFedInstallation:
    """Return what the answers to ``installation_commands`` say.

    Args:
        results: The answers.
        state: What is known of KubeFed already.
        machine: The host's name.

    Raises:
        StepError: The API server did not answer (3).
    """
    crds, objects, namespace, types, tool, repositories = results
    for result in (crds, objects, namespace):
        if not result.ok:
            raise explain(result, machine=machine, step=_STEP)
    rows = [visible(line).partition("\t") for line in crds.stdout.splitlines()]
    definitions = {name: managers.split() for name, _, managers in rows if name.endswith(_SUFFIX)}
    place, _, owner = namespace.stdout.strip().partition("\t")
    named = parse_names(objects)
    kubefed: KubeFedState = state  # type: ignore[assignment]  # the engine gets back the state that it has made
    return KubeFedInstallation(
        machine=machine,
        is_ours=OWNER in {owner, *definitions.get(_CONFIGURATION, [])},
        release=kubefed.release is not None,
        clusters=tuple(state.clusters),
        objects=named,
        definitions=tuple(definitions),
        has_types=bool(types.ok and types.stdout.strip()),
        has_namespace=bool(place),
        tool=visible(tool.stdout.strip()) if tool.ok else "",
        has_repository=_knows_repository(repositories),
        serves=kubefed.serves,
    )


def _knows_repository(result: Result) -> bool:
    try:
        listed = parse_json(result.stdout) if result.ok else []
    except ValueError:
        return False
    listed = listed if isinstance(listed, list) else []
    return any(isinstance(one, dict) and one.get("name") == REPOSITORY for one in listed)


def _delete_all(kinds: str, patience_seconds: int, *, target: Target) -> Command:
    """Return the command that deletes all objects of some kinds, which are given in shell syntax."""
    webhooks = " ".join(f"{kind}s/{name}" for name, kind in WEBHOOKS.items())
    text = f"{led_to(target)}patience=$1 webhooks='{webhooks}'; set -- {kinds}\n" + _DELETE_ALL
    return script(text, str(patience_seconds), title="kubectl delete")


def _removal(name: str, verb: str, what: str, by_hand: str, done_by: Command) -> Removal:
    past, running = {"delete": ("deleted", "deleting"), "uninstall": ("uninstalled", "uninstalling")}.get(
        verb, ("removed", "removing")
    )
    return Removal(
        name=name,
        text=f"{verb} {what}",
        running=f"{running} {what}",
        done=f"{past} {what}",
        by_hand=by_hand,
        command=done_by,
    )
