"""Whether an access holds: from what a member's API server has answered to findings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.errors import FedsshError, RefusedError
from fedssh.federation.findings import Finding, Seek, refused
from fedssh.kubernetes.account_tokens import account_name, delete_token

if TYPE_CHECKING:
    from fedssh.federation.facts import Proof
    from fedssh.kubernetes.credentials import Endpoint

STEP = "prove the access from the host"


def check_access(proof: Proof, cluster: str, endpoint: Endpoint, cluster_uid: str, *, host: str) -> list[Finding]:
    """Return why an access that a member has granted does not hold, or what its proof has shown.

    Args:
        proof: What the cluster answered to the account's token.
        cluster: The member.
        endpoint: Where it was asked.
        cluster_uid: Which cluster the member's own machine has.
        host: The host's name.
    """
    error, seek = refuse_access(proof, cluster, endpoint, cluster_uid, host=host)
    if error is None and not proof.has_rights:
        error = RefusedError(
            "the token is accepted, but does not have the rights of a cluster administrator",
            machine=cluster,
            step=STEP,
            hint=f"Look at the ClusterRoleBinding {cluster} on the member.",
        )
    if error:
        return [refused(cluster, error, seek)]
    return [Finding(cluster=cluster, state="checked", text=line) for line in _describe(proof, endpoint)]


def refuse_access(
    proof: Proof, cluster: str, endpoint: Endpoint, cluster_uid: str, *, host: str, token_stays: bool = True
) -> tuple[FedsshError | None, Seek]:
    """Return why an API server cannot be reached or a token is not accepted; the token's rights apart."""
    server = endpoint.server
    if proof.is_about_login and token_stays:
        return RefusedError(
            f"{server} does not accept the token",
            machine=cluster,
            step=STEP,
            hint="If that is the member's address, the token was revoked; let a new one be made: delete it there, and "
            f"run this again: {delete_token(cluster)}",
        ), ""
    if proof.is_about_login or proof.is_about_rights:
        return None, ""
    if proof.problem:
        return RefusedError(
            f"{host} does not get through to {server}: {proof.problem}",
            machine=cluster,
            step=STEP,
            hint=f"Name an address that works from {host}: members.{cluster}.api_server: https://…",
        ), "trust" if is_about_trust(proof.problem) else "address"
    if proof.cluster_uid and proof.cluster_uid != cluster_uid:
        return RefusedError(
            f"seen from {host}, {server} is another cluster than the one on the member's machine",
            machine=cluster,
            step=STEP,
            hint=f"Correct members.{cluster}.api_server in hosts.yaml, or the name's address on {host}.",
        ), ""
    account = account_name(cluster)
    if token_stays and proof.identity not in {"", account}:
        return RefusedError(
            f"the token is taken for {proof.identity}, not for {account}", machine=cluster, step=STEP
        ), ""
    return None, ""


def is_about_trust(problem: str) -> bool:
    """Whether kubectl's words tell of a certificate that does not verify, and not of an address."""
    return "x509:" in problem or "tls:" in problem


def _describe(proof: Proof, endpoint: Endpoint) -> list[str]:
    """Return what a proof that holds has shown, a line for each check."""
    trust = endpoint.trust
    verified = "verified" + f" as {trust.server_name}" * bool(trust.server_name)
    return [
        f"{endpoint.server} resolves and answers from the host",
        f"its certificate is {'not verified' if trust.is_insecure else verified}",
        f"it is the cluster {proof.cluster_uid}",
        f"the token is that of {proof.identity or 'an unnamed account'}, with a cluster administrator's rights",
    ]
