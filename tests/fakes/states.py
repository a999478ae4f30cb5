"""States of a federation in memory: what an administrator, an accident or a new hosts.yaml has made of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import yaml

from fedssh.kubernetes.certificates import fingerprint
from tests.fakes.api import base64_of, error, token_of
from tests.fakes.authorities import issue
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER, release
from tests.fakes.kubernetes import Member, account_token
from tests.fakes.shells import Answer
from tests.fakes.trusting import LEAF, ROOT
from tests.fakes.world import NAMES, World

if TYPE_CHECKING:
    from collections.abc import Callable

OFFLINE: Final = {"conditions": [{"type": "Offline", "status": "True", "message": "cluster is not reachable"}]}
_SECRET: Final = "secret/member1-fedssh-1"  # noqa: S105  (a name)
_OTHER_CA: Final = issue("renewed").ca


def federated(**said: str) -> World:
    """Return two members that have joined, and whose servers present certificates of a known issuer."""
    world = World(members={name: Member(name) for name in NAMES[:2]}, said=said)
    world.host.store = ROOT.pem
    world.host.presented = {f"{name}.example.com:6443": LEAF.pem for name in world.members}
    for member in world.members.values():
        member.presented = LEAF.pem
    world.federate()
    return world


def _objects(world: World) -> dict[str, dict[str, Any]]:
    return world.members["member1"].objects


def _edit(reference: str, key: str, value: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        _objects(world)[reference][key] = value

    return change


def _delete(reference: str) -> Callable[[World], None]:
    """Let somebody delete an object; the controllers then do what they do."""
    return lambda world: world.members["member1"].api.delete(reference)


def _stale_secret(world: World) -> None:
    """Delete the account, and no more: the token controller has not come to its Secret yet."""
    del _objects(world)["serviceaccount/member1"]


def _config(change: Callable[[dict[str, Any]], None]) -> Callable[[World], None]:
    def edit(world: World) -> None:
        config = yaml.safe_load(world.host.kubeconfig)
        change(config)
        world.host.kubeconfig = yaml.safe_dump(config)

    return edit


def _drop(section: str, name: str) -> Callable[[World], None]:
    def drop(config: dict[str, Any]) -> None:
        config[section] = [entry for entry in config[section] if entry["name"] != name]

    return _config(drop)


def _entry(section: str, name: str, key: str, value: str) -> Callable[[World], None]:
    def change(config: dict[str, Any]) -> None:
        (entry,) = [entry for entry in config[section] if entry["name"] == name]
        entry[section.removesuffix("s")][key] = value

    return _config(change)


def _unwritten(world: World) -> None:
    """Let the host's kubeconfig be as it was before fedssh came."""
    world.host.kubeconfig = HOST_KUBECONFIG


def _renewed_ca(world: World) -> None:
    world.members["member1"].ca = world.members["member1"].api.ca = _OTHER_CA


def _moved(world: World) -> None:
    """Let a member move to another address; the old one does not answer any more."""
    world.members["member1"].server = "https://new.example.com:6443"


def _moved_softly(world: World) -> None:
    """Let it answer at both for a while."""
    old = world.members["member1"]
    twin = Member("old", server=old.server, uid=old.uid)
    twin.api = old.api
    world.host.clusters.append(twin)
    old.server = "https://new.example.com:6443"


def _say(words: str) -> Callable[[World], None]:
    def say(world: World) -> None:
        world.said["member1"] = words

    return say


def _left(name: str) -> Callable[[World], None]:
    def leave(world: World) -> None:
        del world.host.federation[name]

    return leave


def _without_secret(world: World) -> None:
    del world.host.kubefed.secrets["member1.fedssh"]


def _without_rights(world: World) -> None:
    _objects(world)["clusterrole/kubefed-controller-manager:member1-fedhost"]["rules"] = []


def _offline(world: World) -> None:
    world.host.federation["member1"]["status"] = OFFLINE


def _set(**values: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for key, value in values.items():
            setattr(world.host, key, value)

    return change


def _labels(labels: dict[str, str]) -> Callable[[World], None]:
    def label(world: World) -> None:
        world.host.federation["member1"]["metadata"]["labels"] = labels
        world.said["member1"] = ", labels: {region: eu, tier: gold}"

    return label


def _all(*changes: Callable[[World], object]) -> Callable[[World], None]:
    """Let several things happen."""

    def change(world: World) -> None:
        for each in changes:
            each(world)

    return change


def _member(**values: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for key, value in values.items():
            setattr(world.members["member1"], key, value)

    return change


def _foreign(world: World) -> None:
    for item in _objects(world).values():
        item["metadata"] = {**copy.deepcopy(item["metadata"]), "labels": {}}


def _foreign_entries(config: dict[str, Any]) -> None:
    for section in ("clusters", "contexts", "users"):
        for entry in config[section]:
            if "member1" in entry["name"]:
                entry[section.removesuffix("s")].pop("extensions")


def _wrong_token(world: World) -> None:
    _objects(world)[_SECRET]["data"]["token"] = base64_of(token_of("system:serviceaccount:kube-system:admin"))


CHANGED: Final[dict[str, Callable[[World], object]]] = {
    "nothing": lambda _: None,
    "no ServiceAccount": _delete("serviceaccount/member1"),
    "no ServiceAccount, and a stale Secret": _stale_secret,
    "no ClusterRole": _delete("clusterrole/member1"),
    "no ClusterRoleBinding": _delete("clusterrolebinding/member1"),
    "no Secret": _delete(_SECRET),
    "rules emptied": _edit("clusterrole/member1", "rules", []),
    "rules gone": _edit("clusterrole/member1", "rules", None),
    "another role": _edit("clusterrolebinding/member1", "roleRef", {"kind": "ClusterRole", "name": "view"}),
    "other subjects": _edit("clusterrolebinding/member1", "subjects", [{"kind": "User", "name": "x"}]),
    "no subjects": _edit("clusterrolebinding/member1", "subjects", []),
    "a Secret of another type": _edit(_SECRET, "type", "Opaque"),
    "a Secret without its token": _edit(_SECRET, "data", {}),
    "no entries": _unwritten,
    "no context": _drop("contexts", "member1"),
    "no cluster entry": _drop("clusters", "kubefed-remote-member1"),
    "no user entry": _drop("users", "kubefed-member1"),
    "another token in the kubeconfig": _entry("users", "kubefed-member1", "token", "x"),
    "another namespace in the context": _entry("contexts", "member1", "namespace", "elsewhere"),
    "a renewed CA": _renewed_ca,
    "moved": _moved,
    "moved, and still there": _moved_softly,
    "KubeFed without the host": _left("fedhost"),
    "KubeFed without the member": _left("member1"),
    "no Secret of KubeFed's": _without_secret,
    "KubeFed's account gone": _delete("serviceaccount/member1-fedhost"),
    "KubeFed's account without rights": _without_rights,
    "not Ready": _offline,
    "never looked at": lambda world: world.host.federation["member1"].pop("status"),
    "labels missing": _labels({}),
    "another label": _labels({"region": "us", "mine": "x"}),
    "no kubefedctl": _set(kubefedctl=""),
    "another kubefedctl": _set(kubefedctl="0.9.0"),
    "not serving": _set(serves=False),
    "a kubeconfig that others can read": _set(mode="-rw-r--r--"),
    "by another name": _say(", server_name: api.example.com"),
    "by nobody": _say(", tls: insecure"),
    "by the trust store": _say(", tls: system"),
    "by a pin": _say(", tls: pin"),
    "by a pin in hosts.yaml": _say(f", pin: {fingerprint(LEAF.certificate)}"),
}
"""What has become of a federation that was as it should be; a run makes it so again."""


ADOPTED: Final[dict[str, Callable[[World], object]]] = {
    "objects of somebody else": _foreign,
    "objects of somebody else, with another role": _all(
        _foreign, _edit("clusterrolebinding/member1", "roleRef", {"kind": "ClusterRole", "name": "view"})
    ),
    "an account alone": _all(_foreign, _delete("clusterrole/member1"), _delete(_SECRET)),
    "entries of somebody else": _config(_foreign_entries),
}
"""What somebody else has made; it is refused, and with --adopt taken over."""


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
    _objects(world)["clusterrole/member1"]["metadata"]["labels"] = labels


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
    "an old kubectl": _broken(("kubectl", "version"), Answer('{"clientVersion": {"gitVersion": "v1.18.0"}}')),
    "no API": _broken(("kubectl", "get"), _GONE),
    "no kubeconfig": _broken(("kubectl", "config"), error("error: current-context must exist")),
    "a login by a program": _login,
    "a proxy": _broken(("kubectl", "config"), Answer('{"server": "https://m1", "proxy-url": "socks5://p"}')),
    "an address of its own": _member(server="https://127.0.0.1:6443"),
    "an address in hosts.yaml that nobody has": _say(", api_server: 'https://nowhere.example.com:6443'"),
    "no CA": _member(ca=""),
    "a root that the host does not know": _all(_say(", tls: system"), _set(store="")),
    "another certificate than is pinned": _say(", pin: SHA256:" + "0A" * 32),
    "another certificate on the member": _all(_say(", tls: pin"), _member(presented=ROOT.pem)),
    "no certificate on the member": _all(_say(", tls: pin"), _member(presented="")),
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
    "no kubeconfig": _set(kubeconfig=""),
    "a kubeconfig that is none": _set(kubeconfig="[]"),
    "no API": _broken(("kubectl", "get"), _GONE, on_host=True),
    "another KubeFed": _set(release=release(version="0.9.0")),
    "a KubeFed that failed to upgrade": _set(release=release("failed", revision=2)),
    "an address of its own": _host_alone,
}
"""What the host lacks, so that nothing can be done for anybody."""
