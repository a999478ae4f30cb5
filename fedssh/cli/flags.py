"""The flags that verbs have, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag of a verb.

    Attributes:
        name: Its name; on the command line it has dashes for underscores.
        help: What it means, in a few words.
        default: Its value when it is not given. A text takes a value, a truth value takes none, a number counts how
            often the flag is given, and None is a flag that takes a value and may be repeated.
        short: The letter that stands for it, or "".
        metavar: What help calls its value.
        choices: The values that it can have; () for any.
        alias: Another name, for programs in which its name means something else; or "".
        takes_words: Whether the words behind the verb are its values, too; ``invoke`` knows no such words.
    """

    name: str
    help: str
    default: str | bool | int | None = False
    short: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    alias: str = ""
    takes_words: bool = False

    @property
    def option(self) -> str:
        """How it is written on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """All ways to write it."""
        short = (f"-{self.short}",) if self.short else ()
        return (self.option, *short, *((f"--{self.alias}",) if self.alias else ()))

    @property
    def takes_value(self) -> bool:
        """Whether a value follows it."""
        return self.default is None or isinstance(self.default, str)


MEMBER: Final = Flag(
    name="member",
    short="m",
    default=None,
    metavar="NAME",
    help="members by name: a,b or a pattern ('eu-*'); repeatable",
)
LABEL: Final = Flag(
    name="label", default=None, metavar="KEY=VALUE", help="members by a label in hosts.yaml; repeatable"
)
ALL: Final = Flag(name="all", help="all members of hosts.yaml")
ADOPT: Final = Flag(name="adopt", help="take over what fedssh did not make, after asking")
YES: Final = Flag(name="yes", short="y", help="go on where fedssh would ask")
DRY_RUN: Final = Flag(name="dry_run", short="R", help="tell what would be changed, and change nothing")

DELETE_WORKLOADS: Final = Flag(
    name="delete_workloads", help="delete what the federation has put on them; else it stays"
)
UNINSTALL: Final = Flag(name="uninstall", help="with --all: take off the host what prepare has installed")
UPGRADE: Final = Flag(name="upgrade", help="where another version is installed, upgrade it")
IMAGES: Final = Flag(name="images", help="fetch container images, too")
OLDER_THAN: Final = Flag(
    name="older_than", default="", metavar="TIME", help="only credentials that are older: 30d, 12h, 1w"
)
OFFLINE: Final = Flag(name="offline", help="connect to nothing: read hosts.yaml, ssh_config and known_hosts alone")
DEEP: Final = Flag(name="deep", help="let a small federated object travel to each cluster, and remove it again")

HOSTS: Final = Flag(
    name="hosts",
    short="f",
    default="",
    metavar="FILE",
    alias="inventory",
    help="the inventory, - is stdin; else hosts.yaml here or above",
)
OUTPUT: Final = Flag(
    name="output",
    short="o",
    default="table",
    metavar="FORMAT",
    choices=("table", "wide", "json", "yaml", "name"),
    help="table, wide, json, yaml or name",
)
QUIET: Final = Flag(name="quiet", short="q", help="tell only results, warnings and errors")
VERBOSE: Final = Flag(name="verbose", short="v", default=0, help="tell every check; -vv: the SSH dialogue, too")
LOG_FORMAT: Final = Flag(
    name="log_format",
    default="",
    metavar="FORMAT",
    choices=("text", "json"),
    help="log lines with time and level on stderr: text or json",
)
TIMEOUT: Final = Flag(name="timeout", default="", metavar="TIME", help="end the run after this time: 90s, 10m, 1h30m")

CONCURRENCY: Final = Flag(name="concurrency", default="", metavar="N", help="work on so many machines at the same time")

COMPLETE: Final = "--complete"
"""What the shells' completion scripts call fedssh with; it stands first, and the words follow behind ``--``."""

COMMON: Final = (HOSTS, OUTPUT, QUIET, VERBOSE, LOG_FORMAT, TIMEOUT)
"""What every verb that works on the clusters of hosts.yaml takes."""

BEFORE_THE_VERB: Final = (*COMMON, DRY_RUN)
"""The verbs' flags that ``fedssh`` takes before the verb, too."""

HOST: Final = Flag(name="host", default="", metavar="NAME", help="which one is the host; else the first")
CLUSTER: Final = Flag(
    name="cluster",
    default=None,
    metavar="NAME=USER@ADDR:PORT",
    takes_words=True,
    help="a cluster by its master's SSH address; repeatable",
)
FROM_ANSIBLE: Final = Flag(
    name="from_ansible", default="", metavar="INVENTORY", help="take the machines from an Ansible inventory"
)
OUTPUT_FILE: Final = Flag(
    name="output_file", short="O", default="", metavar="FILE", help="write a new file instead of stdout"
)
PROBE: Final = Flag(name="probe", help="log in, and fill in kubeconfig paths and API addresses")

SHELL: Final = Flag(
    name="shell",
    default=None,
    metavar="SHELL",
    choices=("bash", "zsh", "fish"),
    takes_words=True,
    help="bash, zsh or fish",
)


def by_spelling(flags: Iterable[Flag]) -> dict[str, Flag]:
    """Return the flags by all ways to write them."""
    return {spelling: flag for flag in flags for spelling in flag.spellings}
