"""The members' work by Fabric's ThreadingGroup: one connection each, a ``run`` for each command.

Its users' settings: the key is named, nothing else is tried. Host keys are verified, which Fabric does not do by
itself; their file is read once. The manifest stands in the command: by ``in_stream``, each byte of it takes 10 ms.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import paramiko
from fabric import Connection, ThreadingGroup

VIEW = "kubectl config view --raw --minify --flatten -o 'jsonpath={.clusters[0].cluster.%s}'"


def main() -> None:
    """Do it for the members of the machines.json that is named."""
    site = json.loads(Path(sys.argv[1]).read_text())
    options = {"key_filename": site["identity_file"], "look_for_keys": False, "allow_agent": False}
    known = paramiko.HostKeys(site["known_hosts"])
    connections = []
    for one in site["members"]:
        connection = Connection(one["address"], user="root", port=one["port"], connect_kwargs=options)
        name = f"[{one['address']}]:{one['port']}"
        for kind, key in (known.lookup(name) or {}).items():
            connection.client.get_host_keys().add(name, kind, key)
        connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        connections.append(connection)
    group = ThreadingGroup.from_connections(connections)
    # All members run the same command: each finds its own name by its address.
    names = " ".join(f"{one['address']}:{one['port']}={one['name']}" for one in site["members"])
    manifest = (Path(__file__).parents[1] / "account.yaml").read_text()
    who = f"""
        set -- $SSH_CONNECTION; me=$3:$4
        for pair in {names}; do case $pair in "$me="*) name=${{pair#*=}} ;; esac; done
    """
    group.run(f"{who}\nsed \"s/MEMBER/$name/g\" <<'END' | kubectl apply -f -\n{manifest}\nEND", hide=True)
    tokens = group.run(f"{who}\nkubectl get secret \"$name-token\" -o 'jsonpath={{.data.token}}'", hide=True)
    servers = group.run(VIEW % "server", hide=True)
    cas = group.run(VIEW % "certificate-authority-data", hide=True)
    for found in (tokens, servers, cas):
        if not all(result.stdout for result in found.values()):
            raise SystemExit("a member did not answer")
    group.close()


main()
