"""A member as another platform shows it: behind an HTTPS proxy with certificates of its own, beneath a path."""

from dataclasses import dataclass
from typing import Final

from lab.build import build
from lab.certificates import Certificate, make_authority, make_certificate
from lab.clusters import Lab
from lab.containers import Wanted, ensure_running, find_containers
from lab.machine import Machine, Server
from lab.versions import SOURCE

PROXY: Final = "proxy"
PUBLIC: Final = "public"
SELFSIGNED: Final = "selfsigned"
EXPIRED: Final = "expired"
WRONGNAME: Final = "wrongname"
ANOTHER: Final = "another.example"

# Only what is there can be served: the configuration comes last.
_RUN: Final = """
    until test -e /etc/nginx/proxy.conf; do sleep 0.1; done
    exec nginx -c /etc/nginx/proxy.conf -g 'daemon off;'
"""
_RELOAD: Final = """
    until ss -Hltn 'sport = :443' | grep -q .; do sleep 0.05; done
    nginx -c /etc/nginx/proxy.conf -s reload 2>&1
"""
_TRUST: Final = """
    cat >"/usr/local/share/ca-certificates/lab-$1.crt"
    update-ca-certificates --fresh 2>&1
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proxies:
    """One member's API server under four names, for every machine and pod of the lab.

    The public one's certificate is issued, through an intermediate that the proxy sends, by a root that stands in
    the trust store of the host's machine, and in no pod's; so are the expired one and the one for another name.
    """

    server: Server
    ca_pem: str  # the root
    selfsigned_pem: str
    public_url: str = f"https://{PUBLIC}/api/"
    selfsigned_url: str = f"https://{SELFSIGNED}/api/"
    expired_url: str = f"https://{EXPIRED}/api/"
    wrongname_url: str = f"https://{WRONGNAME}/api/"
    wrongname_server_name: str = ANOTHER  # the name that its certificate is for


def start_proxies(lab: Lab, member: Machine) -> Proxies:
    """Put the proxy in front of a member, with new certificates each time; it goes with the lab."""
    names = (PUBLIC, SELFSIGNED, EXPIRED, WRONGNAME)
    server = start_server(lab, PROXY, names)
    root = make_authority("Lab Root CA")
    issuer = make_authority("Lab Issuing CA", root)
    selfsigned = make_certificate(SELFSIGNED, None)
    serve(server, PUBLIC, make_certificate(PUBLIC, issuer), issuer)
    serve(server, SELFSIGNED, selfsigned)
    serve(server, EXPIRED, make_certificate(EXPIRED, issuer, expired=True), issuer)
    serve(server, WRONGNAME, make_certificate(ANOTHER, issuer), issuer)

    configuration = (SOURCE / "servers" / "proxy.conf").read_text().replace("@MEMBER@", member.name)
    write(server, "/etc/nginx/proxy.conf", configuration)
    server.check("sh", "-c", _RELOAD)
    trust(lab.host, root, PROXY)
    return Proxies(server=server, ca_pem=root.pem, selfsigned_pem=selfsigned.pem)


def start_server(lab: Lab, name: str, names: tuple[str, ...]) -> Server:
    """Start a container whose nginx, under those names, waits for its configuration (``/etc/nginx/proxy.conf``)."""
    runs = ("sh", "-c", _RUN)
    wanted = Wanted(lab=lab.prefix, name=name, image=build().artefacts, port=None, runs=runs, aliases=names)
    ensure_running(wanted, find_containers(lab.prefix).get(name))
    return Server(name=name, container=wanted.container)


def trust(machine: Machine, root: Certificate, name: str) -> None:
    """Put a root certificate into a machine's trust store, instead of the one that went by that name."""
    machine.check("sh", "-c", _TRUST, "sh", name, stdin=root.pem.encode())


def serve(server: Server, name: str, certificate: Certificate, *chain: Certificate) -> None:
    """Give the proxy one name's key, certificate and what the certificate was issued by."""
    parts = (certificate.key_pem, certificate.pem, *(one.pem for one in chain))
    write(server, f"/etc/nginx/tls/{name}.pem", "".join(parts))


def write(server: Server, path: str, text: str) -> None:
    """Write a file at once: it is whole, or not there."""
    script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && mv "$1.new" "$1"'
    server.check("sh", "-c", script, "write", path, stdin=text.encode())
