"""The lab by hand: `python -m lab up`, `down`, `build`."""

import argparse
import sys
import time
from typing import Final

from lab.build import build
from lab.clusters import Lab, start_lab, stop_lab
from lab.errors import LabError
from lab.generations import GENERATIONS, NEW
from lab.steps import step
from lab.versions import STATE

PREFIX: Final = "fedssh-lab"
FIRST_PORT: Final = 2200


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    arguments = _parser().parse_args()
    try:
        if arguments.verb == "build":
            build()
            build(*GENERATIONS.values())
        elif arguments.verb == "up":
            _up(arguments)
        else:
            _down()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="Real Kubernetes clusters in containers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start the clusters, building what is missing")
    up.add_argument("--members", type=_count, default=1, metavar="N", help="member clusters (default 1)")
    up.add_argument("--generation", choices=GENERATIONS, default=NEW.name, help="Kubernetes (default %(default)s)")
    up.add_argument("--member-generation", choices=GENERATIONS, help="that of the members (default: the host's)")
    verbs.add_parser("down", help="remove the clusters")
    verbs.add_parser("build", help="build the images only")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a federation needs a member")
    return number


def _up(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    host = GENERATIONS[arguments.generation]
    member = GENERATIONS[arguments.member_generation or arguments.generation]
    build(host, member)
    with step("starting the clusters"):
        lab = start_lab(PREFIX, [member] * arguments.members, STATE, FIRST_PORT, host=host)
    (STATE / "hosts.yaml").write_text(lab.inventory_text())
    _show(lab)
    print(f"ready in {time.monotonic() - started:.0f} s; .lab/hosts.yaml describes all of them")


def _down() -> None:
    with step("removing the clusters"):
        removed = stop_lab(PREFIX)
    print(f"removed {removed} clusters" if removed else "no clusters were there")


def _show(lab: Lab) -> None:
    width = max(len(machine.name) for machine in lab.machines)
    login = "ssh -i .lab/id_ed25519 -o UserKnownHostsFile=.lab/known_hosts"
    for machine in lab.machines:
        print(f"{machine.name:{width}}  Ready  {login} -p {machine.port} root@{machine.address}")


if __name__ == "__main__":
    sys.exit(main())
