"""What earlier runs, and other joins, have left: on members and on the host's machine. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fedssh.engines.protocol import CheckFinding
from fedssh.errors import FedsshError
from fedssh.federation.checkup.facts import HostCheckup
from fedssh.kubernetes.account import references
from fedssh.kubernetes.kubeconfig.file import KEPT_COPIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fedssh.engines.protocol import Engine
    from fedssh.federation.checkup.facts import Checkup, FoundThing, HostFiles

STALE_SECONDS: Final = 60
"""From which age on kubectl's lock was left behind: kubectl itself holds it for milliseconds."""

LEFT_SECONDS: Final = 600
"""From which age on a temporary file is no longer that of a run that is under way."""


def check_residue(checkup: Checkup, engine: Engine) -> Iterator[CheckFinding]:
    """Return what is left on the clusters, and beside the host's kubeconfig."""
    if checkup.facts is None:
        return
    host = checkup.facts.host
    state = host.state.engine if host.state and not host.gaps else None
    for name in checkup.names:
        found = checkup.clusters.get(name)
        if found is None or isinstance(found, FedsshError):
            continue
        if state and name != host.name:
            number = checkup.facts.members[name].number
            yield from _check_objects(found.objects, name, number, has_joined=name in state.clusters)
        if found.residue:
            yield from engine.residue_findings(found.residue, state, cluster=name, host=host.name)
    if isinstance(checkup.host, HostCheckup):
        yield from _check_files(checkup.host.files, checkup)
        yield from _check_entries(checkup, engine)


def _check_objects(
    objects: Sequence[FoundThing], name: str, number: int, *, has_joined: bool
) -> Iterator[CheckFinding]:
    if not objects:
        return
    named = ", ".join(thing.reference for thing in objects)
    if not has_joined:
        yield CheckFinding(
            cluster=name,
            topic="residue",
            state="notice",
            text=f"objects of fedssh's are there, and it has not joined: {named}",
            since=min(thing.since for thing in objects),
            leads_to="a token that never ends, with all rights, lies there; federate goes on with it"
            if any(thing.reference.startswith("secret/") for thing in objects)
            else "whoever may ask for tokens of its ServiceAccount has all rights there",
            hint=f"fedssh federate --member {name}, or fedssh unfederate --member {name}",
        )
        return
    others = [thing for thing in objects if thing.reference not in references(name, number)]
    for thing in others:
        kind, _, called = thing.reference.partition("/")
        where = f"--namespace={thing.namespace} " * bool(thing.namespace)
        yield CheckFinding(
            cluster=name,
            topic="residue",
            state="notice",
            text=f"{thing.reference} bears fedssh's label, and is not of the access that fedssh uses now",
            since=thing.since,
            leads_to="a token in it, if it holds one, is still valid" if kind == "secret" else "",
            hint=f"If no run is under way, remove it there: kubectl {where}delete {kind} {called}",
        )


def _check_files(files: HostFiles, checkup: Checkup) -> Iterator[CheckFinding]:
    state = checkup.facts.host.state if checkup.facts else None
    if state is None:
        return
    path, folder = state.file.path, state.file.path.rpartition("/")[0]

    def finding(how: Any, text: str, **more: str) -> CheckFinding:
        return CheckFinding(cluster=checkup.wishes.inventory.host.name, topic="residue", state=how, text=text, **more)

    if files.held is not None:
        since = f", for {files.held} s now" * (files.held >= 0)
        yield finding(
            "notice",
            f"another fedssh is at work here{since}" + f", from {files.held_from}" * bool(files.held_from),
            leads_to="what is told here may be half of what it does",
            hint="Check again when it has ended.",
        )
    if files.kubectls_lock is not None and files.kubectls_lock >= STALE_SECONDS:
        yield finding(
            "problem",
            f"kubectl's lock {path}.lock was left behind: it is {files.kubectls_lock} s old",
            leads_to="kubectl config fails there, and so does every verb that writes the kubeconfig (75)",
            hint=f"If no kubectl is running there: rm {path}.lock",
        )
    left = {
        **{name: age for name, age in files.proofs.items() if age >= LEFT_SECONDS},
        **{name: age for name, age in files.halves.items() if age >= LEFT_SECONDS},
    }
    for name, age in left.items():
        yield finding(
            "notice",
            f"{folder}/{name} was left by a run that was killed {age // 60} minutes ago",
            leads_to="it holds tokens",
            hint=f"rm {folder}/{name}",
        )
    open_copies = sorted(name for name, mode in files.copies.items() if mode[-2:] != "00")
    if open_copies:
        listed = " ".join(f"{folder}/{name}" for name in open_copies)
        yield finding(
            "problem",
            f"copies of the kubeconfig can be read by others: {', '.join(open_copies)}",
            leads_to="they hold tokens",
            hint=f"chmod 600 {listed}",
        )
    if len(files.copies) > KEPT_COPIES:
        yield finding(
            "notice",
            f"there are {len(files.copies)} copies of earlier kubeconfigs, and fedssh keeps {KEPT_COPIES}",
            leads_to="they hold tokens",
            hint=f"Remove the oldest: ls {path}.fedssh-*",
        )
    if not (files.kubectls_lock or left or open_copies or files.held is not None):
        yield finding("ok", f"no lock and no half-written file lies beside {path}")


def _check_entries(checkup: Checkup, engine: Engine) -> Iterator[CheckFinding]:
    """Find entries that fedssh wrote for clusters that are in neither the federation nor hosts.yaml."""
    state = checkup.facts.host.state if checkup.facts else None
    if checkup.facts is None or state is None or checkup.facts.host.gaps:
        return
    inventory, joined = checkup.wishes.inventory, checkup.facts.host.clusters
    for entry in state.document.names("clusters"):
        name = engine.member_of(entry)
        if not name or name in joined or state.document.find("clusters", entry) is None:
            continue
        has_token = state.document.find("users", engine.entry_names(name).user) is not None
        yield CheckFinding(
            cluster=name if name in checkup.names else inventory.host.name,
            topic="residue",
            state="notice",
            text=f"{state.file.path} has entries of fedssh's for {name}, and {name} has not joined",
            leads_to="the token in them, if the member still accepts it, has all rights there" if has_token else "",
            hint=f"fedssh federate --member {name}, or fedssh unfederate --member {name}",
        )
