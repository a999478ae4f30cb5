"""What a member grants: the objects on it, and the address, CA and token that lead to it from the host.

The objects are those an administrator would make by hand: a ServiceAccount, a ClusterRole that may do everything, and
the binding between them, all called after the member. KubeFed needs that much: ``kubefedctl join`` itself grants
``*`` to the account it makes, and Kubernetes lets nobody grant more than they have (kubernetes#49041).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_object, render_list, section
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.inventory import Cluster

NAMESPACE: Final = "default"
"""Where the ServiceAccount lives. Never kube-federation-system: unjoin deletes that from members (kubefed#1258)."""

TOKEN_WAIT_SECONDS: Final = 30
"""How long the controller-manager may take to fill in a token Secret."""

MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "fedssh"}

_FIXED: Final = {"clusterrolebinding", "secret"}
"""The kinds that have to be made anew to be changed: a binding's role and a Secret's type stay as they are."""

_SERVERS_OWN: Final = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
_JWT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_GRANT = "grant access"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAccess:
    """All that the host needs to reach a member.

    Attributes:
        name: The member.
        server: Its API address, https.
        ca: The CA that its certificate is checked with: PEM in base64, as a kubeconfig holds it. "" leaves it to the
            trust store of whoever asks.
        server_name: The name that its certificate is checked against, or "" for the one in its address.
        insecure: Whether nothing is verified.
        token: Its ServiceAccount's token; an empty one asks anonymously.
        cluster_uid: The UID of its namespace kube-system, which tells one cluster from another.
    """

    name: str
    server: str
    ca: str
    server_name: str = ""
    insecure: bool = False
    token: Sensitive
    cluster_uid: str


def token_secret(name: str) -> str:
    """Return the name of a member's token Secret; a new token will need a new name."""
    return f"{name}-fedssh-1"


def delete_token(name: str) -> str:
    """Return the command line by which an administrator lets fedssh make a new token."""
    return f"kubectl --namespace={NAMESPACE} delete secret {token_secret(name)}"


def manifests(name: str) -> list[dict[str, Any]]:
    """Return the objects that grant access to the member ``name``, in the order in which they are applied."""
    metadata = {"name": name, "labels": {"name": name, **MANAGED_BY}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {**metadata, "namespace": NAMESPACE},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": metadata,
            "rules": [
                {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
                {"nonResourceURLs": ["*"], "verbs": ["*"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": token_secret(name),
                "namespace": NAMESPACE,
                "labels": {"name": name, **MANAGED_BY},
                "annotations": {"kubernetes.io/service-account.name": name},
            },
            "type": "kubernetes.io/service-account-token",
        },
    ]


def grant_commands(cluster: Cluster, *, adopt: bool = False) -> list[Command]:
    """Return the commands, to be run one after the other, that grant access; the last prints the token Secret.

    With ``adopt`` a binding and a Secret of these names are deleted first.
    """
    target = Target(kubeconfig=cluster.kubeconfig or "")
    secret = ["get", "secret", token_secret(cluster.name), f"--namespace={NAMESPACE}", "-o"]
    token = kubectl(*secret, "jsonpath={.data.token}", target=target).line
    wait = f"""
        end=$(( $(date +%s) + $1 ))
        until {{ token=$({token}) || exit; [ -n "$token" ]; }} || [ "$(date +%s)" -ge "$end" ]; do sleep 1; done
        {kubectl(*secret, "json", target=target).line}
    """
    fixed = [one for one in map(reference, manifests(cluster.name)) if one.partition("/")[0] in _FIXED]
    clear = kubectl("delete", *fixed, "--ignore-not-found", f"--namespace={NAMESPACE}", target=target)
    return [
        *([clear] if adopt else []),
        # Server-side: nothing is copied into the last-applied annotation (CVE-2023-40029 was such a copy).
        kubectl(
            "apply", "--server-side", "--field-manager=fedssh", *(["--force-conflicts"] * adopt), "-f", "-",
            target=target,
            stdin=render_list(manifests(cluster.name)),
        ),
        script(wait, str(TOKEN_WAIT_SECONDS), title="kubectl get secret"),
    ]  # fmt: skip


def parse_grant(results: Sequence[Result], cluster: Cluster) -> Sensitive:
    """Return the token from the answers to ``grant_commands``.

    Raises:
        StepError: An object could not be made, or the token did not come.
        RefusedError: What came is not its token.
    """
    *_, apply, secret = results
    if not apply.ok:
        raise explain(apply, machine=cluster.name, step=_GRANT)
    found = parse_object(secret, machine=cluster.name, step=_GRANT)
    if not section(found, "data").get("token"):
        raise StepError(
            f"no token came into the Secret {token_secret(cluster.name)} within {TOKEN_WAIT_SECONDS} s",
            machine=cluster.name,
            step=_GRANT,
            hint="Tokens are filled in by the member's kube-controller-manager: is it running?",
        )
    return parse_token(found, name=cluster.name)


def added(cluster: Cluster, present: frozenset[str]) -> list[str]:
    """Return what granting access adds to the objects that were ``present``, as ``kind/name``, the last first."""
    return [one for one in (reference(one) for one in reversed(manifests(cluster.name))) if one not in present]


def take_back_commands(cluster: Cluster, present: frozenset[str], adopted: Mapping[str, Sensitive]) -> list[Command]:
    """Return the commands that undo what granting access has done; none where it has done nothing.

    Args:
        cluster: The member.
        present: The objects that were there before, as ``kind/name``.
        adopted: Those of them that were not fedssh's and were taken over, as ``remember`` has kept them.
    """
    target = Target(kubeconfig=cluster.kubeconfig or "")
    where, new = f"--namespace={NAMESPACE}", added(cluster, present)
    commands = [kubectl("delete", *new, "--ignore-not-found", where, target=target)] if new else []
    for force in (False, True):
        found = [one.reveal() for key, one in adopted.items() if (key.partition("/")[0] in _FIXED) is force]
        if found:
            text = Sensitive(render_list([json.loads(one) for one in found]))
            commands.append(kubectl("replace", *["--force"] * force, where, "--filename=-", target=target, stdin=text))
    return commands


def remember(found: Mapping[str, Any]) -> Sensitive:
    """Return an object as JSON without what the API server has written into it, so that it can be made again."""
    metadata = {key: value for key, value in section(found, "metadata").items() if key not in _SERVERS_OWN}
    return Sensitive(json.dumps({**found, "metadata": metadata}))


def parse_token(secret: dict[str, Any], *, name: str) -> Sensitive:
    """Return the token of a token Secret.

    Raises:
        RefusedError: It is not a token of the member's ServiceAccount (RFC 7519: three parts, the claim ``sub``).
    """
    account = f"system:serviceaccount:{NAMESPACE}:{name}"
    try:
        token = base64.b64decode(secret["data"]["token"], validate=True).decode("ascii")
        claims = token.split(".")[1]
        subject = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
    except (LookupError, TypeError, ValueError, RecursionError):
        subject, token = None, ""
    # Nothing but base64url's characters: anything else would end up in the host's kubeconfig.
    if subject != account or not _JWT.fullmatch(token):
        raise RefusedError(
            f"the Secret {token_secret(name)} does not hold a token of {account}",
            machine=name,
            hint=f"Delete it there, and run this again: {delete_token(name)}",
        )
    return Sensitive(token)


def reference(manifest: dict[str, Any]) -> str:
    """Return what kubectl calls an object: ``kind/name``."""
    return f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
