"""What the rules of every run have found, told as ``check`` tells it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.engines.protocol import CheckFinding
from fedssh.federation.access_rules import STEP as ACCESS_STEP
from fedssh.federation.checkup.way import check_connection
from fedssh.federation.rules import (
    check_host,
    check_host_address,
    check_members,
    check_members_alone,
    check_strangers,
    check_versions,
)
from fedssh.federation.trust import STEP as TRUST_STEP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine, Topic
    from fedssh.errors import FedsshError
    from fedssh.federation.checkup.facts import Checkup
    from fedssh.federation.facts import Facts
    from fedssh.federation.findings import Finding


def check_rules(checkup: Checkup, engine: Engine) -> Iterator[CheckFinding]:
    """Return what keeps ``federate`` from its work, and what it would say at every run."""
    facts, wishes = checkup.facts, checkup.wishes
    if facts is None:
        return
    of_engine = (
        facts.host.state.engine.refusals(wishes.inventory, kubernetes=facts.host.kubernetes) if facts.host.state else []
    )
    findings = [*check_host(wishes, facts.host, engine), *check_host_address(wishes, facts, engine)]
    if facts.host.gaps:
        findings += check_members_alone(wishes, facts)
    else:
        findings += [] if checkup.is_limited else check_strangers(wishes, facts, engine)
        findings += [*check_versions(wishes, facts), *check_members(wishes, facts, engine)]
    reasons = {error.message for error in of_engine}
    for finding in findings:
        yield _tell(finding, "engine" if finding.text in reasons else "", checkup)
    yield from _check_unproven(facts)


def _check_unproven(facts: Facts) -> Iterator[CheckFinding]:
    """Find the members that can be reached, and have granted nothing yet: there is no token to prove."""
    for name, proof in facts.access.items():
        if not (proof.problem or facts.members[name].token):
            text = f"its API server answers {facts.host.name}, and is verified as hosts.yaml says"
            yield CheckFinding(cluster=name, topic="network", state="ok", text=text)


def _tell(finding: Finding, topic: Topic | str, checkup: Checkup) -> CheckFinding:
    name, error = finding.cluster, finding.error
    if error is None:
        return CheckFinding(
            cluster=name,
            topic=finding.topic or "network",
            state="ok" if finding.state == "checked" else "notice",
            text=finding.text,
        )
    if told := check_connection(name, error):
        return told
    is_host = name == checkup.wishes.inventory.host.name
    return CheckFinding(
        cluster=name,
        topic=topic or _topic(error),  # type: ignore[arg-type]
        state="problem",
        text=error.message,
        leads_to="federate does not begin" if is_host else f"federate refuses {name}",
        hint=error.hint,
    )


def _topic(error: FedsshError) -> Topic:
    """Return to what an error belongs that a rule has found: by its step, and by whether a tool is the matter."""
    if any(words in error.message for words in ("is not there", "fedssh needs", "ephemeral needs")):
        return "tools"
    if error.step == ACCESS_STEP:
        return "credentials" if "the token" in error.message else "network"
    return "network" if error.step == TRUST_STEP or "address" in error.message else "rights"
