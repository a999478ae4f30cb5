"""The oracle of tests on real clusters: what the masters' own kubectl says, and ways to set a state up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from lab import audit
from lab.clusters import each

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.clusters import Lab
    from lab.machine import Machine

NAMESPACE: Final = "kube-federation-system"
# Who fedssh is on a cluster: the administrator, the members' accounts that it makes, and the engine's own accounts,
# where it is a program of the machine's and not the engine itself that uses one.
_ADMINISTRATOR: Final = "kubernetes-admin"
_ACCOUNTS: Final = "system:serviceaccount:default:"
_ENGINES_ACCOUNTS: Final = f"system:serviceaccount:{NAMESPACE}:"
_PROGRAMS: Final = ("curl/", "helm/", "kubectl/", "kubefedctl/")

_FORGET_ON_HOST: Final = f"""
    kubectl() {{ /opt/recorded/kubectl -n {NAMESPACE} "$@"; }}
    leave() {{ kubectl delete kubefedclusters --ignore-not-found --timeout=20s "$@"; }}
    {{ leave "$@" || leave "$@"; }} &
    for name; do set -- "$@" "$name.fedssh"; shift; done
    kubectl delete secret --ignore-not-found "$@" &
    cp /root/pristine /root/.kube/config && rm -f /root/.kube/config.fedssh-*
    done=$?; wait; exit $done
"""
_FORGET: Final = """
    /opt/recorded/kubectl delete sa,clusterrole,clusterrolebinding,secret --ignore-not-found \\
        --all-namespaces -l app.kubernetes.io/managed-by=fedssh
"""
_CLEAN: Final = f"/opt/recorded/kubectl delete namespace {NAMESPACE} --ignore-not-found"
# Whatever joins by hand have left: accounts, their rights, and Secrets for them.
_SWEEP: Final = f"""
    kubectl() {{ /opt/recorded/kubectl "$@"; }}
    kubectl get clusterrolebindings,clusterroles -o name | grep kubefed-controller-manager: |
        xargs -r /opt/recorded/kubectl delete
    if [ "$1" = host ]; then
        kubectl -n {NAMESPACE} delete kubefedclusters --all 2>/dev/null
        kubectl -n {NAMESPACE} delete secrets --field-selector=type=Opaque
        kubectl -n {NAMESPACE} get serviceaccounts -o name | grep -vE '/(default|kubefed-.*)$' |
            xargs -r /opt/recorded/kubectl -n {NAMESPACE} delete
        rm -rf /root/.kube/config.fedssh* /root/.kube/.fedssh-proof-* /tmp/tmp.*
    else
        kubectl delete namespace {NAMESPACE} --ignore-not-found
    fi
    :
"""
_UNINSTALL: Final = f"""
    kubectl() {{ /opt/recorded/kubectl "$@"; }}
    kubectl -n {NAMESPACE} delete federatedtypeconfigs --all
    /opt/recorded/helm -n {NAMESPACE} uninstall kubefed --no-hooks
    kubectl get crd -o name | grep 'kubefed.io$' | xargs -r /opt/recorded/kubectl delete &
    {_CLEAN} &
    rm -f /usr/local/bin/kubefedctl /usr/local/bin/.kubefedctl.fedssh
    wait
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run of fedssh ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The report of a run with ``-o json``."""
        parsed: dict[str, Any] = json.loads(self.stdout)
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """The oracle: what the masters' own kubectl says, and ways to set a state up."""

    lab: Lab

    @property
    def host(self) -> Machine:
        """The machine of the host cluster."""
        return self.lab.host

    def member(self, name: str = "member1") -> Machine:
        """A member's machine."""
        return next(one for one in self.lab.members if one.name == name)

    def kubectl(self, machine: Machine, *arguments: str, stdin: str = "") -> str:
        """Run kubectl on a machine as its administrator; fail the test if it fails."""
        return machine.check("/opt/recorded/kubectl", *arguments, stdin=stdin.encode())

    def ready(self) -> dict[str, str]:
        """The READY column of the host's KubeFedClusters, by name."""
        columns = (
            'jsonpath={range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\\n"}{end}'
        )
        listed = self.host.exec("/opt/recorded/kubectl", "-n", NAMESPACE, "get", "kubefedclusters", "-o", columns)
        return dict(line.split("=") for line in listed.stdout.split())

    def contexts(self) -> dict[str, str]:
        """The contexts of the host's kubeconfig: name to cluster."""
        parsed = yaml.safe_load(self.host.check("cat", "/root/.kube/config"))
        return {one["name"]: one["context"]["cluster"] for one in parsed["contexts"]}

    def objects(self, name: str = "member1") -> list[str]:
        """Fedssh's objects on a member, as kind/name."""
        listed = self.kubectl(
            self.member(name), "get", "sa,secret,clusterrole,clusterrolebinding", "-A", "-o", "name",
            "-l", "app.kubernetes.io/managed-by=fedssh",
        )  # fmt: skip
        return sorted(listed.split())

    def snapshot(self) -> dict[str, str]:
        """All that a run without changes must leave alone: the kubeconfig and every object's resourceVersion."""
        versions = 'jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion}{"\\n"}{end}'
        kinds = "sa,secret,clusterrole,clusterrolebinding"
        found = {one.name: self.kubectl(one, "get", kinds, "-A", "-o", versions) for one in self.lab.machines}
        specs = (
            'jsonpath={range .items[*]}{.metadata.name}={.metadata.generation},{.metadata.labels},{.spec}{"\\n"}{end}'
        )
        found["kubefedclusters"] = self.kubectl(self.host, "-n", NAMESPACE, "get", "kubefedclusters", "-o", specs)
        found["kubeconfig"] = self.host.check("sha256sum", "/root/.kube/config")
        return found

    def audit_marks(self) -> dict[str, int]:
        """The places in the machines' audit logs from which `changes_since` counts."""
        return {one.name: audit.mark(one) for one in self.lab.machines}

    def requests_since(self, marks: Mapping[str, int]) -> list[audit.Event]:
        """What fedssh's identities asked the API servers to change since then, and what reviews they asked for.

        The administrator is also who `kubectl` of this oracle is: set up before the marks are taken.
        """
        found = [event for one in self.lab.machines for event in audit.events_since(one, marks[one.name])]
        return [event for event in found if _is_fedsshs(event)]

    def changes_since(self, marks: Mapping[str, int]) -> list[audit.Event]:
        """The same without reviews: what a run that changes nothing has none of."""
        return [event for event in self.requests_since(marks) if not event.is_review]

    def tokens(self) -> list[str]:
        """Every ServiceAccount token that is stored in a Secret on any machine, in base64."""
        listed = [
            self.kubectl(one, "get", "secret", "-A", "-o", 'jsonpath={range .items[*]}{.data.token}{"\\n"}{end}')
            for one in self.lab.machines
        ]
        return [token for text in listed for token in text.split()]

    def forget(self, *names: str) -> None:
        """Make it as if fedssh had never met these clusters; KubeFed, and the accounts of its joins, stay."""
        machines = [self.host, *(one for one in self.lab.members if one.name in names)]
        each(
            lambda one: one.check("sh", "-c", _FORGET_ON_HOST if one is self.host else _FORGET, "sh", *names), machines
        )

    def sweep(self) -> None:
        """Make it as if no cluster had ever joined, by whatever way; KubeFed stays."""
        self.forget("fedhost", "member1", "member2")
        each(
            lambda one: one.check("sh", "-c", _SWEEP, "sh", "host" if one is self.host else "member"),
            self.lab.machines,
        )

    def uninstall_on_host(self) -> None:
        """Take KubeFed off the host alone."""
        self.host.exec("sh", "-c", _UNINSTALL)

    def uninstall(self) -> None:
        """Take KubeFed off the host, and what it has made off the members."""
        each(lambda one: one.exec("sh", "-c", _UNINSTALL if one is self.host else _CLEAN), self.lab.machines)


def quick_inventory(lab: Lab) -> dict[str, Any]:
    """Return a lab's hosts.yaml as data, with a KubeFed that looks at its clusters every second."""
    parsed: dict[str, Any] = yaml.safe_load(lab.inventory_text())
    # KubeFed's own 10 s would be most of what the tests wait for.
    parsed["kubefed"]["values"] = {"controllermanager": {"clusterHealthCheckPeriod": "1s"}}
    return parsed


def _is_fedsshs(event: audit.Event) -> bool:
    """Tell fedssh's requests from those of controllers and nodes."""
    if event.user.startswith(_ENGINES_ACCOUNTS):
        return event.agent.lower().startswith(_PROGRAMS)
    return event.user == _ADMINISTRATOR or event.user.startswith(_ACCOUNTS)
