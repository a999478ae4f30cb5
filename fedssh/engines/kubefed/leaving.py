"""How a cluster leaves KubeFed: what its join has left on it and on the host, and the commands that remove that.

kubefedctl is not used. Its ``unjoin`` needs a context that works, deletes the member's whole namespace whatever else
is in it (kubefed#1258), and waits 240 s for a member that drops packets. Names are those of pkg/kubefedctl/join.go,
v0.10.0. Nothing that the federation has put on a member is deleted by its leaving: KubeFed lets go of it.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.clusters import parse_cluster
from fedssh.engines.kubefed.install import NAMESPACE
from fedssh.engines.kubefed.residue import BINDING
from fedssh.engines.protocol import NOT_EMPTY, HostTraces, MemberTraces
from fedssh.errors import visible
from fedssh.kubernetes.account import apply_command
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_items, parse_json, section
from fedssh.kubernetes.objects import COLUMNS, ObjectName, core, led_to, parse_names, rbac
from fedssh.kubernetes.tokens import token_subject
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.engines.protocol import JoinedCluster

MANAGED: Final = "kubefed.io/managed"
"""The label that KubeFed gives to what it has put on a cluster (pkg/controller/util/managedlabel.go)."""

ALTERNATE: Final = "-fedssh"
"""How the name of an account ends that has taken another one's place."""

USUAL_TYPES: Final = (
    "clusterroles.rbac.authorization.k8s.io",
    "configmaps",
    "deployments.apps",
    "ingresses.networking.k8s.io",
    "jobs.batch",
    "namespaces",
    "replicasets.apps",
    "secrets",
    "serviceaccounts",
    "services",
)
"""The types that KubeFed 0.10.0 federates unless told otherwise, for a host that cannot be asked any more."""

NOTED: Final = "fedssh/withdrawn"
"""The annotation of a Secret that says which cluster it is for, and how that was described, once KubeFed lets it go.

Without it, a run that is killed at that moment would leave a token and nobody who knows what it opens.
"""

_DESCRIBING: Final = ("apiEndpoint", "caBundle", "disabledTLSValidations", "secretRef")
_STEP: Final = "look at the federation"
_SECONDS: Final = 5
_ACCOUNT: Final = re.compile(r"system:serviceaccount:([a-z0-9-]{1,63}):([a-z0-9.-]{1,253})")
_TYPE: Final = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9.-]{1,253})?")

# Kinds are asked for as far as the API server has them: kubectl prints nothing when it is asked for an unknown one.
_WORKLOADS: Final = """
    label=$1 columns=$2 limit=$3; shift 3
    known=$(kubectl --request-timeout="${limit}s" api-resources --verbs=list --output=name)
    [ -n "$known" ] || exit 1
    list=
    for type; do
        if printf '%s\\n' "$known" | grep -qxF "$type"; then list=${list:+$list,}$type; fi
    done
    [ -z "$list" ] || kubectl --request-timeout="${limit}s" get "$list" -A -l "$label=true" -o "$columns"
"""

# What every namespace has and what controllers write by themselves is nobody's; what is owned or going goes by itself.
_CONTENTS: Final = """
    contents() {
        kinds=$(kubectl api-resources --verbs=list --namespaced --output=name | grep -vE \\
            '^(events|events.events.k8s.io|endpoints|endpointslices.discovery.k8s.io|leases.*)$|metrics')
        [ -n "$kinds" ] || return 2
        kinds=$(printf '%s' "$kinds" | tr '\\n' ',')
        listed=$(kubectl get "$kinds" -n "$1" -o "jsonpath={range .items[*]}{.kind}/{.metadata.name}\
{'\\t'}{.metadata.deletionTimestamp}{.metadata.ownerReferences[0].uid}{'\\t'}{.type}{'\\n'}{end}") || return 2
        printf '%s\\n' "$listed" |
            awk -F '\\t' '$1 != "" && $2 == "" && $3 != "kubernetes.io/service-account-token" { print $1 }' |
            grep -vxE \\
            'ServiceAccount/default|ConfigMap/(kube-root-ca.crt|openshift-service-ca.crt|kubefed-controller-manager)'
    }
"""
"""Prints what a namespace holds; answers 0 for something, 1 for nothing, 2 where that is not known."""

_CONTENTS_IF_THERE: Final = (
    _CONTENTS
    + """
    there=$(kubectl get namespace "$1" --ignore-not-found -o name) || exit
    [ -n "$there" ] || exit 0
    echo there
    contents "$1"
    [ $? -le 1 ]
"""
)
_DELETE_IF_EMPTY: Final = (
    _CONTENTS
    + f"""
    namespace=$1 seconds=$2
    there=$(kubectl get namespace "$namespace" --ignore-not-found -o name) || exit
    [ -n "$there" ] || exit 0
    end=$(( $(date +%s) + seconds ))
    while :; do
        held=$(contents "$namespace")
        case $? in 0) ;; 1) break ;; *) exit 1 ;; esac
        [ "$(date +%s)" -lt "$end" ] || {{ printf '%s\\n' $held; exit {NOT_EMPTY}; }}
        sleep 1
    done
    kubectl delete namespace "$namespace" --ignore-not-found --timeout=60s
"""
)


def account_of(cluster: JoinedCluster, *, host: str) -> str:
    """Return the account by which KubeFed enters a cluster, as ``namespace/name``: its token's, or join's usual one."""
    found = _ACCOUNT.fullmatch(token_subject(cluster.token)) if cluster.token else None
    return f"{found[1]}/{found[2]}" if found else usual_account(cluster.name, host=host)


def usual_account(name: str, *, host: str) -> str:
    """Return the account that a join makes, as ``namespace/name``."""
    return f"{NAMESPACE}/{name}-{host}"


def account_base(account: str) -> str:
    """Return the account that a join has made first, where another one has taken its place since."""
    return account.removesuffix(ALTERNATE)


def secrets_of(name: str, cluster: JoinedCluster | None) -> set[str]:
    """Return the Secrets on the host that belong to a cluster by their names: fedssh's own, and the one in use."""
    used = section(cluster.spec, "secretRef").get("name") if cluster else None
    return {f"{name}.fedssh", *([used] if isinstance(used, str) and used else [])}


def host_trace_commands(*, target: Target) -> list[Command]:
    """Return the commands that look for what KubeFed and its joins have made on the host; none asks for contents."""
    where = f"--namespace={NAMESPACE}"
    types = "jsonpath={range .items[*]}{.spec.targetType.pluralName}{'\\t'}{.spec.targetType.group}{'\\n'}{end}"
    return [
        kubectl("get", "secrets", where, "--field-selector=type=Opaque", "-o", "json", target=target),
        kubectl("get", "federatedtypeconfigs.core.kubefed.io", where, "-o", types, target=target),
    ]


def parse_host_traces(results: Sequence[Result], *, machine: str) -> HostTraces:
    """Return what the answers to ``host_trace_commands`` say.

    Raises:
        StepError: The Secrets cannot be listed (3).
    """
    secrets, types = results
    held: dict[str, str] = {}
    withdrawn: dict[str, JoinedCluster] = {}
    for secret in parse_items(secrets, machine=machine, step=_STEP):
        noted = _noted(secret)
        withdrawn |= {noted.name: noted} if noted else {}
        token = section(secret, "data").get("token")
        if isinstance(token, str):
            held[str(section(secret, "metadata")["name"])] = _account_in(token)
    if not types.ok and "the server doesn't have a resource type" not in types.stderr:
        raise explain(types, machine=machine, step=_STEP)
    found = [line.replace("\t", ".").strip(".") for line in types.stdout.splitlines()]
    named = tuple(one for one in found if _TYPE.fullmatch(one)) or USUAL_TYPES
    return HostTraces(secrets=held, withdrawn=withdrawn, types=named)


def _noted(secret: Mapping[str, Any]) -> JoinedCluster | None:
    """Return the cluster that ``note_command`` has noted at a Secret, or None."""
    metadata = section(secret, "metadata")
    try:
        item = parse_json(section(metadata, "annotations").get(NOTED) or "")
    except (TypeError, ValueError):
        return None
    if not isinstance(item, dict):
        return None
    cluster = parse_cluster(item, {str(metadata.get("name")): secret})
    return cluster if cluster.name and cluster.token else None


def _account_in(token: str) -> str:
    try:
        found = _ACCOUNT.fullmatch(token_subject(Sensitive(base64.b64decode(token, validate=True).decode("ascii"))))
    except ValueError:
        found = None
    return f"{found[1]}/{found[2]}" if found else ""


def member_trace_commands(types: Sequence[str], *, target: Target) -> list[Command]:
    """Return the commands that look for what KubeFed's joins have made on a cluster, and what KubeFed has put there."""
    columns = (
        "jsonpath={range .items[*]}{.kind}{'\\t'}{.metadata.namespace}{'\\t'}{.metadata.name}"
        "{range .subjects[*]}{'\\t'}{.namespace}/{.name}{end}{'\\n'}{end}"
    )
    kinds = "clusterrolebindings,rolebindings,clusterroles,roles"
    accounts = ["get", "serviceaccounts,secrets", f"--namespace={NAMESPACE}", "-o"]
    owners = (
        "jsonpath={range .items[*]}{.kind}{'\\t'}{.metadata.name}{'\\t'}"
        "{.metadata.annotations.kubernetes\\.io/service-account\\.name}{'\\n'}{end}"
    )
    return [
        kubectl("get", kinds, "-A", "-o", columns, target=target, request_timeout_seconds=_SECONDS),
        kubectl(*accounts, owners, target=target, request_timeout_seconds=_SECONDS),
        script(led_to(target) + _CONTENTS_IF_THERE, NAMESPACE, title=f"look into {NAMESPACE}"),
        script(
            led_to(target) + _WORKLOADS,
            MANAGED,
            COLUMNS,
            str(_SECONDS),
            *types,
            title="kubectl get what KubeFed manages",
        ),
    ]


def parse_member_traces(results: Sequence[Result], accounts: Iterable[str], *, machine: str) -> MemberTraces:
    """Return what the answers to ``member_trace_commands`` say of a join.

    Args:
        results: The answers.
        accounts: The accounts of the join, as ``namespace/name``.
        machine: The cluster, for messages.

    Raises:
        StepError: kubectl failed (3).
    """
    access, held, contents, workloads = results
    for result in results:
        if not result.ok:
            raise explain(result, machine=machine, step="look at the member")
    wanted = _with_alternates(accounts)
    roles = {BINDING + account.partition("/")[2] for account in wanted}
    roles |= {f"{BINDING}{NAMESPACE}:healthcheck-{account.partition('/')[2]}" for account in wanted}
    found: list[ObjectName] = []
    for line in access.stdout.splitlines():
        kind, place, name, *subjects = _fields(line, 3)
        if name in roles or (name.startswith(BINDING) and subjects and {*subjects} <= wanted):
            found.append(rbac(kind, name, place))
    # Bindings first: with the last of them the account's rights are gone.
    found.sort(key=lambda one: not one.kind.endswith("Binding"))
    names = {account.partition("/")[2] for account in wanted if account.partition("/")[0] == NAMESPACE}
    for line in held.stdout.splitlines():
        kind, name, owner = _fields(line, 3)[:3]
        if (kind == "ServiceAccount" and name in names) or (kind == "Secret" and owner in names):
            found.append(core(kind, name, NAMESPACE))
    there, *things = contents.stdout.splitlines() or [""]
    own = {f"ServiceAccount/{name}" for name in names}
    return MemberTraces(
        access=tuple(found),
        namespace=core("Namespace", NAMESPACE) if there else None,
        others=tuple(visible(thing) for thing in things if thing not in own),
        workloads=parse_names(workloads),
    )


def expected_traces(account: str) -> MemberTraces:
    """Return what a join leaves on a cluster that nobody can look at."""
    namespace, _, name = account.partition("/")
    kinds = ("ClusterRoleBinding", "ClusterRole")
    return MemberTraces(
        access=(*(rbac(kind, BINDING + name) for kind in kinds), core("ServiceAccount", name, namespace)),
        namespace=core("Namespace", NAMESPACE),
    )


def note_command(clusters: Sequence[JoinedCluster], *, target: Target) -> Command:
    """Return the command that notes at the Secrets of clusters how they are reached; ``parse_host_traces`` reads it."""
    notes = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": section(cluster.spec, "secretRef")["name"],
                "namespace": NAMESPACE,
                "annotations": {NOTED: json.dumps({"metadata": {"name": cluster.name}, "spec": _described(cluster)})},
            },
        }
        for cluster in clusters
    ]
    # Under the name by which a rotation applies the token, that would be taken away.
    return apply_command(notes, force=True, target=target, manager="fedssh-unfederate")


def _described(cluster: JoinedCluster) -> dict[str, Any]:
    return {key: cluster.spec[key] for key in _DESCRIBING if key in cluster.spec}


def withdraw_command(names: Sequence[str], *, target: Target) -> Command:
    """Return the command that takes clusters out of the federation: KubeFed knows them no more, and lets go."""
    clusters = [f"kubefedclusters.core.kubefed.io/{name}" for name in names]
    where = f"--namespace={NAMESPACE}"
    line = kubectl("delete", *clusters, where, "--ignore-not-found", "--timeout=20s", target=target).line
    return _unless_gone(line, title="kubectl delete kubefedcluster")


def forget_command(secrets: Sequence[str], *, target: Target) -> Command:
    """Return the command that deletes KubeFed's credentials for clusters that have left."""
    listed = [f"secret/{name}" for name in secrets]
    return kubectl("delete", *listed, f"--namespace={NAMESPACE}", "--ignore-not-found", target=target)


def let_go_command(workloads: Sequence[ObjectName], *, target: Target) -> Command:
    """Return the command that takes KubeFed's label off what it has put on a cluster, and changes nothing else."""
    manifests = [one.manifest(labels={MANAGED: "true"}) for one in workloads]
    stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    return kubectl("label", "--filename=-", f"{MANAGED}-", target=target, stdin=stdin)


def let_go_by_hand() -> str:
    """Return the command line by which an administrator takes KubeFed's label off what has stayed."""
    kinds = ",".join(USUAL_TYPES)
    return f"kubectl get {kinds} -A -l {MANAGED}=true -o json | kubectl label -f - {MANAGED}-"


def empty_namespace_command(namespace: str, *, target: Target, wait_seconds: int) -> Command:
    """Return the command that deletes a namespace once it holds nothing of anybody's; else it fails and says what."""
    text = led_to(target) + _DELETE_IF_EMPTY
    return script(text, namespace, str(wait_seconds), title=f"kubectl delete namespace {namespace}")


def _fields(line: str, least: int) -> list[str]:
    """Return the fields of a line, at least so many."""
    fields = [visible(field) for field in line.split("\t")]
    return fields + [""] * (least - len(fields))


def _with_alternates(accounts: Iterable[str]) -> set[str]:
    """Return accounts, and those that may have taken their places."""
    bases = {account_base(account) for account in accounts}
    return bases | {base + ALTERNATE for base in bases}


def _unless_gone(line: str, *, title: str) -> Command:
    """Return a command that succeeds where KubeFed's types are gone."""
    text = f"""
        said=$({line} 2>&1) && {{ printf '%s\\n' "$said"; exit; }}
        code=$?
        case $said in *"doesn't have a resource type"*) exit 0 ;; esac
        printf '%s\\n' "$said" >&2
        exit $code
    """
    return script(text, title=title)
