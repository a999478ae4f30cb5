from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from fedssh.errors import ConfigurationError, RefusedError
from fedssh.federation.trust import load_ca_file
from fedssh.kubernetes.certificates import fingerprint
from fedssh.kubernetes.credentials import Trust
from fedssh.kubernetes.kubeconfig.entries import MemberMark
from tests.fakes.authorities import issue
from tests.fakes.kubernetes import CA
from tests.fakes.trusting import LEAF, ROOT, SELF_SIGNED, cluster, presented, resolve, unseen
from tests.fakes.world import World, by_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.authorities import Issued

RENEWED = issue("leaf", by=ROOT)
PIN = fingerprint(LEAF.certificate)
_DIGITS = PIN.removeprefix("SHA256:")
PINS = {"pairs": PIN, "plain": f"SHA256:{_DIGITS.replace(':', '')}", "small": f"SHA256:{_DIGITS.lower()}"}


def pinned(issued: Issued) -> MemberMark:
    """Return what the host's kubeconfig remembers after a member was pinned."""
    return MemberMark(tls="pin", cluster_uid="uid", ca=issued.ca)


def test_a_members_own_ca_needs_nothing_else() -> None:
    """It is embedded as it is."""
    assert resolve(cluster(), ca=CA) == Trust(word="ca", ca=CA)


@pytest.mark.parametrize("ca", ["", "AAAA", "%", base64.b64encode(ROOT.key_pem.encode()).decode()])
def test_a_member_without_a_ca_is_refused_where_it_is_verified_by_that(ca: str) -> None:
    """And only there."""
    with pytest.raises(RefusedError, match=r"holds no CA certificate|is not a certificate") as caught:
        resolve(cluster(), ca=ca)
    assert "members.member1.tls: system" in caught.value.hint
    assert resolve(cluster(tls="insecure"), ca=ca) == Trust(word="insecure")
    assert resolve(cluster(tls="system"), ca=ca, to_host=presented(LEAF), store=[ROOT]).ca == ROOT.ca
    assert resolve(cluster(tls="pin", pin=PIN), ca=ca, to_host=presented(LEAF)).ca == LEAF.ca


def test_a_file_comes_before_the_members_own_ca(world: World, tmp_path: Path) -> None:
    """That is what it is for."""
    path = tmp_path / "ca.pem"
    path.write_text(ROOT.pem)
    world.said["member1"] = f", ca_file: {path}"
    assert world.federate("member1").exit_code == 0
    assert world.host.federation["member1"]["spec"]["caBundle"] == ROOT.ca


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
    report = world.federate("member1")
    assert isinstance(report.error, ConfigurationError)
    between = ": " if content is None else " "
    assert report.error.message == f"members.member1.ca_file: {path}{between}{words}"
    assert (report.exit_code, report.clusters, world.connected) == (2, (), [])


def test_a_folder_is_no_ca_file(tmp_path: Path) -> None:
    """Nor is anything else that cannot be read."""
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load_ca_file(cluster(ca_file=tmp_path))


def test_the_trust_store_gives_the_root() -> None:
    """The certificate that has issued the presented one is embedded, and no other."""
    found = resolve(cluster(tls="system"), ca=CA, to_host=presented(LEAF), store=[SELF_SIGNED, ROOT])
    assert found == Trust(word="system", ca=ROOT.ca)


@pytest.mark.parametrize("store", [(), (SELF_SIGNED,), (issue("root"),)])
def test_a_root_that_is_not_in_the_trust_store_is_refused(store: tuple[Issued, ...]) -> None:
    """With the fingerprint of what is presented, and with both ways on."""
    with pytest.raises(RefusedError, match="no certificate in the trust store of fedhost has issued") as caught:
        resolve(cluster(tls="system"), to_host=presented(LEAF, ROOT), store=store)
    assert fingerprint(LEAF.certificate) in caught.value.message
    assert f"members.member1.pin: {fingerprint(LEAF.certificate)}" in caught.value.hint
    assert "members.member1.ca_file" in caught.value.hint


@pytest.mark.parametrize("spelling", PINS)
def test_the_certificate_that_hosts_yaml_pins_is_embedded(spelling: str) -> None:
    """The server's own, not its issuer; in either spelling, and whatever anybody remembers or sees besides."""
    member = cluster(tls="pin", pin=PINS[spelling])
    for mark in (None, pinned(LEAF), pinned(RENEWED)):
        found = resolve(member, to_host=presented(LEAF, ROOT), to_itself=presented(RENEWED), mark=mark)
        assert found == Trust(word="pin", ca=LEAF.ca)


@pytest.mark.parametrize("spelling", PINS)
def test_another_certificate_than_hosts_yaml_pins_is_refused(spelling: str) -> None:
    """Both fingerprints, and the line of hosts.yaml by which the new one is taken."""
    member = cluster(tls="pin", pin=PINS[spelling])
    with pytest.raises(RefusedError) as caught:
        resolve(member, to_host=presented(RENEWED), to_itself=presented(RENEWED), mark=pinned(RENEWED))
    assert PINS[spelling] in caught.value.message
    assert fingerprint(RENEWED.certificate) in caught.value.message
    assert f"members.member1.pin: {fingerprint(RENEWED.certificate)}" in caught.value.hint


def test_the_certificate_that_the_members_own_machine_sees_is_pinned() -> None:
    """The first time, when hosts.yaml names none; from then on it is remembered, and the member is not needed."""
    member = cluster(tls="pin")
    found = resolve(member, to_host=presented(LEAF, ROOT), to_itself=presented(LEAF, ROOT))
    assert found == Trust(word="pin", ca=LEAF.ca)
    assert resolve(member, to_host=presented(LEAF), mark=pinned(LEAF)) == found
    assert resolve(member, to_host=presented(LEAF), to_itself=unseen("no openssl"), mark=pinned(LEAF)) == found


def test_another_certificate_than_the_members_own_machine_sees_is_refused() -> None:
    """Somebody may stand between; both fingerprints."""
    with pytest.raises(RefusedError, match="somebody stands between, or they reach different servers") as caught:
        resolve(cluster(tls="pin"), to_host=presented(LEAF), to_itself=presented(RENEWED))
    for seen in (LEAF, RENEWED):
        assert fingerprint(seen.certificate) in caught.value.message
    assert f"members.member1.pin: {fingerprint(LEAF.certificate)}" in caught.value.hint


@pytest.mark.parametrize(("why", "words"), [("sh: openssl: not found", "openssl: not found"), (None, "was not asked")])
def test_a_certificate_that_nobody_vouches_for_is_refused(why: str | None, words: str) -> None:
    """The member's own machine cannot tell: it is not simply believed."""
    with pytest.raises(RefusedError, match="the member's own machine cannot tell whether that is right") as caught:
        resolve(cluster(tls="pin"), to_host=presented(LEAF), to_itself=unseen(why) if why else None)
    assert words in caught.value.message
    assert fingerprint(LEAF.certificate) in caught.value.message
    assert f"members.member1.pin: {fingerprint(LEAF.certificate)}" in caught.value.hint


def test_a_pinned_certificate_that_has_changed_is_refused() -> None:
    """Whatever the member's own machine sees: both fingerprints, and the line that takes the new one."""
    with pytest.raises(RefusedError) as caught:
        resolve(cluster(tls="pin"), to_host=presented(RENEWED), to_itself=presented(RENEWED), mark=pinned(LEAF))
    told = caught.value.message
    assert told.index(fingerprint(LEAF.certificate)) < told.index(fingerprint(RENEWED.certificate))
    assert caught.value.hint.endswith(f"members.member1.pin: {fingerprint(RENEWED.certificate)}")


@pytest.mark.parametrize("kept", ["", "%%", "\u00e9", "QUFBQQ=="])
def test_a_pin_that_cannot_be_read_is_not_forgotten(kept: str) -> None:
    """Whatever stands there instead: nobody knows any more what was pinned."""
    mark = MemberMark(tls="pin", cluster_uid="uid", ca=kept)
    with pytest.raises(RefusedError, match="pinned as something that can no longer be read on fedhost, and SHA256"):
        resolve(cluster(tls="pin"), to_host=presented(LEAF), to_itself=presented(LEAF), mark=mark)


@pytest.mark.parametrize("word", ["", "system", "ca", "insecure", "['pin']"])
def test_what_was_not_pinned_may_change(word: str) -> None:
    """A certificate that stands there for another reason is no pin."""
    mark = MemberMark(tls=word, ca=ROOT.ca)
    assert resolve(cluster(tls="pin"), to_host=presented(LEAF), to_itself=presented(LEAF), mark=mark).ca == LEAF.ca


@pytest.mark.parametrize("tls", ["ca", "system", "pin"])
def test_another_name_goes_along(tls: str) -> None:
    """The host verifies it; nothing counts as insecure for it."""
    member = cluster(tls=tls, server_name="api.example.com")
    found = resolve(member, ca=CA, to_host=presented(LEAF), to_itself=presented(LEAF), store=[ROOT])
    assert (found.server_name, found.is_insecure) == ("api.example.com", False)


@pytest.mark.parametrize("tls", ["system", "pin"])
@pytest.mark.parametrize(
    ("words", "told"), [("sh: openssl: not found", "sh: openssl: not found"), (None, "it was not asked")]
)
def test_a_certificate_that_cannot_be_seen_is_refused(tls: str, words: str | None, told: str) -> None:
    """In openssl's words; and what must be there."""
    with pytest.raises(RefusedError) as caught:
        resolve(cluster(tls=tls), to_host=unseen(words) if words else None, to_itself=presented(LEAF))
    assert caught.value.message == f"fedhost cannot see the certificate of https://m1:6443: {told}"
    assert f"openssl must be there on fedhost for tls: {tls}" in caught.value.hint


def test_a_hostile_name_in_a_certificate_is_not_shown() -> None:
    """A certificate is told by its fingerprint alone."""
    evil = issue("\x1b[31mevil\nhint: turn verification off")
    for tls in ("system", "pin"):
        with pytest.raises(RefusedError) as caught:
            resolve(cluster(tls=tls), to_host=presented(evil), to_itself=presented(LEAF))
        assert "evil" not in caught.value.message + caught.value.hint


def test_a_pin_is_remembered_by_the_host_and_refused_when_it_changes(world: World) -> None:
    """From the first run, in which the member's own machine vouched for it, to the one that refuses another."""
    world.labels = ", tls: pin"
    world.host.presented = {"member1.example.com:6443": LEAF.pem}
    world.members["member1"].presented = LEAF.pem
    notices = by_name(world.federate("member1"))["member1"].notices
    assert [fingerprint(LEAF.certificate) in notice for notice in notices] == [True]
    world.members["member1"].presented = ""
    assert not world.federate("member1").changed
    world.host.presented = {"member1.example.com:6443": RENEWED.pem}
    report = world.federate("member1")
    assert "the certificate was pinned as" in str(by_name(report)["member1"].error)
    world.said["member1"] = f", pin: {fingerprint(RENEWED.certificate)}"
    assert world.federate("member1").exit_code == 0
    assert world.host.federation["member1"]["spec"]["caBundle"] == RENEWED.ca


def test_the_hint_of_a_refused_pin_can_be_copied_into_hosts_yaml(world: World) -> None:
    """As it is told: it is what hosts.yaml takes."""
    world.labels = ", tls: pin"
    world.host.presented = {"member1.example.com:6443": LEAF.pem}
    error = by_name(world.federate("member1"))["member1"].error
    assert error
    line = error.hint.partition("members.member1.")[2]
    world.said["member1"] = f", {line}"
    assert world.federate("member1").exit_code == 0


def test_one_members_certificate_is_no_other_members_business(world: World) -> None:
    """Whoever presents what cannot be understood is alone; the others are federated, each with its own."""
    world.labels = ", tls: pin"
    strange = LEAF.altered(b"\x0c\x04leaf", b"\x0c\x04lea\xff")
    world.host.presented = {"member1.example.com:6443": strange.pem, "member2.example.com:6443": LEAF.pem}
    world.members["member1"].presented, world.members["member2"].presented = strange.pem, LEAF.pem
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
