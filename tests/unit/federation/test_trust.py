from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import ConfigurationError, RefusedError
from fedssh.federation.trust import Trust, load_ca_file
from fedssh.kubernetes.account import MemberAccess
from fedssh.kubernetes.certificates import fingerprint
from fedssh.kubernetes.kubeconfig import Kubeconfig, parse_kubeconfig, put_member
from fedssh.sensitive import Sensitive
from tests.fakes.authorities import Issued, issue
from tests.fakes.kubernetes import CA
from tests.fakes.trusting import LEAF, ROOT, SELF_SIGNED, Host, cluster, resolve, state
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from pathlib import Path

RENEWED = issue("leaf", by=ROOT)


def pinned(one: Issued) -> Kubeconfig:
    """Return the host's kubeconfig after a member was pinned."""
    document = parse_kubeconfig("", source="config")
    access = MemberAccess(name="member1", server="https://m1", ca=one.ca, token=Sensitive("t"), cluster_uid="uid")
    put_member(document, access, tls="pin")
    return parse_kubeconfig(document.render(), source="config")


def test_a_members_own_ca_needs_nothing_of_the_host() -> None:
    """It is embedded as it is; no command is run."""
    host = Host()
    assert resolve(host.shell, cluster(), state(ca=CA)) == Trust(ca=CA)
    assert host.shell.runs == []


def test_a_file_comes_before_the_members_own_ca() -> None:
    """That is what it is for."""
    assert resolve(Host().shell, cluster(), state(ca=CA), ca_file=ROOT.ca) == Trust(ca=ROOT.ca)


def test_a_ca_file_is_read_on_the_laptop(tmp_path: Path) -> None:
    """With all of its certificates, and without what people write between them; or there is none to read."""
    path = tmp_path / "ca.pem"
    path.write_text(f"# unsere größte CA\n{ROOT.pem}\nsubject=CN = zwölf\n{LEAF.pem}")
    assert base64.b64decode(load_ca_file(cluster(ca_file=path))).decode() == ROOT.pem + LEAF.pem
    assert load_ca_file(cluster()) == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"", "holds no certificate in PEM"),
        (b"not PEM", "holds no certificate in PEM"),
        (b"\xff\xfe\x00", "holds no certificate in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate in PEM"),
        (ROOT.key_pem.encode(), "holds no certificate in PEM"),
        ((ROOT.pem + ROOT.key_pem).encode(), "holds no certificate in PEM"),
    ],
)
def test_a_ca_file_that_is_none_is_a_mistake_in_the_inventory(
    world: World, tmp_path: Path, content: bytes | None, words: str
) -> None:
    """With its key there, its path and exit code 2, before anything is connected to; a key never leaves the laptop."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    world.labels = f", ca_file: {path}"
    with pytest.raises(ConfigurationError, match=rf"^members.member1.ca_file: {path}:? {words}$") as caught:
        world.federate("member1")
    assert caught.value.exit_code == 2
    assert world.connected == []


def test_a_folder_is_no_ca_file(tmp_path: Path) -> None:
    """Nor is anything else that cannot be read."""
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load_ca_file(cluster(ca_file=tmp_path))


def test_the_trust_store_gives_the_root() -> None:
    """The certificate that has issued the presented one is embedded, and no other."""
    host = Host(LEAF, store=SELF_SIGNED.pem + ROOT.pem)
    assert resolve(host.shell, cluster(tls="system"), state(ca=CA)) == Trust(ca=ROOT.ca)


@pytest.mark.parametrize("store", ["", SELF_SIGNED.pem, issue("root").pem])
def test_a_root_that_is_not_in_the_trust_store_is_refused(store: str) -> None:
    """With the fingerprint of what is presented, and with both ways on."""
    with pytest.raises(RefusedError, match="no certificate in the trust store of fedhost has issued") as caught:
        resolve(Host(LEAF, ROOT, store=store).shell, cluster(tls="system"))
    assert fingerprint(LEAF.certificate) in caught.value.message
    assert "members.member1.tls: pin" in caught.value.hint
    assert "members.member1.ca_file" in caught.value.hint


def test_the_first_certificate_is_pinned_and_told() -> None:
    """The server's own, not its issuer; its fingerprint is told at every run."""
    trust = resolve(Host(LEAF, ROOT).shell, cluster(tls="pin"))
    assert trust.ca == LEAF.ca
    assert [fingerprint(LEAF.certificate) in one for one in trust.notices] == [True]
    assert resolve(Host(LEAF).shell, cluster(tls="pin"), document=pinned(LEAF)) == trust


def test_a_pinned_certificate_that_has_changed_is_refused() -> None:
    """Both fingerprints, and the command that forgets the old one."""
    with pytest.raises(RefusedError) as caught:
        resolve(Host(RENEWED).shell, cluster(tls="pin"), document=pinned(LEAF))
    told = caught.value.message
    assert told.index(fingerprint(LEAF.certificate)) < told.index(fingerprint(RENEWED.certificate))
    assert caught.value.hint.endswith("kubectl config delete-cluster kubefed-remote-member1")


@pytest.mark.parametrize("kept", ["", "'%%'", "\u00e9", "[]", "{a: b}", "null", "QUFBQQ=="])
def test_a_pin_that_cannot_be_read_is_not_forgotten(kept: str) -> None:
    """Whatever stands there instead: nobody knows any more what was pinned."""
    text = pinned(LEAF).render().replace(LEAF.ca, kept)
    with pytest.raises(RefusedError, match="pinned as something that can no longer be read on fedhost, and SHA256"):
        resolve(Host(LEAF).shell, cluster(tls="pin"), document=parse_kubeconfig(text, source="config"))


@pytest.mark.parametrize("noted", ["text", "[]", "null", "{}", "{tls: system}", "{tls: [pin]}"])
def test_what_was_not_pinned_may_change(noted: str) -> None:
    """A certificate that stands there for another reason is no pin, whatever the mark of ownership holds."""
    text = (
        "clusters: [{name: kubefed-remote-member1, cluster: {certificate-authority-data: "
        f"{ROOT.ca}, extensions: [{{name: fedssh, extension: {noted}}}]}}}}]"
    )
    document = parse_kubeconfig(text, source="config")
    assert resolve(Host(LEAF).shell, cluster(tls="pin"), document=document).ca == LEAF.ca


def test_nothing_is_verified_only_where_that_is_said() -> None:
    """No certificate is embedded, and it is told at every run."""
    host = Host()
    trust = resolve(host.shell, cluster(tls="insecure"), state(ca=CA))
    assert trust == Trust(ca="", insecure=True, notices=("nobody verifies https://m1:6443 (tls: insecure)",))
    assert host.shell.runs == []


@pytest.mark.parametrize("tls", ["ca", "system", "pin"])
def test_another_name_is_verified_and_told(tls: str) -> None:
    """By the host; KubeFed has no field for it."""
    trust = resolve(Host(LEAF, store=ROOT.pem).shell, cluster(tls=tls, server_name="api.example.com"), state(ca=CA))
    assert (trust.server_name, trust.insecure) == ("api.example.com", False)
    assert "fedhost verifies its certificate as api.example.com; KubeFed cannot" in trust.notices[0]


def test_one_members_certificate_is_no_other_members_business(world: World) -> None:
    """Whoever presents what cannot be understood is alone; the others are federated, each with its own."""
    world.labels = ", tls: pin"
    strange = LEAF.altered(b"\x0c\x04leaf", b"\x0c\x04lea\xff")
    world.host.presented = {"member1.example.com:6443": strange.pem, "member2.example.com:6443": LEAF.pem}
    report = by_name(world.federate())
    assert [report[name].state for name in ("member1", "member2", "member3")] == ["Ready", "Ready", "Failed"]
    world.labels = ", tls: system"
    world.host.store = ROOT.pem
    report = by_name(world.federate())
    assert [report[name].state for name in ("member1", "member2", "member3")] == ["Failed", "Ready", "Failed"]


def test_what_cannot_be_trusted_is_granted_nothing(world: World) -> None:
    """It is decided before anything is changed, on the member or on the host."""
    world.labels = ", tls: system"
    before = world.host.kubeconfig
    assert world.federate("member1").exit_code == 6
    assert (world.members["member1"].applied, world.host.kubeconfig) == ([], before)
