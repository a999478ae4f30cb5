"""The verbs: an entry here and a file each, in ``fedssh/verbs``, or in ``fedssh/cli`` where it stays on the laptop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fedssh.cli.flags import (
    ADOPT,
    ALL,
    CLUSTER,
    COMMON,
    CONCURRENCY,
    DEEP,
    DELETE_WORKLOADS,
    DRY_RUN,
    FROM_ANSIBLE,
    HOST,
    IMAGES,
    LABEL,
    LOG_FORMAT,
    MEMBER,
    OFFLINE,
    OLDER_THAN,
    OUTPUT_FILE,
    PROBE,
    QUIET,
    SHELL,
    TIMEOUT,
    UNINSTALL,
    UPGRADE,
    VERBOSE,
    YES,
    Flag,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb of the command line.

    Attributes:
        name: Its name; ``run`` in the module of this name does its work.
        help: What it does, a sentence.
        flags: The flags that it has of its own.
        common: Those of the common ones that it takes.
        examples: Command lines as somebody would type them.
        has_report: Whether it works on the clusters of hosts.yaml, and ends with a report.
        always_asks: Whether it asks before it changes anything.
        takes_strangers: Whether it may mean clusters that hosts.yaml does not name.
        is_task: Whether ``invoke`` has it, too.
    """

    name: str
    help: str
    flags: tuple[Flag, ...] = ()
    common: tuple[Flag, ...] = COMMON
    examples: tuple[str, ...] = ()
    has_report: bool = True
    always_asks: bool = False
    takes_strangers: bool = False
    is_task: bool = True

    @property
    def all_flags(self) -> tuple[Flag, ...]:
        """All flags that it takes."""
        return (*self.flags, *self.common)


VERBS: Final = (
    Verb(
        name="federate",
        help="Federate members with the host; what is done stays as it is.",
        flags=(MEMBER, LABEL, ALL, ADOPT, YES, DRY_RUN, CONCURRENCY),
        examples=("fedssh federate --member member1", "fedssh federate --all --dry-run"),
    ),
    Verb(
        name="prepare",
        help="Install on the host what a federation needs.",
        flags=(UPGRADE, DRY_RUN),
        examples=("fedssh prepare", "fedssh prepare --upgrade --dry-run"),
    ),
    Verb(
        name="fetch",
        help="Fetch on this computer what a host without internet needs.",
        flags=(IMAGES,),
        examples=("fedssh fetch", "fedssh fetch --images"),
    ),
    Verb(
        name="rotate",
        help="Replace the credentials of members, and revoke the old ones.",
        flags=(MEMBER, LABEL, ALL, OLDER_THAN, DRY_RUN, CONCURRENCY),
        examples=("fedssh rotate --member member1", "fedssh rotate --all --older-than 30d"),
    ),
    Verb(
        name="unfederate",
        help="Let members leave, and leave nothing behind; workloads stay.",
        flags=(MEMBER, LABEL, ALL, DELETE_WORKLOADS, UNINSTALL, YES, DRY_RUN, CONCURRENCY),
        examples=("fedssh unfederate --member member1 --dry-run", "fedssh unfederate --all --uninstall"),
        always_asks=True,
        takes_strangers=True,
    ),
    Verb(
        name="status",
        help="Show how the federation is; exit code 3 if not all is Ready.",
        flags=(MEMBER, LABEL),
        examples=("fedssh status", "fedssh status --label region=eu -o wide"),
    ),
    Verb(
        name="check",
        help="Find out what is wrong, everywhere at once; exit code 3.",
        flags=(MEMBER, LABEL, OFFLINE, DEEP, CONCURRENCY),
        examples=("fedssh check", "fedssh check --member member1 --deep"),
    ),
    Verb(
        name="init",
        help="Draft a hosts.yaml from addresses, SSH aliases or Ansible.",
        flags=(CLUSTER, HOST, FROM_ANSIBLE, PROBE, OUTPUT_FILE),
        common=(QUIET, VERBOSE, LOG_FORMAT, TIMEOUT),
        examples=(
            "fedssh init fedhost=root@10.0.0.1 member1=root@10.0.1.1:2222 -O hosts.yaml",
            "fedssh init --from-ansible inventory.ini --host fedhost --probe",
        ),
        has_report=False,
    ),
    Verb(
        name="completion",
        help="Print what makes bash, zsh or fish complete.",
        flags=(SHELL,),
        common=(),
        examples=(
            "source <(fedssh completion bash)",
            "fedssh completion fish | source",
        ),
        has_report=False,
        is_task=False,
    ),
)
