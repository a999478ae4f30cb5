from __future__ import annotations

import json
import shlex

import pytest

from fedssh.errors import StepError
from fedssh.kubernetes import helm
from fedssh.kubernetes.helm import Release, check_version, find_release, parse_release
from fedssh.kubernetes.kubectl import Target
from tests.fakes.shells import result

KUBEFED = {"name": "kubefed", "revision": "1", "status": "deployed", "chart": "kubefed-0.10.0", "app_version": ""}


def test_helm_spells_the_context_its_own_way() -> None:
    """Its flags stand behind what is asked."""
    one = helm.helm("install", "kubefed", "x/kubefed", target=Target(kubeconfig="/c", context="fedhost"), stdin="{}")
    assert shlex.split(one.line) == [
        *("helm", "install", "kubefed", "x/kubefed"),
        *("--kubeconfig=/c", "--kube-context=fedhost"),
    ]
    assert (one.title, one.stdin) == ("helm install", "{}")


def test_a_release_is_looked_for_in_every_state() -> None:
    """A broken one counts; the name is matched whole."""
    argv = shlex.split(find_release("kubefed", "ns", target=Target()).line)
    assert {"--all", "--filter=^kubefed$", "--namespace=ns", "--output=json"} <= set(argv)


@pytest.mark.parametrize("version", ["v3.18.4", "v3.0.0-rc.1", "v3.9.4+gdbc6d8e\n"])
def test_helm_3_is_accepted(version: str) -> None:
    """Any minor version."""
    check_version(result(version), machine="m", step="s")


@pytest.mark.parametrize("version", ["v4.0.0", "v2.17.0", "v30.1", "", "\x1b[31m" + "x" * 99])
def test_fault_26_any_other_helm_is_not(version: str) -> None:
    """Helm 4 cannot install the chart; what it says is cut and escaped."""
    with pytest.raises(StepError, match="needs Helm 3") as caught:
        check_version(result(version), machine="fedhost", step="s")
    assert "fedhost" in caught.value.hint
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 120


def test_fault_26_a_missing_helm_is_told_from_one_that_fails() -> None:
    """The one is to be installed, the other to be looked at."""
    with pytest.raises(StepError, match="helm is not there"):
        check_version(result(code=127), machine="m", step="s")
    with pytest.raises(StepError, match="exit code 1: broken"):
        check_version(result(code=1, stderr="broken"), machine="m", step="s")


@pytest.mark.parametrize("printed", ["", "[]", "null"])
def test_no_release_is_none(printed: str) -> None:
    """Whatever Helm prints for an empty list."""
    assert parse_release(result(printed), chart="kubefed", machine="m", step="s") is None


def test_a_release_is_read() -> None:
    """The chart's name and version are one text; the revision is a text, too."""
    found = parse_release(result(json.dumps([KUBEFED])), chart="kubefed", machine="m", step="s")
    assert found == Release(version="0.10.0", status="deployed", revision=1)


@pytest.mark.parametrize(
    "printed", ["{", "{}x", '{"a": 1}', "5", "[5]", "[{}]", json.dumps([{**KUBEFED, "revision": "x"}]), "[" * 100_000]
)
def test_anything_else_is_a_failed_step(printed: str) -> None:
    """Never an exception of JSON's."""
    with pytest.raises(StepError, match="something else than releases"):
        parse_release(result(printed), chart="kubefed", machine="m", step="s")


def test_a_release_of_another_chart_is_not_kubefed() -> None:
    """Somebody gave the name to something of their own."""
    other = json.dumps([{**KUBEFED, "chart": "my-kubefed-0.10.0"}])
    with pytest.raises(StepError, match="is of the chart 'my-kubefed', not 'kubefed'"):
        parse_release(result(other), chart="kubefed", machine="m", step="s")


def test_a_helm_that_fails_is_quoted() -> None:
    """Its exit code and its words."""
    failed = result(code=1, stderr="Error: Kubernetes cluster unreachable")
    with pytest.raises(StepError, match="exit code 1: Error: Kubernetes cluster unreachable"):
        parse_release(failed, chart="kubefed", machine="m", step="s")
