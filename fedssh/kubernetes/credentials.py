"""What leads to a cluster: its endpoint, how that is verified, and a token. Pure values.

The word of hosts.yaml (``tls``) goes with a ``Trust`` to the end: into the host's kubeconfig and every message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssh.inventory.hostsfile import Tls
    from fedssh.sensitive import Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How a server's certificate is verified.

    Attributes:
        word: The word of hosts.yaml: ``ca``, ``system``, ``pin`` or ``insecure``.
        ca: The certificate that it is verified by: PEM in base64, as a kubeconfig holds it. "" with ``insecure``;
            with ``system``, "" leaves it to the trust store of whoever asks.
        server_name: The name that the certificate is checked against, or "" for the one in the address.

    Raises:
        ValueError: Nothing would be verified, and the word is not ``insecure``; or the other way round.
    """

    word: Tls
    ca: str = ""
    server_name: str = ""

    def __post_init__(self) -> None:
        if self.word == "insecure":
            if self.ca or self.server_name:
                raise ValueError("insecure verifies nothing: neither a CA nor a name stands beside it")
        elif self.word not in {"ca", "pin", "system"}:
            raise ValueError(f"nobody knows how to verify by {self.word!r}")
        elif not self.ca.strip() and (self.ca or self.word != "system"):
            raise ValueError(f"{self.word} needs a certificate to verify by")

    @property
    def is_insecure(self) -> bool:
        """Whether nothing is verified."""
        return self.word == "insecure"

    def verifies_as(self, other: Trust) -> bool:
        """Whether it verifies the same as another one, whatever their words are."""
        mine, theirs = ((trust.is_insecure, trust.ca.strip(), trust.server_name) for trust in (self, other))
        return mine == theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an API server is reached, and how it is verified.

    Attributes:
        server: Its https address.
        trust: How it is verified.
    """

    server: str
    trust: Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An endpoint with a token for it.

    Attributes:
        endpoint: The API server.
        token: A ServiceAccount's token; an empty one asks anonymously.
    """

    endpoint: Endpoint
    token: Sensitive
