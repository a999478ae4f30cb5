"""KubeFed's federation: what has joined, and when a joined cluster really is one.

All names of KubeFed stand here and in the other modules called so. Facts are of KubeFed 0.10.0.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.install import NAMESPACE
from fedssh.errors import visible
from fedssh.kubernetes.access import MemberAccess
from fedssh.kubernetes.kubectl import Target, kubectl, parse_items, section
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOW: Final = "date -u +%Y-%m-%dT%H:%M:%SZ"
"""The command that prints a machine's time as KubeFed writes it (RFC 3339, UTC, whole seconds)."""

READY_SECONDS: Final = 60
"""How long KubeFed may take to find a joined cluster healthy; it looks every 10 s."""

_STEP: Final = "look at the federation"

# What KubeFed's controller says of a cluster, and what it means.
_EXPLANATIONS: Final = {
    "provide credentials": "the member does not accept KubeFed's token",
    "no such host": "its controller, in a pod, does not resolve the name: DNS must know it, /etc/hosts is not read",
    "not reachable": "its controller, in a pod, does not get through to the address",
    "x509": "its controller, in a pod, does not verify the certificate",
    "Unauthorized": "the member does not accept KubeFed's token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedCluster:
    """A KubeFedCluster, with the credential that KubeFed uses for it.

    Attributes:
        name: Its name.
        api_server: The address at which KubeFed reaches it.
        ca: The CA that KubeFed checks it with: PEM in base64, as in ``MemberAccess``.
        unverified: What KubeFed does not verify: ``*`` is nothing at all, ``SubjectName`` only its name.
        token: KubeFed's own token, or None when its Secret is missing.
        labels: The KubeFedCluster's labels.
        ready: KubeFed's own view; None before the first health probe.
        message: Why it is not ready, in KubeFed's words.
    """

    name: str
    api_server: str
    ca: str
    unverified: tuple[str, ...] = ()
    token: Sensitive | None
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool | None
    message: str

    def credential(self, like: MemberAccess) -> MemberAccess | None:
        """Return KubeFed's own access to the cluster of ``like``, for proving it; None when there is no token."""
        if self.token is None:
            return None
        return MemberAccess(
            name=self.name,
            server=self.api_server,
            ca=self.ca,
            # kubectl cannot leave out the name alone: it checks the name that hosts.yaml gives instead.
            server_name=like.server_name if "SubjectName" in self.unverified else "",
            insecure="*" in self.unverified,
            token=self.token,
            cluster_uid=like.cluster_uid,
        )


def credentials(clusters: Mapping[str, JoinedCluster], accesses: Mapping[str, MemberAccess]) -> dict[str, MemberAccess]:
    """Return KubeFed's own credentials for those clusters in ``accesses`` that have one."""
    found = {name: clusters[name].credential(access) for name, access in accesses.items() if name in clusters}
    return {name: one for name, one in found.items() if one}


def spec_patch(joined: JoinedCluster, access: MemberAccess) -> dict[str, Any]:
    """Return what a KubeFedCluster's spec lacks to be what ``access`` says; {} when nothing does.

    KubeFed has no field for the name to verify, so that an access with one has to do without (``SubjectName``); its
    validations are those of pkg/apis/core/v1beta1/kubefedcluster_types.go.
    """
    unverified = ("*",) if access.insecure else ("SubjectName",) if access.server_name else ()
    patch: dict[str, Any] = {}
    if joined.api_server != access.server:
        patch["apiEndpoint"] = access.server
    if not access.insecure and _pem(joined.ca) != _pem(access.ca):
        patch["caBundle"] = access.ca
    if joined.unverified != unverified:
        patch["disabledTLSValidations"] = list(unverified) or None
    return patch


def patch_command(name: str, patch: Mapping[str, Any], *, target: Target) -> Command:
    """Return the command that changes a KubeFedCluster's spec, and prints the host's time when it is done."""
    change = kubectl(
        "patch",
        f"kubefedclusters/{name}",
        f"--namespace={NAMESPACE}",
        "--type=merge",
        f"--patch={json.dumps({'spec': patch})}",
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
    clusters, secrets = results
    if not clusters.ok and "the server doesn't have a resource type" in clusters.stderr:
        return {}
    tokens = {
        one["metadata"]["name"]: _decoded(section(one, "data").get("token", ""))
        for one in parse_items(secrets, machine=machine, step=_STEP)
    }
    found = [_parse_cluster(one, tokens) for one in parse_items(clusters, machine=machine, step=_STEP)]
    return {one.name: one for one in found}


def label_command(name: str, labels: Mapping[str, str], *, target: Target) -> Command:
    """Return the command that labels a KubeFedCluster, so that placement can select it."""
    return kubectl(
        "label",
        "--overwrite",
        f"--namespace={NAMESPACE}",
        f"kubefedclusters/{name}",
        *(f"{key}={value}" for key, value in labels.items()),
        target=target,
    )


def reconnect_command(names: Sequence[str], *, target: Target) -> Command:
    """Return the command that has KubeFed's controller connect anew to clusters that it knows already.

    It keeps its clients and does not look at their Secrets again (kubefed#1132); any change of a KubeFedCluster's
    annotations makes it (pkg/controller/kubefedcluster/controller.go).
    """
    clusters = [f"kubefedclusters/{name}" for name in names]
    annotate = kubectl("annotate", "--overwrite", f"--namespace={NAMESPACE}", *clusters, target=target)
    return Command(line=f'{annotate.line} "fedssh/reconnected-at=$({NOW})"', title=annotate.title)


def wait_command(since: Mapping[str, str], *, target: Target) -> Command:
    """Return the command that waits until every cluster in ``since`` is Ready by a health probe after its time.

    A condition from before does not count: READY stays True while the credential behind it is already gone.
    """
    columns = (
        'jsonpath={range .items[*]}{.metadata.name}{range .status.conditions[?(@.type=="Ready")]}'
        '{" "}{.status}{" "}{.lastProbeTime}{end}{"\\n"}{end}'
    )
    table = kubectl("get", "kubefedclusters", f"--namespace={NAMESPACE}", "-o", columns, target=target).line
    text = f"""
        end=$(( $(date +%s) + $1 )); shift
        all_ready() {{
            table=$({table})
            for want in "$@"; do
                printf '%s\\n' "$table" | awk -v name="${{want%%=*}}" -v since="${{want#*=}}" '
                    $1 == name && $2 == "True" && $3 "" >= since "" {{ found = 1 }} END {{ exit !found }}' || return 1
            done
        }}
        until all_ready "$@"; do
            [ "$(date +%s)" -lt "$end" ] || exit 1
            sleep 1
        done
    """
    wanted = [f"{name}={time}" for name, time in since.items()]
    return script(text, str(READY_SECONDS), *wanted, title="wait for Ready")


def _parse_cluster(one: Mapping[str, Any], tokens: Mapping[str, str]) -> JoinedCluster:
    spec, metadata = section(one, "spec"), one["metadata"]
    conditions = {found.get("type"): found for found in section(one, "status").get("conditions") or []}
    ready = conditions.get("Ready")
    # There is no Ready condition at all on a cluster that was never reached (kubefed#1498): the others tell why.
    others = [found for kind, found in conditions.items() if kind != "Ready" and found.get("status") == "True"]
    reasons = [found.get("message") or found.get("reason") or "" for found in [*others, *([ready] if ready else [])]]
    is_ready = ready.get("status") == "True" if ready else (False if others else None)
    token = tokens.get(section(spec, "secretRef").get("name", ""), "")
    return JoinedCluster(
        name=metadata["name"],
        api_server=visible(" ".join(str(spec.get("apiEndpoint", "")).split())),
        ca=spec.get("caBundle", ""),
        unverified=tuple(spec.get("disabledTLSValidations") or ()),
        token=Sensitive(token) if token else None,
        labels=section(metadata, "labels"),
        ready=is_ready,
        message="" if is_ready else _explained("; ".join(filter(None, reasons))),
    )


def _explained(message: str) -> str:
    meanings = [meaning for words, meaning in _EXPLANATIONS.items() if words in message]
    return visible(message) + (f" ({meanings[0]})" if meanings else "")


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode("ascii")
    except (TypeError, ValueError):
        return ""


def _pem(ca: str) -> bytes:
    try:
        return base64.b64decode(ca).strip()
    except ValueError:
        return b""
