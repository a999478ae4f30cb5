"""What KubeFed's own answers come to: pods, webhook, log, types, Secrets, and what joins have left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fedssh.engines import load_engine
from fedssh.engines.kubefed.checkup import checkup_commands, checkup_findings
from fedssh.engines.kubefed.residue import residue_commands, residue_findings
from fedssh.kubernetes.kubectl import OWN
from fedssh.shell import Result
from tests.fakes.facts import host, joined, wishes

if TYPE_CHECKING:
    from fedssh.engines.protocol import CheckFinding

ENGINE = load_engine()
NOW = "2026-11-29T01:10:00Z"
CONTROLLER, WEBHOOK = "kubefed-controller-manager-56b5cc6974-8vvwt", "kubefed-admission-webhook-6dc484b89d-qhjcc"
RUNNING = {"ready": True, "restartCount": 0, "lastState": {}, "state": {"running": {"startedAt": NOW}}}
ENDED = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-11-29T01:05:03Z", "finishedAt": NOW}}
CRASHING = {
    "ready": False,
    "restartCount": 3,
    "lastState": ENDED,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}},
}
NO_IMAGE = {
    "ready": False,
    "restartCount": 0,
    "lastState": {},
    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image x"}},
}
HOOK = {"webhooks": [{"clientConfig": {"caBundle": ""}}]}
ENDPOINTS = {"metadata": {"name": "kubefed-admission-webhook"}, "subsets": [{"addresses": [{"ip": "10.244.0.4"}]}]}


def pod(name: str, *containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    """Return a pod as kubectl prints it."""
    about = {"name": name, "creationTimestamp": "2026-11-29T00:53:06Z"}
    status = {"startTime": "2026-11-29T00:53:06Z", "containerStatuses": list(containers), **status}
    return {"metadata": about, "status": status}


def listed(*items: Any) -> str:
    """Return objects as kubectl prints several."""
    return json.dumps({"kind": "List", "items": list(items)})


WELL = {
    "pods": listed(pod(CONTROLLER, RUNNING), pod(WEBHOOK, RUNNING)),
    "hooks": listed(
        {**HOOK, "metadata": {"name": "validations.core.kubefed.io"}},
        {**HOOK, "metadata": {"name": "mutation.core.kubefed.io"}},
    ),
    "endpoints": json.dumps(ENDPOINTS),
    "log": "",
    "types": "deployments.apps Enabled\nconfigmaps Enabled\n",
    "secrets": "",
    "helm": "v3.18.4",
    "journeys": "",
}


def found(failed: str = "", **said: str) -> list[CheckFinding]:
    """Return the findings, as everything is well but for what is said; ``failed`` is the answer that did not come."""
    answers = {**WELL, **said}
    commands = checkup_commands(target=OWN)
    results = [
        Result(
            command=command, code=int(key == failed), stdout=answers[key], stderr="error: no" if key == failed else ""
        )
        for key, command in zip(answers, commands, strict=True)
    ]
    state = host(joined(spec={"secretRef": {"name": "member1.fedssh"}})).known.engine
    return checkup_findings(results, state, wishes().inventory, now=NOW)


def bad(findings: list[CheckFinding]) -> list[tuple[str, str]]:
    """Return what is not in order: state and text."""
    return [(each.state, each.text) for each in findings if each.state != "ok"]


def test_all_is_well() -> None:
    """Every part is told as being in order."""
    told = found()
    assert bad(told) == []
    assert [each.text for each in told][:4] == [
        "Helm is v3.18.4",
        "kubefedctl 0.10.0 is there",
        "KubeFed 0.10.0 is installed",
        f"the pod {CONTROLLER} runs, and has never restarted",
    ]


@pytest.mark.parametrize(
    ("container", "state", "words"),
    [
        (CRASHING, "problem", "crashes again and again: 3 restarts; its last run ended with exit code 1"),
        (NO_IMAGE, "problem", "does not get its image: Back-off pulling image x"),
        ({**RUNNING, "ready": False}, "problem", "runs, and is not ready"),
        ({**RUNNING, "restartCount": 1, "lastState": ENDED}, "notice", "runs after 1 restart; its last run ended with"),
        ({**CRASHING, "state": ENDED}, "problem", "has ended: 3 restarts"),
    ],
)
def test_a_pod_that_does_not_run(container: dict[str, Any], state: str, words: str) -> None:
    """With its last state, since when, what it leads to, and where to look."""
    told = [
        each for each in found(pods=listed(pod(CONTROLLER, container), pod(WEBHOOK, RUNNING))) if each.state != "ok"
    ]
    assert [each.state for each in told] == [state]
    assert words in told[0].text
    assert CONTROLLER in told[0].hint
    assert ("nothing is propagated" in told[0].leads_to) is (state == "problem")
    if container is CRASHING:
        assert told[0].since == "2026-11-29T01:05:03Z"


def test_pods_that_are_not_there_or_not_placed() -> None:
    """A Deployment without pods, and a pod that no node takes, with the scheduler's words."""
    unplaced = pod(WEBHOOK, conditions=[{"status": "False", "message": "0/1 nodes are available"}])
    del unplaced["status"]["containerStatuses"]
    assert bad(found(pods=listed(unplaced))) == [
        ("problem", f"the pod {WEBHOOK} does not start: 0/1 nodes are available"),
        ("problem", "there is no pod of kubefed-controller-manager"),
    ]


def test_a_webhook_that_does_not_serve() -> None:
    """Its configurations are gone, or nobody answers it."""
    assert bad(found(endpoints="", hooks=listed())) == [
        ("problem", "the validatingwebhookconfiguration validations.core.kubefed.io is missing"),
        ("problem", "the mutatingwebhookconfiguration mutation.core.kubefed.io is missing"),
        ("problem", "no pod serves its webhook"),
    ]


def test_the_log_is_told_once_for_each_kind() -> None:
    """The frequent ones first, escaped; what fails while webhook and controller start together is left out."""
    log = (
        'E1129 00:53:09.355937       1 controller.go:209] Failed: failed calling webhook "x"\n'
        'E1129 01:04:40.000001       1 a.go:1] no health of "member1": timeout 3s\n'
        'E1129 01:04:50.000001       1 a.go:1] no health of "member2": timeout 4s\n'
        "E1129 01:05:00.000001       1 b.go:2] lost \x1b[31m\n"
        "W1129 01:05:00.000001       1 b.go:2] a warning\n"
    )
    [(state, text)] = bad(found(log=log))
    assert state == "notice"
    assert text.splitlines() == [
        "its controller has logged 3 times in the last hour that something failed",
        '2 times, last at 2026-11-29T01:04:50Z: no health of "member2": timeout 4s',
        "once, last at 2026-11-29T01:05:00Z: lost \\x1b[31m",
    ]


@pytest.mark.parametrize("part", ["pods", "hooks", "endpoints", "log", "types", "secrets"])
def test_what_could_not_be_asked_is_told(part: str) -> None:
    """A gap is a problem, and the rest is told nevertheless."""
    told = found(part)
    assert [(state, "could not be looked at" in text) for state, text in bad(told)] == [("problem", True)]
    assert len(told) > 6


def test_leftovers_on_the_host() -> None:
    """Secrets with a token that no KubeFedCluster uses, and what a journey has left."""
    told = found(
        secrets=f"member1.fedssh {NOW}\nold.fedssh {NOW}\n", journeys=f"fedssh-journey-1 {NOW}\n", types="x Disabled\n"
    )
    assert [(each.topic, each.state, each.since) for each in told if each.state != "ok"] == [
        ("engine", "problem", ""),
        ("residue", "notice", NOW),
        ("residue", "notice", NOW),
    ]


@pytest.mark.parametrize(
    ("bindings", "names", "expected"),
    [
        ("kubefed-controller-manager:member1-fedhost", ("member1",), []),
        ("kubefed-controller-manager:member1-other", ("member1",), ["other"]),
        ("kubefed-controller-manager:member1-fedhost", (), ["kube-federation-system", "fedhost"]),
        ("cluster-admin", (), ["kube-federation-system"]),
    ],
)
def test_leftovers_on_a_member(bindings: str, names: tuple[str, ...], expected: list[str]) -> None:
    """The namespace of a join where none has joined, and bindings of other joins."""
    state = host(*map(joined, names)).known.engine
    namespace, bound = residue_commands(target=OWN)
    results = [
        Result(command=namespace, code=0, stdout=f"kube-federation-system {NOW}", stderr=""),
        Result(command=bound, code=0, stdout=f"{bindings} {NOW}\n", stderr=""),
    ]
    told = residue_findings(results, state, cluster="member1", host="fedhost")
    assert [word in each.text for word, each in zip(expected, told, strict=True)] == [True] * len(expected)
    assert residue_findings(results, None, cluster="member1", host="fedhost") == []
