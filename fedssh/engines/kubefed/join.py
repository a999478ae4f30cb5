"""Joining a cluster by ``kubefedctl join``, on the host. Facts are of KubeFed 0.10.0 and 0.7.0."""

from __future__ import annotations

import re
from typing import Final

from fedssh.engines.kubefed.install import NAMESPACE
from fedssh.engines.kubefed.rotation import next_account
from fedssh.engines.kubefed.versions import limits_of
from fedssh.engines.protocol import NOW
from fedssh.errors import StepError, visible
from fedssh.kubernetes.kubectl import NOT_FOUND, Target, kubectl, missing_tool
from fedssh.shell import Command, Result, failure, last_words, script

JOIN_SECONDS: Final = 120.0
"""How long one join may take; it takes about a second, one of a member that hangs half a minute."""

TERMINATING_SECONDS: Final = 30
"""How long KubeFed's namespace on a member, when it is being deleted, may take to go."""

_TERMINATING: Final = 79
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_STEP: Final = "join"


def join_command(name: str, *, tool: str, version: str, target: Target, member: Target, namespace: str) -> Command:
    """Return the command that joins a cluster, and prints the host's time when it is done.

    ``tool`` is kubefedctl's path, and ``version`` its version; ``target`` is the host cluster; its context bears the
    host's name. ``member`` is the cluster, by a context that is called ``name``. Where that stands in another
    kubeconfig, kubefedctl reads both, as kubectl would (``KUBECONFIG``); what is in both is taken from the member's.
    ``namespace`` is how KubeFed's namespace was found there, "" for none.

    kubefedctl is told everything that it would otherwise make up: without ``--host-cluster-name`` a context name with
    an ``@`` breaks it, without ``--secret-name`` every run leaves one more Secret (kubefed#1009). With
    ``--error-on-existing=false`` a join that stopped half-way is completed. The Secret's name holds a dot, so that it
    cannot be one that KubeFed itself chooses. One failure is retried: the webhook may be a moment behind its rollout.
    Before 0.8.0 kubefedctl does not use a Secret that is there, not even that of its own first try, and fails
    (kubefed#1332): it is deleted before the second.
    Nothing can be made in a namespace that is being deleted, as after an unjoin: it is waited for.
    """
    text = ""
    if namespace == "Terminating":
        gone = kubectl(
            "wait", "--for=delete", f"namespace/{NAMESPACE}", f"--timeout={TERMINATING_SECONDS}s", target=member,
            request_timeout_seconds=0,
        )  # fmt: skip
        phase = kubectl(
            "get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "jsonpath={.status.phase}", target=member
        )
        reasons = kubectl(
            "get", "namespace", NAMESPACE, "-o",
            'jsonpath={range .status.conditions[?(@.status=="True")]}{.message}{"\\n"}{end}', target=member,
        )  # fmt: skip
        text = f"""
            if ! {gone.line} >/dev/null 2>&1 && [ "$({phase.line} 2>/dev/null)" = Terminating ]; then
                {reasons.line} >&2
                exit {_TERMINATING}
            fi
        """
    secret = f"{name}.fedssh"
    stale = kubectl("delete", "secret", secret, "--ignore-not-found", f"--namespace={NAMESPACE}", target=target)
    again = "sleep 3" if limits_of(version).reuses_secret else f"sleep 3; {stale.line} >/dev/null"
    text += """
        tool=$1; shift
        [ -z "$1" ] || export KUBECONFIG="$1"; shift
        join() { "$tool" join "$@" --error-on-existing=false --v=2; }
    """
    text += f"""
        join "$@" >/dev/null 2>&1 || {{ {again}; join "$@" >/dev/null; }} || exit
    """
    is_one = member.kubeconfig == target.kubeconfig
    if namespace == "Active":
        # From now on KubeFed uses the account that the join has made. One that a rotation had put in its place has no
        # rights any more: a join writes the subjects of its bindings anew.
        account = next_account(f"{name}-{target.context}")
        removed = kubectl(
            "delete", "serviceaccount", account, "--ignore-not-found", f"--namespace={NAMESPACE}", target=member
        )
        text += f"{removed.line} >/dev/null 2>&1 || :\n"
    return script(
        text + NOW,
        tool,
        "" if is_one else f"{member.kubeconfig}:{target.kubeconfig}",
        name,
        f"--cluster-context={name}",
        f"--host-cluster-context={target.context}",
        f"--host-cluster-name={target.context}",
        *([f"--kubeconfig={target.kubeconfig}"] if is_one else []),
        f"--kubefed-namespace={NAMESPACE}",
        f"--secret-name={secret}",
        title="kubefedctl join",
    )


def parse_join(result: Result, *, machine: str) -> str:
    """Return the host's time at the end of a join (RFC 3339, UTC, whole seconds).

    Raises:
        StepError: The join failed; its message holds kubefedctl's own reason, not its goroutines. Or it told no time.
    """
    if result.code == NOT_FOUND:
        raise missing_tool("kubefedctl", machine=machine, step=_STEP)
    if result.code == _TERMINATING:
        raise StepError(
            f"the namespace {NAMESPACE} is being deleted there, and did not go within {TERMINATING_SECONDS} s: "
            + last_words(result.stderr),
            machine=machine,
            step=_STEP,
            hint="Run this again when it is gone; what it waits for has to be removed by whoever made it.",
        )
    if not result.ok:
        reasons = re.findall(r"^[EF]\d{4} [^\]]*\] (.+)$", result.stderr, re.MULTILINE)
        if reasons:
            raise StepError(f"kubefedctl join failed: {visible(reasons[-1])}", machine=machine, step=_STEP)
        raise failure(result, machine=machine, step=_STEP)
    time = last_words(result.stdout, lines=1)
    if not _TIME.fullmatch(time):  # without it, a health check from before the join would count
        raise StepError("it is not known when it joined: date printed no time", machine=machine, step=_STEP)
    return time
