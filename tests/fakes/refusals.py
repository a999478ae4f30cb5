"""What a member or the host may be like, so that a run must not go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.fakes.api import base64_of, error, token_of
from tests.fakes.hosts import HOST_SERVER, release
from tests.fakes.kubernetes import Member, account_token
from tests.fakes.shells import Answer
from tests.fakes.states import ADOPTED, all_of, objects, say, set_host, set_member
from tests.fakes.trusting import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World


def _wrong_token(world: World) -> None:
    objects(world)["secret/member1-fedssh-1"]["data"]["token"] = base64_of(
        token_of("system:serviceaccount:kube-system:admin")
    )


def _login(world: World) -> None:
    world.members["member1"].login = "map[command:evil]"


def _twins(world: World) -> None:
    world.members["member1"].uid = world.members["member2"].uid


def _another_cluster(world: World) -> None:
    """Let another cluster have the member's name in hosts.yaml."""
    new = Member("member1", server="https://new.example.com:6443", uid="uid-of-new")
    world.members["member1"] = new
    world.host.clusters.append(new)
    world.shells["member1"].answer = new.answer


def _somewhere_else(world: World) -> None:
    """Let the member's address lead the host to another cluster, which knows the token, too."""
    server = world.members["member1"].server
    world.host.clusters.insert(0, Member("elsewhere", server=server, known_tokens={account_token("member1")}))


def _not_accepted(world: World) -> None:
    world.host.clusters.insert(0, Member("elsewhere", server=world.members["member1"].server))


def _built_in(world: World) -> None:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    objects(world)["clusterrole/member1"]["metadata"]["labels"] = labels


def _broken(key: tuple[str, ...], answer: Answer, *, on_host: bool = False) -> Callable[[World], None]:
    def break_it(world: World) -> None:
        (world.host.broken if on_host else world.members["member1"].broken)[key] = answer

    return break_it


def _host_alone(world: World) -> None:
    """Let the host's cluster be known by an address that leads everybody to themselves."""
    world.host.own.server = "https://127.0.0.1:6443"
    world.host.kubeconfig = world.host.kubeconfig.replace(HOST_SERVER, world.host.own.server)


_GONE: Final = error("Unable to connect to the server: dial tcp: no route")

REFUSED: Final[dict[str, Callable[[World], object]]] = {
    **ADOPTED,
    "unreachable": lambda world: world.unreachable.add("member1"),
    "no kubectl": _broken(("kubectl",), error("sh: kubectl: not found", code=127)),
    "an old kubectl": _broken(("kubectl", "config"), Answer("map[server:https://member1.example.com:6443]")),
    "no API": _broken(("kubectl", "get"), _GONE),
    "no kubeconfig": _broken(("kubectl", "config"), error("error: current-context must exist")),
    "a login by a program": _login,
    "a proxy": _broken(("kubectl", "config"), Answer('{"server": "https://m1", "proxy-url": "socks5://p"}')),
    "an address of its own": set_member(server="https://127.0.0.1:6443"),
    "an address in hosts.yaml that nobody has": say(", api_server: 'https://nowhere.example.com:6443'"),
    "no CA": set_member(ca=""),
    "a root that the host does not know": all_of(say(", tls: system"), set_host(store="")),
    "another certificate than is pinned": say(", pin: SHA256:" + "0A" * 32),
    "another certificate on the member": all_of(say(", tls: pin"), set_member(presented=ROOT.pem)),
    "no certificate on the member": all_of(say(", tls: pin"), set_member(presented="")),
    "two names for a cluster": _twins,
    "a cluster of another name": _another_cluster,
    "an address that leads elsewhere": _somewhere_else,
    "a token that is not accepted": _not_accepted,
    "a token of another account": _wrong_token,
    "Kubernetes' own object": _built_in,
}
"""What refuses a member, or fails it, before anything is changed."""

ENDED: Final[dict[str, Callable[[World], object]]] = {
    "unreachable": lambda world: world.unreachable.add("fedhost"),
    "no kubectl": _broken(("kubectl",), error("sh: kubectl: not found", code=127), on_host=True),
    "an old kubectl": _broken(
        ("kubectl", "version"), Answer('{"clientVersion": {"gitVersion": "v1.18.0"}}'), on_host=True
    ),
    "no helm": _broken(("helm",), error("sh: helm: not found", code=127), on_host=True),
    "Helm 4": _broken(("helm", "version"), Answer("v4.0.0"), on_host=True),
    "no kubeconfig": set_host(kubeconfig=""),
    "a kubeconfig that is none": set_host(kubeconfig="[]"),
    "no API": _broken(("kubectl", "get"), _GONE, on_host=True),
    "another KubeFed": set_host(release=release(version="0.9.0")),
    "a KubeFed that failed to upgrade": set_host(release=release("failed", revision=2)),
    "an address of its own": _host_alone,
}
"""What the host lacks, so that nothing can be done for anybody."""
