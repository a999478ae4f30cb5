"""The tokens of the account that a member grants: those that lie in Secrets, and those that end by themselves.

A token in a Secret has no end. One that is asked for (TokenRequest) is kept nowhere, and ends after ten minutes.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes.kubectl import Target, explain, find_item, kubectl, section
from fedssh.kubernetes.tokens import token_subject
from fedssh.sensitive import Sensitive
from fedssh.shell import Command, Result, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAMESPACE: Final = "default"
"""Where the ServiceAccount lives. Never the engine's namespace: leaving deletes that from members (kubefed#1258)."""

MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "fedssh"}

GENERATION: Final = "fedssh/token-generation"
"""The annotation of the ServiceAccount that says which number its newest token Secret has, or has had."""

TOKEN_WAIT_SECONDS: Final = 30
"""How long the controller-manager may take to fill in a token Secret."""

MINTED_SECONDS: Final = 600
"""How long a token that is asked for is valid: the shortest time that Kubernetes grants (TokenRequestSpec)."""

OLDEST_FOR_MINTING: Final = (1, 24)
"""The Kubernetes and the kubectl from which on tokens that end by themselves are all that there are.

Before, every ServiceAccount gets a token Secret without an end (LegacyServiceAccountTokenNoAutoGeneration), and kubectl
cannot ask for a token.
"""

_LONGEST_NUMBER: Final = 9
_RANDOM: Final = re.compile(r"[a-z0-9]{5}", re.ASCII)
"""The end of a name that Kubernetes has made up."""
_JWT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_STEP: Final = "grant access"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTokens:
    """The token Secrets of a member's account.

    Attributes:
        number: The number of the newest Secret that holds a token; without one, of that which is to hold it.
        last: The highest number that there is, or has been while the ServiceAccount was there; 0 for none.
        secret: The Secret of that number, as it is there; {} for none.
        others: The other Secrets of fedssh's, by number; a token in them may still work.
        generated: The names of those that Kubernetes has made for the account by itself, before 1.24.
    """

    number: int = 1
    last: int = 0
    secret: Mapping[str, Any] = field(default_factory=dict, repr=False)
    others: Mapping[int, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    generated: tuple[str, ...] = ()


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
    return f"kubectl --namespace={NAMESPACE} delete secret --selector={selector(member)}"


def find_tokens(found: list[dict[str, Any]], member: str) -> FoundTokens:
    """Return which token Secrets a member has.

    Args:
        found: The objects of the account that are there, its Secrets by their labels.
        member: The member's name.
    """
    account = find_item(found, "ServiceAccount", member) or {}
    items = [item for item in found if item.get("kind") == "Secret"]
    secrets = {number: item for item in items if (number := _number(item, member))}
    noted, is_ours = section(account, "metadata", "annotations").get(GENERATION), _is_ours(account)
    # An account without the note is of a fedssh that did not count yet, and has had the Secret of the first number.
    last = max([int(is_ours) if noted is None else _parse_number(noted), *secrets])
    # One that somebody else has made under such a name is refused where its name is needed, and left alone elsewhere.
    full = [number for number, item in secrets.items() if section(item, "data").get("token") and _is_ours(item)]
    number = max(full or secrets or [last + 1])
    others = {other: secret for other, secret in secrets.items() if other != number and _is_ours(secret)}
    return FoundTokens(
        number=number,
        last=last,
        secret=secrets.get(number, {}),
        others=others,
        generated=_generated(account, member) if is_ours else (),
    )


def _generated(account: Mapping[str, Any], member: str) -> tuple[str, ...]:
    """Return the token Secrets that Kubernetes before 1.24 has made for an account by itself."""
    listed = account.get("secrets")
    names = [one.get("name") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    start = f"{member}-token-"
    return tuple(
        name
        for name in names
        if isinstance(name, str) and name.startswith(start) and _RANDOM.fullmatch(name.removeprefix(start))
    )


def token_command(secret: str, *, namespace: str, target: Target) -> Command:
    """Return the command that waits until a token Secret is filled in, and prints its token, in base64."""
    watch = kubectl(
        "get", "secret", secret, f"--namespace={namespace}", "--watch", "-o", 'jsonpath={.data.token}{"\\n"}',
        target=target, request_timeout_seconds=TOKEN_WAIT_SECONDS,
    )  # fmt: skip
    # A line for the Secret as it is, and one whenever it changes: one kubectl is enough. The reader knows whom to end
    # by the first line; the shell need not say that somebody was ended. A watch that has lasted its time has come to
    # nothing, and says of itself that it failed.
    wait = f"""
        end=$(( $(date +%s) + $1 ))
        {{ sh -c 'echo $$; exec "$@"' sh {watch.line} 2>&3 | {{
            read -r watching
            while read -r token; do
                if [ -n "$token" ]; then
                    printf '%s\\n' "$token"
                    kill "$watching"
                    exit 0
                fi
            done
            [ "$(date +%s)" -ge "$end" ]
        }}; }} 3>&2 2>/dev/null
    """
    return script(wait, str(TOKEN_WAIT_SECONDS), secret, title="kubectl get secret")


def mint_command(member: str, *, target: Target) -> Command:
    """Return the command that asks for a token of a member's account, for ``parse_minted``; it is kept nowhere."""
    flags = [f"--namespace={NAMESPACE}", f"--duration={MINTED_SECONDS}s"]
    return kubectl("create", "token", member, *flags, target=target)


def parse_minted(result: Result, member: str) -> Sensitive:
    """Return the token from the answer to ``mint_command``.

    Raises:
        StepError: There is none (3).
        RefusedError: It is not the account's (6).
    """
    if not result.ok:
        raise explain(result, machine=member, step=_STEP)
    token, account = _sensitive(result.stdout.strip()), account_name(member)
    if token is None or token_subject(token) != account:
        raise RefusedError(f"what came is not a token of {account}", machine=member, step=_STEP)
    return token


def check_made(results: Sequence[Result], *, machine: str) -> None:
    """Check the answers to commands that make an account's objects.

    Raises:
        StepError: One of them failed (3).
    """
    for result in results:
        if not result.ok:
            raise explain(result, machine=machine, step=_STEP)


def parse_filled_in(results: Sequence[Result], secret: str, *, machine: str) -> dict[str, Any]:
    """Return a token Secret, as far as it matters, from the answers to commands that made it.

    ``token_command`` is the last of them.

    Raises:
        StepError: One of them failed, or the token did not come (3).
    """
    *made, filled = results
    check_made([*made, filled], machine=machine)
    token = filled.stdout.strip()
    if not token:
        raise StepError(
            f"no token came into the Secret {secret} within {TOKEN_WAIT_SECONDS} s",
            machine=machine,
            step=_STEP,
            hint="Tokens are filled in by the member's kube-controller-manager: is it running?",
        )
    return {"data": {"token": token}}


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
    return _sensitive(token)


def selector(member: str) -> str:
    """Return the labels of a member's objects, as kubectl selects by them."""
    return ",".join(f"{key}={value}" for key, value in {"name": member, **MANAGED_BY}.items())


def _is_ours(item: Mapping[str, Any]) -> bool:
    return section(item, "metadata", "labels").get("app.kubernetes.io/managed-by") == "fedssh"


def _sensitive(token: str) -> Sensitive | None:
    # Nothing but base64url's characters: anything else would end up in the host's kubeconfig.
    return Sensitive(token) if _JWT.fullmatch(token) else None


def _number(secret: Mapping[str, Any], member: str) -> int:
    """Return the number of a token Secret; 0 for any other Secret."""
    name = section(secret, "metadata").get("name")
    prefix = token_secret(member, 0)[:-1]
    return _parse_number(name.removeprefix(prefix)) if isinstance(name, str) and name.startswith(prefix) else 0


def _parse_number(text: Any) -> int:
    """Return a number as fedssh writes it; 0 for anything else."""
    is_number = isinstance(text, str) and re.fullmatch(rf"[1-9][0-9]{{0,{_LONGEST_NUMBER - 1}}}", text, re.ASCII)
    return int(text) if is_number else 0
