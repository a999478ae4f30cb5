"""Facts and wishes that are made up, for tests of what is decided from them without any Shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedssh.engines.kubefed.kubefedctl import FOLDER, Tool
from fedssh.engines.kubefed.state import KubeFedState
from fedssh.engines.protocol import JoinedCluster
from fedssh.federation.facts import Facts, HostFacts, HostState, MemberFacts, Proof
from fedssh.federation.wishes import Wishes
from fedssh.inventory import parse_inventory
from fedssh.kubernetes.account import FoundObject, references
from fedssh.kubernetes.account_tokens import account_name
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.helm import Release
from fedssh.kubernetes.kubeconfig.file import KubeconfigFile
from fedssh.kubernetes.kubectl import Target
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import HOST_KUBECONFIG, HOST_SERVER, PATH
from tests.fakes.kubernetes import CA, account_token

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER = "https://member1.example.com:6443"
HOST_UID = "uid-of-fedhost"
UID = "uid-of-member1"
GOOD = Proof(cluster_uid=UID, has_rights=True, identity=account_name("member1"))


def wishes(said: str = "", *, adopt: bool = False) -> Wishes:
    """Return that member1 is to be federated, with what hosts.yaml says of it besides its address."""
    text = f"host: {{name: fedhost, address: h}}\nmembers:\n  member1: {{address: m1{said}}}\n"
    inventory = parse_inventory(text, path=Path("hosts.yaml"))
    return Wishes(inventory=inventory, members=inventory.members, adopt=adopt)


def thing(**said: Any) -> FoundObject:
    """Return an object of the account that is as it should be, but for what is said."""
    return FoundObject(**{"is_ours": True, "is_built_in": False, "whole": Sensitive(json.dumps({})), **said})


def member(**said: Any) -> MemberFacts:
    """Return a member that has granted access, but for what is said."""
    objects = {reference: thing() for reference in references("member1")}
    token = Sensitive(account_token("member1"))
    known = {"server": SERVER, "ca": CA, "cluster_uid": UID, "clock": 1_000_000, "objects": objects, "token": token}
    return MemberFacts(name="member1", **{**known, **said})


def fresh(**said: Any) -> MemberFacts:
    """Return a member that nobody has asked for anything yet."""
    return member(**{"objects": {}, "token": None, **said})


def joined(name: str = "member1", server: str = SERVER, **said: Any) -> JoinedCluster:
    """Return a cluster that KubeFed has, and that is Ready."""
    known = {
        "endpoint": Endpoint(server=server, trust=Trust(word="ca", ca=CA)),
        "token": Sensitive("token of KubeFed's"),
        "ready": True,
        "spec": {"apiEndpoint": server, "caBundle": CA, "secretRef": {"name": f"{name}.fedssh"}},
    }
    return JoinedCluster(name=name, **{**known, **said})


def host(
    *clusters: JoinedCluster,
    kubeconfig: str = HOST_KUBECONFIG,
    mode: str = "-rw-------",
    tool: str = "0.10.0",
    **said: Any,
) -> HostFacts:
    """Return a host on which KubeFed serves, with the clusters that it has."""
    file = KubeconfigFile(path=PATH, text=Sensitive(kubeconfig), mode=mode)
    engine = KubeFedState(
        machine="fedhost",
        release=Release(version="0.10.0", status="deployed", revision=1),
        is_running=True,
        serves=True,
        tools=(Tool(path=f"{FOLDER}/kubefedctl", version=tool),) if tool else (),
        clusters={cluster.name: cluster for cluster in clusters},
    )
    state = HostState(
        file=file, document=file.document(), target=Target(kubeconfig=PATH, context="fedhost"), engine=engine
    )
    known = {"state": state, "cluster_uid": HOST_UID, "server": HOST_SERVER, "clock": 1_000_000}
    return HostFacts(name="fedhost", **{**known, **said})


def facts(
    seen: MemberFacts,
    at_host: HostFacts | None = None,
    *,
    access: Proof | None = None,
    engine: Mapping[str, Proof] | None = None,
) -> Facts:
    """Return what was found of member1, and of the host."""
    return Facts(
        host=at_host or host(),
        members={"member1": seen},
        access={"member1": access} if access else {},
        engine=engine or {},
    )
