"""A registry of images on loopback, over http or https."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from fedssh.artefacts import Image
from tests.fakes.authorities import issue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OCI: Final = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json")
DOCKER: Final = tuple(f"application/vnd.docker.distribution.manifest{what}.v2+json" for what in ("", ".list"))
LAYERS: Final = [gzip.compress(b"the first layer" * 9, mtime=0), gzip.compress(bytes(1_200_000), 0, mtime=0)]


def digest_of(content: bytes) -> str:
    """Return how a registry calls a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """A registry: what it has, and what it was asked and shown.

    Attributes:
        scheme: How it is spoken to: http or https.
        host: Where it is, as an image's name begins.
        manifests: Its manifests by tag or digest, each with its kind.
        blobs: Its blobs by digest.
        challenge: How it asks for a login; "" where it asks for none.
        accepts: The Authorization headers that it lets in then.
        token: What it gives for a token.
        refuses: The Authorization headers for which it gives no token.
        halves: A part of the paths of which it sends only the first half of the body.
        stalls: A part of the paths to which it says nothing, or nothing more, and keeps the connection.
        asked: The paths that it was asked for.
        shown: The Authorization headers that it was shown for a token.
    """

    scheme: str = "http"
    host: str = ""
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    challenge: str = ""
    accepts: list[str] = field(default_factory=list)
    token: dict[str, str] = field(default_factory=dict)
    refuses: list[str] = field(default_factory=list)
    halves: str = ""
    stalls: str = ""
    asked: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.is_over = threading.Event()

    def put(self, tag: str, kind: str, document: Any) -> str:
        """Have a manifest by a tag and by its digest, which is returned; written as nobody else would."""
        content = json.dumps(document, indent=3).encode()
        self.manifests[tag] = self.manifests[digest_of(content)] = (kind, content)
        return digest_of(content)

    def push(self, tag: str, kind: str = DOCKER[0], *, layers: list[bytes] = LAYERS, processor: str = "amd64") -> str:
        """Have an image; return its manifest's digest."""
        config = json.dumps({"architecture": processor, "os": "linux"}).encode()
        self.blobs |= {digest_of(blob): blob for blob in (config, *layers)}
        about, *others = [{"digest": digest_of(blob), "size": len(blob)} for blob in (config, *layers)]
        return self.put(tag, kind, {"schemaVersion": 2, "mediaType": kind, "config": about, "layers": others})

    def image(self, tag: str = "v1", architecture: str = "amd64") -> Image:
        """Return an image of it."""
        return Image(reference=f"{self.host}/team/app:{tag}", architecture=architecture)

    def wants_token(self, realm: str = "", key: str = "token") -> None:
        """Have it want a token, which it gives at its own address unless another one is said."""
        realm = realm or f"{self.scheme}://{self.host}/token"
        self.challenge = f'Bearer realm="{realm}",service="here",scope="repository:team/app:pull"'
        self.accepts, self.token = ["Bearer only-for-a-test"], {key: "only-for-a-test"}

    def answer(self, path: str, shown: str) -> tuple[int, dict[str, str], bytes]:
        """Answer to a request: a code, headers, and a body."""
        place, _, name = path.partition("?")[0].rpartition("/")
        if name == "token":
            self.shown.append(shown)
            return (401, {}, b"{}") if shown in self.refuses else (200, {}, json.dumps(self.token).encode())
        if self.challenge and shown not in self.accepts:
            return 401, {"WWW-Authenticate": self.challenge}, b"{}"
        if place.endswith("/manifests") and name in self.manifests:
            kind, content = self.manifests[name]
            return 200, {"Content-Type": f"{kind}; charset=utf-8"}, content
        if place.endswith("/blobs") and name in self.blobs:
            return 200, {}, self.blobs[name]
        return 404, {}, b"{}"


@contextmanager
def serving(made: Registry, address: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> Iterator[Registry]:
    """Have a registry answer at an address, over http unless it is said how over https."""

    class Handler(BaseHTTPRequestHandler):
        """Gives what ``made`` has."""

        def do_GET(self) -> None:
            """Answer, as far as it does."""
            made.asked.append(self.path)
            is_half, is_stalling = (bool(part) and part in self.path for part in (made.halves, made.stalls))
            if is_stalling and not is_half:
                made.is_over.wait(20)
                return
            code, headers, body = made.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(code)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if is_half else body)
            if is_stalling:
                made.is_over.wait(20)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        """Takes IPv6 addresses, too."""

        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with Server((address, 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        made.scheme = "https" if tls else "http"
        made.host = f"[{address}]:{server.server_port}" if ":" in address else f"{address}:{server.server_port}"
        try:
            yield made
        finally:
            made.is_over.set()
            server.shutdown()


def certify(folder: Path, address: str) -> tuple[ssl.SSLContext, Path]:
    """Return how a server at an address speaks https, and the file of what has to be trusted then."""
    issued = issue(address, names=[address])
    file, key = folder / "server.pem", folder / "server.key"
    file.write_text(issued.pem)
    key.write_text(issued.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, file
