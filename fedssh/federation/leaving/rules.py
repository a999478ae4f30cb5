"""What must hold before clusters leave, and what has to be said of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.documents import quoted
from fedssh.errors import ConfigurationError
from fedssh.federation.findings import Finding, notice, refused
from fedssh.inventory.hostsfile import did_you_mean
from fedssh.kubernetes.kubeconfig.entries import foreign_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fedssh.engines.protocol import Engine
    from fedssh.federation.leaving.facts import Leaver, LeavingFacts
    from fedssh.federation.wishes import Wishes


def check_leaving(wishes: Wishes, facts: LeavingFacts, engine: Engine) -> list[Finding]:
    """Return why the run as a whole cannot go on, which concerns the host; and what is to be said of each cluster."""
    host = facts.host.name
    found = [refused(host, error) for error in _unknown(wishes, facts)]
    if facts.installation:
        leaving = [host, *facts.leavers]
        reasons = facts.installation.refusals(leaving=leaving, with_objects=wishes.delete_workloads)
        found += [refused(host, error) for error in reasons]
    for leaver in facts.leavers.values():
        found += _check_leaver(leaver, facts, engine)
    staying = [name for name in facts.host.clusters if name not in facts.leavers and name != host]
    if wishes.is_all and staying:
        text = f"it stays in the federation with {', '.join(staying)}, which hosts.yaml does not name"
        found.append(notice(host, text))
    return found


def _unknown(wishes: Wishes, facts: LeavingFacts) -> Iterator[ConfigurationError]:
    host = facts.host.name
    there = [*(cluster.name for cluster in wishes.inventory.members), *facts.host.clusters]
    known = [name for name in dict.fromkeys(there) if name != host]
    for name in facts.unknown:
        yield ConfigurationError(
            f"no member {quoted(name)} in {wishes.inventory.shown} or in the federation of {host}"
            + did_you_mean(name, known),
            hint=f"members there: {', '.join(known) or 'none'}",
        )


def _check_leaver(leaver: Leaver, facts: LeavingFacts, engine: Engine) -> Iterator[Finding]:
    name, host = leaver.name, facts.host.name
    if leaver.error:
        yield refused(name, leaver.error)
        return
    if leaver.problem:
        hows = {"host": f"it is got at from {host}", "done": "an earlier run has removed the access to it"}
        how = hows.get(leaver.way, f"nothing is done there, only on {host}")
        yield notice(name, f"{leaver.problem.message}; {how}")
    elif leaver.way == "host":
        yield notice(name, f"hosts.yaml does not name it; it is got at from {host}")
    elif leaver.way == "none":
        yield notice(name, f"hosts.yaml does not name it, and no credential on {host} leads to it")
    if leaver.traces.others:
        others = ", ".join(leaver.traces.others)
        yield notice(name, f"the namespace of {engine.TITLE} stays there, since it also holds {others}")
    if name != host:
        foreign = foreign_names(facts.host.known.document, engine.entry_names(name))
        if foreign:
            yield notice(name, f"{', '.join(foreign)} of the host's kubeconfig stays: fedssh did not write it")
