"""Proof from the host that a credential leads to the cluster it should, with the rights that it needs.

The host's kubectl asks the cluster itself: which one it is (the UID of its namespace kube-system), and, by a
SelfSubjectAccessReview, whether the token may do what ``kubefedctl join`` grants. TLS is verified on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fedssh.errors import RefusedError, StepError
from fedssh.kubeconfig import render_credentials
from fedssh.kubectl import render_documents
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, last_words, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.access import MemberAccess
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

_ASK: Final = """
    ask() { kubectl --kubeconfig="$1" --context="$2" --request-timeout="$3s" "$4" "$5" "$6" "$7" "$8"; }
    ask "$1" "$2" "$3" get namespace kube-system -o 'jsonpath={.metadata.uid}{"\\n"}' &&
    ask "$1" "$2" "$3" create --validate=false --filename=- -o 'jsonpath={.status.allowed}{"\\n"}'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a cluster answered to a credential.

    Attributes:
        cluster_uid: Which cluster it is, or "" when it was not reached.
        has_rights: Whether the credential may do everything.
        problem: Why it was not reached, in kubectl's words, or "".
    """

    cluster_uid: str
    has_rights: bool
    problem: str

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
    if not credentials:
        return {}
    path = str(PurePosixPath(kubeconfig).with_name(".fedssh-proof"))
    write = script(
        'rm -f "$1" && umask 077 && set -C && cat >"$1"',
        path,
        stdin=Sensitive(render_credentials(credentials)),
        title="write of a temporary kubeconfig",
    )
    remove = script('rm -f "$1"', path, title="removal of the temporary kubeconfig")
    asks = [
        script(_ASK, path, name, str(_SECONDS), stdin=render_documents(_REVIEWS), title="proof") for name in credentials
    ]
    rounds = -(-len(asks) // AT_ONCE)
    written, *answers, _ = shell.run(write, *in_rounds(asks), remove, timeout_seconds=60 + 2 * _SECONDS * rounds)
    if not written.ok:
        raise StepError(f"cannot write {path}: {last_words(written.stderr)}", machine=shell.name, step=_STEP)
    return {name: _parse_proof(answer) for name, answer in zip(credentials, answers, strict=True)}


def in_rounds(commands: Sequence[Command]) -> list[Sequence[Command]]:
    """Return ``commands`` as stages of at most ``AT_ONCE`` each."""
    return [commands[start : start + AT_ONCE] for start in range(0, len(commands), AT_ONCE)]


def check_access(proof: Proof, access: MemberAccess, *, host: str) -> None:
    """Check the proof of an access that a member has granted.

    Raises:
        RefusedError: The host does not reach it, it is another cluster, or the token is not accepted.
    """
    if proof.problem:
        raise RefusedError(
            f"{host} does not get through to {access.server}: {proof.problem}",
            machine=access.name,
            step=_STEP,
            hint=f"Name an address that works from {host} in hosts.yaml: members.{access.name}.api_server: https://…",
        )
    if proof.cluster_uid != access.cluster_uid:
        raise RefusedError(
            f"seen from {host}, {access.server} is another cluster than the one on the member's machine",
            machine=access.name,
            step=_STEP,
            hint=f"Correct members.{access.name}.api_server in hosts.yaml, or the name's address on {host}.",
        )
    if not proof.has_rights:
        raise RefusedError(
            "the token is accepted, but does not have the rights of a cluster administrator",
            machine=access.name,
            step=_STEP,
            hint=f"Look at the ClusterRoleBinding {access.name} on the member.",
        )


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
    uid, *allowed = result.stdout.split() or [""]
    if not result.ok:
        return Proof(cluster_uid="", has_rights=False, problem=last_words(result.stderr, lines=2) or "no answer")
    return Proof(cluster_uid=uid, has_rights=allowed == ["true", "true"], problem="")
