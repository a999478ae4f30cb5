from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from fedssh.errors import StepError
from fedssh.kubernetes.kubectl import (
    Target,
    check_version,
    explain,
    find_item,
    has_lost_context,
    kubectl,
    missing_tool,
    parse_items,
    parse_object,
    render_list,
)
from fedssh.sensitive import Sensitive
from tests.fakes.shells import result


def test_a_command_names_its_cluster_and_limits_every_request() -> None:
    """Each flag is one word with its value, so that no value can be read as a flag."""
    one = kubectl("get", "pods", "-o", "json", target=Target(kubeconfig="/a b/config", context="fed@host"))
    assert shlex.split(one.line) == [
        "kubectl",
        "--kubeconfig=/a b/config",
        "--context=fed@host",
        "--request-timeout=20s",
        *("get", "pods", "-o", "json"),
    ]
    assert one.title == "kubectl get"


def test_the_machines_own_cluster_needs_no_flags() -> None:
    """A limit of 0 is none: a rollout has its own."""
    assert kubectl("rollout", "status", request_timeout_seconds=0).line == "kubectl rollout status"


def test_what_is_applied_goes_by_stdin(canary: str) -> None:
    """A secret is never part of the line."""
    one = kubectl("apply", "-f", "-", stdin=Sensitive(canary))
    assert canary not in one.line
    assert isinstance(one.stdin, Sensitive)


@pytest.mark.parametrize(
    ("stderr", "hint"),
    [
        ("The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", "running"),
        ("Unable to connect to the server: dial tcp: lookup x: no such host", "resolve"),
        ("E1 Get https://x: dial tcp 10.0.0.1:6443: i/o timeout", "firewall"),
        ('Error from server (Forbidden): pods is forbidden: User "x" cannot list', "administrator"),
        ("error: You must be logged in to the server (Unauthorized)", "renew"),
        ("error: invalid configuration: no configuration has been provided", "kubeconfig: /path"),
        ("Error: unknown flag: --server-side", "too old"),
        ("error: something else", ""),
    ],
)
def test_a_failure_says_what_to_do_where_that_is_known(stderr: str, hint: str) -> None:
    """By kubectl's own words, which are quoted."""
    error = explain(result(code=1, stderr=stderr), machine="m1", step="look")
    assert str(error) == f"m1: look: kubectl get failed with exit code 1: {stderr}"
    assert hint in error.hint
    assert bool(error.hint) == bool(hint)


def test_missing_rights_are_named() -> None:
    """Each verb and resource once."""
    denied = 'Error from server (Forbidden): {0} is forbidden: User "x" cannot {1} resource "{0}" in API group ""'
    words = [denied.format("secrets", "get"), denied.format("clusterroles", "patch"), denied.format("secrets", "get")]
    error = explain(result(code=1, stderr="\n".join(words)), machine="m1", step="look")
    assert error.hint.startswith("The one used there may not get secrets, patch clusterroles: fedssh needs")


def test_a_missing_tool_is_told_from_one_that_failed() -> None:
    """127 is the shell's answer."""
    error = explain(result(code=127, stderr="sh: 1: kubectl: not found"), machine="m1", step="look")
    assert str(error) == "m1: look: kubectl is not there"
    assert error.hint == missing_tool("kubectl", machine="m1", step="").hint
    assert "/usr/local/bin" in error.hint


def test_an_object_is_what_kubectl_printed() -> None:
    """Nothing is {}: that is what --ignore-not-found prints."""
    assert parse_object(result('{"a": 1}'), machine="m", step="s") == {"a": 1}
    assert parse_object(result(" \n"), machine="m", step="s") == {}


@pytest.mark.parametrize("printed", ["{", "[]", "1", '"text"', "null", "[" * 100_000, '{"a":' * 100_000, "1" * 5000])
def test_anything_else_is_a_failed_step_that_does_not_quote_it(printed: str, canary: str) -> None:
    """A member that answers nonsense, however deep, cannot end the run of the others."""
    for text in (printed, printed + canary):
        with pytest.raises(StepError, match="kubectl get did not print a JSON object") as caught:
            parse_object(result(text), machine="m1", step="look")
        assert caught.value.machine == "m1"
        assert caught.value.__context__ is None


def test_a_failed_command_is_explained() -> None:
    """Its output is not read."""
    with pytest.raises(StepError, match="exit code 1: no"):
        parse_items(result('{"items": []}', code=1, stderr="no"), machine="m", step="s")


@pytest.mark.parametrize(
    ("printed", "names"),
    [
        ("", []),
        ('{"kind": "Secret", "metadata": {"name": "a"}}', ["a"]),
        ('{"kind": "List", "items": []}', []),
        ('{"kind": "List", "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}', ["a", "b"]),
    ],
)
def test_items_are_those_of_a_list_or_the_object_alone(printed: str, names: list[str]) -> None:
    """Kubectl prints a List only where it was asked for several."""
    assert [one["metadata"]["name"] for one in parse_items(result(printed), machine="m", step="s")] == names


@pytest.mark.parametrize("items", [None, 5, "text", [None, 5, "text", []], [{"metadata": None}], [{"metadata": []}]])
def test_what_is_no_object_is_no_item(items: object) -> None:
    """An item has metadata; whatever else a hostile member lists is left out."""
    assert parse_items(result(json.dumps({"items": items})), machine="m", step="s") == []


def test_an_item_is_found_by_kind_and_name() -> None:
    """Both count."""
    items: list[dict[str, Any]] = [
        {"kind": "A", "metadata": {"name": "x"}},
        {"kind": "B", "metadata": {"name": "x"}},
        {"metadata": {}},
    ]
    assert find_item(items, "B", "x") is items[1]
    assert find_item(items, "B", "y") is None


def test_objects_are_read_back_as_they_were() -> None:
    """From one JSON document, which every kubectl reads."""
    objects: list[dict[str, Any]] = [{"a": "---\n"}, {"b": ["\u00fc", 1, None]}]
    assert json.loads(render_list(objects)) == {"apiVersion": "v1", "kind": "List", "items": objects}


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        ('error: context "fedhost" does not exist', True),
        ("Error in configuration: context was not found for specified context: member2", True),
        ("error: cannot locate context fedhost", True),
        ('error: error loading config file "/root/.kube/config": json: cannot unmarshal string into Go struct', True),
        ("error: no", False),
    ],
)
def test_a_context_that_was_lost_is_recognised(words: str, lost: bool) -> None:
    """There are four ways to say so."""
    assert has_lost_context(words) is lost


@pytest.mark.parametrize("said", ["v1.19.0", "v1.33.13", "v1.30.4+k3s1", "v2.0.0", "soon", ""])
def test_a_kubectl_that_is_new_enough(said: str) -> None:
    """Or that does not tell how new it is."""
    check_version(result(json.dumps({"clientVersion": {"gitVersion": said}})), machine="m", step="s")


@pytest.mark.parametrize("space", ["", " "])
def test_fault_26_a_kubectl_that_is_too_old(space: str) -> None:
    """Both versions are named, and the machine."""
    said = f'{{"clientVersion":{{"minor":"18","gitVersion":{space}"v1.18.20"}}}}'
    with pytest.raises(StepError, match=r"kubectl is version 1\.18, and fedssh needs 1\.19 or newer") as caught:
        check_version(result(said), machine="m", step="s")
    assert caught.value.machine == "m"
    with pytest.raises(StepError, match="kubectl is not there"):
        check_version(result(code=127), machine="m", step="s")
