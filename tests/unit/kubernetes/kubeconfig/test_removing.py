from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import EntryNames, member_credential, put_member, remove_member
from fedssh.kubernetes.kubeconfig.file import copies_command, remove_copies_command
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import CA, account_token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.shells import LocalShell

KUBEADM = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: QUJD
    server: https://fedhost:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: QUJD
    client-key-data: QUJD
"""


def names_of(member: str) -> EntryNames:
    """Return how KubeFed's users call a member's entries."""
    return EntryNames(context=member, cluster=f"kubefed-remote-{member}", user=f"kubefed-{member}")


def credential(member: str) -> Credential:
    """Return what leads to a member."""
    endpoint = Endpoint(server=f"https://{member}:6443", trust=Trust(word="ca", ca=CA))
    return Credential(endpoint=endpoint, token=Sensitive(account_token(member)))


def put(text: str, *members: str, how: str = "rename") -> str:
    """Return a host's kubeconfig after members were federated."""
    document = parse_kubeconfig(text, source="config")
    document.name_host_context("fedhost", how="alias" if how == "alias" else "rename")
    for member in members:
        put_member(document, names_of(member), credential(member), cluster_uid="uid", namespace="default")
    return document.render()


def take(text: str, *members: str) -> str:
    """Return it after they have left, and the host with them."""
    document = parse_kubeconfig(text, source="config")
    for member in members:
        assert remove_member(document, names_of(member))
    assert document.restore_host_context("fedhost")
    return document.render()


@given(
    st.lists(st.sampled_from(["member1", "member2", "a", "eu-1"]), unique=True), st.sampled_from(["rename", "alias"])
)
def test_what_has_come_goes_to_the_byte(members: list[str], how: str) -> None:
    """Whoever has joined, by whatever name for the host's context: the file is what it was."""
    assert take(put(KUBEADM, *members, how=how), *reversed(members)) == KUBEADM


def test_what_is_not_fedsshs_stays() -> None:
    """A context that somebody else has written by a member's name, and the cluster that it uses."""
    theirs = KUBEADM.replace("contexts:\n", "contexts:\n- context: {cluster: kubernetes, user: x}\n  name: member1\n")
    document = parse_kubeconfig(theirs, source="config")
    before = document.render()
    assert not remove_member(document, names_of("member1"))
    assert not document.restore_host_context("fedhost")
    assert document.old_host_context("fedhost") is None
    assert document.render() == before


def test_a_name_that_is_taken_meanwhile_is_not_given_back() -> None:
    """Somebody has made a context of the old name: two of one name would hide each other."""
    text = put(KUBEADM, "member1").replace(
        "contexts:\n", "contexts:\n- context: {cluster: kubernetes, user: x}\n  name: kubernetes-admin@kubernetes\n"
    )
    document = parse_kubeconfig(text, source="config")
    assert document.old_host_context("fedhost") is None
    assert not document.restore_host_context("fedhost")


def test_the_current_context_is_the_administrators() -> None:
    """It follows the host's context back, and stays where somebody has chosen another one."""
    text = put(KUBEADM, "member1")
    assert yaml.safe_load(take(text, "member1"))["current-context"] == "kubernetes-admin@kubernetes"
    alias = put(KUBEADM, "member1", how="alias").replace(
        "current-context: kubernetes-admin@kubernetes", "current-context: fedhost"
    )
    assert yaml.safe_load(take(alias, "member1"))["current-context"] == "kubernetes-admin@kubernetes"
    chosen = text.replace("current-context: fedhost", "current-context: other")
    assert yaml.safe_load(take(chosen, "member1"))["current-context"] == "other"


def test_what_fedssh_wrote_leads_to_a_member() -> None:
    """As a credential; what has no token of fedssh's does not."""
    document = parse_kubeconfig(put(HOST_KUBECONFIG, "member1"), source="config")
    assert member_credential(document, names_of("member1")) == credential("member1")
    assert member_credential(document, names_of("member2")) is None
    document.remove("users", "kubefed-member1")
    assert member_credential(document, names_of("member1")) is None


def test_copies_with_tokens_go(local: LocalShell, tmp_path: Path) -> None:
    """Those that hold entries of fedssh's; with all of them the clean ones, and the lock's file."""
    config = tmp_path / "config"
    clean, ours, other = (tmp_path / f"config.fedssh-2026112{day}T000000Z" for day in (1, 2, 3))
    marked = "extension: {managed-by: fedssh}"
    for path, text in ((clean, KUBEADM), (ours, marked), (other, "{'managed-by': x}")):
        path.write_text(text)
    (tmp_path / "config.fedssh.lock").write_text("")
    (tmp_path / "config.fedssh-mine").write_text(marked)

    def left() -> set[str]:
        return {path.name for path in tmp_path.iterdir() if path.name.startswith("config.fedssh")}

    assert local.run(copies_command(str(config), also_clean=False))[0].stdout == f"{ours}\n"
    assert local.run(remove_copies_command(str(config), also_clean=False))[0].ok
    assert left() == {clean.name, other.name, "config.fedssh.lock", "config.fedssh-mine"}
    listed = local.run(copies_command(str(config), also_clean=True))[0].stdout
    assert listed.splitlines() == [str(clean), str(other)]
    assert local.run(remove_copies_command(str(config), also_clean=True))[0].ok
    assert left() == {"config.fedssh-mine"}
    assert local.run(remove_copies_command(str(config), also_clean=True))[0].ok
