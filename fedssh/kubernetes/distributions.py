"""Distributions of Kubernetes that keep kubectl or the administrator's kubeconfig elsewhere: how they are recognised.

Nothing is guessed: a distribution counts where its own program or file is there. What stands here is from their
documentation (docs.k3s.io, docs.rke2.io, microk8s.io, docs.k0sproject.io) and, for kOps, from its source
(nodeup/pkg/model/kubectl.go).
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.kubernetes.kubeconfig.file import NoKubeconfigError
from fedssh.kubernetes.kubectl import missing_tool
from fedssh.shell import Command, script

if TYPE_CHECKING:
    from fedssh.shell import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A distribution.

    Attributes:
        title: Its name.
        sign: A test of the machine's ``sh`` by which it is recognised.
        kubeconfig: Where it keeps the administrator's kubeconfig.
        is_rewritten: Whether it writes that file anew whenever it starts, so that nothing else stays in it.
        kubectl: The command line that makes its kubectl one that every shell finds; "" where it is one.
    """

    title: str
    sign: str
    kubeconfig: str
    is_rewritten: bool = False
    kubectl: str = ""


_WRAP_K0S: Final = (
    "printf '#!/bin/sh\\nexec k0s kubectl \"$@\"\\n' >/usr/local/bin/kubectl && chmod 755 /usr/local/bin/kubectl"
)
DISTRIBUTIONS: Final = (
    Distribution(
        title="k3s",
        sign="command -v k3s",
        kubeconfig="/etc/rancher/k3s/k3s.yaml",
        is_rewritten=True,
        kubectl='ln -s "$(command -v k3s)" /usr/local/bin/kubectl',
    ),
    Distribution(
        title="RKE2",
        sign="[ -e /var/lib/rancher/rke2 ]",
        kubeconfig="/etc/rancher/rke2/rke2.yaml",
        is_rewritten=True,
    ),
    Distribution(
        title="MicroK8s",
        sign="[ -e /var/snap/microk8s ]",
        kubeconfig="/var/snap/microk8s/current/credentials/client.config",
        is_rewritten=True,
        kubectl="snap alias microk8s.kubectl kubectl",
    ),
    Distribution(title="k0s", sign="command -v k0s", kubeconfig="/var/lib/k0s/pki/admin.conf", kubectl=_WRAP_K0S),
    Distribution(title="kOps", sign="[ -e /var/lib/kubectl/kubeconfig ]", kubeconfig="/var/lib/kubectl/kubeconfig"),
    Distribution(title="kubeadm", sign="[ -e /etc/kubernetes/admin.conf ]", kubeconfig="/etc/kubernetes/admin.conf"),
)
# What is said where there is no kubeconfig, or none of an administrator's: by kubectl, by the API server, and by the
# machine's system. Everything else has a cause that another kubeconfig does not help against.
_LACKS_KUBECONFIG: Final = (
    "current-context must exist",
    "no configuration has been provided",
    "localhost:8080",
    "(Forbidden)",
    "permission denied",
)
# What snap's link "current" leads to.
_REVISION: Final = re.compile(r"^/var/snap/microk8s/x?[0-9]+/")
USUAL_KUBECONFIGS: Final = tuple(distribution.kubeconfig for distribution in reversed(DISTRIBUTIONS))
"""Where the administrator's kubeconfig may be, besides where kubectl looks for it."""


def find_command() -> Command:
    """Return the command that prints which distributions a machine has, a line each."""
    lines = [f"if {one.sign} >/dev/null 2>&1; then echo {shlex.quote(one.title)}; fi" for one in DISTRIBUTIONS]
    return script("\n".join(lines), title="look for a distribution of Kubernetes")


def parse_found(result: Result) -> Distribution | None:
    """Return the distribution that the answer to ``find_command`` tells, the first of them, or None."""
    told = result.stdout.split()
    return next((one for one in DISTRIBUTIONS if one.title in told), None)


def rewritten_by(path: str) -> str:
    """Return which distribution writes a kubeconfig anew whenever it starts, or ""."""
    path = _REVISION.sub("/var/snap/microk8s/current/", path)
    return next((one.title for one in DISTRIBUTIONS if one.is_rewritten and one.kubeconfig == path), "")


def advise(error: FedsshError, found: Distribution | None, *, key: str, path: str) -> FedsshError:
    """Return why a machine's kubectl or kubeconfig cannot be worked with, with what to do on such a distribution.

    Args:
        error: Why.
        found: The distribution that the machine has.
        key: The key of hosts.yaml that names the kubeconfig; "" where it names one already.
        path: Where a copy of the kubeconfig would lie when there is none, for a host, whose entries must stay in it;
            "" for a member.
    """
    if found is None or not isinstance(error, StepError | RefusedError):
        return error
    if error.message == missing_tool("kubectl", machine="", step="").message:
        hint = (
            f"{found.title} is there; make its kubectl known on the machine: {found.kubectl}" if found.kubectl else ""
        )
    elif path:
        copy = f"install -D -m 600 {found.kubeconfig} {path}"
        hint = f"Say in hosts.yaml where it is (host.kubeconfig: /path), or copy that of {found.title}: {copy}"
        hint = hint if isinstance(error, NoKubeconfigError) else ""
    else:
        # One that was there, and could not be read, is not named again.
        helps = any(words in error.message for words in _LACKS_KUBECONFIG) and found.kubeconfig not in error.message
        hint = f"{found.title} is there. Write: {key}: {found.kubeconfig}" if key and helps else ""
    kind = type(error)
    return kind(error.message, machine=error.machine, step=error.step, hint=hint) if hint else error
