"""Looking at machines of which hosts.yaml says no more than how they are reached.

What it has to say besides is found out: the administrator's kubeconfig where kubectl does not find it by itself, and
the address at which the host reaches a member's API where the member's kubeconfig names one that does not work there.
Nothing is changed; from the host, addresses are tried as after a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError
from fedssh.federation.look.advice import other_addresses
from fedssh.federation.look.members import unless_foreign_login
from fedssh.federation.look.proof import reach
from fedssh.federation.threads import at_once, contained
from fedssh.inventory.forms import ApiServer, fits
from fedssh.kubernetes.distributions import USUAL_KUBECONFIGS
from fedssh.kubernetes.kubeconfig.file import parse_file, read_command
from fedssh.kubernetes.kubectl import NOT_FOUND, Target, kubectl, missing_tool
from fedssh.shell import NOT_RUN, last_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fedssh.federation.machines import Connect
    from fedssh.inventory import Cluster, Inventory
    from fedssh.kubernetes.credentials import Credential
    from fedssh.shell import Command, Result, Shell

_STEP: Final = "look at the machine"
_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What hosts.yaml has to say of a cluster, as far as its machine has told.

    Attributes:
        kubeconfig: The kubeconfig to name; None where kubectl finds one by itself, or none was found.
        api_server: The address to name; None where the one in the kubeconfig works, or none was found.
        problems: What is left for its administrator to say, a sentence each.
    """

    kubeconfig: str | None = None
    api_server: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What one machine has told.

    Attributes:
        shell: The machine.
        probed: What is known so far.
        path: The kubeconfig beside which the host may try addresses, or "".
        server: The address in a member's kubeconfig.
        ways: The addresses of a member that are worth a try from the host.
    """

    shell: Shell
    probed: Probed
    path: str = ""
    server: str = ""
    ways: Mapping[str, Credential] = field(default_factory=dict)


def probe(inventory: Inventory, connect: Connect) -> dict[str, Probed | FedsshError]:
    """Look at all machines of an inventory at the same time; nothing is changed.

    Args:
        inventory: Its clusters, without kubeconfigs and API servers.
        connect: Opens a connection to a machine.

    Returns:
        By cluster, what was found, or why its machine could not be looked at.
    """
    host = inventory.host
    tasks: dict[str, Callable[[], _Seen]] = {host.name: lambda: _look_at_host(connect(host.machine), host)}
    tasks |= {one.name: partial(_look_at_member, connect, one) for one in inventory.members}
    seen = at_once(tasks, limit=inventory.concurrency)
    found = {name: one if isinstance(one, FedsshError) else one.probed for name, one in seen.items()}
    at_host = seen.pop(host.name)
    members = {name: one for name, one in seen.items() if isinstance(one, _Seen) and not one.probed.problems}
    if isinstance(at_host, FedsshError) or not at_host.path or not members:
        return found
    tried = contained(host.name, partial(_try_addresses, at_host, members))
    if isinstance(tried, FedsshError):
        return found | {host.name: replace(at_host.probed, problems=(f"no address was tried: {tried.message}",))}
    return found | tried


def _look_at_host(shell: Shell, host: Cluster) -> _Seen:
    """Look at the host; its kubeconfig has to be a file, since entries will be written into it."""
    read, *answers = shell.run([read_command(path=None), *_try_commands(guarded=False)])
    try:
        path = parse_file(read, machine=host.name).path
    except FedsshError as error:
        answers, path, problem = answers[1:], "", error.message
        tried: tuple[str, ...] = USUAL_KUBECONFIGS
    else:
        tried, problem = ("", *USUAL_KUBECONFIGS), ""
    kubeconfig, trouble = _choose(tried, answers, host.name)
    if kubeconfig is None:
        return _Seen(shell=shell, probed=Probed(problems=tuple(filter(None, (problem, trouble)))))
    return _Seen(shell=shell, probed=Probed(kubeconfig=kubeconfig or None), path=kubeconfig or path)


def _look_at_member(connect: Connect, member: Cluster) -> _Seen:
    shell = connect(member.machine)
    kubeconfig, problem = _choose(("", *USUAL_KUBECONFIGS), shell.run(_try_commands(guarded=True)), member.name)
    if kubeconfig is None:
        return _Seen(shell=shell, probed=Probed(problems=(problem,)))
    ways = other_addresses(shell, replace(member, kubeconfig=kubeconfig or None), "")
    target = Target(kubeconfig=kubeconfig)
    (view,) = shell.run(
        kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}", target=target)
    )
    return _Seen(shell=shell, probed=Probed(kubeconfig=kubeconfig or None), server=view.stdout.strip(), ways=ways)


def _try_commands(*, guarded: bool) -> list[Command]:
    """Return the commands that show which kubeconfig leads to a cluster, and may read there."""
    commands = []
    for path in ("", *USUAL_KUBECONFIGS):
        target = Target(kubeconfig=path)
        # Without --raw, kubectl asks for all APIs there are first, and waits for each attempt.
        ask = kubectl("get", "--raw", "/api/v1/namespaces/kube-system", target=target, request_timeout_seconds=_SECONDS)
        commands.append(unless_foreign_login(ask, target) if guarded else ask)
    return commands


def _choose(paths: Sequence[str], answers: Sequence[Result], machine: str) -> tuple[str | None, str]:
    """Return the first path that kubectl can use, "" being its own choice; or None, and why it can use none of them."""
    works = [path for path, answer in zip(paths, answers, strict=True) if answer.ok]
    if works:
        return works[0], ""
    if answers[0].code == NOT_FOUND:
        error = missing_tool("kubectl", machine=machine, step=_STEP)
        return None, f"{error.message}: {error.hint}"
    words = last_words(answers[0].stderr, lines=1) or "it said nothing"
    if answers[0].code == NOT_RUN:
        words = "its kubeconfig would run a program, or read a file, to log in"
    return None, f"no kubeconfig that kubectl can use was found, name it (kubeconfig: /path): {words}"


def _try_addresses(host: _Seen, members: Mapping[str, _Seen]) -> dict[str, Probed | FedsshError]:
    """Try from the host where the members' APIs are; other addresses only where the kubeconfig's own does not work."""
    own = {name: seen.ways[seen.server] for name, seen in members.items() if seen.server in seen.ways}
    problems = reach(host.shell, own, kubeconfig=host.path)
    rest = {name: seen for name, seen in members.items() if problems.get(name, "it works on that machine only")}
    others = {
        f"{name} {address}": way
        for name, seen in rest.items()
        for address, way in seen.ways.items()
        if address != seen.server and fits(address, ApiServer)
    }
    answers = reach(host.shell, others, kubeconfig=host.path)
    found: dict[str, Probed | FedsshError] = {}
    for name, seen in rest.items():
        works = [address for address in seen.ways if answers.get(f"{name} {address}", "untried") == ""]
        if works:
            found[name] = replace(seen.probed, api_server=works[0])
        else:
            why = problems.get(name, "it works on that machine only")
            said = (
                f"no address of its API was found that works from {host.shell.name}, name one (api_server: https://…)"
            )
            found[name] = replace(seen.probed, problems=(f"{said}; the one in its kubeconfig: {why}",))
    return found
