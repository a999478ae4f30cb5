"""KubeFed's federation: what has joined, by which credential, and how a KubeFedCluster is changed."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.install import NAMESPACE
from fedssh.engines.protocol import NOW, JoinedCluster
from fedssh.errors import FedsshError, visible
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig.entries import same_certificate
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_items, section
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READY_SECONDS: Final = 60.0
"""How long KubeFed may take to find a joined cluster healthy; it looks every 10 s."""

BEGIN: Final = "begin"
"""In the place of a time: that at which a command begins."""

ROTATED: Final = "fedssh/rotated-at"
"""The annotation of a Secret that says when its token was renewed for the last time, as Kubernetes writes times."""

_STEP: Final = "look at the federation"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
_ALL: Final = "*"
_NAME: Final = "SubjectName"

# What KubeFed's controller says of a cluster, and what it means.
_EXPLANATIONS: Final = {
    "provide credentials": "the member does not accept KubeFed's token",
    "no such host": "its controller, in a pod, does not resolve the name: DNS must know it, /etc/hosts is not read",
    "not reachable": "its controller, in a pod, does not get through to the address",
    "x509": "its controller, in a pod, does not verify the certificate",
    "Unauthorized": "the member does not accept KubeFed's token",
}

# The same in a word or two, for a table; the first that fits.
_REASONS: Final = {
    "provide credentials": "token refused",
    "Unauthorized": "token refused",
    "orbidden": "no rights",
    "no such host": "name unknown",
    "server misbehaving": "name unknown",
    "x509": "certificate not verified",
    "tls:": "certificate not verified",
    "connection refused": "API refuses connections",
    "no route to host": "no route",
    "imeout": "no answer",
    "deadline exceeded": "no answer",
    "onnection reset": "connection reset",
    "EOF": "connection reset",
    "malformed": "Secret or address malformed",
    "healthz": "API not healthy",
    "not reachable": "not reachable",
}


def credential(cluster: JoinedCluster, *, server_name: str) -> Credential | None:
    """Return KubeFed's own credential for a cluster, for proving it; None when there is no token.

    kubectl cannot leave out the name alone, as KubeFed can: it checks ``server_name`` instead.
    """
    if cluster.token is None:
        return None
    trust = cluster.endpoint.trust
    if _NAME in _unverified(cluster) and not trust.is_insecure:
        trust = Trust(word=trust.word, ca=trust.ca, server_name=server_name)
    return Credential(endpoint=Endpoint(server=cluster.endpoint.server, trust=trust), token=cluster.token)


def after_join(name: str, endpoint: Endpoint, before: JoinedCluster | None) -> JoinedCluster:
    """Return what a KubeFedCluster is going to be when the cluster has joined with that endpoint.

    A join replaces the whole spec and keeps the labels (pkg/kubefedctl/join.go, v0.10.0). It takes the address and the
    CA from the context. For a context without a CA it takes that of the account which it makes on the member. Where the
    context verifies nothing, all validations are disabled.
    """
    spec: dict[str, Any] = {"apiEndpoint": endpoint.server, "caBundle": endpoint.trust.ca}
    if endpoint.trust.is_insecure:
        spec["disabledTLSValidations"] = [_ALL]
    return JoinedCluster(name=name, endpoint=endpoint, token=None, labels=before.labels if before else {}, spec=spec)


def corrections(cluster: JoinedCluster, endpoint: Endpoint) -> dict[str, Any]:
    """Return what a KubeFedCluster's spec lacks to be what ``endpoint`` says; {} when nothing does.

    KubeFed has no field for the name to verify, so that a trust with one has to do without (``SubjectName``); its
    validations are those of pkg/apis/core/v1beta1/kubefedcluster_types.go.
    """
    trust = endpoint.trust
    unverified = (_ALL,) if trust.is_insecure else (_NAME,) if trust.server_name else ()
    patch: dict[str, Any] = {}
    if cluster.endpoint.server != endpoint.server:
        patch["apiEndpoint"] = endpoint.server
    if not trust.is_insecure and not same_certificate(str(cluster.spec.get("caBundle") or ""), trust.ca):
        patch["caBundle"] = trust.ca
    if _unverified(cluster) != unverified:
        patch["disabledTLSValidations"] = list(unverified) or None
    return patch


def correct_command(name: str, corrections: Mapping[str, Any], *, target: Target) -> Command:
    """Return the command that changes a KubeFedCluster's spec, and prints the host's time when it is done."""
    change = kubectl(
        "patch",
        f"kubefedclusters/{name}",
        f"--namespace={NAMESPACE}",
        "--type=merge",
        f"--patch={json.dumps({'spec': corrections})}",
        target=target,
    )
    return Command(line=f"{change.line} >/dev/null && {NOW}", title=change.title)


def list_commands(*, target: Target) -> list[Command]:
    """Return the commands that list the federation and its credentials."""
    where = f"--namespace={NAMESPACE}"
    return [
        kubectl("get", "kubefedclusters.core.kubefed.io", where, "-o", "json", target=target),
        # Join makes Opaque ones; Helm's releases, which are large, and token Secrets stay where they are.
        kubectl("get", "secrets", where, "--field-selector=type=Opaque", "-o", "json", target=target),
    ]


def parse_list(results: Sequence[Result], *, machine: str) -> dict[str, JoinedCluster]:
    """Return the joined clusters by name; none when KubeFed is not installed.

    Raises:
        StepError: kubectl failed.
    """
    clusters, listed = results
    if not clusters.ok and "the server doesn't have a resource type" in clusters.stderr:
        return {}
    secrets = {_name(secret): secret for secret in parse_items(listed, machine=machine, step=_STEP) if _name(secret)}
    items = parse_items(clusters, machine=machine, step=_STEP)
    found = [parse_cluster(item, secrets) for item in items if _name(item)]
    return {cluster.name: cluster for cluster in found}


def label_command(names: Sequence[str], labels: Mapping[str, str], *, target: Target) -> Command:
    """Return the command that gives KubeFedClusters the same labels, so that placement can select them."""
    return kubectl(
        "label",
        "--overwrite",
        f"--namespace={NAMESPACE}",
        *(f"kubefedclusters/{name}" for name in names),
        *(f"{key}={value}" for key, value in labels.items()),
        target=target,
    )


def parse_labels(result: Result, names: Sequence[str]) -> dict[str, FedsshError]:
    """Return, for the clusters of ``label_command`` that were not labelled, why."""
    return {name: explain(result, machine=name, step="label") for name in _left_out(result, names, "labeled")}


def reconnect_command(names: Sequence[str], *, target: Target) -> Command:
    """Return the command that has KubeFed's controller connect anew to clusters that it knows already.

    It keeps its clients and does not look at their Secrets again (kubefed#1132). When a KubeFedCluster's annotations
    change in any way, it makes its client anew (pkg/controller/kubefedcluster/controller.go).
    """
    clusters = [f"kubefedclusters/{name}" for name in names]
    annotate = kubectl("annotate", "--overwrite", f"--namespace={NAMESPACE}", *clusters, target=target)
    return Command(line=f'{annotate.line} "fedssh/reconnected-at=$({NOW})"', title=annotate.title)


def parse_reconnect(result: Result, names: Sequence[str], *, machine: str) -> dict[str, FedsshError]:
    """Return, for the clusters of ``reconnect_command`` that it did not reach, why."""
    left_out = _left_out(result, names, "annotated")
    return {name: explain(result, machine=machine, step="connect anew") for name in left_out}


def _left_out(result: Result, names: Sequence[str], word: str) -> list[str]:
    """Return the clusters that kubectl has not changed; ``word`` is its own for what it does to one.

    It says "kubefedcluster.core.kubefed.io/member1 annotated" of each that it has changed, and goes on to the next
    when one fails.
    """
    done = {line.rpartition("/")[2].partition(" ")[0] for line in result.stdout.splitlines() if line.endswith(word)}
    return [] if result.ok else [name for name in names if name not in done]


def wait_command(since: Mapping[str, str], *, target: Target) -> Command:
    """Return the command that waits until every cluster in ``since`` is Ready by a health probe after its time.

    ``BEGIN`` is the time at which the command begins. A condition from before does not count: READY stays True while
    the credential behind it is already gone.
    """
    # Without range: kubectl prints one object after the other by it, and stumbles over a second range ("not in range").
    ready = '{.status.conditions[?(@.type=="Ready")].'
    seen = f'jsonpath={{.metadata.name}} {ready}status}} {ready}lastProbeTime}}{{"\\n"}}'
    watch = kubectl(
        "get", "kubefedclusters", f"--namespace={NAMESPACE}", "--watch", "-o", seen, target=target,
        request_timeout_seconds=int(READY_SECONDS),
    )  # fmt: skip
    # A line for each cluster, and one more whenever it changes: no kubectl is started to look again. Times count as
    # numbers. The reader knows whom to end by the first line; the shell need not say that somebody was ended.
    text = f"""
        end=$(( $(date +%s) + $1 )); shift
        parse() {{ set -f; IFS=-:.TZ; set -- $1; unset IFS; number=$1$2$3$4$5$6; }}
        now=$({NOW}) left=
        for want in "$@"; do
            since=${{want#*=}}
            [ "$since" != {BEGIN} ] || since=$now
            parse "$since"
            left="$left ${{want%%=*}}=${{number:-0}}"
        done
        until
            sh -c 'echo $$; exec "$@"' sh {watch.line} 2>&3 | {{
                read -r watching
                while [ -n "$left" ] && read -r name status time; do
                    case "$left " in *" $name="*) ;; *) continue ;; esac
                    [ "$status" = True ] || continue
                    since=${{left#*" $name="}}; after=${{since#"${{since%% *}}"}}; since=${{since%% *}}
                    parse "$time"
                    [ "${{number:-0}}" -lt "$since" ] || left=${{left%%" $name="*}}$after
                done
                kill "$watching"
                [ -z "$left" ]
            }}
        do
            [ "$(date +%s)" -lt "$end" ] || exit 1
            sleep 1
        done 3>&2 2>/dev/null
    """
    wanted = [f"{name}={time}" for name, time in since.items()]
    return script(text, str(int(READY_SECONDS)), *wanted, title="wait for Ready")


def _name(item: Mapping[str, Any]) -> str:
    """Return an object's name, or "" where it has none: an API server has no such objects."""
    name = section(item, "metadata").get("name")
    return name if isinstance(name, str) and name.isprintable() else ""


def parse_cluster(item: Mapping[str, Any], secrets: Mapping[str, Mapping[str, Any]]) -> JoinedCluster:
    """Return what a KubeFedCluster says, with the token in that of the Secrets, by name, to which it refers."""
    spec, metadata, status = section(item, "spec"), section(item, "metadata"), section(item, "status")
    listed = status.get("conditions")
    told_of = listed if isinstance(listed, list) else []
    conditions = {str(found.get("type")): found for found in told_of if isinstance(found, dict)}
    ready = conditions.get("Ready")
    # There is no Ready condition at all on a cluster that was never reached (kubefed#1498): the others tell why.
    others = [found for kind, found in conditions.items() if kind != "Ready" and found.get("status") == "True"]
    told = [*others, *([ready] if ready else [])]
    reasons = [str(found.get("message") or found.get("reason") or "") for found in told]
    is_ready = ready.get("status") == "True" if ready else (False if others else None)
    secret = secrets.get(str(section(spec, "secretRef").get("name", "")), {})
    token = _decoded(section(secret, "data").get("token", ""))
    about = section(secret, "metadata")
    since = (told[0] if told else {}).get("lastTransitionTime") or ""
    return JoinedCluster(
        name=_name(item),
        endpoint=Endpoint(server=visible(" ".join(str(spec.get("apiEndpoint", "")).split())), trust=_trust(spec)),
        token=Sensitive(token) if token else None,
        labels={visible(key): visible(str(value)) for key, value in section(metadata, "labels").items()},
        ready=is_ready,
        message="" if is_ready else _explained("; ".join(filter(None, reasons))),
        probed=visible(str(ready.get("lastProbeTime") or "")) if ready and is_ready else "",
        reason="" if is_ready else _in_short("; ".join(filter(None, reasons))),
        since=_time(since),
        kubernetes=visible(str(status.get("kubernetesVersion") or "")),
        issued=_time(section(about, "annotations").get(ROTATED) or about.get("creationTimestamp")),
        spec=spec,
    )


def _trust(spec: Mapping[str, Any]) -> Trust:
    """Return how KubeFed verifies a cluster; where its spec has no CA, by the trust store of its controller's image."""
    if _ALL in _validations(spec):
        return Trust(word="insecure")
    ca = spec.get("caBundle")
    return Trust(word="ca", ca=ca) if isinstance(ca, str) and _holds_something(ca) else Trust(word="system")


def _unverified(cluster: JoinedCluster) -> tuple[str, ...]:
    """Return what KubeFed does not verify: ``*`` is nothing at all, ``SubjectName`` only its name."""
    return _validations(cluster.spec)


def _validations(spec: Mapping[str, Any]) -> tuple[str, ...]:
    disabled = spec.get("disabledTLSValidations")
    return tuple(map(str, disabled)) if isinstance(disabled, list) else ()


def _explained(message: str) -> str:
    meanings = [meaning for words, meaning in _EXPLANATIONS.items() if words in message]
    return visible(message) + (f" ({meanings[0]})" if meanings else "")


def _in_short(message: str) -> str:
    return next((reason for words, reason in _REASONS.items() if words in message), "not looked at yet" * (not message))


def _time(said: object) -> str:
    """Return a time as Kubernetes writes it, or "" for anything else."""
    return said if isinstance(said, str) and _TIME.fullmatch(said) else ""


def _decoded(token: Any) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("ascii")
    except (TypeError, ValueError):
        return ""


def _holds_something(ca: str) -> bool:
    """Whether it is base64, however it is wrapped: one that is not would spoil a kubeconfig for all its clusters."""
    try:
        return bool(base64.b64decode("".join(ca.splitlines()), validate=True))
    except ValueError:
        return False
