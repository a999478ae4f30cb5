from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fedssh.engines import load_engine
from fedssh.errors import FedsshError, RefusedError, StepError
from fedssh.federation.access_rules import check_access
from fedssh.federation.facts import Facts, MemberFacts, Proof
from fedssh.federation.findings import Finding, refusals
from fedssh.federation.rules import check_members, check_strangers
from fedssh.kubernetes.account import references
from fedssh.kubernetes.credentials import Endpoint, Trust
from tests.fakes.facts import GOOD, HOST_UID, SERVER, UID, facts, fresh, host, joined, member, thing, wishes
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import CA

ENDPOINT = Endpoint(server=SERVER, trust=Trust(word="ca", ca=CA))
ACCOUNT, ROLE, BINDING, SECRET = references("member1")


def check(found: Facts, said: str = "", *, adopt: bool = False) -> list[Finding]:
    """Apply the members' rules."""
    return check_members(wishes(said, adopt=adopt), found, load_engine())


def refusal(found: Facts, said: str = "", *, adopt: bool = False) -> FedsshError:
    """Return why member1 is refused."""
    error = refusals(check(found, said, adopt=adopt))["member1"].error
    assert error
    assert error.machine == "member1"
    return error


def notices(found: Facts, said: str = "") -> list[str]:
    """Return what has to be said of member1."""
    return [finding.text for finding in check(found, said) if finding.state == "notice"]


def test_a_member_that_is_as_it_should_be_is_checked_and_not_refused() -> None:
    """What its proof has shown is told, a line for each check."""
    found = check(facts(member(), access=GOOD))
    assert {finding.state for finding in found} == {"checked"}
    assert [finding.text for finding in found] == [
        "its clock agrees with that of fedhost",
        f"{SERVER} resolves and answers from the host",
        "its certificate is verified",
        f"it is the cluster {UID}",
        "the token is that of system:serviceaccount:default:member1, with a cluster administrator's rights",
    ]


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        (Trust(word="ca", ca=CA, server_name="x"), "its certificate is verified as x"),
        (Trust(word="insecure"), "its certificate is not verified"),
    ],
)
def test_how_it_was_verified_is_told(trust: Trust, words: str) -> None:
    """What is not known is left out."""
    found = check_access(GOOD, "member1", Endpoint(server=SERVER, trust=trust), UID, host="fedhost")
    assert found[1].text == words


@pytest.mark.parametrize(
    ("proof", "message", "hint", "seek"),
    [
        (
            Proof(problem="i/o timeout"),
            f"fedhost does not get through to {SERVER}: i/o timeout",
            "api_server",
            "address",
        ),
        (Proof(problem="x509: unknown authority"), f"fedhost does not get through to {SERVER}: x509", "", "trust"),
        (Proof(problem="error: (Unauthorized)"), f"{SERVER} does not accept the token", "delete secret", ""),
        (Proof(cluster_uid="other", has_rights=True), f"{SERVER} is another cluster", "members.member1.api_server", ""),
        (Proof(cluster_uid=UID), "does not have the rights", "ClusterRoleBinding", ""),
        (
            replace(GOOD, identity="system:serviceaccount:default:x"),
            "is taken for system:serviceaccount:default:x, not for system:serviceaccount:default:member1",
            "",
            "",
        ),
    ],
)
def test_an_access_that_does_not_hold_is_refused(proof: Proof, message: str, hint: str, seek: str) -> None:
    """With the reason, and with where to look; and what may work instead is sought where something can."""
    assert not refusals(check_access(GOOD, "member1", ENDPOINT, UID, host="fedhost"))
    (finding,) = check_access(proof, "member1", ENDPOINT, UID, host="fedhost")
    assert isinstance(finding.error, RefusedError)
    assert message in finding.error.message
    assert hint in finding.error.hint
    assert finding.seek == seek
    assert refusal(facts(member(), access=proof)).message == finding.error.message


def test_rights_and_token_do_not_count_before_the_grant() -> None:
    """They are proven when they are there; the address, the certificate and the cluster are now."""
    edited = {**member().objects, ROLE: thing(differences=("its rules are other ones",))}
    assert not refusals(check(facts(member(objects=edited), access=Proof(cluster_uid=UID))))
    assert not refusals(check(facts(fresh(), access=Proof())))
    stale = {reference: thing() for reference in (ROLE, BINDING, SECRET)}
    assert not refusals(check(facts(member(objects=stale), access=Proof(problem="Unauthorized"))))
    assert "does not get through" in refusal(facts(fresh(), access=Proof(problem="no route"))).message
    assert "another cluster" in refusal(facts(member(objects=edited), access=Proof(cluster_uid="other"))).message


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"gaps": (StepError("gone", machine="member1"),)}, "gone"),
        ({"old_kubectl": StepError("kubectl is version 1.18", machine="member1")}, "kubectl is version 1.18"),
        (
            {"logs_in_by_program": True},
            "its kubeconfig logs in by a program or a file (exec, auth-provider or tokenFile)",
        ),
        (
            {"has_proxy_url": True},
            "its kubeconfig reaches the API by a proxy (proxy-url), which the host need not have",
        ),
        ({"ca": ""}, "its kubeconfig holds no CA certificate"),
        ({"server": "https://127.0.0.1:6443"}, "its API server's address https://127.0.0.1:6443 works on that machine"),
        ({"token": None, "bad_token": RefusedError("no token", machine="member1")}, "no token"),
    ],
)
def test_what_cannot_be_worked_with_is_refused(said: dict[str, Any], message: str) -> None:
    """Before anything is changed."""
    assert refusal(facts(member(**said), access=GOOD)).message.startswith(message)


def test_a_kubeconfig_that_cannot_be_used_can_be_replaced_by_another() -> None:
    """The hint says where."""
    for said in ({"logs_in_by_program": True}, {"has_proxy_url": True}):
        assert "members.member1.kubeconfig: /path" in refusal(facts(member(**said))).hint


def test_another_address_is_sought_where_its_own_cannot_work() -> None:
    """Not where it is the certificate that is missing; hosts.yaml's address comes before its own."""
    local = facts(fresh(server="https://127.0.0.1:6443"))
    (found,) = refusals(check(local)).values()
    assert found.seek == "address"
    assert not refusals(check(local, ", api_server: 'https://gate.example.com/api/'"))
    (found,) = refusals(check(facts(fresh(ca="")))).values()
    assert found.seek == ""


@pytest.mark.parametrize("reference", references("member1"))
def test_an_object_of_somebody_else_is_refused(reference: str) -> None:
    """It is named, with what is different about it, and taken over only with --adopt."""
    found = facts(member(objects={**member().objects, reference: thing(is_ours=False, differences=("x is y",))}))
    error = refusal(found)
    assert error.message == f"{reference} is there, and fedssh did not make it; x is y"
    assert "--adopt" in error.hint
    assert not refusals(check(found, adopt=True))


@pytest.mark.parametrize("adopt", [False, True])
def test_kubernetes_own_objects_are_never_taken_over(*, adopt: bool) -> None:
    """A role called admin has its rights for others' sake, too."""
    found = facts(member(objects={ROLE: thing(is_ours=False, is_built_in=True)}))
    error = refusal(found, adopt=adopt)
    assert error.message.startswith(f"{ROLE} is Kubernetes' own")
    assert "another name" in error.hint


def test_entries_of_somebody_else_are_refused() -> None:
    """On the host, by its name."""
    text = HOST_KUBECONFIG + "extra: x\n"
    text = text.replace("contexts:\n", "contexts:\n- name: member1\n  context: {cluster: mine}\n")
    found = facts(member(), host(kubeconfig=text), access=GOOD)
    assert refusal(found).message.startswith("fedhost: /root/.kube/config has a context 'member1' that fedssh did not")
    assert not refusals(check(found, adopt=True))


def test_a_cluster_that_has_joined_under_another_name_is_refused() -> None:
    """By what the engine's own credential leads to."""
    found = facts(member(), host(joined("other")), access=GOOD, engine={"other": Proof(cluster_uid=UID)})
    assert refusal(found).message == "it is the same cluster as other"
    unknown = facts(member(), host(joined("other")), access=GOOD, engine={"other": Proof(problem="gone")})
    assert not refusals(check(unknown))


def test_a_cluster_that_is_the_host_is_refused() -> None:
    """The host joins by itself."""
    assert refusal(facts(member(cluster_uid=HOST_UID))).message == "it is the same cluster as fedhost"


def test_two_clusters_that_nobody_knows_are_not_the_same() -> None:
    """An UID that could not be asked is none."""
    found = facts(member(cluster_uid=""), host(cluster_uid=""))
    assert not any("the same cluster" in finding.text for finding in check(found))


@pytest.mark.parametrize(
    ("proof", "is_refused"),
    [(None, False), (GOOD, False), (Proof(problem="gone"), False), (Proof(cluster_uid="other"), True)],
)
def test_a_name_under_which_another_cluster_has_joined_is_refused(proof: Proof | None, *, is_refused: bool) -> None:
    """One that is gone, or is the member itself, is not."""
    found = facts(member(), host(joined()), access=GOOD, engine={"member1": proof} if proof else {})
    if not is_refused:
        assert not refusals(check(found))
        return
    assert refusal(found).message == "another cluster has joined fedhost under this name"


@pytest.mark.parametrize(("proof", "why"), [(Proof(problem="no route"), "no route"), (None, "its Secret is missing")])
def test_a_cluster_that_nobody_can_tell_is_told_of_the_host(proof: Proof | None, why: str) -> None:
    """It may be one of the members under another name."""
    found = facts(member(), host(joined("other"), joined()), engine={"other": proof} if proof else {})
    (told,) = check_strangers(wishes(), found, load_engine())
    assert (told.cluster, told.state) == ("fedhost", "notice")
    assert told.text.startswith("nobody can tell whether other, which has joined, is one of these clusters")
    assert why in told.text
    known = facts(member(), host(joined("other")), engine={"other": Proof(cluster_uid="x")})
    assert check_strangers(wishes(), known, load_engine()) == []


@pytest.mark.parametrize(
    ("of_member", "of_host", "words"),
    [
        (1_000_000, 1_000_000, ""),
        (1_000_300, 1_000_000, ""),
        (999_700, 1_000_000, ""),
        (1_000_301, 1_000_000, "5 minutes ahead of that of fedhost"),
        (999_699, 1_000_000, "5 minutes behind that of fedhost"),
        (1_003_600, 1_000_000, "60 minutes ahead of"),
        (0, 1_000_000, ""),
        (1_000_000, 0, ""),
    ],
)
def test_clocks_that_differ_are_told(of_member: float, of_host: float, words: str) -> None:
    """From five minutes on; an unknown one is not compared."""
    told = notices(facts(member(clock=of_member), host(clock=of_host), access=GOOD))
    assert bool(told) == bool(words)
    assert words in "".join(told)


def test_what_is_not_verified_is_told() -> None:
    """At every run: nothing at all, or the name that KubeFed has no field for."""
    assert notices(facts(member()), ", tls: insecure") == [f"nobody verifies {SERVER} (tls: insecure)"]
    (told,) = notices(facts(member()), ", server_name: api.example.com")
    assert told.startswith("fedhost verifies its certificate as api.example.com; KubeFed cannot")
    assert notices(facts(member())) == []


def test_a_name_that_only_the_hosts_file_knows_is_told() -> None:
    """With the host whose file it is."""
    (told,) = notices(facts(member(), host(own_names=frozenset({"member1.example.com"}))))
    assert told.startswith("member1.example.com stands in /etc/hosts of fedhost; KubeFed's controller")


def test_the_first_refusal_of_a_cluster_is_the_one_that_is_told() -> None:
    """The others may follow from it."""
    first, second = (Finding(cluster="m", state="refused", text=text, error=RefusedError(text)) for text in "ab")
    told = Finding(cluster="m", state="notice", text="n")
    assert refusals([told, first, second]) == {"m": first}


def test_a_rule_that_breaks_is_the_failure_of_its_member() -> None:
    """Not the end of all others."""
    strange = MemberFacts(name="member1", server=SERVER, ca=CA, objects=None)  # type: ignore[arg-type]  # on purpose
    assert refusal(facts(strange)).message.startswith("a bug in fedssh (AttributeError at rules.py:")


EPHEMERAL = ", credentials: ephemeral"


@pytest.mark.parametrize(
    ("kubernetes", "kubectl", "words"),
    [
        ("v1.23.17", "v1.33.1", "needs Kubernetes 1.24 or newer, and its Kubernetes is v1.23.17"),
        ("v1.9.11", "v1.33.1", "its Kubernetes is v1.9.11"),
        ("", "v1.33.1", "its Kubernetes is of an unknown version"),
        ("who knows", "v1.33.1", "its Kubernetes is who knows"),
        ("v1.24.0", "v1.23.4", "needs kubectl 1.24 or newer, and its kubectl is v1.23.4"),
    ],
)
def test_fault_59_an_old_member_cannot_do_without_a_stored_token(kubernetes: str, kubectl: str, words: str) -> None:
    """It is refused before anything is changed, with the reason, and what to write instead."""
    error = refusal(facts(fresh(kubernetes=kubernetes, kubectl=kubectl)), EPHEMERAL)
    assert words in error.message
    assert error.exit_code == 6
    assert error.hint == "Write members.member1.credentials: stored"
    assert refusals(check(facts(fresh(kubernetes=kubernetes, kubectl=kubectl)))) == {}


@pytest.mark.parametrize("kubernetes", ["v1.24.0", "v1.33.9+k3s1", "v2.0.0"])
def test_a_newer_member_can(kubernetes: str) -> None:
    """From Kubernetes 1.24 on."""
    assert refusals(check(facts(fresh(kubernetes=kubernetes, kubectl="v1.24.0")), EPHEMERAL)) == {}


def test_a_stored_token_that_is_wrong_does_not_matter_where_none_is_kept() -> None:
    """It is going to be deleted."""
    new = {"kubernetes": "v1.33.1", "kubectl": "v1.33.1"}
    wrong = member(token=None, bad_token=RefusedError("not its token", machine="member1"), **new)
    assert refusals(check(facts(wrong, access=Proof()), EPHEMERAL)) == {}


def test_an_address_that_does_not_work_is_refused_all_the_same() -> None:
    """It was tried without a token."""
    new = {"kubernetes": "v1.33.1", "kubectl": "v1.33.1"}
    error = refusal(facts(member(**new), access=Proof(problem="no route to host")), EPHEMERAL)
    assert "does not get through" in error.message
