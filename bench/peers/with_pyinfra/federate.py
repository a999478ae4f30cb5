"""The whole of it by pyinfra: the members' work, then the host's, whose commands hold what the members have said."""

from pyinfra import host, inventory, local
from pyinfra.operations import python

NAMESPACE = "kube-federation-system"

local.include("members.py")


def join() -> None:
    """Make the contexts and join, one command after the other: kubectl locks its kubeconfig."""
    if "federation_host" not in host.groups:
        return
    here, default = "fedhost", "--namespace=default"
    flags = f"--v=2 --host-cluster-context {here} --kubefed-namespace={NAMESPACE}"
    commands = [
        f"kubectl config rename-context kubernetes-admin@kubernetes {here}",
        f"kubectl --context {here} get nodes",
        f"kubefedctl join {here} {flags}",
    ]
    for one in inventory.get_group("members"):
        name, token, server, ca = one.name, one.data.token.stdout, one.data.server.stdout, one.data.ca.stdout
        commands += [
            f"kubectl config set-credentials kubefed-{name} --token={token}",
            f"kubectl config set-cluster kubefed-remote-{name} --server={server}",
            f"kubectl config set clusters.kubefed-remote-{name}.certificate-authority-data {ca}",
            f"kubectl config set-context {name} --cluster=kubefed-remote-{name} --user=kubefed-{name} {default}",
            f"kubectl --context {name} get nodes",
            f"kubefedctl join {name} {flags}",
        ]
    for command in commands:
        done, output = host.run_shell_command(command)
        if not done:
            raise RuntimeError(f"{command.split()[:3]} failed: {output.stderr}")


# On all machines, so that it comes after the members' work; there it does nothing.
python.call(name="Federate", function=join)
