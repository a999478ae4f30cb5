"""Asking, from the host, what credentials lead to: which cluster, with which rights.

The host's kubectl asks the cluster itself: which one it is (the UID of its namespace kube-system), and, by a
SelfSubjectAccessReview, whether the token may do what an engine's join grants. TLS is verified on the way.
"""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, StepError, visible
from fedssh.federation.facts import Proof
from fedssh.federation.threads import contained
from fedssh.kubernetes.certificates import asking_argv
from fedssh.kubernetes.kubeconfig.entries import render_credentials
from fedssh.kubernetes.kubectl import render_list
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, last_words, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.kubernetes.credentials import Credential
    from fedssh.shell import Shell

AT_ONCE: Final = 8
"""How many kubectl processes run on the host at the same time; each takes some 50 MB."""

TEMPORARY_NAME: Final = ".fedssh-proof"
"""How kubeconfigs for trying credentials begin, beside the host's; each run's has a name of its own."""

REFUSAL_SECONDS: Final = 20
"""How long an API server may take to refuse a token that was revoked."""

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

# The last of the list: a cluster before Kubernetes 1.28 does not know it, and kubectl makes the others all the same
# (FlattenListVisitor of cli-runtime, from 1.19 on).
_WHOAMI: Final = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

# A "key value" line for each answer; the key of a review is its kind. Each of the three goes on from the one before.
_IDENTIFY: Final = """
    file=$1 context=$2 limit=$3
    ask() { kubectl --kubeconfig="$file" --context="$context" --request-timeout="${limit}s" "$@"; }
    ask get namespace kube-system -o 'jsonpath=uid {.metadata.uid}{"\\n"}' || exit
"""
_RIGHTS: Final = (
    _IDENTIFY
    + """
    ask create --validate=false --filename=- -o 'jsonpath={.kind} {.status.allowed}{.status.userInfo.username}{"\\n"}'
"""
)
_ASK: Final = (
    _RIGHTS
    + """
    shift 3
    { timeout "$limit" "$@" | openssl x509 -noout -enddate | sed 's/^notAfter=/expires /'; } </dev/null 2>/dev/null
"""
)

# Not get --raw /version, which leaves out the path of the server's address.
_REACH: Final = """
    kubectl --kubeconfig="$1" --context="$2" --request-timeout="$3s" version -o json
"""

# An API server may remember for 10 s that a token was good (TokenReview's success cache).
_REFUSED: Final = """
    end=$(( $(date +%s) + $4 ))
    while :; do
        said=$(kubectl --kubeconfig="$1" --context="$2" --request-timeout="$3s" get namespace kube-system -o name 2>&1)
        case $said in *Unauthorized* | *"must be logged in"*) exit 0 ;; esac
        [ "$(date +%s)" -lt "$end" ] || break
        sleep 1
    done
    printf '%s\\n' "$said" >&2
    exit 1
"""

# When the connection goes, everything that was started there gets a TERM; then the file must go, too. What a machine
# that lost its power has left is removed by a later run.
_WRITE: Final = """
    umask 077 && set -C && cat >"$1" || exit
    ( trap 'rm -f "$1"; exit' TERM; while [ -e "$1" ]; do sleep 1; done ) </dev/null >/dev/null 2>&1 &
    find "${1%/*}" -maxdepth 1 -name "$2-*" -mmin +60 -exec rm -f {} + 2>/dev/null || :
"""

# An answer that wants a login, or denies something, has come through TLS.
_WELCOME: Final = ("Unauthorized", "must be logged in", "(Forbidden)", "forbidden:")


def prove(shell: Shell, credentials: Mapping[str, Credential], *, kubeconfig: str) -> dict[str, Proof]:
    """Try ``credentials`` from the host, by a kubeconfig of their own that is gone afterwards.

    Args:
        shell: The host.
        credentials: What to try, by any names. One without a token shows only whether its endpoint is reached.
        kubeconfig: The path of the host's kubeconfig; the temporary one lies beside it, 0600 from its first byte.

    Raises:
        StepError: The temporary file could not be written (3).
    """
    return survey(shell, credentials, {}, {}, kubeconfig=kubeconfig)


def survey(
    shell: Shell,
    credentials: Mapping[str, Credential],
    engines: Mapping[str, Credential],
    others: Mapping[str, Credential],
    *,
    kubeconfig: str,
    seconds: int = _SECONDS,
) -> dict[str, Proof]:
    """Try ``credentials`` as ``prove`` does; ask ``engines`` for cluster and rights, ``others`` for the cluster.

    ``seconds`` is how long a cluster of ``engines`` or ``others`` may take for an answer.
    """
    tried = {**credentials, **engines, **others}
    if not tried:
        return {}
    path, write, remove = temporary_kubeconfig(tried, kubeconfig)
    asks = {name: _proof_command(path, name, credential) for name, credential in credentials.items()}
    for name in engines:
        known = [path, name, str(seconds)]
        asks[name] = script(_RIGHTS, *known, stdin=render_list(_REVIEWS), title="proof of rights")
    asks |= {name: script(_IDENTIFY, path, name, str(seconds), title="identify") for name in others}
    rounds = in_rounds(list(asks.values()))
    written, *said, _ = shell.run(write, *rounds, remove, timeout_seconds=60 + 5 * _SECONDS * len(rounds))
    check_temporary(written, machine=shell.name)
    answers = dict(zip(asks, said, strict=True))
    proofs = {}
    for name, answer in answers.items():
        if name in credentials and not credentials[name].token:
            parse = partial(_parse_reach, answer)
        else:
            parse = partial(_parse_proof, answer, reviews=0 if name in others else len(_REVIEWS))
        proof = contained(name, parse)
        proofs[name] = Proof(problem=proof.message) if isinstance(proof, FedsshError) else proof
    return proofs


def reach(shell: Shell, endpoints: Mapping[str, Credential], *, kubeconfig: str) -> dict[str, str]:
    """Try, anonymously, which of several ways to an API server work from the host.

    Returns:
        By name, why it does not work, or "" when it does.

    Raises:
        StepError: As for ``prove``.
    """
    found = prove(shell, endpoints, kubeconfig=kubeconfig)
    return {name: proof.problem for name, proof in found.items()}


def await_refusal(shell: Shell, credentials: Mapping[str, Credential], *, kubeconfig: str) -> dict[str, str]:
    """Wait until credentials that were revoked are not accepted any more.

    Args:
        shell: The host.
        credentials: What was revoked, by any names.
        kubeconfig: As for ``prove``.

    Returns:
        For those that were not refused in time, what their API servers said last.

    Raises:
        StepError: As for ``prove``.
    """
    if not credentials:
        return {}
    path, write, remove = temporary_kubeconfig(credentials, kubeconfig)
    asks = {
        name: script(_REFUSED, path, name, str(_SECONDS), str(REFUSAL_SECONDS), title="proof of refusal")
        for name in credentials
    }
    rounds = in_rounds(list(asks.values()))
    seconds = 60 + (_SECONDS + REFUSAL_SECONDS) * len(rounds)
    written, *said, _ = shell.run(write, *rounds, remove, timeout_seconds=seconds)
    check_temporary(written, machine=shell.name)
    answers = dict(zip(asks, said, strict=True))
    return {name: last_words(result.stderr, lines=1) for name, result in answers.items() if not result.ok}


def in_rounds(commands: Sequence[Command]) -> list[Sequence[Command]]:
    """Return ``commands`` as stages of at most ``AT_ONCE`` each."""
    return [commands[start : start + AT_ONCE] for start in range(0, len(commands), AT_ONCE)]


def temporary_kubeconfig(credentials: Mapping[str, Credential], kubeconfig: str) -> tuple[str, Command, Command]:
    """Return the path of a kubeconfig with a context for each credential, and the commands that make and remove it.

    It lies beside the host's ``kubeconfig``, 0600 from its first byte, and both commands stand in one run.
    """
    path = str(PurePosixPath(kubeconfig).with_name(f"{TEMPORARY_NAME}-{secrets.token_hex(8)}"))
    text = Sensitive(render_credentials(credentials))
    write = script(_WRITE, path, TEMPORARY_NAME, stdin=text, title="write of a temporary kubeconfig")
    return path, write, script('rm -f "$1"', path, title="removal of the temporary kubeconfig")


def check_temporary(written: Result, *, machine: str) -> None:
    """Check the answer to the command that makes a temporary kubeconfig.

    Raises:
        StepError: It could not be written (3).
    """
    if not written.ok:
        why = last_words(written.stderr)
        raise StepError(f"cannot write a temporary kubeconfig: {why}", machine=machine, step=_STEP)


def _proof_command(path: str, name: str, credential: Credential) -> Command:
    if not credential.token:
        return script(_REACH, path, name, str(_SECONDS), title="try")
    endpoint = credential.endpoint
    asked = asking_argv(endpoint.server, server_name=endpoint.trust.server_name)
    reviews = render_list([*_REVIEWS, _WHOAMI])
    return script(_ASK, path, name, str(_SECONDS), *asked, stdin=reviews, title="proof")


def _parse_reach(result: Result) -> Proof:
    if result.ok or any(word in result.stderr for word in _WELCOME):
        return Proof()
    return Proof(problem=last_words(result.stderr, lines=1) or "no answer")


def _parse_proof(result: Result, *, reviews: int) -> Proof:
    lines = [line.partition(" ") for line in result.stdout.splitlines()]
    found = {key: visible(value) for key, _, value in lines}
    allowed = [value for key, _, value in lines if key == "SelfSubjectAccessReview"]
    if len(allowed) != reviews or not found.get("uid"):
        return Proof(problem=last_words(result.stderr, lines=2) or "no answer")
    return Proof(
        cluster_uid=found["uid"],
        has_rights=set(allowed) == {"true"},
        identity=found.get("SelfSubjectReview", ""),
        expires=found.get("expires", ""),
    )
