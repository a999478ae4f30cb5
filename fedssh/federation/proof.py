"""Proof from the host that a credential leads to the cluster it should, with the rights that it needs.

The host's kubectl asks the cluster itself: which one it is (the UID of its namespace kube-system), and, by a
SelfSubjectAccessReview, whether the token may do what ``kubefedctl join`` grants. TLS is verified on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fedssh.errors import RefusedError, StepError, visible
from fedssh.federation.kubeconfig_file import TEMPORARY_NAME
from fedssh.kubernetes.access import NAMESPACE, delete_token
from fedssh.kubernetes.certificates import asking_argv
from fedssh.kubernetes.kubeconfig import render_credentials
from fedssh.kubernetes.kubectl import render_list
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, last_words, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.kubernetes.access import MemberAccess
    from fedssh.shell import Shell

AT_ONCE: Final = 8
"""How many kubectl processes run on the host at the same time; each takes some 50 MB."""

_SECONDS: Final = 15
_STEP: Final = "prove the access from the host"

_REVIEWS: Final = [
    {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"group": "*", "resource": "*", "verb": "*"}},
    },
    {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"nonResourceAttributes": {"path": "*", "verb": "get"}},
    },
]

_WHOAMI: Final = '{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}'

# One "key value" line each; the last three are told where there are such.
_ASK: Final = """
    file=$1 context=$2 limit=$3 whoami=$4
    shift 4
    ask() { kubectl --kubeconfig="$file" --context="$context" --request-timeout="${limit}s" "$@"; }
    make() { ask create --validate=false --filename=- -o "$1"; }
    ask get namespace kube-system -o 'jsonpath=uid {.metadata.uid}{"\\n"}' &&
    make 'jsonpath=allowed {.status.allowed}{"\\n"}' || exit
    printf %s "$whoami" | make 'jsonpath=identity {.status.userInfo.username}{"\\n"}' 2>/dev/null
    printf 'version '; ask version -o json 2>/dev/null | tr -d ' \\n'; echo
    { timeout "$limit" "$@" | openssl x509 -noout -enddate | sed 's/^notAfter=/expires /'; } </dev/null 2>/dev/null
"""

# Not get --raw /version, which leaves out the path of the server's address.
_REACH: Final = """
    kubectl --kubeconfig="$1" --context="$2" --request-timeout="$3s" version -o json
"""

# When the connection goes, everything that was started there gets a TERM; then the file must go, too.
_WRITE: Final = """
    rm -f "$1" && umask 077 && set -C && cat >"$1" || exit
    ( trap 'rm -f "$1"; exit' TERM; while [ -e "$1" ]; do sleep 1; done ) </dev/null >/dev/null 2>&1 &
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a cluster answered to a credential.

    Attributes:
        cluster_uid: Which cluster it is, or "" when it was not reached.
        has_rights: Whether the credential may do everything.
        identity: Whom the cluster takes the credential for, or "" where it cannot be asked (before Kubernetes 1.28).
        version: The cluster's Kubernetes version, or "".
        expires: Until when its certificate is valid, in OpenSSL's words, or "" where the host has no OpenSSL.
        problem: Why it was not reached, in kubectl's words, or "".
    """

    cluster_uid: str
    has_rights: bool
    identity: str = ""
    version: str = ""
    expires: str = ""
    problem: str

    @property
    def is_about_login(self) -> bool:
        """Whether the cluster was reached, and did not accept the credential."""
        return "Unauthorized" in self.problem or "must be logged in" in self.problem

    def holds_for(self, cluster_uid: str) -> bool:
        """Whether it is that cluster, and all rights are there."""
        return not self.problem and self.has_rights and self.cluster_uid == cluster_uid


def prove(shell: Shell, credentials: Mapping[str, MemberAccess], *, kubeconfig: str) -> dict[str, Proof]:
    """Try ``credentials`` from the machine of ``shell``, by a kubeconfig of their own that is gone afterwards.

    Args:
        shell: The host.
        credentials: What to try, by any names.
        kubeconfig: The path of the host's kubeconfig; the temporary one lies beside it, 0600 from its first byte.

    Raises:
        StepError: The temporary file could not be written.
    """
    asks = {
        name: script(
            _ASK,
            _path(kubeconfig),
            name,
            str(_SECONDS),
            _WHOAMI,
            *asking_argv(one.server, server_name=one.server_name),
            stdin=render_list(_REVIEWS),
            title="proof",
        )
        for name, one in credentials.items()
    }
    return {name: _parse_proof(answer) for name, answer in _ask(shell, credentials, asks, kubeconfig).items()}


def reach(shell: Shell, endpoints: Mapping[str, MemberAccess], *, kubeconfig: str) -> dict[str, str]:
    """Try, anonymously, which of several ways to an API server work from the machine of ``shell``.

    Args:
        shell: The host.
        endpoints: What to try, by any names, without tokens: an address that is not yet verified gets none.
        kubeconfig: As for ``prove``.

    Returns:
        By name, why it does not work, or "" when it does.

    Raises:
        StepError: As for ``prove``.
    """
    asks = {name: script(_REACH, _path(kubeconfig), name, str(_SECONDS), title="try") for name in endpoints}
    found = _ask(shell, endpoints, asks, kubeconfig)
    # An answer that wants a login has come through TLS.
    welcome = ("Unauthorized", "must be logged in", "(Forbidden)", "forbidden:")
    return {
        name: "" if one.ok or any(word in one.stderr for word in welcome) else last_words(one.stderr, lines=1)
        for name, one in found.items()
    }


def _ask(
    shell: Shell, credentials: Mapping[str, MemberAccess], asks: Mapping[str, Command], kubeconfig: str
) -> dict[str, Result]:
    if not credentials:
        return {}
    path = _path(kubeconfig)
    write = script(
        _WRITE,
        path,
        stdin=Sensitive(render_credentials(credentials)),
        title="write of a temporary kubeconfig",
    )
    remove = script('rm -f "$1"', path, title="removal of the temporary kubeconfig")
    rounds = in_rounds(list(asks.values()))
    written, *answers, _ = shell.run(write, *rounds, remove, timeout_seconds=60 + 5 * _SECONDS * len(rounds))
    if not written.ok:
        raise StepError(f"cannot write {path}: {last_words(written.stderr)}", machine=shell.name, step=_STEP)
    return dict(zip(asks, answers, strict=True))


def _path(kubeconfig: str) -> str:
    return str(PurePosixPath(kubeconfig).with_name(TEMPORARY_NAME))


def in_rounds(commands: Sequence[Command]) -> list[Sequence[Command]]:
    """Return ``commands`` as stages of at most ``AT_ONCE`` each."""
    return [commands[start : start + AT_ONCE] for start in range(0, len(commands), AT_ONCE)]


def check_access(proof: Proof, access: MemberAccess, *, host: str, advice: str = "") -> None:
    """Check the proof of an access that a member has granted.

    Args:
        proof: What the cluster answered.
        access: What was tried.
        host: The host's name.
        advice: What would work where this does not.

    Raises:
        RefusedError: The host does not reach it, it is another cluster, or the token is not accepted.
    """
    if proof.is_about_login:
        raise RefusedError(
            f"{access.server} does not accept the token",
            machine=access.name,
            step=_STEP,
            hint="If that is the member's address, the token was revoked; let a new one be made: delete it there, and "
            f"run this again: {delete_token(access.name)}",
        )
    if proof.problem:
        raise RefusedError(
            f"{host} does not get through to {access.server}: {proof.problem}",
            machine=access.name,
            step=_STEP,
            hint=advice or f"Name an address that works from {host}: members.{access.name}.api_server: https://…",
        )
    if proof.cluster_uid != access.cluster_uid:
        raise RefusedError(
            f"seen from {host}, {access.server} is another cluster than the one on the member's machine",
            machine=access.name,
            step=_STEP,
            hint=f"Correct members.{access.name}.api_server in hosts.yaml, or the name's address on {host}.",
        )
    account = f"system:serviceaccount:{NAMESPACE}:{access.name}"
    if proof.identity not in {"", account}:
        raise RefusedError(
            f"the token is taken for {proof.identity}, not for {account}", machine=access.name, step=_STEP
        )
    if not proof.has_rights:
        raise RefusedError(
            "the token is accepted, but does not have the rights of a cluster administrator",
            machine=access.name,
            step=_STEP,
            hint=f"Look at the ClusterRoleBinding {access.name} on the member.",
        )


def describe(proof: Proof, access: MemberAccess) -> list[str]:
    """Return what a proof that holds has shown, a line for each check."""
    verified = "verified" + f" as {access.server_name}" * bool(access.server_name)
    until = f", valid until {proof.expires}" * bool(proof.expires)
    return [
        f"{access.server} resolves and answers from the host",
        f"its certificate is {'not verified' if access.insecure else verified}{until}",
        f"it is Kubernetes {proof.version or 'of an unknown version'}, the cluster {proof.cluster_uid}",
        f"the token is that of {proof.identity or 'an unnamed account'}, with a cluster administrator's rights",
    ]


def check_joined(proof: Proof | None, access: MemberAccess, *, host: str) -> None:
    """Check the proof of KubeFed's own credential for a cluster that bears a member's name already.

    Raises:
        RefusedError: It works, and leads to another cluster.
    """
    if proof and proof.cluster_uid not in {"", access.cluster_uid}:
        raise RefusedError(
            f"another cluster has joined {host} under this name",
            machine=access.name,
            step=_STEP,
            hint="Give the member another name in hosts.yaml, or unjoin that cluster first.",
        )


def _parse_proof(result: Result) -> Proof:
    lines = [line.partition(" ") for line in result.stdout.splitlines()]
    found = {key: visible(value) for key, _, value in lines}
    allowed = [value for key, _, value in lines if key == "allowed"]
    if len(allowed) != len(_REVIEWS) or not found.get("uid"):
        return Proof(cluster_uid="", has_rights=False, problem=last_words(result.stderr, lines=2) or "no answer")
    version = re.search(r'"serverVersion":\{.*"gitVersion":"([^"]*)"', found.get("version", ""))
    return Proof(
        cluster_uid=found["uid"],
        has_rights=set(allowed) == {"true"},
        identity=found.get("identity", ""),
        version=version[1] if version else "",
        expires=found.get("expires", ""),
        problem="",
    )
