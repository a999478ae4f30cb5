from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from fedssh.errors import RefusedError
from fedssh.kubernetes.account import MemberAccess
from fedssh.kubernetes.kubeconfig import Kubeconfig, parse_kubeconfig, put_member, render_credentials
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import CA, account_token

KUBEADM = f"""\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {CA}
    server: https://10.0.0.1:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {{}}
users:
- name: kubernetes-admin
  user:
    client-key-data: {CA * 3}
x-note: {"words " * 40}end
"""
UNUSUAL = """\
apiVersion: v1
x-unknown:
- {a: 0123, b: on, c: 1.30, d: 2026-11-23, e: ~, f: 0x1F, g: '', h: "x", i: "1"}
current-context: 'a context'
contexts:
- name: 'a context'
  context:
    namespace: 0123
    user: "\u00fc\u4e16\U0001f600 \\" \\\\ #"
    cluster: |
      several
      lines
    extensions:
    - name: minikube.sigs.k8s.io
      extension: {last-update: 'Mon, 23 Nov 2026 10:00:00 UTC', version: v1.30.0}
- name: plain text with spaces
  context: {}
- {context: {user: 'it''s'}, name: yes-and-no}
users: null
"""
JSON = json.dumps({"kind": "Config", "contexts": [{"name": "a", "context": {"user": "u"}}], "current-context": "a"})


def parse(text: str) -> Kubeconfig:
    """Parse what is right."""
    return parse_kubeconfig(text, source="/root/.kube/config")


def access(name: str = "member1", **changes: Any) -> MemberAccess:
    """Return a member's access."""
    values = {
        "server": f"https://{name}.example.com:6443",
        "ca": CA,
        "token": Sensitive(account_token(name)),
        "cluster_uid": "uid",
    }
    return MemberAccess(name=name, **{**values, **changes})


def scalars(node: yaml.Node | None) -> Any:
    """Return all of a document that must survive: structure, and of each scalar its text, tag and quotes."""
    if isinstance(node, yaml.MappingNode):
        return [(scalars(key), scalars(value)) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [scalars(one) for one in node.value]
    assert isinstance(node, yaml.ScalarNode)
    return node.value, node.tag, node.style


def test_a_kubeadm_kubeconfig_comes_back_byte_for_byte() -> None:
    """It is in the form that kubectl itself writes; long values stay on their line."""
    assert parse(KUBEADM).render() == KUBEADM


@pytest.mark.parametrize("text", [KUBEADM, UNUSUAL, JSON, HOST_KUBECONFIG], ids=["kubeadm", "unusual", "json", "flow"])
def test_every_scalar_comes_back_as_it_was_written(text: str) -> None:
    """What looks like a number, a date or a word of YAML 1.1 keeps its spelling and its quotes."""
    assert scalars(yaml.compose(parse(text).render())) == scalars(yaml.compose(text))


@pytest.mark.parametrize("text", ["a: {b: [12:30:00, {c: on}]}\n", "a: [{b: , c: 1}]\n", "a: [2020-01-01 10:00:00]\n"])
def test_what_braces_cannot_hold_plainly_is_written_in_lines(text: str) -> None:
    """A tag would be the other way, and fedssh itself refuses those."""
    rendered = parse(text).render()
    assert scalars(yaml.compose(rendered)) == scalars(yaml.compose(text))
    assert parse(rendered).render() == rendered


@pytest.mark.parametrize("text", [KUBEADM, UNUSUAL, JSON, HOST_KUBECONFIG], ids=["kubeadm", "unusual", "json", "flow"])
def test_a_member_is_added_and_nothing_else_changes(text: str) -> None:
    """Three entries more; every other one stays as it was written."""
    document = parse(text)
    assert put_member(document, access())
    after = yaml.safe_load(document.render())
    assert [one["name"] for one in after["contexts"]][-1] == "member1"
    before = yaml.safe_load(text)
    for section in ("clusters", "contexts", "users"):
        assert after[section][:-1] == (before.get(section) or [])
        after.pop(section)
        before.pop(section, None)
    assert after == before


def test_a_members_entries_are_those_of_an_administrator() -> None:
    """The token and nothing else of the user; each marked as fedssh's."""
    document = parse("")
    put_member(document, access())
    mark = [{"name": "fedssh", "extension": {"managed-by": "fedssh"}}]
    noted = {"managed-by": "fedssh", "tls": "ca", "cluster-uid": access().cluster_uid}
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


@pytest.mark.parametrize("text", ["", KUBEADM, UNUSUAL, JSON])
def test_the_second_time_nothing_changes(text: str) -> None:
    """Neither in memory nor after the document was written and read."""
    document = parse(text)
    put_member(document, access())
    written = document.render()
    assert not put_member(document, access())
    again = parse(written)
    assert not put_member(again, access())
    assert again.render() == written


@pytest.mark.parametrize(
    "changes", [{"server": "https://other"}, {"ca": "b3RoZXI="}, {"token": Sensitive(account_token("other"))}]
)
def test_a_changed_access_is_written_again(changes: dict[str, Any]) -> None:
    """At the same place, once."""
    document = parse(KUBEADM)
    put_member(document, access())
    names = document.names("users")
    assert put_member(document, access(**changes))
    assert document.names("users") == names
    assert not put_member(parse(document.render()), access(**changes))


def test_what_a_user_added_to_fedsshs_entries_stays() -> None:
    """A namespace of their choice does not, nor a second credential in the user."""
    document = parse("")
    put_member(document, access())
    edited = yaml.safe_load(document.render())
    edited["clusters"][0]["cluster"]["proxy-url"] = "http://proxy"
    edited["users"][0]["user"]["client-key-data"] = "x"
    document = parse(yaml.safe_dump(edited))
    assert put_member(document, access())
    after = yaml.safe_load(document.render())
    assert after["clusters"][0]["cluster"]["proxy-url"] == "http://proxy"
    assert "client-key-data" not in after["users"][0]["user"]


@pytest.mark.parametrize(
    ("section", "name"),
    [("users", "kubefed-member1"), ("clusters", "kubefed-remote-member1"), ("contexts", "member1")],
)
@pytest.mark.parametrize("body", [{}, {"token": "x"}, {"extensions": [{"name": "minikube"}]}, None, "text", []])
def test_an_entry_of_somebody_else_is_refused(section: str, name: str, body: object) -> None:
    """With its name, and what to do; it is not touched."""
    kind = section.removesuffix("s")
    document = parse(yaml.safe_dump({section: [{"name": name, kind: body}]}))
    with pytest.raises(RefusedError, match=f"config has a {kind} '{name}' that fedssh did not write") as caught:
        put_member(document, access())
    assert "--adopt" in caught.value.hint
    kept = yaml.safe_load(document.render())[section]
    assert kept[0] == {"name": name, kind: body}


def test_the_first_of_two_entries_of_one_name_counts() -> None:
    """As for kubectl."""
    mine = {"token": "x", "extensions": [{"name": "fedssh", "extension": {"managed-by": "fedssh"}}]}
    users = [{"name": "kubefed-member1", "user": mine}, {"name": "kubefed-member1", "user": {"token": "y"}}]
    document = parse(yaml.safe_dump({"users": users}))
    assert put_member(document, access())
    first, second = yaml.safe_load(document.render())["users"]
    assert first["user"]["token"] == account_token("member1")
    assert second == users[1]


def test_the_hosts_context_is_renamed_with_all_that_is_in_it() -> None:
    """As by kubectl config rename-context; the old name is kept; the second time changes nothing."""
    document = parse(UNUSUAL)
    assert document.name_host_context("fedhost", how="rename")
    after, before = yaml.safe_load(document.render()), yaml.safe_load(UNUSUAL)
    assert after["current-context"] == "fedhost" == document.current_context
    renamed, old = after["contexts"][0], before["contexts"][0]
    assert renamed["name"] == "fedhost"
    *kept, mark = renamed["context"].pop("extensions")
    assert kept == old["context"].pop("extensions")
    assert mark == {"name": "fedssh", "extension": {"renamed-from": "a context"}}
    assert renamed["context"] == old["context"]
    assert after["contexts"][1:] == before["contexts"][1:]
    assert not parse(document.render()).name_host_context("fedhost", how="rename")


def test_the_hosts_context_gets_an_alias_beside_it() -> None:
    """The old one stays current."""
    document = parse(KUBEADM)
    assert document.name_host_context("fedhost", how="alias")
    after, before = yaml.safe_load(document.render()), yaml.safe_load(KUBEADM)
    assert after["current-context"] == "kubernetes-admin@kubernetes"
    alias = after["contexts"].pop()
    assert after == before
    assert (alias["name"], alias["context"]["user"]) == ("fedhost", "kubernetes-admin")
    assert not parse(document.render()).name_host_context("fedhost", how="alias")


@pytest.mark.parametrize("how", ["rename", "alias"])
@pytest.mark.parametrize("text", ["", "current-context: gone\n", "contexts: [{name: a}]\ncurrent-context: a\n"])
def test_a_host_without_a_current_context_is_refused(text: str, how: Any) -> None:
    """It is for a person to choose one."""
    with pytest.raises(RefusedError, match="has no current context to be called fedhost") as caught:
        parse(text).name_host_context("fedhost", how=how)
    assert "use-context" in caught.value.hint


@pytest.mark.parametrize("text", ["", "# only a comment\n", "null\n", "~"])
def test_an_empty_document_is_a_kubeconfig_without_entries(text: str) -> None:
    """It says what it is."""
    assert yaml.safe_load(parse(text).render()) == {"apiVersion": "v1", "kind": "Config"}


@pytest.mark.parametrize(
    "text", ["- a", "text", "users: [", "a: {}\n---\nb: {}", "a: &x {}\nb: *x", "a: 1\na: 2", "!x {}", "[" * 99]
)
def test_what_is_no_kubeconfig_is_refused_without_a_word_of_it(text: str, canary: str) -> None:
    """It is for a person to repair."""
    for broken in (text, f"{text}\n{canary}: {canary}\n", f"token: {canary}\n{text}"):
        with pytest.raises(RefusedError, match=r"^/root/\.kube/config") as caught:
            parse(broken)
        assert "fedssh has not touched it" in caught.value.hint
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_credentials_are_rendered_for_nothing_else() -> None:
    """One context for each, by any name; no current one."""
    text = render_credentials({"access.member1": access(), "kubefed.member1": access(ca="Y2E=")})
    parsed = yaml.safe_load(text)
    assert [one["name"] for one in parsed["contexts"]] == ["access.member1", "kubefed.member1"]
    assert parsed["clusters"][1]["cluster"]["certificate-authority-data"] == "Y2E="
    assert "current-context" not in parsed
