"""States of a federation in memory: what an administrator, an accident or a new hosts.yaml has made of it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

import yaml

from fedssh.kubernetes.certificates import fingerprint
from tests.fakes.authorities import issue
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import Member
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


def objects(world: World) -> dict[str, dict[str, Any]]:
    """Return what stands in member1's API."""
    return world.members["member1"].objects


def _edit(reference: str, key: str, value: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        objects(world)[reference][key] = value

    return change


def _delete(reference: str) -> Callable[[World], None]:
    """Let somebody delete an object; the controllers then do what they do."""
    return lambda world: world.members["member1"].api.delete(reference)


def _stale_secret(world: World) -> None:
    """Delete the account, and no more: the token controller has not come to its Secret yet."""
    del objects(world)["serviceaccount/member1"]


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


def say(words: str) -> Callable[[World], None]:
    """Let hosts.yaml say something of member1, after its address."""

    def change(world: World) -> None:
        world.said["member1"] = words

    return change


def _left(name: str) -> Callable[[World], None]:
    def leave(world: World) -> None:
        del world.host.federation[name]

    return leave


def _without_secret(world: World) -> None:
    del world.host.kubefed.secrets["member1.fedssh"]


def _without_rights(world: World) -> None:
    objects(world)["clusterrole/kubefed-controller-manager:member1-fedhost"]["rules"] = []


def _offline(world: World) -> None:
    world.host.federation["member1"]["status"] = OFFLINE


def set_host(**values: Any) -> Callable[[World], None]:
    """Let something of the host be another."""

    def change(world: World) -> None:
        for key, value in values.items():
            setattr(world.host, key, value)

    return change


def _labels(labels: dict[str, str]) -> Callable[[World], None]:
    def label(world: World) -> None:
        world.host.federation["member1"]["metadata"]["labels"] = labels
        world.said["member1"] = ", labels: {region: eu, tier: gold}"

    return label


def all_of(*changes: Callable[[World], object]) -> Callable[[World], None]:
    """Let several things happen."""

    def change(world: World) -> None:
        for each in changes:
            each(world)

    return change


def set_member(**values: Any) -> Callable[[World], None]:
    """Let something of member1 be another."""

    def change(world: World) -> None:
        for key, value in values.items():
            setattr(world.members["member1"], key, value)

    return change


def _foreign(world: World) -> None:
    for item in objects(world).values():
        item["metadata"] = {**copy.deepcopy(item["metadata"]), "labels": {}}


def _foreign_entries(config: dict[str, Any]) -> None:
    for section in ("clusters", "contexts", "users"):
        for entry in config[section]:
            if "member1" in entry["name"]:
                entry[section.removesuffix("s")].pop("extensions")


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
    "no kubefedctl": set_host(kubefedctl=""),
    "another kubefedctl": set_host(kubefedctl="0.9.0"),
    "not serving": set_host(serves=False),
    "a kubeconfig that others can read": set_host(mode="-rw-r--r--"),
    "by another name": say(", server_name: api.example.com"),
    "by nobody": say(", tls: insecure"),
    "by the trust store": say(", tls: system"),
    "by a pin": say(", tls: pin"),
    "by a pin in hosts.yaml": say(f", pin: {fingerprint(LEAF.certificate)}"),
}
"""What has become of a federation that was as it should be; a run makes it so again."""


ADOPTED: Final[dict[str, Callable[[World], object]]] = {
    "objects of somebody else": _foreign,
    "objects of somebody else, with another role": all_of(
        _foreign, _edit("clusterrolebinding/member1", "roleRef", {"kind": "ClusterRole", "name": "view"})
    ),
    "an account alone": all_of(_foreign, _delete("clusterrole/member1"), _delete(_SECRET)),
    "entries of somebody else": _config(_foreign_entries),
}
"""What somebody else has made; it is refused, and with --adopt taken over."""
