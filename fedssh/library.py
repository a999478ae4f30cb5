"""What other programs call: the verbs as functions, which return reports and raise errors.

Nothing is printed, nobody is asked, and no signal is caught. Every function may be called from any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedssh.errors import ConfigurationError
from fedssh.federation.wishes import Wishes
from fedssh.inventory.choice import choose_beyond, choose_members
from fedssh.ssh import Connections
from fedssh.verbs import check as checking
from fedssh.verbs import federate as federating
from fedssh.verbs import fetch as fetching
from fedssh.verbs import prepare as preparing
from fedssh.verbs import rotate as rotating
from fedssh.verbs import status as looking
from fedssh.verbs import unfederate as leaving

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from fedssh.federation.report import Progress, Report, Reporter
    from fedssh.inventory import Cluster, Inventory
    from fedssh.sensitive import Sensitive


def ignore(event: Progress) -> None:
    """Take no notice of an event."""
    del event


def federate(
    inventory: Inventory,
    members: str | Sequence[str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    adopt: bool = False,
    dry_run: bool = False,
    report: Reporter = ignore,
) -> Report:
    """Federate members with the host; what is already done stays as it is.

    Args:
        inventory: The clusters.
        members: Names and patterns (``eu-*``) of the members that are meant; None means all of them.
        labels: The labels that they must have in hosts.yaml.
        adopt: Whether objects and kubeconfig entries that fedssh did not make are taken over.
        dry_run: Whether the report only tells what would be changed.
        report: Told of every step, from several threads. It must not raise.

    Returns:
        How it ended for each cluster. A member's failure stands there as its ``error``; the others go on.

    Raises:
        ConfigurationError: There is no such member (2).
        FedsshError: What ended the run as a whole: the host cannot be worked with (3 to 6), or is busy (75).
    """
    wishes = Wishes(inventory=inventory, members=_choose(inventory, members, labels), adopt=adopt, dry_run=dry_run)
    with Connections(_nobody) as connections:
        return _or_raise(federating.run(wishes, connect=connections.connect, report=report, agree=_always))


def prepare(inventory: Inventory, *, upgrade: bool = False, dry_run: bool = False, report: Reporter = ignore) -> Report:
    """Install on the host what a federation needs, nothing else.

    Args:
        inventory: The clusters, of which the host alone is asked.
        upgrade: Whether another version that is installed is upgraded to the one that is wanted.
        dry_run: Whether the report only tells what would be changed.
        report: Told of every step.

    Raises:
        FedsshError: What ended the run, as for ``federate``.
    """
    with Connections(_nobody) as connections:
        wishes = Wishes(inventory=inventory, upgrade=upgrade, dry_run=dry_run)
        return _or_raise(preparing.run(wishes, connect=connections.connect, report=report))


def fetch(inventory: Inventory, *, images: bool = False, report: Reporter = ignore) -> Report:
    """Fetch into this computer's cache what a host without internet needs; no machine is connected to.

    Args:
        inventory: The clusters.
        images: Whether the images of the engine's pods are fetched, too.
        report: Told of every step.

    Raises:
        StepError: Something could not be fetched, or is not what it should be (3).
    """
    with Connections(_nobody) as connections:
        wishes = Wishes(inventory=inventory, with_images=images)
        return _or_raise(fetching.run(wishes, connect=connections.connect, report=report))


def rotate(
    inventory: Inventory,
    members: str | Sequence[str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    older_than_seconds: float = 0,
    dry_run: bool = False,
    report: Reporter = ignore,
) -> Report:
    """Replace the credentials of members, and revoke the old ones, while the federation works on.

    Args:
        inventory: The clusters.
        members: As for ``federate``; None also means the host's own credential, where the host has joined.
        labels: As for ``federate``.
        older_than_seconds: How old a credential must be to be replaced; 0 is any age.
        dry_run: Whether the report only tells what would be changed.
        report: Told of every step.

    Returns:
        How it ended for each cluster. A cluster that fails before its old credentials are revoked keeps them whole.

    Raises:
        ConfigurationError: There is no such member (2).
        FedsshError: What ended the run, as for ``federate``.
    """
    wishes = Wishes(
        inventory=inventory,
        members=_choose(inventory, members, labels),
        dry_run=dry_run,
        is_all=members is None and not labels,
        older_than_seconds=older_than_seconds,
    )
    with Connections(_nobody) as connections:
        return _or_raise(rotating.run(wishes, connect=connections.connect, report=report))


def status(
    inventory: Inventory,
    members: str | Sequence[str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    report: Reporter = ignore,
) -> Report:
    """Return the federation as its engine sees it; the host alone is asked, and nothing is changed.

    Args:
        inventory: The clusters.
        members: As for ``federate``; None also means clusters of the federation that hosts.yaml does not name.
        labels: As for ``federate``.
        report: Told of every step.

    Raises:
        ConfigurationError: There is no such member (2).
        FedsshError: The host cannot be asked (3 to 5).
    """
    is_limited = members is not None or bool(labels)
    chosen = _choose(inventory, members, labels) if is_limited else ()
    with Connections(_nobody) as connections:
        wishes = Wishes(inventory=inventory, members=chosen)
        return _or_raise(looking.run(wishes, connect=connections.connect, report=report))


def check(
    inventory: Inventory,
    members: str | Sequence[str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    offline: bool = False,
    deep: bool = False,
    report: Reporter = ignore,
) -> Report:
    """Return what is not well, and what is, of everything that can be looked at.

    Args:
        inventory: The clusters.
        members: As for ``federate``; None also means clusters of the federation that hosts.yaml does not name.
        labels: As for ``federate``.
        offline: Whether hosts.yaml, ssh_config and known_hosts files are looked at alone; no machine is connected to.
        deep: Whether a small federated object travels to each cluster and goes again; nothing else is changed ever.
        report: Told of every step.

    Returns:
        The clusters with their ``findings``. Whatever fails stands there; a report with problems has exit code 3.

    Raises:
        ConfigurationError: There is no such member, or ``offline`` and ``deep`` are both wanted (2).
    """
    if offline and deep:
        raise ConfigurationError("offline and deep exclude each other")
    is_limited = members is not None or bool(labels)
    chosen = _choose(inventory, members, labels) if is_limited else ()
    with Connections(_nobody) as connections:
        wishes = Wishes(inventory=inventory, members=chosen, offline=offline, deep=deep)
        run = checking.run(wishes, connect=connections.connect, report=report, examine=connections.examine)
        return _or_raise(run)


def unfederate(
    inventory: Inventory,
    members: str | Sequence[str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    delete_workloads: bool = False,
    uninstall: bool = False,
    dry_run: bool = False,
    report: Reporter = ignore,
) -> Report:
    """Let members leave the federation; nobody is asked.

    Args:
        inventory: The clusters.
        members: Names and patterns of the members that leave, also of those that the inventory does not name; None
            means all of the inventory's, and the host after them.
        labels: The labels that they must have in hosts.yaml.
        delete_workloads: Whether what the federation has put on them is deleted.
        uninstall: Whether the engine is taken off the host; for all members only.
        dry_run: Whether the report only tells what would be changed.
        report: Told of every step, from several threads. It must not raise.

    Returns:
        How it ended for each cluster, and what is left of it.

    Raises:
        ConfigurationError: There is no such member, or ``uninstall`` is asked for some of them (2).
        FedsshError: What ended the run as a whole, as for ``federate``.
    """
    is_all = members is None and not labels
    if uninstall and not is_all:
        raise ConfigurationError("uninstall is for the whole federation: members would be left without it")
    others: tuple[str, ...] = ()
    if members is not None and not labels:
        chosen, others = choose_beyond(inventory, _named(members))
    else:
        chosen = _choose(inventory, members, labels)
    wishes = Wishes(
        inventory=inventory,
        members=chosen,
        others=others,
        is_all=is_all,
        dry_run=dry_run,
        delete_workloads=delete_workloads,
        uninstall=uninstall,
    )
    with Connections(_nobody) as connections:
        return _or_raise(leaving.run(wishes, connect=connections.connect, report=report, agree=_always))


def _choose(
    inventory: Inventory, members: str | Sequence[str] | None, labels: Mapping[str, str] | None
) -> tuple[Cluster, ...]:
    names = () if members is None else _named(members)
    return choose_members(inventory, names, [f"{key}={value}" for key, value in (labels or {}).items()])


def _named(members: str | Sequence[str]) -> Sequence[str]:
    if not members:
        raise ConfigurationError("no member is named; None means all of them")
    return [members] if isinstance(members, str) else members


def _or_raise(report: Report) -> Report:
    if report.error:
        raise report.error
    return report


def _nobody(question: str, cancelled: threading.Event) -> Sensitive | None:
    """Answer no question: a program has nobody to ask; a keyring may know."""
    del question, cancelled
    return None


def _always(planned: Report) -> bool:
    """Agree to what is to be taken over or removed: who calls a function has said so."""
    del planned
    return True
