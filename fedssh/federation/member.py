"""What a member is found to be before anything is changed: its address and CA, and which objects are there.

A member's kubeconfig is data: its server and CA are read out of it, and one that would run a program or read a file
for its login is refused before kubectl logs in with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from fedssh.errors import RefusedError, visible
from fedssh.kubernetes.access import NAMESPACE, MemberAccess, manifests, parse_token, reference, remember, token_secret
from fedssh.kubernetes.endpoint import check_ca, check_server
from fedssh.kubernetes.kubectl import (
    Target,
    check_version,
    explain,
    find_item,
    kubectl,
    parse_items,
    parse_object,
    section,
    version_command,
)
from fedssh.shell import Command, Result, command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedssh.inventory import Cluster
    from fedssh.sensitive import Sensitive

_GRANTING: Final = ("rules", "roleRef", "subjects", "type")
_FOREIGN_LOGIN: Final = 96
_LONGEST_CLOCK: Final = 12
_PROBE: Final = "look at the member"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberState:
    """What a probe found on a member.

    Attributes:
        name: The member.
        server: Its API address, as its kubeconfig or hosts.yaml says.
        ca: The CA in its kubeconfig, as in ``MemberAccess``; "" when hosts.yaml has it verified by something else.
        problem: Why its address cannot work from another machine, or None.
        cluster_uid: As in ``MemberAccess``.
        clock: What its clock said, in seconds since 1970.
        present: Those of fedssh's objects that are there, as ``kind/name``.
        token: The token, when all objects are as they should be; else None, and access must be granted.
        adopted: The objects that are somebody else's and are to be taken over, as they are, by ``kind/name``.
    """

    name: str
    server: str
    ca: str
    problem: RefusedError | None = None
    cluster_uid: str
    clock: float = 0
    present: frozenset[str]
    token: Sensitive | None
    adopted: Mapping[str, Sensitive] = field(default_factory=dict)

    def access(self, token: Sensitive) -> MemberAccess:
        """Return the access that ``token`` completes, verified by the member's own CA."""
        return MemberAccess(name=self.name, server=self.server, ca=self.ca, token=token, cluster_uid=self.cluster_uid)


def probe_commands(cluster: Cluster) -> list[Command]:
    """Return the commands whose answers ``parse_probe`` reads; they change nothing and may run at the same time."""
    target = Target(kubeconfig=cluster.kubeconfig or "")
    objects = [reference(one) for one in manifests(cluster.name)]
    asks = [
        kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}", target=target),
        kubectl("get", *objects, "--ignore-not-found", f"--namespace={NAMESPACE}", "-o", "json", target=target),
    ]
    return [
        # Only the cluster's part of the kubeconfig leaves the machine, never its keys. A CA that is a file there is
        # read there (--flatten).
        kubectl(
            "config", "view", "--raw", "--minify", "--flatten", "-o", "jsonpath={.clusters[0].cluster}", target=target
        ),
        *(_unless_foreign_login(one, target) for one in asks),
        version_command(),
        command("date", "+%s"),
    ]


def _unless_foreign_login(one: Command, target: Target) -> Command:
    """Return ``one``, which does not run when the kubeconfig would have it run programs or read files for its login."""
    paths = "{.users[0].user.exec}{.users[0].user.auth-provider}{.users[0].user.tokenFile}"
    look = kubectl("config", "view", "--minify", "-o", f"jsonpath={paths}", target=target).line
    return Command(line=f'if [ -n "$({look})" ]; then (exit {_FOREIGN_LOGIN}); else {one.line}; fi', title=one.title)


def parse_probe(results: Sequence[Result], cluster: Cluster, *, adopt: bool = False) -> MemberState:
    """Return the state of a member from the answers to ``probe_commands``.

    Args:
        results: The answers.
        cluster: The member.
        adopt: Whether objects of the wanted names that are not fedssh's are taken over.

    Raises:
        StepError: kubectl is missing there or too old, or does not reach the member's own cluster.
        RefusedError: Its kubeconfig cannot be carried to the host, or an object of the wanted name is not fedssh's.
    """
    name = cluster.name
    view, uid, objects, version, clock = results
    check_version(version, machine=name, step=_PROBE)
    stanza = parse_object(view, machine=name, step=_PROBE)
    _check_login(stanza, uid, name)
    if not uid.ok:
        raise explain(uid, machine=name, step=_PROBE)
    found = parse_items(objects, machine=name, step=_PROBE)
    expected = [(one, find_item(found, one["kind"], one["metadata"]["name"])) for one in manifests(name)]
    foreign = {reference(one): (one, actual) for one, actual in expected if actual and not _is_ours(actual)}
    if not adopt:
        for one, actual in foreign.values():
            raise _not_ours(actual, one, name)
    secret = find_item(found, "Secret", token_secret(name)) or {}
    complete = all(_holds(actual, one) for one, actual in expected) and section(secret, "data").get("token")
    server, problem = cluster.api_server or str(stanza.get("server", "")), None
    try:
        check_server(server, member=name)
    except RefusedError as error:
        problem = error
    own_ca = cluster.tls == "ca" and not cluster.ca_file
    return MemberState(
        name=name,
        server=server,
        ca=check_ca(str(stanza.get("certificate-authority-data", "")), member=name) if own_ca else "",
        problem=problem,
        cluster_uid=visible(uid.stdout.strip()),
        clock=parse_clock(clock),
        present=frozenset(reference(one) for one, actual in expected if actual),
        token=parse_token(secret, name=name) if complete else None,
        adopted={key: remember(actual) for key, (_, actual) in foreign.items()},
    )


def parse_clock(result: Result) -> float:
    """Return the seconds since 1970 that ``date +%s`` printed; 0 where it printed something else."""
    said = result.stdout.strip()
    return float(said) if len(said) <= _LONGEST_CLOCK and said.isdecimal() else 0


def _check_login(stanza: dict[str, Any], result: Result, name: str) -> None:
    if result.code == _FOREIGN_LOGIN:
        raise RefusedError(
            "its kubeconfig logs in by a program or a file (exec, auth-provider or tokenFile)",
            machine=name,
            step=_PROBE,
            hint=f"Name a kubeconfig with a certificate or token in it: members.{name}.kubeconfig: /path",
        )
    if stanza.get("proxy-url"):
        raise RefusedError(
            "its kubeconfig reaches the API by a proxy (proxy-url), which the host need not have",
            machine=name,
            step=_PROBE,
            hint=f"Name a kubeconfig without one: members.{name}.kubeconfig: /path",
        )


def _is_ours(actual: dict[str, Any]) -> bool:
    return bool(section(actual, "metadata", "labels").get("app.kubernetes.io/managed-by") == "fedssh")


def _not_ours(actual: dict[str, Any], expected: dict[str, Any], member: str) -> RefusedError:
    """Return the error for an object that is somebody else's, with what is different about it."""
    different = [
        f"{key} is {json.dumps(actual.get(key))}, fedssh's would be {json.dumps(expected[key])}"
        for key in _GRANTING
        if key in expected and actual.get(key) != expected[key]
    ]
    return RefusedError(
        visible("; ".join([f"{reference(expected)} is there, and fedssh did not make it", *different])),
        machine=member,
        step=_PROBE,
        hint="To take it over, add --adopt; to keep it, give the member another name in hosts.yaml.",
    )


def _holds(actual: dict[str, Any] | None, expected: dict[str, Any]) -> bool:
    """Whether an object is there, is fedssh's and grants what it should."""
    if actual is None or not _is_ours(actual):
        return False
    return all(actual.get(key) == expected[key] for key in _GRANTING if key in expected)
