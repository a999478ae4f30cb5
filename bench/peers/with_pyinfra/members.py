"""The members' work by pyinfra: an operation for each command. It runs on all of them at once (``--parallel 50``)."""

from pathlib import Path

from pyinfra import host
from pyinfra.operations import server

VIEW = "kubectl config view --raw --minify --flatten -o 'jsonpath={.clusters[0].cluster.%s}'"

if "members" in host.groups:
    manifest = (Path(__file__).resolve().parents[1] / "account.yaml").read_text().replace("MEMBER", host.name)
    server.shell(name="Create the account", commands=[f"kubectl apply -f - <<'END'\n{manifest}\nEND"])
    read = f"kubectl get secret {host.name}-token -o 'jsonpath={{.data.token}}'"
    until_there = f'until token=$({read}) && [ -n "$token" ]; do sleep 0.2; done; echo "$token" | base64 -d'
    host.data.token = server.shell(name="Read the token", commands=[until_there])
    host.data.server = server.shell(name="Read the API server's address", commands=[VIEW % "server"])
    host.data.ca = server.shell(name="Read the CA", commands=[VIEW % "certificate-authority-data"])
