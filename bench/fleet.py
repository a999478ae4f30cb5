"""Machines that are not there, at every distance: one real sshd with all their addresses, and stand-ins for tools."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bench.site import Place, Site
from bench.sshd import PORT, serve
from bench.standin.cluster import CA
from bench.standin.federation import HOST, KUBEFED, Federation
from bench.standin.server import tools
from bench.wan import MACHINES, address, wan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.standin.calls import Answer, Call

_KUBECONFIG: Final = f"""\
apiVersion: v1
kind: Config
current-context: kubernetes-admin@kubernetes
clusters:
- name: kubernetes
  cluster:
    certificate-authority-data: {CA}
    server: https://{{address}}:6443
contexts:
- name: kubernetes-admin@kubernetes
  context:
    cluster: kubernetes
    user: kubernetes-admin
users:
- name: kubernetes-admin
  user:
    token: administrator
"""


@dataclass
class Fleet:
    """The machines, of which a part is in use at a time.

    Attributes:
        folder: Where everything about them lies; it is the home of who logs in.
        federation: The clusters in use.
        site: Their machines.
    """

    folder: Path
    federation: Federation = field(init=False)
    site: Site = field(init=False)

    def choose(self, rtt: int, members: int) -> None:
        """Use so many members, and a host, all ``rtt`` milliseconds away."""
        host = Place(HOST, address(rtt, members + 1), PORT)
        places = [Place(f"member{number}", address(rtt, number), PORT) for number in range(1, members + 1)]
        self.federation = Federation({one.name: one.address for one in (host, *places)})
        self.site = Site(
            folder=self.folder / "site",
            host=host,
            members=places,
            identity_file=self.folder / "identity",
            known_hosts=self.folder / "known_hosts_in_use",
            kubefed=[f"version: {KUBEFED}"],
        )
        self.site.write()
        # Some tools read it anew for each machine: what is not in use would cost them time.
        key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        self.site.known_hosts.write_text("".join(f"[{one.address}]:{one.port} {key}\n" for one in (host, *places)))
        self.reset()

    def reset(self) -> None:
        """Make it as if nothing had ever joined; KubeFed is installed."""
        self.federation.reset()
        place = self.folder / ".kube"
        place.mkdir(exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        (place / "config").write_text(_KUBECONFIG.format(address=self.site.host.address))
        (place / "config").chmod(0o600)

    def answer(self, call: Call) -> Answer:
        """Answer a call of a tool."""
        return self.federation.answer(call)


@contextmanager
def fleet(folder: Path, rtts: Sequence[int], members: int) -> Iterator[Fleet]:
    """Have up to so many members, and a host, at each distance; as root."""
    if os.geteuid() != 0:
        raise SystemExit("the links between the ends take root")
    machines = min(members + 1, MACHINES)
    made = Fleet(folder)
    with tools(folder, made.answer) as environment, wan(rtts, machines), serve(folder, rtts, machines, environment):
        made.choose(rtts[0], 1)
        yield made
