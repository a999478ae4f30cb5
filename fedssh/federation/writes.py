"""What changes in the host's kubeconfig: tried out on a copy of it, once for all members. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fedssh.federation.access_steps import CloseFile, NameContext, WriteCluster, WriteEntries
from fedssh.federation.grants import keeps_token
from fedssh.federation.steps import Step
from fedssh.kubernetes.account_tokens import NAMESPACE
from fedssh.kubernetes.credentials import Credential
from fedssh.kubernetes.kubeconfig.entries import foreign_names, put_member
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.engines.protocol import Engine
    from fedssh.federation.access_steps import Grant
    from fedssh.federation.facts import Facts, MemberFacts
    from fedssh.federation.wishes import Wishes
    from fedssh.kubernetes.credentials import Endpoint
    from fedssh.kubernetes.kubeconfig import Kubeconfig
    from fedssh.kubernetes.kubeconfig.entries import EntryNames

EPHEMERAL: Final = "hosts.yaml says credentials: ephemeral"
_OTHERWISE: Final = "its entries are not as fedssh writes them"
NEW_TOKEN: Final = "the new token is proven from the host first"  # noqa: S105  (no secret)


def plan_writes(
    wishes: Wishes, facts: Facts, engine: Engine, endpoints: Mapping[str, Endpoint], granted: Mapping[str, Grant]
) -> list[Step]:
    """Return what is to be changed in the host's kubeconfig.

    Args:
        wishes: The members that take part.
        facts: What was found.
        engine: How the entries are called.
        endpoints: Where each member is to be reached.
        granted: What the members lack, and are going to grant.
    """
    file, steps = facts.host.known.file, list[Step]()
    document = facts.host.known.document.copy()
    name, old, how = facts.host.name, document.current_context, wishes.inventory.host_context
    if document.name_host_context(name, how=how):
        why = f"no context is called {name}"
        steps.append(NameContext(cluster=name, why=why, old=old, is_alias=how == "alias"))
    for cluster in wishes.members:
        member = facts.members[cluster.name]
        names, endpoint = engine.entry_names(cluster.name), endpoints[cluster.name]
        if cluster.is_ephemeral:
            steps += _write_cluster(member, document, names, endpoint, adopt=wishes.adopt)
            continue
        if member.token is None or not keeps_token(member, granted.get(cluster.name)):
            steps.append(_write_new_token(member, document, names))
            continue
        taken = foreign_names(document, names)
        credential = Credential(endpoint=endpoint, token=member.token)
        why = _why_written(document, names, member, credential)
        uid = member.cluster_uid
        if put_member(document, names, credential, cluster_uid=uid, namespace=NAMESPACE, adopt=wishes.adopt):
            steps.append(WriteEntries(cluster=cluster.name, why=why, context=names.context, taken=taken))
    if file.is_open:
        why = f"it can be read by others ({file.mode})"
        steps.append(CloseFile(cluster=name, why=why, path=file.path))
    return steps


def _write_cluster(
    member: MemberFacts, document: Kubeconfig, names: EntryNames, endpoint: Endpoint, *, adopt: bool
) -> list[Step]:
    """Return what is to be written of a member whose token is kept nowhere."""
    taken = foreign_names(document, names, is_stored=False)
    is_closed = document.find("users", names.user) is not None
    credential = Credential(endpoint=endpoint, token=Sensitive(""))
    why = EPHEMERAL if is_closed else _why_cluster(document, names, member, endpoint) or _OTHERWISE
    uid = member.cluster_uid
    is_changed = put_member(
        document, names, credential, cluster_uid=uid, namespace=NAMESPACE, adopt=adopt, is_stored=False
    )
    if not is_changed:
        return []
    return [WriteCluster(cluster=member.name, why=why, context=names.context, taken=taken, is_closed=is_closed)]


def _write_new_token(member: MemberFacts, document: Kubeconfig, names: EntryNames) -> WriteEntries:
    known = document.has("contexts", names.context)
    why = "its token is a new one" if known else f"there is no context {names.context}"
    taken = foreign_names(document, names)
    return WriteEntries(cluster=member.name, why=why, needs=NEW_TOKEN, context=names.context, taken=taken)


def _why_written(document: Kubeconfig, names: EntryNames, member: MemberFacts, credential: Credential) -> str:
    """Return what is different in a member's entries, as far as that can be said without showing a secret."""
    missing = [
        f"there is no {kind} {name}"
        for kind, name, is_there in (
            ("context", names.context, document.has("contexts", names.context)),
            ("cluster", names.cluster, document.has("clusters", names.cluster)),
            ("user", names.user, document.has("users", names.user)),
        )
        if not is_there
    ]
    if missing:
        return missing[0]
    user, _ = document.find("users", names.user) or ({}, {})
    why = _why_cluster(document, names, member, credential.endpoint)
    return why or "its token is another one" * (user.get("token") != credential.token.reveal()) or _OTHERWISE


def _why_cluster(document: Kubeconfig, names: EntryNames, member: MemberFacts, endpoint: Endpoint) -> str:
    """Return what is different in a member's cluster, or ""."""
    if not document.has("clusters", names.cluster):
        return f"there is no cluster {names.cluster}"
    trust = endpoint.trust
    fields, mark = document.find("clusters", names.cluster) or ({}, {})
    differences = {
        f"its address was {fields.get('server')}": fields.get("server") != endpoint.server,
        "it is verified by another certificate now": fields.get("certificate-authority-data", "") != trust.ca,
        f"it was verified by tls: {mark.get('tls')}": mark.get("tls") != trust.word,
        "it was another cluster": mark.get("cluster-uid") != member.cluster_uid,
    }
    return next((why for why, holds in differences.items() if holds), "")
