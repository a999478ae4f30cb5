"""Kubeconfigs as other distributions write them."""

from typing import Final

import yaml

from lab.machine import Machine

K3S: Final = "/etc/rancher/k3s/k3s.yaml"


def write_k3s_kubeconfig(machine: Machine) -> str:
    """Write the administrator's kubeconfig as k3s does, and return its path.

    Everything in it is called default, and its server is the machine itself: 127.0.0.1. The one that kubeadm
    wrote, which a master with k3s does not have, stays.
    """
    document = yaml.safe_load(machine.check("cat", "/etc/kubernetes/admin.conf"))
    (cluster,), (user,) = document["clusters"], document["users"]
    cluster["name"] = user["name"] = "default"
    cluster["cluster"]["server"] = "https://127.0.0.1:6443"
    document["contexts"] = [{"name": "default", "context": {"cluster": "default", "user": "default"}}]
    document["current-context"] = "default"
    script = 'umask 077; mkdir -p "$(dirname "$1")" && cat >"$1"'
    machine.check("sh", "-c", script, "write", K3S, stdin=yaml.safe_dump(document).encode())
    return K3S
