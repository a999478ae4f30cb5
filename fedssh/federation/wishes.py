"""What a user wants of a run, and what that comes to for a member: its endpoint, its trust. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fedssh.federation.trust import resolve_trust
from fedssh.kubernetes.credentials import Endpoint, Trust
from fedssh.kubernetes.endpoint import check_server
from fedssh.kubernetes.kubeconfig.entries import MemberMark, member_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedssh.artefacts import Fetched, Image
    from fedssh.engines.protocol import Engine
    from fedssh.federation.facts import Facts, HostFacts
    from fedssh.inventory import Cluster, Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What hosts.yaml and the command line say together.

    Attributes:
        inventory: The whole hosts.yaml.
        members: Those of its members that are meant, in the order of the command line.
        adopt: Whether objects and kubeconfig entries of the wanted names that fedssh did not make are taken over.
        dry_run: Whether the run only tells what it would do.
        older_than_seconds: How old a credential must be to be replaced; 0 is any age.
        ca_files: What the members' ``ca_file`` hold, by member: PEM in base64.
        others: Names and patterns for clusters of the federation that hosts.yaml does not name.
        is_all: Whether all members are meant, and with them the federation as a whole.
        delete_workloads: Whether what the federation has put on clusters is deleted when they leave.
        uninstall: Whether the engine is taken off the host.
        offline: Whether the run connects to no machine.
        deep: Whether a check lets a small object travel.
        upgrade: Whether the engine is upgraded where another version is installed.
        with_images: Whether the engine's images are fetched, too.
        supplies: What the engine's missing parts are installed from, by their names, where that is to be uploaded.
        images: The engine's images that are to be imported, with their archives.
    """

    inventory: Inventory
    members: tuple[Cluster, ...] = ()
    adopt: bool = False
    dry_run: bool = False
    older_than_seconds: float = 0
    ca_files: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    is_all: bool = False
    delete_workloads: bool = False
    uninstall: bool = False
    offline: bool = False
    deep: bool = False
    upgrade: bool = False
    with_images: bool = False
    supplies: Mapping[str, Fetched] = field(default_factory=dict)
    images: tuple[tuple[Image, Fetched], ...] = ()


def host_endpoint(inventory: Inventory, host: HostFacts) -> Endpoint | None:
    """Return where hosts.yaml says that the host's own API is reached; None where its kubeconfig tells that."""
    server = inventory.host.api_server
    if not server:
        return None
    if host.is_insecure:
        return Endpoint(server=server, trust=Trust(word="insecure"))
    trust = Trust(word="ca" if host.ca else "system", ca=host.ca, server_name=host.server_name)
    return Endpoint(server=server, trust=trust)


def wanted_server(cluster: Cluster, facts: Facts) -> str:
    """Return the address at which the host is to reach a member.

    Raises:
        RefusedError: It cannot work from another machine (6).
    """
    return check_server(cluster.api_server or facts.members[cluster.name].server, member=cluster.name)


def wanted_endpoint(cluster: Cluster, wishes: Wishes, facts: Facts, engine: Engine) -> Endpoint:
    """Return where the host is to reach a member, and how it is to verify it.

    Raises:
        RefusedError: The address cannot work, or nothing can verify it as hosts.yaml says (6).
    """
    member = facts.members[cluster.name]
    server = wanted_server(cluster, facts)
    trust = resolve_trust(
        cluster,
        ca=wishes.ca_files.get(cluster.name) or member.ca,
        server=server,
        to_host=facts.presented.get(cluster.name),
        to_itself=member.presented,
        store=facts.store,
        mark=find_mark(cluster.name, facts, engine),
        host=facts.host.name,
    )
    return Endpoint(server=server, trust=trust)


def find_mark(name: str, facts: Facts, engine: Engine) -> MemberMark:
    """Return what the host's kubeconfig remembers of a member; an empty mark where it remembers nothing."""
    state = facts.host.state
    return member_mark(state.document, engine.entry_names(name)) if state else MemberMark()
