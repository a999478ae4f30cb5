from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given

from fedssh.errors import RefusedError, StepError
from fedssh.kubernetes import helm
from fedssh.kubernetes.helm import Release, check_version, find_release, parse_release
from fedssh.kubernetes.kubectl import Target
from tests.fakes.machine_output import MANY_DIGITS, answers, repeated, soon, versions
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
    """Helm 4 cannot install the chart: it is refused, with what to install. What it says is cut and escaped."""
    with pytest.raises(RefusedError, match="needs Helm 3") as caught:
        check_version(result(version), machine="fedhost", step="s")
    assert caught.value.exit_code == 6
    assert caught.value.hint == "Install Helm 3 on the machine of fedhost, such as 3.18 or newer."
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 120


def test_fault_26_a_missing_helm_is_told_from_one_that_fails() -> None:
    """The one is to be installed, the other to be looked at; neither is a refusal."""
    with pytest.raises(StepError, match="helm is not there") as missing:
        check_version(result(code=127), machine="m", step="s")
    with pytest.raises(StepError, match="exit code 1: broken") as failing:
        check_version(result(code=1, stderr="broken"), machine="m", step="s")
    assert (missing.value.exit_code, failing.value.exit_code) == (3, 3)


@pytest.mark.parametrize("printed", ["", "[]", "null"])
def test_no_release_is_none(printed: str) -> None:
    """Whatever Helm prints for an empty list."""
    assert parse_release(result(printed), chart="kubefed", machine="m", step="s") is None


def test_a_release_is_read() -> None:
    """The chart's name and version are one text; the revision is a text, too."""
    found = parse_release(result(json.dumps([KUBEFED])), chart="kubefed", machine="m", step="s")
    assert found == Release(version="0.10.0", status="deployed", revision=1)


@pytest.mark.parametrize(
    "printed",
    ["{", "{}x", '{"a": 1}', "5", '""', "[5]", "[{}]", json.dumps([{**KUBEFED, "revision": "x"}]), "[" * 100_000],
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


@pytest.mark.parametrize(
    "change",
    [
        *({"revision": MANY_DIGITS}, {"revision": "-1"}, {"revision": 1.5}, {"revision": None}, {"revision": "9" * 10}),
        *({"status": repeated("x")}, {"status": "\x1b[31m"}, {"status": ["deployed"]}, {"status": ""}),
        *({"chart": repeated("x")}, {"chart": "kubefed-\x1b[31m"}, {"chart": {"a": 1}}, {"chart": "kubefed-1\n"}),
    ],
    ids=lambda change: str(change)[:30],
)
def test_a_release_that_helm_never_had_is_a_failed_step(change: dict[str, object]) -> None:
    """A revision of thousands of digits, a status of megabytes, escape sequences."""
    with pytest.raises(StepError, match="something else than releases"):
        parse_release(result(json.dumps([{**KUBEFED, **change}])), chart="kubefed", machine="m", step="s")


@given(answers([KUBEFED], [KUBEFED, KUBEFED]))
def test_no_list_breaks_the_parser(printed: str) -> None:
    """There is a release, none, or an error."""
    try:
        found = parse_release(result(printed), chart="kubefed", machine="m", step="s")
    except StepError as error:
        told = str(error)
    else:
        told = found.status if found else ""
    assert told.isprintable()
    assert len(told) < 400


@given(versions())
def test_no_version_breaks_the_check(said: str) -> None:
    """It is Helm 3, or refused in a line."""
    try:
        check_version(result(said), machine="m", step="s")
    except RefusedError as error:
        told = str(error)
    else:
        told = ""
    assert told.isprintable()
    assert len(told) < 400


@pytest.mark.parametrize("piece", ["[", "[{", "9", '"', "{},", "v3."])
def test_a_long_answer_takes_no_long_time(piece: str) -> None:
    """Two megabytes of it, as a version or as a list."""
    said = result(repeated(piece))
    with soon():
        with pytest.raises(StepError):
            parse_release(said, chart="kubefed", machine="m", step="s")
        with pytest.raises(RefusedError):
            check_version(said, machine="m", step="s")
