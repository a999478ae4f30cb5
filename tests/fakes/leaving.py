"""Clusters that are to leave, as values, and machines that do whatever they are told and keep an order of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from fedssh.engines import load_engine
from fedssh.engines.protocol import MemberTraces
from fedssh.federation.leaving.facts import Leaver, LeavingFacts
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.account import own_objects
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import put_member
from fedssh.kubernetes.objects import ObjectName, core
from fedssh.sensitive import Sensitive
from tests.fakes.facts import host, joined, wishes
from tests.fakes.hosts import HOST_KUBECONFIG, PATH, Host
from tests.fakes.kubernetes import CA, Member, account_token
from tests.fakes.lines import key_of
from tests.fakes.shells import Answer, ScriptedShell

if TYPE_CHECKING:
    from fedssh.federation.wishes import Wishes
    from fedssh.shell import Command

ENGINE: Final = load_engine()
WEB: Final = ObjectName(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
SHOP: Final = core("Namespace", "shop")
NAMES: Final = ("member1", "member2")


def credential(name: str) -> Credential:
    """Return what leads to a member."""
    endpoint = Endpoint(server=f"https://{name}.example.com:6443", trust=Trust(word="ca", ca=CA))
    return Credential(endpoint=endpoint, token=Sensitive(account_token(name)))


def wanted(*names: str, **said: Any) -> Wishes:
    """Return that members of a hosts.yaml with two of them leave; all where none is named."""
    text = "host: {name: fedhost, address: h}\nmembers:\n  member1: {address: m1}\n  member2: {address: m2}\n"
    inventory = parse_inventory(text, path=wishes().inventory.path)
    chosen = tuple(inventory.member(name) for name in names) or inventory.members
    return replace(wishes(), inventory=inventory, members=chosen, **said)


def leaver(name: str = "member1", **said: Any) -> Leaver:
    """Return a cluster as a join has left it, but for what is said."""
    account = f"kube-federation-system/{name}-fedhost"
    traces = ENGINE.expected_traces(account)
    known: dict[str, Any] = {
        "way": "machine",
        "cluster": next((cluster for cluster in wanted().members if cluster.name == name), None),
        "accounts": (account,),
        "own": own_objects(name),
        "traces": MemberTraces(access=traces.access, namespace=traces.namespace, workloads=(WEB, SHOP)),
        "secrets": (f"{name}.fedssh",),
    }
    return Leaver(name=name, **{**known, **said})


def host_leaver() -> Leaver:
    """Return the host as one that leaves, too."""
    return leaver("fedhost", own=(), traces=MemberTraces(access=ENGINE.expected_traces("x/fedhost-fedhost").access))


def kubeconfig(*names: str) -> str:
    """Return the host's kubeconfig after members were federated."""
    document = parse_kubeconfig(HOST_KUBECONFIG, source="config")
    document.name_host_context("fedhost", how="rename")
    for name in names:
        put_member(document, ENGINE.entry_names(name), credential(name), cluster_uid="u", namespace="default")
    return document.render()


def found(*leavers: Leaver, clusters: tuple[str, ...] = ("fedhost", *NAMES), **said: Any) -> LeavingFacts:
    """Return what was found of a federation of these clusters."""
    at_host = host(*(joined(name) for name in clusters), kubeconfig=kubeconfig(*NAMES))
    return LeavingFacts(host=at_host, leavers={one.name: one for one in leavers}, **said)


@dataclass
class Machines:
    """Machines that do what they are told.

    Attributes:
        kubeconfig: The host's file.
        done: What was done, in order: the machine and the command.
        failing: The machines and words of commands that fail, and how.
    """

    kubeconfig: str
    done: list[tuple[str, str]] = field(default_factory=list)
    failing: dict[tuple[str, str], Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._host = Host(own=Member("fedhost"), clusters=[], kubeconfig=self.kubeconfig)
        names = ("fedhost", *NAMES)
        self.shells = {name: ScriptedShell(name, self._answers(name)) for name in names}

    @property
    def written(self) -> str:
        """What stands in the host's kubeconfig now."""
        return self._host.kubeconfig

    def _answers(self, name: str) -> Any:
        def answer(command: Command) -> Answer:
            self.done.append((name, command.title))
            for (machine, words), said in self.failing.items():
                if machine == name and words in f"{command.title} {command.line}":
                    return said
            if command.title in {f"write of {PATH}", "read of the kubeconfig"}:
                assert key_of(command)[0] == "kubeconfig"
                return self._host.answer(command)
            return Answer()

        return answer
