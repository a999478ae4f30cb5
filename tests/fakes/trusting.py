"""Decisions on how one member is verified, by certificates that are made up and really signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fedssh.federation.facts import Presented
from fedssh.federation.trust import resolve_trust
from fedssh.inventory import Cluster, Machine
from fedssh.kubernetes.kubeconfig.entries import MemberMark
from tests.fakes.authorities import Issued, issue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedssh.kubernetes.credentials import Trust

ROOT = issue("root")
LEAF = issue("leaf", by=ROOT)
SELF_SIGNED = issue("self", names=["localhost"])


def cluster(**said: Any) -> Cluster:
    """Return a member as hosts.yaml says."""
    return Cluster(name="member1", machine=Machine(name="member1", address="a"), **said)


def presented(*chain: Issued) -> Presented:
    """Return what a server presents."""
    return Presented(chain=tuple(issued.certificate for issued in chain))


def unseen(problem: str) -> Presented:
    """Return what comes of a server that presents nothing."""
    return Presented(problem=problem)


def resolve(
    member: Cluster,
    *,
    ca: str = "",
    to_host: Presented | None = None,
    to_itself: Presented | None = None,
    store: Sequence[Issued] = (),
    mark: MemberMark | None = None,
) -> Trust:
    """Decide on one member."""
    return resolve_trust(
        member,
        ca=ca,
        server="https://m1:6443",
        to_host=to_host,
        to_itself=to_itself,
        store=[issued.certificate for issued in store],
        mark=mark or MemberMark(),
        host="fedhost",
    )
