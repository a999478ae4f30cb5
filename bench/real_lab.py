"""Real clusters for the bench: a lab of its own, with Python on its machines, and ways to make it as new again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from bench.measuring import FailedError
from bench.site import Place, Site
from lab.cache import cached, digest_of
from lab.clusters import each, start_lab, stop_lab
from lab.generations import NEW
from lab.steps import run_logged, step
from lab.versions import DEBIAN, STATE

if TYPE_CHECKING:
    from pathlib import Path

    from lab.clusters import Lab
    from lab.machine import Machine

PREFIX: Final = "fedssh-bench"
NAMESPACE: Final = "kube-federation-system"

_SETTLE_SECONDS: Final = 1.0
_PACKAGES: Final = ("mmdebstrap", "--variant=extract", "--include=python3", DEBIAN)
_UNPACK: Final = """
    [ -x /usr/bin/python3 ] || tar -C / -x --skip-old-files --keep-directory-symlink ./usr/bin ./usr/lib ./lib
    [ -e /root/pristine ] || cp /root/.kube/config /root/pristine
"""
_RESET_HOST: Final = f"""
    kubectl() {{ command kubectl -n {NAMESPACE} "$@"; }}
    kubectl delete kubefedclusters --all --timeout=30s || kubectl delete kubefedclusters --all --timeout=30s || exit
    kubectl delete secrets --field-selector=type=Opaque
    kubectl get serviceaccounts -o name | grep -vE '/(default|kubefed-.*)$' | xargs -r kubectl -n {NAMESPACE} delete
    cp /root/pristine /root/.kube/config && rm -rf /root/.kube/config.* /root/.kube/.fedssh-*
"""
_RESET_MEMBER: Final = f"""
    kubectl delete namespace {NAMESPACE} --ignore-not-found
    kubectl delete serviceaccounts,secrets,clusterroles,clusterrolebindings --ignore-not-found -l "name=$1"
"""
_RESET_BOTH: Final = """
    kubectl get clusterrolebindings,clusterroles -o name | grep kubefed-controller-manager: | xargs -r kubectl delete
    :
"""


def start(members: int) -> Lab:
    """Start a lab of so many members, each machine with what Ansible and mitogen need: Python."""
    lab = start_lab(PREFIX, [NEW] * members, STATE / "bench")
    python = _python().read_bytes()
    each(lambda one: one.check("sh", "-c", _UNPACK, stdin=python), lab.machines)
    return lab


def stop() -> None:
    """Remove it."""
    stop_lab(PREFIX)


def describe(lab: Lab) -> Site:
    """Return the lab's machines, described for all tools."""
    host, *members = [Place(one.name, one.address, one.port) for one in lab.machines]
    site = Site(
        folder=lab.directory / "site",
        host=host,
        members=members,
        identity_file=lab.identity_file,
        known_hosts=lab.known_hosts,
        kubefed=[
            f"version: {lab.kubefed}",
            "chart_repository: http://artefacts/charts",
            f"kubefedctl_url: http://artefacts/kubefedctl/kubefedctl-{lab.kubefed}-linux-amd64.tgz",
        ],
    )
    site.write()
    return site


def reset(lab: Lab) -> None:
    """Make it as if no cluster had ever joined, by whatever way; KubeFed stays."""

    def one(machine: Machine) -> None:
        text = _RESET_HOST if machine is lab.host else _RESET_MEMBER
        machine.check("sh", "-c", text + _RESET_BOTH, "sh", machine.name)

    one(lab.host)  # its controller writes on the members as long as it has clusters
    each(one, lab.members)
    time.sleep(_SETTLE_SECONDS)


def check(lab: Lab) -> None:
    """Check that all clusters have joined, and that the host's contexts work; raise FailedError if not."""
    listed = lab.host.check("kubectl", "-n", NAMESPACE, "get", "kubefedclusters", "-o", "name").split()
    joined = {one.rpartition("/")[2] for one in listed}
    missing = {one.name for one in lab.machines} - joined
    if missing:
        raise FailedError(f"not joined: {', '.join(sorted(missing))}")
    for one in lab.machines:
        found = lab.host.exec("kubectl", "--context", one.name, "get", "nodes", "-o", "name")
        if found.stdout.split() != [f"node/{one.name}"]:
            raise FailedError(f"the context {one.name} does not work: {found.stdout}{found.stderr}")


def _python() -> Path:
    """Return the archive of a Debian with nothing but Python and what that needs."""

    def make(directory: Path) -> None:
        title = "downloading Python for the lab's machines"
        with step(title, "half a minute, once"):
            run_logged(title, [*_PACKAGES, str(directory / "python.tar")], log="python")

    return cached("python", digest_of(*_PACKAGES), make) / "python.tar"
