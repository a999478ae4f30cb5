from __future__ import annotations

import base64
from typing import Any

import pytest
import yaml

from fedssh.errors import RefusedError
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import (
    EntryNames,
    MemberMark,
    find_foreign,
    foreign_names,
    member_credential,
    member_mark,
    put_member,
    remove_member,
    render_credentials,
    same_certificate,
)
from fedssh.sensitive import Sensitive
from tests.fakes.kubernetes import CA, account_token

NAMES = EntryNames(context="member1", cluster="kubefed-remote-member1", user="kubefed-member1")


def credential(trust: Trust | None = None, **changes: Any) -> Credential:
    """Return what leads to member1."""
    trust = trust or Trust(word="ca", ca=changes.get("ca", CA))
    endpoint = Endpoint(server="https://member1.example.com:6443", trust=trust)
    return Credential(endpoint=endpoint, token=Sensitive(account_token("member1")))


def test_a_members_entries_are_those_of_an_administrator() -> None:
    """The token and nothing else of the user; each marked as fedssh's."""
    document = parse_kubeconfig("", source="config")
    put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default")
    mark = [{"name": "fedssh", "extension": {"managed-by": "fedssh"}}]
    noted = {"managed-by": "fedssh", "tls": "ca", "cluster-uid": "uid"}
    assert yaml.safe_load(document.render()) == {
        "apiVersion": "v1",
        "kind": "Config",
        "users": [{"name": "kubefed-member1", "user": {"token": account_token("member1"), "extensions": mark}}],
        "clusters": [
            {
                "name": "kubefed-remote-member1",
                "cluster": {
                    "server": "https://member1.example.com:6443",
                    "certificate-authority-data": CA,
                    "extensions": [{"name": "fedssh", "extension": noted}],
                },
            }
        ],
        "contexts": [
            {
                "name": "member1",
                "context": {
                    "cluster": "kubefed-remote-member1",
                    "user": "kubefed-member1",
                    "namespace": "default",
                    "extensions": mark,
                },
            }
        ],
    }


@pytest.mark.parametrize(
    "trust",
    [
        Trust(word="ca", ca=CA),
        Trust(word="pin", ca=CA, server_name="kubernetes"),
        Trust(word="system", ca=CA),
        Trust(word="insecure"),
    ],
    ids=lambda trust: trust.word,
)
def test_a_mark_remembers_how_a_member_is_verified(trust: Trust) -> None:
    """Also after the document was written and read; what fedssh has not written, it does not remember."""
    document = parse_kubeconfig("", source="config")
    assert member_mark(document, NAMES) == MemberMark()
    put_member(document, NAMES, credential(trust), cluster_uid="uid", namespace="default")
    again = parse_kubeconfig(document.render(), source="config")
    for found in (document, again):
        assert member_mark(found, NAMES) == MemberMark(
            tls=trust.word, server_name=trust.server_name, cluster_uid="uid", ca=trust.ca
        )
    foreign = parse_kubeconfig(
        yaml.safe_dump({"clusters": [{"name": NAMES.cluster, "cluster": {"server": "x"}}]}), source="config"
    )
    assert member_mark(foreign, NAMES) == MemberMark()


def test_another_trust_leaves_nothing_of_the_one_before() -> None:
    """Two ways to verify in one entry would exclude each other: client-go refuses the whole file."""
    document = parse_kubeconfig("", source="config")
    ways = [
        Trust(word="ca", ca=CA, server_name="kubernetes"),
        Trust(word="insecure"),
        Trust(word="pin", ca=CA),
        Trust(word="system"),
    ]
    for trust in ways:
        assert put_member(document, NAMES, credential(trust), cluster_uid="uid", namespace="default")
        (entry,) = yaml.safe_load(document.render())["clusters"]
        ways_there = {"certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify"} & set(
            entry["cluster"]
        )
        expected = {
            "certificate-authority-data": trust.ca,
            "tls-server-name": trust.server_name,
            "insecure-skip-tls-verify": trust.is_insecure,
        }
        assert {key: entry["cluster"][key] for key in ways_there} == {key: way for key, way in expected.items() if way}


@pytest.mark.parametrize(
    ("section", "name"), [("users", NAMES.user), ("clusters", NAMES.cluster), ("contexts", NAMES.context)]
)
def test_an_entry_of_somebody_else_is_found_before_anything_is_written(section: str, name: str) -> None:
    """Any of the three; fedssh's own are none."""
    kind = section.removesuffix("s")
    document = parse_kubeconfig(yaml.safe_dump({section: [{"name": name, kind: {}}]}), source="/c")
    error = find_foreign(document, NAMES, source="/c")
    assert isinstance(error, RefusedError)
    assert error.message == f"/c has a {kind} {name!r} that fedssh did not write"
    put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default", adopt=True)
    assert find_foreign(document, NAMES, source="/c") is None


def test_how_a_certificate_is_wrapped_does_not_count() -> None:
    """Its text does; what is no base64 is like nothing but itself."""
    wrapped = base64.encodebytes(base64.b64decode(CA) + b"\n\n").decode()
    assert same_certificate(CA, wrapped)
    assert not same_certificate(CA, base64.b64encode(b"other").decode())
    assert not same_certificate(CA, "%%%")


def test_credentials_are_rendered_for_nothing_else() -> None:
    """One context for each, by any name; no current one."""
    text = render_credentials({"access.member1": credential(), "kubefed.member1": credential(ca="Y2E=")})
    parsed = yaml.safe_load(text)
    assert [entry["name"] for entry in parsed["contexts"]] == ["access.member1", "kubefed.member1"]
    assert parsed["clusters"][1]["cluster"]["certificate-authority-data"] == "Y2E="
    assert "current-context" not in parsed


def test_without_a_token_the_cluster_stands_alone() -> None:
    """With its mark, by which the next run knows which one it is; a context and a user of fedssh's go."""
    document = parse_kubeconfig("", source="config")
    put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default")
    assert put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default", is_stored=False)
    left = yaml.safe_load(document.render())
    assert [len(left.get(section) or []) for section in ("clusters", "contexts", "users")] == [1, 0, 0]
    assert member_mark(document, NAMES) == MemberMark(tls="ca", cluster_uid="uid", ca=CA)
    assert member_credential(document, NAMES) is None
    assert not put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default", is_stored=False)
    assert remove_member(document, NAMES)
    assert not document.has("clusters", NAMES.cluster)


def test_without_a_token_what_others_wrote_stays() -> None:
    """A user and a context of its names: whatever is agreed, they are not in the way."""
    text = "users: [{name: kubefed-member1, user: {token: x}}]\ncontexts: [{name: member1, context: {cluster: c}}]\n"
    document = parse_kubeconfig(text, source="config")
    put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default", is_stored=False)
    assert document.has("users", NAMES.user)
    assert document.has("contexts", NAMES.context)
    put_member(document, NAMES, credential(), cluster_uid="uid", namespace="default", is_stored=False, adopt=True)
    assert document.has("users", NAMES.user)
    assert document.has("contexts", NAMES.context)
    assert foreign_names(document, NAMES, is_stored=False) == ()
    assert len(foreign_names(document, NAMES)) == 2


def test_a_temporary_kubeconfig_hides_no_entry_of_another_one() -> None:
    """Of two entries of one name the first is taken, and a member may be called like the cluster of kubeadm."""
    written = yaml.safe_load(render_credentials({"kubernetes": credential()}))
    assert [one["name"] for one in written["contexts"]] == ["kubernetes"]
    assert {one["name"] for one in (*written["clusters"], *written["users"])} == {"fedssh.kubernetes"}
