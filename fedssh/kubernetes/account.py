"""The account that a member grants: its objects, and the commands that make and remove them.

The objects are those an administrator would make by hand: a ServiceAccount, a ClusterRole that may do everything, and
the binding between them, all called after the member. An engine needs that much: its own join grants ``*`` to the
account that it makes, and Kubernetes lets nobody grant more than they have (kubernetes#49041).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import visible
from fedssh.kubernetes.account_tokens import (
    GENERATION,
    MANAGED_BY,
    NAMESPACE,
    check_made,
    mint_command,
    parse_filled_in,
    parse_minted,
    parse_token,
    selector,
    token_command,
    token_secret,
)
from fedssh.kubernetes.kubectl import Target, find_item, kubectl, render_list, section
from fedssh.kubernetes.objects import COLUMNS, ObjectName
from fedssh.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fedssh.shell import Command, Result

CLUSTER_NAMESPACE: Final = "kube-system"
"""The namespace that every cluster has from its beginning to its end: its UID tells one cluster from another."""

_FIXED: Final = {"clusterrolebinding", "secret"}
"""The kinds that have to be made anew to be changed: a binding's role and a Secret's type stay as they are."""

_GRANTING: Final = ("rules", "roleRef", "subjects", "type")
_LONGEST_SHOWN: Final = 120
_SERVERS_OWN: Final = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """An object of a wanted name that is there.

    Attributes:
        is_ours: Whether fedssh has made it.
        is_built_in: Whether it is Kubernetes' own.
        differences: What is different in what it grants, a few words for each; none where it grants what it should.
        is_fixed: Whether a difference can only be mended by making it anew: a binding's role, a Secret's type.
        whole: The object as JSON, so that it can be made again.
    """

    is_ours: bool
    is_built_in: bool
    differences: tuple[str, ...] = ()
    is_fixed: bool = False
    whole: Sensitive = field(repr=False)


def manifests(member: str, number: int = 1, *, is_stored: bool = True) -> list[dict[str, Any]]:
    """Return the objects that grant access to a member, in the order in which they are applied.

    Args:
        member: The member's name.
        number: That of its token Secret.
        is_stored: Whether its token lies in that Secret; else the number is that of the last one that did, or 0.
    """
    metadata = {"name": member, "labels": {"name": member, **MANAGED_BY}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": member}
    noted = {"annotations": {GENERATION: str(number)}}
    rights: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**metadata, "namespace": NAMESPACE, **noted}},
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
            "subjects": [{"kind": "ServiceAccount", "name": member, "namespace": NAMESPACE}],
        },
    ]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": token_secret(member, number),
            "namespace": NAMESPACE,
            "labels": {"name": member, **MANAGED_BY},
            "annotations": {"kubernetes.io/service-account.name": member},
        },
        "type": "kubernetes.io/service-account-token",
    }
    return [*rights, secret] if is_stored else rights


def references(member: str, number: int = 1, *, is_stored: bool = True) -> list[str]:
    """Return what kubectl calls the objects of ``manifests``, in the same order: ``kind/name``."""
    return [_reference(manifest) for manifest in manifests(member, number, is_stored=is_stored)]


def own_objects(member: str) -> tuple[ObjectName, ...]:
    """Return the names of the objects, the rights first: in this order they are deleted.

    The account's token Secrets are not among them: whatever their numbers are, they go with it.
    """
    names = [
        ObjectName(
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace", ""),
        )
        for manifest in manifests(member, is_stored=False)
    ]
    return tuple(sorted(names, key=lambda one: (not one.kind.endswith("Binding"), one.kind != "ClusterRole")))


def left_command(member: str, *, target: Target) -> Command:
    """Return the command that prints which objects of fedssh's for a member are there, for ``parse_names``."""
    kinds = "clusterrolebindings,clusterroles,serviceaccounts,secrets"
    return kubectl("get", kinds, "-A", f"--selector={selector(member)}", "-o", COLUMNS, target=target)


def parse_cluster_uid(found: list[dict[str, Any]]) -> str:
    """Return which cluster has printed objects: the UID of its own namespace, or "" where that is not among them."""
    uid = section(find_item(found, "Namespace", CLUSTER_NAMESPACE) or {}, "metadata").get("uid")
    return visible(uid) if isinstance(uid, str) else ""


def parse_objects(found: Sequence[Mapping[str, Any]], member: str, number: int = 1) -> dict[str, FoundObject]:
    """Return which of the objects are there, by ``kind/name``.

    Args:
        found: What was found of them.
        member: The member's name.
        number: That of its token Secret.
    """
    wanted = {_reference(manifest): manifest for manifest in manifests(member, number)}
    there = {_reference(actual): actual for actual in found}
    return {
        reference: FoundObject(
            is_ours=section(actual, "metadata", "labels").get("app.kubernetes.io/managed-by") == "fedssh",
            is_built_in="kubernetes.io/bootstrapping" in section(actual, "metadata", "labels"),
            differences=_differences(actual, wanted[reference]),
            is_fixed=any(actual.get(key) != wanted[reference].get(key) for key in ("roleRef", "type")),
            whole=_remember(actual),
        )
        for reference, actual in there.items()
        if reference in wanted
    }


def grant_commands(
    member: str, number: int = 1, *, is_stored: bool = True, anew: Iterable[str], force: bool, target: Target
) -> list[Command]:
    """Return the commands, to be run one after the other, that grant access; the last prints the token or its Secret.

    Args:
        member: The member's name.
        number: As for ``manifests``.
        is_stored: As for ``manifests``.
        anew: The objects, as ``kind/name``, that cannot be changed where they are: they are deleted first.
        force: Whether fields that belong to others are taken over.
        target: The member's cluster.
    """
    deleted = list(anew)
    clear = kubectl("delete", *deleted, "--ignore-not-found", f"--namespace={NAMESPACE}", target=target)
    stored = token_command(token_secret(member, number), namespace=NAMESPACE, target=target)
    return [
        *([clear] if deleted else []),
        apply_command(manifests(member, number, is_stored=is_stored), force=force, target=target),
        stored if is_stored else mint_command(member, target=target),
    ]


def new_token_commands(member: str, number: int, *, target: Target) -> list[Command]:
    """Return the commands that make a further token of an account that is there, for ``parse_grant``.

    The number is noted first: from then on nothing brings it back.
    """
    account, _, _, secret = manifests(member, number)
    return [
        apply_command([account, secret], force=True, target=target),
        token_command(token_secret(member, number), namespace=NAMESPACE, target=target),
    ]


def parse_grant(results: Sequence[Result], member: str, number: int = 1, *, is_stored: bool = True) -> Sensitive:
    """Return the token from the answers to ``grant_commands``.

    Raises:
        StepError: An object could not be deleted or made, or the token did not come (3).
        RefusedError: What came is not its token (6).
    """
    if not is_stored:
        *made, minted = results
        check_made(made, machine=member)
        return parse_minted(minted, member)
    found = parse_filled_in(results, token_secret(member, number), machine=member)
    return parse_token(found, member=member, number=number)


def apply_command(
    objects: Sequence[Mapping[str, Any]], *, force: bool, target: Target, manager: str = "fedssh"
) -> Command:
    """Return the command that makes objects as fedssh's; with ``force``, fields that belong to others, too.

    What ``manager`` has applied before and does not apply now is taken away: each purpose has a manager of its own.
    """
    # Server-side: nothing is copied into the last-applied annotation (CVE-2023-40029 was such a copy).
    flags = ["--server-side", f"--field-manager={manager}", *(["--force-conflicts"] * force)]
    return kubectl("apply", *flags, "-f", "-", target=target, stdin=Sensitive(render_list(objects)))


def is_remade(reference: str) -> bool:
    """Whether an object, as ``kind/name``, has to be made anew to be taken over."""
    return reference.partition("/")[0] in _FIXED


def undo_commands(*, created: Sequence[str], taken: Mapping[str, Sensitive], target: Target) -> list[Command]:
    """Return the commands that undo what granting access has done; none where it has done nothing.

    Args:
        created: The objects that were made, as ``kind/name``, the last first.
        taken: Those that were not fedssh's and were taken over, as they were.
        target: The member's cluster.
    """
    where = f"--namespace={NAMESPACE}"
    commands = [kubectl("delete", *created, "--ignore-not-found", where, target=target)] if created else []
    for force in (False, True):
        found = [whole.reveal() for key, whole in taken.items() if is_remade(key) is force]
        if found:
            text = Sensitive(render_list([json.loads(whole) for whole in found]))
            commands.append(kubectl("replace", *["--force"] * force, where, "--filename=-", target=target, stdin=text))
    return commands


def _reference(manifest: Mapping[str, Any]) -> str:
    return f"{str(manifest.get('kind')).lower()}/{section(manifest, 'metadata').get('name')}"


def _differences(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is different in what an object grants, in words that fit a line."""
    different = [key for key in _GRANTING if key in wanted and actual.get(key) != wanted[key]]
    return tuple(_difference(key, actual.get(key), wanted[key]) for key in different)


def _difference(key: str, actual: Any, wanted: Any) -> str:
    shown = json.dumps(actual)
    if actual is None:
        return f"it has no {key}"
    if len(shown) > _LONGEST_SHOWN or isinstance(wanted, list):
        return f"its {key} are other ones" if isinstance(wanted, list) else f"its {key} is another one"
    return visible(f"{key} is {shown}, fedssh's would be {json.dumps(wanted)}")


def _remember(actual: Mapping[str, Any]) -> Sensitive:
    """Return an object as JSON without what the API server has written into it."""
    metadata = {key: value for key, value in section(actual, "metadata").items() if key not in _SERVERS_OWN}
    return Sensitive(json.dumps({**actual, "metadata": metadata}))
