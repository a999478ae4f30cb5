"""Asking, from the host, what credentials lead to: which cluster, with which rights.

The host's kubectl asks the cluster itself whether the token may do what an engine's join grants (one List of
SelfSubjectAccessReviews), and, where nothing else tells, which cluster it is (the UID of its namespace kube-system).
TLS is verified on the way.

Which cluster takes a token, is known in two cases. The member's own machine has just given it: it is signed by that
cluster's key, and names an account by its UID there; no other cluster takes it. Or it is taken at an address where
such a token is taken in the same run.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, StepError, visible
from fedssh.federation.facts import Proof
from fedssh.federation.threads import contained
from fedssh.kubernetes.kubeconfig.entries import render_credentials
from fedssh.kubernetes.kubectl import cluster_version, render_list
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, last_words, patience, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.kubernetes.credentials import Credential
    from fedssh.shell import Shell

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

# A "key value" line for each answer; the key of a review is its kind.
_ASK: Final = """
    file=$1 context=$2 limit=$3 identity=$4 rights=$5
    ask() { kubectl --kubeconfig="$file" --context="$context" --request-timeout="${limit}s" "$@"; }
    [ -z "$identity" ] || ask get namespace kube-system -o 'jsonpath=uid {.metadata.uid}{"\\n"}' </dev/null || exit
    [ -n "$rights" ] || exit 0
    ask create --validate=false --filename=- -o 'jsonpath={.kind} {.status.allowed}{.status.userInfo.username}{"\\n"}'
"""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A credential that is to be tried.

    Attributes:
        credential: It; one without a token shows only whether its endpoint is reached.
        cluster_uid: Which cluster it leads to if it is accepted; "" where that cluster has to be asked.
        asks_rights: Whether its rights are asked for.
        context: The context of the host's own kubeconfig that holds the credential already, and is tried then; or "".
    """

    credential: Credential
    cluster_uid: str = ""
    asks_rights: bool = True
    context: str = ""


def prove(
    shell: Shell,
    trials: Mapping[str, Trial],
    *,
    kubeconfig: str,
    seconds: int = _SECONDS,
    document: Sensitive | None = None,
) -> dict[str, Proof]:
    """Try credentials from the host; those that stand in no kubeconfig by one of their own that is gone afterwards.

    Args:
        shell: The host.
        trials: What to try, by any names.
        kubeconfig: The path of the host's kubeconfig; temporary ones lie beside it, 0600 from their first byte.
        seconds: How long a cluster may take for an answer.
        document: What is going to stand in the host's kubeconfig, if that is what has the trials' contexts.

    Raises:
        StepError: A temporary file could not be written (3).
    """
    if not trials:
        return {}
    loose = {name: trial.credential for name, trial in trials.items() if not trial.context}
    files = [temporary_kubeconfig(loose, kubeconfig)] if loose else []
    files += [_temporary(document, kubeconfig)] if document else []
    written = files[-1].path if document else kubeconfig
    asks = [
        _command(trial, seconds, path=written, context=trial.context)
        if trial.context
        else _command(trial, seconds, path=files[0].path, context=name)
        for name, trial in trials.items()
    ]
    # kubectl tries up to five times to learn what APIs there are.
    results = shell.run(
        [file.write for file in files],
        asks,
        [file.remove for file in files],
        timeout_seconds=patience(len(asks), each=5 * _SECONDS),
    )
    check_temporary(results[: len(files)], machine=shell.name)
    said = results[len(files) : len(files) + len(asks)]
    proofs = {}
    for (name, trial), answer in zip(trials.items(), said, strict=True):
        proof = contained(name, partial(_parse, answer, trial))
        proofs[name] = Proof(problem=proof.message) if isinstance(proof, FedsshError) else proof
    return proofs


def reach(shell: Shell, endpoints: Mapping[str, Credential], *, kubeconfig: str) -> dict[str, str]:
    """Try, anonymously, which of several ways to an API server work from the host.

    Returns:
        By name, why it does not work, or "" when it does.

    Raises:
        StepError: As for ``prove``.
    """
    found = prove(shell, {name: Trial(credential=one) for name, one in endpoints.items()}, kubeconfig=kubeconfig)
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
    file = temporary_kubeconfig(credentials, kubeconfig)
    asks = {
        name: script(_REFUSED, file.path, name, str(_SECONDS), str(REFUSAL_SECONDS), title="proof of refusal")
        for name in credentials
    }
    seconds = patience(len(asks), each=_SECONDS + REFUSAL_SECONDS)
    written, *said, _ = shell.run(file.write, list(asks.values()), file.remove, timeout_seconds=seconds)
    check_temporary([written], machine=shell.name)
    answers = dict(zip(asks, said, strict=True))
    return {name: last_words(result.stderr, lines=1) for name, result in answers.items() if not result.ok}


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporary:
    """A kubeconfig that is there only while commands of one run use it; both its own stand in that run, too.

    Attributes:
        path: Where it lies.
        write: Makes it, 0600 from its first byte.
        remove: Removes it.
    """

    path: str
    write: Command
    remove: Command


def temporary_kubeconfig(credentials: Mapping[str, Credential], kubeconfig: str) -> Temporary:
    """Return a temporary kubeconfig with a context for each credential, beside the host's ``kubeconfig``."""
    return _temporary(Sensitive(render_credentials(credentials)), kubeconfig)


def _temporary(text: Sensitive, kubeconfig: str) -> Temporary:
    path = str(PurePosixPath(kubeconfig).with_name(f"{TEMPORARY_NAME}-{secrets.token_hex(8)}"))
    return Temporary(
        path=path,
        write=script(_WRITE, path, TEMPORARY_NAME, stdin=text, title="write of a temporary kubeconfig"),
        remove=script('rm -f "$1"', path, title="removal of the temporary kubeconfig"),
    )


def check_temporary(written: Sequence[Result], *, machine: str) -> None:
    """Check the answers to the commands that make temporary kubeconfigs.

    Raises:
        StepError: One could not be written (3).
    """
    for result in written:
        if not result.ok:
            why = last_words(result.stderr)
            raise StepError(f"cannot write a temporary kubeconfig: {why}", machine=machine, step=_STEP)


def _command(trial: Trial, seconds: int, *, path: str, context: str) -> Command:
    if not trial.credential.token:
        return script(_REACH, path, context, str(seconds), title="try")
    options = ["" if trial.cluster_uid else "identity", "rights" * trial.asks_rights]
    reviews = render_list([*_REVIEWS, _WHOAMI]) if trial.asks_rights else ""
    return script(_ASK, path, context, str(seconds), *options, stdin=reviews, title="proof")


def _parse(result: Result, trial: Trial) -> Proof:
    return _parse_proof(result, trial) if trial.credential.token else _parse_reach(result)


def _parse_reach(result: Result) -> Proof:
    if result.ok or any(word in result.stderr for word in _WELCOME):
        return Proof(kubernetes=cluster_version(result))
    return Proof(problem=last_words(result.stderr, lines=1) or "no answer")


def _parse_proof(result: Result, trial: Trial) -> Proof:
    lines = [line.partition(" ") for line in result.stdout.splitlines()]
    found = {key: visible(value) for key, _, value in lines}
    allowed = [value for key, _, value in lines if key == "SelfSubjectAccessReview"]
    uid = trial.cluster_uid or found.get("uid", "")
    if not uid or (trial.asks_rights and len(allowed) != len(_REVIEWS)):
        return Proof(problem=last_words(result.stderr, lines=2) or "no answer")
    return Proof(
        cluster_uid=uid,
        has_rights=bool(allowed) and set(allowed) == {"true"},
        identity=found.get("SelfSubjectReview", ""),
    )
