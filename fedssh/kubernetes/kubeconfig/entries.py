"""What fedssh writes into kubeconfigs: a member's three entries, and files that hold credentials alone. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import Section, foreign_entry
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.errors import RefusedError
    from fedssh.inventory.hostsfile import Tls
    from fedssh.kubernetes.kubeconfig import Kubeconfig


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryNames:
    """How a member's entries are called in the host's kubeconfig."""

    context: str
    cluster: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberMark:
    """What fedssh has noted beside a member's cluster entry.

    Attributes:
        tls: How it is verified, in hosts.yaml's word, or "".
        server_name: The name that its certificate is checked against, or "" for the one in the address.
        cluster_uid: The UID of its namespace kube-system, or "".
        ca: The CA in the entry: PEM in base64, or "".
    """

    tls: str = ""
    server_name: str = ""
    cluster_uid: str = ""
    ca: str = ""


def put_member(
    document: Kubeconfig,
    names: EntryNames,
    credential: Credential,
    *,
    cluster_uid: str,
    namespace: str,
    adopt: bool = False,
    is_stored: bool = True,
) -> bool:
    """Write a member's user, cluster and context.

    Args:
        document: The host's kubeconfig.
        names: How the entries are called.
        credential: What is written.
        cluster_uid: The UID of the member's namespace kube-system; noted beside the cluster, with the word for how it
            is verified.
        namespace: The context's namespace.
        adopt: Whether entries of these names that fedssh did not write are taken over.
        is_stored: Whether its token is kept there. Else its cluster stands there alone, to tell which one it is, and
            what others have written under the other names is left to them.

    Returns:
        Whether anything changed.

    Raises:
        RefusedError: One of the names is taken by an entry that fedssh did not write (6).
    """
    context = {"cluster": names.cluster, "user": names.user, "namespace": namespace}
    mark = {"tls": credential.endpoint.trust.word, "cluster-uid": cluster_uid}
    changed = []
    if is_stored:
        token = {"token": credential.token.reveal()}
        changed.append(document.put("users", names.user, token, keep_unknown=False, adopt=adopt))
    else:
        changed.append(document.remove("contexts", names.context))
        changed.append(document.remove("users", names.user))
    stanza = _stanza(credential.endpoint)
    changed.append(document.put("clusters", names.cluster, stanza, keep_unknown=True, adopt=adopt, mark=mark))
    if is_stored:
        changed.append(document.put("contexts", names.context, context, keep_unknown=True, adopt=adopt))
    return any(changed)


def has_member(
    document: Kubeconfig, names: EntryNames, credential: Credential, *, cluster_uid: str, namespace: str
) -> bool:
    """Whether a member's context leads to it by ``credential``, in entries of fedssh's; all as for ``put_member``."""
    found = document.find("contexts", names.context)
    wanted = {"cluster": names.cluster, "user": names.user, "namespace": namespace}
    if found is None or any(found[0].get(key) != value for key, value in wanted.items()):
        return False
    is_noted = member_mark(document, names).cluster_uid == cluster_uid
    return is_noted and member_credential(document, names) == credential


def find_foreign(
    document: Kubeconfig, names: EntryNames, *, source: str, is_stored: bool = True
) -> RefusedError | None:
    """Return the error for the first entry that ``put_member`` would have to take over, or None."""
    return next((foreign_entry(source, *entry) for entry in _foreign(document, names, is_stored=is_stored)), None)


def foreign_names(document: Kubeconfig, names: EntryNames, *, is_stored: bool = True) -> tuple[str, ...]:
    """Return the entries of a member's names that fedssh did not write, as in "user member1"."""
    found = _foreign(document, names, is_stored=is_stored)
    return tuple(f"{section.removesuffix('s')} {name}" for section, name in found)


def _foreign(document: Kubeconfig, names: EntryNames, *, is_stored: bool) -> list[tuple[Section, str]]:
    wanted: list[tuple[Section, str]] = [("clusters", names.cluster)]
    if is_stored:
        wanted = [("users", names.user), *wanted, ("contexts", names.context)]
    return [entry for entry in wanted if document.has_foreign(*entry)]


def remove_member(document: Kubeconfig, names: EntryNames) -> bool:
    """Remove those of a member's entries that fedssh has written; return whether there were any.

    A cluster or user entry that somebody else's context uses, too, goes with them: fedssh wrote it.
    """
    wanted: list[tuple[Section, str]] = [
        ("contexts", names.context),
        ("clusters", names.cluster),
        ("users", names.user),
    ]
    removed = [document.remove(*entry) for entry in wanted]
    return any(removed)


def member_credential(document: Kubeconfig, names: EntryNames) -> Credential | None:
    """Return what fedssh has written of a member, as a credential; None where there is no token of its own."""
    cluster, user = document.find("clusters", names.cluster), document.find("users", names.user)
    token = user[0].get("token") if user else None
    if cluster is None or not token:
        return None
    fields, mark = cluster
    ca, name = str(fields.get("certificate-authority-data", "")), str(fields.get("tls-server-name", ""))
    words: tuple[Tls, ...] = ("ca", "pin", "system", "insecure")
    word: Tls = next((word for word in words if word == mark.get("tls")), "ca")
    try:
        trust = Trust(word=word, ca=ca, server_name=name)
    except ValueError:
        return None
    endpoint = Endpoint(server=str(fields.get("server", "")), trust=trust)
    return Credential(endpoint=endpoint, token=Sensitive(str(token)))


def member_mark(document: Kubeconfig, names: EntryNames) -> MemberMark:
    """Return what ``put_member`` has noted of a member; an empty mark when it has written none."""
    found = document.find("clusters", names.cluster)
    if found is None:
        return MemberMark()
    fields, mark = found
    return MemberMark(
        tls=str(mark.get("tls", "")),
        server_name=str(fields.get("tls-server-name", "")),
        cluster_uid=str(mark.get("cluster-uid", "")),
        ca=str(fields.get("certificate-authority-data", "")),
    )


def render_credentials(credentials: Mapping[str, Credential]) -> str:
    """Return a kubeconfig that holds nothing but one context for each of ``credentials``.

    It is written as JSON, which is YAML, too: for hundreds of clusters, that is the quickest.
    """
    users, clusters, contexts = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for context, credential in credentials.items():
        # Without any credential kubectl would ask for a user's name. A name and password are looked at by no API server
        # since Kubernetes 1.19 (basic authentication is gone): who comes with them is nobody in particular, and learns
        # the version where everybody does. A token that means nothing would be answered by a 401.
        token = credential.token.reveal()
        user = {"token": token} if token else {"username": "anonymous", "password": "anonymous"}
        # Where a tool reads this beside another kubeconfig, an entry of the same name would hide that one's.
        name = f"fedssh.{context}"
        users.append({"name": name, "user": user})
        clusters.append({"name": name, "cluster": _stanza(credential.endpoint)})
        contexts.append({"name": context, "context": {"cluster": name, "user": name}})
    kind = {"apiVersion": "v1", "kind": "Config"}
    return json.dumps({**kind, "clusters": clusters, "users": users, "contexts": contexts}) + "\n"


def same_certificate(one: str, other: str) -> bool:
    """Whether two CAs, PEM in base64, hold the same text; how it is wrapped does not count."""
    return _pem(one) == _pem(other)


def _stanza(endpoint: Endpoint) -> dict[str, Any]:
    # A CA and insecure-skip-tls-verify together are refused by client-go: "specifying a root certificates file with
    # the insecure flag is not allowed". A Trust never holds both.
    trust = endpoint.trust
    verification = {
        "certificate-authority-data": trust.ca,
        "tls-server-name": trust.server_name,
        "insecure-skip-tls-verify": trust.is_insecure,
    }
    return {"server": endpoint.server, **{key: value for key, value in verification.items() if value}}


def _pem(ca: str) -> bytes:
    try:
        return base64.b64decode(ca).strip()
    except ValueError:
        return b""
