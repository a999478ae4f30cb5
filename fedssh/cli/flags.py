"""The flags that verbs have, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag of a verb.

    Attributes:
        name: Its name; on the command line it has dashes for underscores.
        help: A sentence for ``--help``.
        default: Its value when it is not given. A text takes a value, a truth value takes none, and None is a flag that
            takes a value and may be repeated.
        short: The letter that stands for it, or "".
    """

    name: str
    help: str
    default: str | bool | None = False
    short: str = ""


MEMBER: Final = Flag(name="member", short="m", default=None, help="A member of hosts.yaml; may be given several times.")
ALL: Final = Flag(name="all", help="All members of hosts.yaml.")
ADOPT: Final = Flag(
    name="adopt", help="Take over objects and kubeconfig entries of the members' names that fedssh did not make."
)
DRY_RUN: Final = Flag(name="dry_run", help="Look, tell what would be changed and why, and change nothing.")
HOSTS: Final = Flag(
    name="hosts",
    short="f",
    default="",
    help="The inventory; by default hosts.yaml, looked for from here upwards (also FEDSSH_HOSTS).",
)
OUTPUT: Final = Flag(name="output", short="o", default="table", help="table (default) or json.")
VERBOSE: Final = Flag(name="verbose", short="v", help="Show every check, and every attempt to connect.")

COMMON: Final = (HOSTS, OUTPUT, VERBOSE)
FORMATS: Final = ("table", "json")
