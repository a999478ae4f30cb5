"""The account that a member grants: its objects, the commands that make and remove them, and its token.

The objects are those an administrator would make by hand: a ServiceAccount, a ClusterRole that may do everything, and
the binding between them, all called after the member. An engine needs that much: its own join grants ``*`` to the
account that it makes, and Kubernetes lets nobody grant more than they have (kubernetes#49041).
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import RefusedError, StepError, visible
from fedssh.kubernetes.kubectl import Target, explain, find_item, kubectl, parse_object, render_list, section
from fedssh.kubernetes.objects import COLUMNS, ObjectName
from fedssh.kubernetes.tokens import token_subject
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAMESPACE: Final = "default"
"""Where the ServiceAccount lives. Never the engine's namespace: leaving deletes that from members (kubefed#1258)."""

CLUSTER_NAMESPACE: Final = "kube-system"
"""The namespace that every cluster has from its beginning to its end: its UID tells one cluster from another."""

TOKEN_WAIT_SECONDS: Final = 30
"""How long the controller-manager may take to fill in a token Secret."""

MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "fedssh"}

GENERATION: Final = "fedssh/token-generation"
"""The annotation of the ServiceAccount that says which number its newest token Secret has, or has had."""

_FIXED: Final = {"clusterrolebinding", "secret"}
"""The kinds that have to be made anew to be changed: a binding's role and a Secret's type stay as they are."""

_GRANTING: Final = ("rules", "roleRef", "subjects", "type")
_LONGEST_SHOWN: Final = 120
_LONGEST_NUMBER: Final = 9
_SERVERS_OWN: Final = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"}
_JWT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_STEP: Final = "grant access"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTokens:
    """The token Secrets of a member's account.

    Attributes:
        number: The number of the newest Secret that holds a token; without one, of that which is to hold it.
        last: The highest number that there is, or has been while the ServiceAccount was there; 0 for none.
        secret: The Secret of that number, as it is there; {} for none.
        others: The other Secrets, by number; a token in them may still work.
    """

    number: int = 1
    last: int = 0
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)
    others: Mapping[int, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def account_name(member: str) -> str:
    """Return how the member's API server calls the account."""
    return f"system:serviceaccount:{NAMESPACE}:{member}"


def token_secret(member: str, number: int = 1) -> str:
    """Return the name of a member's token Secret.

    A token has no time in it: the same account and the same name give the same token, which works again although it was
    revoked. So no number is used twice while the account lives.
    """
    return f"{member}-fedssh-{number}"


def delete_token(member: str) -> str:
    """Return the command line by which an administrator lets fedssh make a new token."""
    return f"kubectl --namespace={NAMESPACE} delete secret --selector={_selector(member)}"


def manifests(member: str, number: int = 1) -> list[dict[str, Any]]:
    """Return the objects that grant access to a member, in the order in which they are applied.

    Args:
        member: The member's name.
        number: That of its token Secret.
    """
    metadata = {"name": member, "labels": {"name": member, **MANAGED_BY}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": member}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {**metadata, "namespace": NAMESPACE, "annotations": {GENERATION: str(number)}},
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
            "subjects": [{"kind": "ServiceAccount", "name": member, "namespace": NAMESPACE}],
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": token_secret(member, number),
                "namespace": NAMESPACE,
                "labels": {"name": member, **MANAGED_BY},
                "annotations": {"kubernetes.io/service-account.name": member},
            },
            "type": "kubernetes.io/service-account-token",
        },
    ]


def references(member: str, number: int = 1) -> list[str]:
    """Return what kubectl calls the objects of ``manifests``, in the same order: ``kind/name``."""
    return [_reference(manifest) for manifest in manifests(member, number)]


def own_objects(member: str) -> tuple[ObjectName, ...]:
    """Return the names of the objects, the rights first: in this order they are deleted."""
    names = [
        ObjectName(
            api_version=manifest["apiVersion"],
            kind=manifest["kind"],
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace", ""),
        )
        for manifest in manifests(member)
    ]
    return tuple(sorted(names, key=lambda one: (not one.kind.endswith("Binding"), one.kind != "ClusterRole")))


def left_command(member: str, *, target: Target) -> Command:
    """Return the command that prints which objects of fedssh's for a member are there, for ``parse_names``."""
    kinds = "clusterrolebindings,clusterroles,serviceaccounts,secrets"
    return kubectl("get", kinds, "-A", f"--selector={_selector(member)}", "-o", COLUMNS, target=target)


def objects_command(member: str, *, target: Target) -> Command:
    """Return the command that prints those of the objects that are there, and the namespace that tells the cluster."""
    names = [*references(member), f"namespace/{CLUSTER_NAMESPACE}"]
    return kubectl("get", *names, "--ignore-not-found", f"--namespace={NAMESPACE}", "-o", "json", target=target)


def secrets_command(member: str, *, target: Target) -> Command:
    """Return the command that prints all token Secrets of a member that fedssh has made, whatever their number."""
    where = [f"--namespace={NAMESPACE}", f"--selector={_selector(member)}"]
    return kubectl("get", "secrets", *where, "-o", "json", target=target)


def find_tokens(found: list[dict[str, Any]], member: str) -> FoundTokens:
    """Return which token Secrets a member has.

    Args:
        found: What ``objects_command`` and ``secrets_command`` printed.
        member: The member's name.
    """
    account = find_item(found, "ServiceAccount", member) or {}
    secrets = {_number(item, member): item for item in found if item.get("kind") == "Secret" and _number(item, member)}
    noted = _parse_number(section(account, "metadata", "annotations").get(GENERATION))
    is_ours = section(account, "metadata", "labels").get("app.kubernetes.io/managed-by") == "fedssh"
    # An account without the note is of a fedssh that did not count yet, and has had the Secret of the first number.
    last = max([noted or int(is_ours), *secrets])
    full = [number for number, secret in secrets.items() if section(secret, "data").get("token")]
    number = max(full or secrets or [last + 1])
    others = {other: secret for other, secret in secrets.items() if other != number}
    return FoundTokens(number=number, last=last, secret=secrets.get(number, {}), others=others)


def parse_cluster_uid(found: list[dict[str, Any]]) -> str:
    """Return which cluster has printed the objects of ``objects_command``: the UID of its own namespace, or ""."""
    uid = section(find_item(found, "Namespace", CLUSTER_NAMESPACE) or {}, "metadata").get("uid")
    return visible(uid) if isinstance(uid, str) else ""


def parse_objects(found: Sequence[Mapping[str, Any]], member: str, number: int = 1) -> dict[str, FoundObject]:
    """Return which of the objects are there, by ``kind/name``.

    Args:
        found: What ``objects_command`` and ``secrets_command`` printed.
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


def grant_commands(member: str, number: int = 1, *, anew: Iterable[str], force: bool, target: Target) -> list[Command]:
    """Return the commands, to be run one after the other, that grant access; the last prints the token Secret.

    Args:
        member: The member's name.
        number: That of its token Secret.
        anew: The objects, as ``kind/name``, that cannot be changed where they are: they are deleted first.
        force: Whether fields that belong to others are taken over.
        target: The member's cluster.
    """
    deleted = list(anew)
    clear = kubectl("delete", *deleted, "--ignore-not-found", f"--namespace={NAMESPACE}", target=target)
    return [
        *([clear] if deleted else []),
        apply_command(manifests(member, number), force=force, target=target),
        token_command(token_secret(member, number), namespace=NAMESPACE, target=target),
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


def parse_grant(results: Sequence[Result], member: str, number: int = 1) -> Sensitive:
    """Return the token from the answers to ``grant_commands``.

    Raises:
        StepError: An object could not be deleted or made, or the token did not come (3).
        RefusedError: What came is not its token (6).
    """
    found = parse_filled_in(results, token_secret(member, number), machine=member)
    return parse_token(found, member=member, number=number)


def apply_command(objects: Sequence[Mapping[str, Any]], *, force: bool, target: Target) -> Command:
    """Return the command that makes objects as fedssh's; with ``force``, fields that belong to others, too."""
    # Server-side: nothing is copied into the last-applied annotation (CVE-2023-40029 was such a copy).
    flags = ["--server-side", "--field-manager=fedssh", *(["--force-conflicts"] * force)]
    return kubectl("apply", *flags, "-f", "-", target=target, stdin=Sensitive(render_list(objects)))


def token_command(secret: str, *, namespace: str, target: Target) -> Command:
    """Return the command that waits until a token Secret is filled in, and prints it."""
    read = ["get", "secret", f"--namespace={namespace}", "-o"]
    token, whole = (kubectl(*read, form, target=target).line for form in ("jsonpath={.data.token}", "json"))
    wait = f"""
        end=$(( $(date +%s) + $1 ))
        until {{ token=$({token} "$2") || exit; [ -n "$token" ]; }} || [ "$(date +%s)" -ge "$end" ]; do sleep 1; done
        {whole} "$2"
    """
    return script(wait, str(TOKEN_WAIT_SECONDS), secret, title="kubectl get secret")


def parse_filled_in(results: Sequence[Result], secret: str, *, machine: str) -> dict[str, Any]:
    """Return the token Secret from the answers to commands that made it, of which ``token_command`` is the last.

    Raises:
        StepError: One of them failed, or the token did not come (3).
    """
    *made, filled = results
    for result in made:
        if not result.ok:
            raise explain(result, machine=machine, step=_STEP)
    found = parse_object(filled, machine=machine, step=_STEP)
    if not section(found, "data").get("token"):
        raise StepError(
            f"no token came into the Secret {secret} within {TOKEN_WAIT_SECONDS} s",
            machine=machine,
            step=_STEP,
            hint="Tokens are filled in by the member's kube-controller-manager: is it running?",
        )
    return found


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


def parse_token(secret: Mapping[str, Any], *, member: str, number: int = 1) -> Sensitive:
    """Return the token of a token Secret.

    Raises:
        RefusedError: It is not a token of the member's ServiceAccount (6).
    """
    account = account_name(member)
    token = decode_token(secret)
    if token is None or token_subject(token) != account:
        raise RefusedError(
            f"the Secret {token_secret(member, number)} does not hold a token of {account}",
            machine=member,
            hint=f"Delete it there, and run this again: {delete_token(member)}",
        )
    return token


def decode_token(secret: Mapping[str, Any]) -> Sensitive | None:
    """Return what a Secret holds as its token; None where that cannot be a token."""
    try:
        token = base64.b64decode(secret["data"]["token"], validate=True).decode("ascii")
    except (LookupError, TypeError, ValueError):
        return None
    # Nothing but base64url's characters: anything else would end up in the host's kubeconfig.
    return Sensitive(token) if _JWT.fullmatch(token) else None


def _selector(member: str) -> str:
    return ",".join(f"{key}={value}" for key, value in {"name": member, **MANAGED_BY}.items())


def _number(secret: Mapping[str, Any], member: str) -> int:
    """Return the number of a token Secret; 0 for any other Secret."""
    name = section(secret, "metadata").get("name")
    prefix = token_secret(member, 0)[:-1]
    return _parse_number(name.removeprefix(prefix)) if isinstance(name, str) and name.startswith(prefix) else 0


def _parse_number(text: Any) -> int:
    """Return a number as fedssh writes it; 0 for anything else."""
    is_number = isinstance(text, str) and re.fullmatch(rf"[1-9][0-9]{{0,{_LONGEST_NUMBER - 1}}}", text, re.ASCII)
    return int(text) if is_number else 0


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
