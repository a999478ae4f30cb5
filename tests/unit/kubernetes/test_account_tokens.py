from __future__ import annotations

import pytest

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.kubernetes.account import grant_commands, manifests, parse_grant, references
from fedssh.kubernetes.account_tokens import find_tokens, mint_command, parse_minted
from fedssh.kubernetes.kubectl import Target
from tests.fakes.api import token_of
from tests.fakes.kubernetes import account_token
from tests.fakes.lines import argv_of, key_of, stdin_of
from tests.fakes.shells import result

THERE = Target(kubeconfig="/etc/config")
TOKEN = account_token("member1")


def test_a_token_is_asked_for_by_its_account_and_for_ten_minutes() -> None:
    """By kubectl itself, which keeps the path of the API server's address."""
    assert argv_of(mint_command("member1", target=THERE)) == [
        "kubectl",
        "--kubeconfig=/etc/config",
        "--request-timeout=20s",
        "create",
        "token",
        "member1",
        "--namespace=default",
        "--duration=600s",
    ]


def test_what_is_asked_for_is_the_accounts_token() -> None:
    """With or without the line's end; it does not show itself."""
    token = parse_minted(result(f"{TOKEN}\n"), "member1")
    assert token.reveal() == TOKEN
    assert TOKEN not in repr(token)


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("", 0),
        ("no token", 0),
        (f"{TOKEN}\n{TOKEN}", 0),
        (f"Warning: x\n{TOKEN}", 0),
        (token_of("system:serviceaccount:default:member2"), 0),
        (token_of("system:serviceaccount:kube-system:member1"), 0),
        (f"{TOKEN}\x1b[31m", 0),
        ("", 1),
    ],
)
def test_anything_else_is_refused(printed: str, code: int) -> None:
    """It would end up in a kubeconfig on the host."""
    with pytest.raises(FedsshError) as caught:
        parse_minted(result(printed, code=code, stderr="error: no"), "member1")
    assert isinstance(caught.value, StepError if code else RefusedError)
    assert caught.value.machine == "member1"
    assert caught.value.step == "grant access"


def test_without_a_stored_token_the_account_has_no_secret() -> None:
    """The grant ends with the token that is asked for; the number of the last one that was stored stays noted."""
    assert references("member1", is_stored=False) == references("member1")[:3]
    commands = grant_commands("member1", 4, is_stored=False, anew=[], force=False, target=THERE)
    assert [key_of(command) for command in commands] == [("kubectl", "apply"), ("kubectl", "create")]
    assert '"kind": "Secret"' not in stdin_of(commands[0])
    assert '"fedssh/token-generation": "4"' in stdin_of(commands[0])
    token = parse_grant([result("applied"), result(TOKEN)], "member1", 4, is_stored=False)
    assert token.reveal() == TOKEN
    with pytest.raises(StepError, match="forbidden"):
        parse_grant([result(code=1, stderr="forbidden"), result(TOKEN)], "member1", is_stored=False)


@pytest.mark.parametrize(("last", "number"), [(0, 1), (1, 2), (7, 8)])
def test_a_stored_token_after_an_ephemeral_one_gets_a_number_of_its_own(last: int, number: int) -> None:
    """The same name would bring a revoked token back."""
    tokens = find_tokens(manifests("member1", last, is_stored=False), "member1")
    assert tokens.number == number
    assert (tokens.secret, tokens.others) == ({}, {})


def test_what_an_old_kubernetes_has_made_for_the_account_is_known() -> None:
    """Its token Secrets outlive the upgrade to 1.24; of an account of somebody else's they are none of ours."""
    (account, *_) = manifests("member1", 0, is_stored=False)
    names = ["member1-token-x7k2p", "member1-dockercfg-x7k2p", "member1-token-x7k2p9", "member2-token-x7k2p", 5]
    account["secrets"] = [{"name": name} for name in names] + ["x", {}]
    assert find_tokens([account], "member1").generated == ("member1-token-x7k2p",)
    assert find_tokens([{**account, "secrets": "x"}], "member1").generated == ()
    foreign = {**account, "metadata": {"name": "member1"}}
    assert find_tokens([foreign], "member1").generated == ()


def test_a_secret_of_somebody_elses_is_not_among_the_old_ones() -> None:
    """Whatever its name is: the old ones are deleted."""
    foreign = {"kind": "Secret", "metadata": {"name": "member1-fedssh-1"}, "data": {"token": "eA=="}}
    tokens = find_tokens([*manifests("member1", 2), foreign], "member1")
    assert tokens.others == {}
