"""What was found on the machines of a run: plain values, which refuse nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.x509 import Certificate

    from fedssh.engines.protocol import EngineAccount, EngineState, JoinedCluster
    from fedssh.errors import FedsshError, RefusedError
    from fedssh.kubernetes.account import FoundObject
    from fedssh.kubernetes.kubeconfig import Kubeconfig
    from fedssh.kubernetes.kubeconfig.file import KubeconfigFile
    from fedssh.kubernetes.kubectl import Target
    from fedssh.sensitive import Sensitive


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What a host has that can be worked with.

    Attributes:
        file: Its kubeconfig.
        document: What stands in it, to be asked and never to be changed.
        target: How the host's tools reach the host's cluster.
        engine: What there is of the engine.
    """

    file: KubeconfigFile
    document: Kubeconfig = field(repr=False)
    target: Target
    engine: EngineState


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What was found on the host.

    Attributes:
        name: The host.
        state: Its kubeconfig and its engine; None when they could not be read.
        cluster_uid: The UID of its namespace kube-system, which tells one cluster from another; or "".
        server: The API address in its kubeconfig, or "".
        ca: The CA in its kubeconfig, as it stands there: PEM in base64, or "".
        server_name: The name there that its certificate is checked against, or "".
        is_insecure: Whether its kubeconfig verifies nothing.
        kubernetes: Its cluster's version, or "".
        clock: What its clock said, in seconds since 1970; 0 when it said nothing.
        own_names: The names in its /etc/hosts, in lower case, which its pods do not read.
        has_proxy: Whether its tools reach other machines by a proxy, as its pods do not.
        old_kubectl: Why its kubectl is too old, or None.
        accounts: The accounts on its cluster that the engine may have there, by name; {} where nobody has asked.
        gaps: What could not be found out, and why; never empty without a state.
    """

    name: str
    state: HostState | None = None
    cluster_uid: str = ""
    server: str = ""
    ca: str = ""
    server_name: str = ""
    is_insecure: bool = False
    kubernetes: str = ""
    clock: float = 0
    own_names: frozenset[str] = frozenset()
    has_proxy: bool = False
    old_kubectl: FedsshError | None = None
    accounts: Mapping[str, EngineAccount] = field(default_factory=dict)
    gaps: tuple[FedsshError, ...] = ()

    @property
    def known(self) -> HostState:
        """The state.

        Raises:
            FedsshError: It could not be read: the first of the gaps.
        """
        if self.state is None:
            raise self.gaps[0]
        return self.state

    @property
    def clusters(self) -> Mapping[str, JoinedCluster]:
        """The clusters that have joined, by name; none when that could not be asked."""
        return self.state.engine.clusters if self.state else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """What a server presents to somebody who connects to it.

    Attributes:
        chain: Its certificates, its own first; () when there were none.
        problem: Why there were none, or "".
    """

    chain: tuple[Certificate, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFacts:
    """What was found on a member's machine.

    Attributes:
        name: The member.
        server: The API address in its kubeconfig, as it stands there.
        ca: The CA in its kubeconfig, as it stands there: PEM in base64, or "".
        has_proxy_url: Whether its kubeconfig reaches the API by a proxy.
        logs_in_by_program: Whether its kubeconfig would run a program or read a file to log in. Its API was not asked
            then.
        old_kubectl: Why its kubectl is too old, or None.
        kubectl: Its kubectl's version, or "".
        kubernetes: Its cluster's version, or "".
        cluster_uid: The UID of its namespace kube-system, which tells one cluster from another; or "".
        engines_namespace: How the engine's namespace there is, as in ``Active``; "" for none.
        clock: What its clock said, in seconds since 1970; 0 when it said nothing.
        objects: Those of the account's objects that are there, by ``kind/name``.
        number: The number of the newest token Secret that holds a token; without one, of that which is to hold it.
        last_number: The highest number that a Secret has, or has had while the account was there.
        token: The token in that Secret, or None.
        token_created: When that Secret was made, as Kubernetes writes it, or "".
        other_tokens: The tokens in the account's other Secrets, by their number; None for a Secret without a token.
        generated_secrets: The token Secrets that an old Kubernetes has made for the account by itself.
        bad_token: Why what is in the Secret is not the account's token, or None.
        presented: What its API server presents to the member's own machine; None when nobody has asked.
        accounts: The accounts that the engine may have there, by name; {} where nobody has asked.
        gaps: What could not be found out, and why.
    """

    name: str
    server: str = ""
    ca: str = ""
    has_proxy_url: bool = False
    logs_in_by_program: bool = False
    old_kubectl: FedsshError | None = None
    kubectl: str = ""
    kubernetes: str = ""
    cluster_uid: str = ""
    engines_namespace: str = ""
    clock: float = 0
    objects: Mapping[str, FoundObject] = field(default_factory=dict)
    number: int = 1
    last_number: int = 0
    token: Sensitive | None = None
    token_created: str = ""
    other_tokens: Mapping[int, Sensitive | None] = field(default_factory=dict)
    generated_secrets: tuple[str, ...] = ()
    bad_token: RefusedError | None = None
    presented: Presented | None = None
    accounts: Mapping[str, EngineAccount] = field(default_factory=dict)
    gaps: tuple[FedsshError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What an API server answered, seen from the host, to a credential.

    Attributes:
        cluster_uid: Which cluster it is; "" when that could not be asked, as by nobody in particular.
        has_rights: Whether the credential may do everything.
        identity: Whom the cluster takes the credential for, or "" where it cannot be asked (before Kubernetes 1.28).
        kubernetes: Its version, or "" where it was not asked, or does not tell it to nobody in particular.
        problem: Why it was not reached, or did not accept the credential, in kubectl's words; or "".
    """

    cluster_uid: str = ""
    has_rights: bool = False
    identity: str = ""
    kubernetes: str = ""
    problem: str = ""

    @property
    def is_about_login(self) -> bool:
        """Whether the cluster was reached, and did not accept the credential."""
        return "Unauthorized" in self.problem or "must be logged in" in self.problem

    @property
    def is_about_rights(self) -> bool:
        """Whether the cluster was reached and knows the credential, which may not even ask which cluster it is."""
        return "(Forbidden)" in self.problem

    def holds_for(self, cluster_uid: str) -> bool:
        """Whether it is that cluster, and all rights are there."""
        return not self.problem and self.has_rights and bool(cluster_uid) and self.cluster_uid == cluster_uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a run has found before it changes anything.

    Attributes:
        host: The host.
        members: The members that are meant, by name.
        store: The trust store of the host's machine; () where no member wants it.
        presented: What the members' API servers present to the host, for those whose trust depends on it.
        access: What the members' API servers answer to the host: to the token that is there, else to nobody in
            particular. Those whose endpoint is not known are left out.
        host_access: What the host's API server answers there where hosts.yaml says that it is reached, to nobody in
            particular; None where its kubeconfig tells that.
        engine: What the engine's own credential leads to, by the cluster's name in the federation. Clusters that
            are not meant have only been asked which cluster they are.
    """

    host: HostFacts
    members: Mapping[str, MemberFacts] = field(default_factory=dict)
    store: tuple[Certificate, ...] = ()
    presented: Mapping[str, Presented] = field(default_factory=dict)
    access: Mapping[str, Proof] = field(default_factory=dict)
    host_access: Proof | None = None
    engine: Mapping[str, Proof] = field(default_factory=dict)

    def has_joined(self, name: str) -> bool:
        """Whether the host or a member has joined, and the engine's own credential for it works."""
        uid = self.host.cluster_uid if name == self.host.name else self.members[name].cluster_uid
        proof = self.engine.get(name)
        return name in self.host.clusters and proof is not None and proof.holds_for(uid)
