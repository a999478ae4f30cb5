"""Replacing KubeFed's own credential for a cluster: another account there, another token in KubeFed's Secret here.

A legacy token has no time in it: the same account and the same Secret's name give the same token. A join makes both by
the names that it always takes (pkg/kubefedctl/join.go, v0.10.0), so that it would bring a revoked token back. Therefore
the account is replaced, not its Secret alone: by an account of another name, and the next time by one of join's own
name again, which is a new account with a new UID. The rights stay join's: its bindings get the new account as a
subject, so that ``kubefedctl unjoin``, which removes them by their names, leaves nothing.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.kubefed.clusters import ROTATED
from fedssh.engines.kubefed.install import NAMESPACE
from fedssh.engines.kubefed.leaving import ALTERNATE, account_base
from fedssh.engines.protocol import EngineAccount
from fedssh.errors import StepError
from fedssh.kubernetes.account import apply_command
from fedssh.kubernetes.account_tokens import MANAGED_BY, decode_token, parse_filled_in, token_command
from fedssh.kubernetes.kubectl import Target, explain, kubectl, parse_created, parse_items, section
from fedssh.kubernetes.tokens import token_subject
from fedssh.shell import script

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fedssh.engines.protocol import JoinedCluster
    from fedssh.sensitive import Sensitive
    from fedssh.shell import Command, Result

_KIND: Final = "ServiceAccount"
_STEP: Final = "rotate KubeFed's credential"
_TOKEN_TYPE: Final = "kubernetes.io/service-account-token"  # noqa: S105  (a Secret's type)
_ANNOTATION: Final = "kubernetes.io/service-account.name"
_WHERE: Final = f"--namespace={NAMESPACE}"

# A line for each binding: what it is, then its subjects, in their order.
_SUBJECTS: Final = (
    'jsonpath={range .items[*]}{.kind}{"/"}{.metadata.namespace}{"/"}{.metadata.name}'
    '{range .subjects[*]}{"\\t"}{.kind}{"/"}{.namespace}{"/"}{.name}{end}{"\\n"}{end}'
)
_PLACES: Final = 'jsonpath={range .subjects[*]}{.kind}{"/"}{.namespace}{"/"}{.name}{"\\n"}{end}'


def account_commands(*, target: Target) -> list[Command]:
    """Return the commands that look at the accounts in KubeFed's namespace on a cluster, their tokens and rights."""
    return [
        kubectl("get", "serviceaccounts", _WHERE, "-o", "json", target=target),
        kubectl("get", "secrets", _WHERE, f"--field-selector=type={_TOKEN_TYPE}", "-o", "json", target=target),
        kubectl("get", "clusterrolebindings,rolebindings", "--all-namespaces", "-o", _SUBJECTS, target=target),
    ]


def parse_accounts(results: Sequence[Result], *, machine: str) -> dict[str, EngineAccount]:
    """Return the accounts by name, from the answers to ``account_commands``.

    Raises:
        StepError: kubectl failed (3).
    """
    accounts, secrets, bindings = results
    if not bindings.ok:
        raise explain(bindings, machine=machine, step=_STEP)
    held = parse_items(secrets, machine=machine, step=_STEP)
    lines = [line.split("\t") for line in bindings.stdout.splitlines()]
    found = {}
    for item in parse_items(accounts, machine=machine, step=_STEP):
        name = str(item["metadata"]["name"])
        own = [secret for secret in held if section(secret, "metadata", "annotations").get(_ANNOTATION) == name]
        tokens = [token for token in map(decode_token, own) if token and token_subject(token) == _subject(name)]
        found[name] = EngineAccount(
            name=name,
            created=parse_created(item),
            token=tokens[0] if tokens else None,
            secrets=tuple(str(secret["metadata"]["name"]) for secret in own),
            bindings=_bindings(lines, f"{_KIND}/{NAMESPACE}/{name}"),
        )
    return found


def account_name(cluster: JoinedCluster) -> str:
    """Return the account whose token KubeFed has for a cluster; "" for one that is not in KubeFed's namespace."""
    prefix = _subject("")
    subject = token_subject(cluster.token) if cluster.token else ""
    return subject.removeprefix(prefix) if subject.startswith(prefix) else ""


def next_account(name: str) -> str:
    """Return the account that takes over from an account: another name than join's, and then join's again."""
    base = account_base(name)
    return base if base != name else name + ALTERNATE


def make_account_commands(name: str, old: EngineAccount, new: EngineAccount | None, *, target: Target) -> list[Command]:
    """Return the commands that make an account with the rights of ``old``, or what it still lacks of them."""
    missing = old.bindings - (new.bindings if new else frozenset())
    subject = {"kind": _KIND, "name": name, "namespace": NAMESPACE}
    add = [{"op": "add", "path": "/subjects/-", "value": subject}]
    return [
        apply_command(_manifests(name), force=True, target=target),
        *(
            kubectl("patch", *_named(binding), "--type=json", f"--patch={json.dumps(add)}", target=target)
            for binding in sorted(missing)
        ),
        token_command(name, namespace=NAMESPACE, target=target),
    ]


def parse_made_account(results: Sequence[Result], name: str, *, machine: str) -> Sensitive:
    """Return the new account's token from the answers to ``make_account_commands``.

    Raises:
        StepError: One of them failed, or what came is not its token (3).
    """
    token = decode_token(parse_filled_in(results, name, machine=machine))
    if token is None or token_subject(token) != _subject(name):
        raise StepError(f"the Secret {name} does not hold a token of {_subject(name)}", machine=machine, step=_STEP)
    return token


def remove_account_commands(account: EngineAccount, *, target: Target) -> list[Command]:
    """Return the commands that take an account's rights and delete it with its tokens; the last deletes it."""
    commands = [_remove_subject(binding, account.name, target=target) for binding in sorted(account.bindings)]
    names = [f"serviceaccount/{account.name}", *(f"secret/{secret}" for secret in account.secrets)]
    return [*commands, kubectl("delete", *names, "--ignore-not-found", _WHERE, target=target)]


def swap_command(cluster: JoinedCluster, token: Sensitive, *, rotated_at: str, target: Target) -> Command:
    """Return the command that gives KubeFed another token for a cluster; what else is in its Secret stays.

    ``rotated_at`` is noted beside it, for ``status``; "" takes the note away, where the token is the first one again.
    """
    metadata = {"name": str(section(cluster.spec, "secretRef").get("name")), "namespace": NAMESPACE}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, **({"annotations": {ROTATED: rotated_at}} if rotated_at else {})},
        "data": {"token": base64.b64encode(token.reveal().encode()).decode()},
    }
    return apply_command([secret], force=True, target=target)


def _manifests(name: str) -> list[dict[str, Any]]:
    """Return the account and its token Secret, as a join makes them, with a label that says whose they are."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": MANAGED_BY}
    account = {
        "apiVersion": "v1",
        "kind": _KIND,
        "metadata": {**metadata, "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "automountServiceAccountToken": False,
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**metadata, "annotations": {_ANNOTATION: name}},
        "type": _TOKEN_TYPE,
    }
    return [account, secret]


def _remove_subject(binding: str, account: str, *, target: Target) -> Command:
    """Return the command that takes an account out of a binding, and nobody else: not where the subjects change."""
    get = kubectl("get", *_named(binding), "-o", _PLACES, target=target).line
    patch = kubectl("patch", *_named(binding), "--type=json", target=target).line
    text = f"""
        place=$({get} | grep -n -x -F "$1" | head -n 1 | cut -d: -f1)
        [ -n "$place" ] || exit 0
        place=/subjects/$((place - 1))
        same=$(printf '{{"op":"test","path":"%s/name","value":"%s"}}' "$place" "$2")
        patch="[$same,{{\\"op\\":\\"remove\\",\\"path\\":\\"$place\\"}}]"
        {patch} --patch="$patch"
    """
    subject = f"{_KIND}/{NAMESPACE}/{account}"
    return script(text, subject, account, binding, title=f"kubectl patch of {binding.rpartition('/')[2]}")


def _named(binding: str) -> list[str]:
    """Return how kubectl finds a binding that ``parse_accounts`` has named."""
    kind, namespace, name = binding.split("/", 2)
    return [kind, name, *([f"--namespace={namespace}"] if namespace else [])]


def _bindings(lines: Iterable[Sequence[str]], subject: str) -> frozenset[str]:
    """Return the bindings that name a subject, as ``kind/namespace/name``."""
    return frozenset(binding for binding, *subjects in lines if binding.count("/") > 1 and subject in subjects)


def _subject(name: str) -> str:
    return f"system:serviceaccount:{NAMESPACE}:{name}"
