from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fedssh import documents
from fedssh.errors import FedsshError, RefusedError
from fedssh.kubernetes import kubeconfig
from fedssh.kubernetes.credentials import Credential, Endpoint, Trust
from fedssh.kubernetes.kubeconfig import Kubeconfig, parse_kubeconfig
from fedssh.kubernetes.kubeconfig.entries import EntryNames, put_member
from fedssh.sensitive import Sensitive
from tests.fakes.hosts import HOST_KUBECONFIG
from tests.fakes.kubernetes import CA, account_token
from tests.unit.mangling import answer_of, mangled

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedssh.kubernetes.kubeconfig import Section

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


def put(
    document: Kubeconfig, *, server: str = "https://member1.example.com:6443", ca: str = CA, of: str = "member1"
) -> bool:
    """Put member1 into a document, with the token of ``of``."""
    names = EntryNames(context="member1", cluster="kubefed-remote-member1", user="kubefed-member1")
    endpoint = Endpoint(server=server, trust=Trust(word="ca", ca=ca))
    credential = Credential(endpoint=endpoint, token=Sensitive(account_token(of)))
    return put_member(document, names, credential, cluster_uid="uid", namespace="default")


def scalars(node: yaml.Node | None) -> Any:
    """Return all of a document that must survive: structure, and of each scalar its text, tag and quotes."""
    if isinstance(node, yaml.MappingNode):
        return [(scalars(key), scalars(value)) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [scalars(item) for item in node.value]
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
    assert put(document)
    after = yaml.safe_load(document.render())
    assert [entry["name"] for entry in after["contexts"]][-1] == "member1"
    before = yaml.safe_load(text)
    for section in ("clusters", "contexts", "users"):
        assert after[section][:-1] == (before.get(section) or [])
        after.pop(section)
        before.pop(section, None)
    assert after == before


@pytest.mark.parametrize("text", ["", KUBEADM, UNUSUAL, JSON])
def test_the_second_time_nothing_changes(text: str) -> None:
    """Neither in memory nor after the document was written and read."""
    document = parse(text)
    put(document)
    written = document.render()
    assert not put(document)
    again = parse(written)
    assert not put(again)
    assert again.render() == written


@pytest.mark.parametrize("changes", [{"server": "https://other"}, {"ca": "b3RoZXI="}, {"of": "other"}])
def test_a_changed_access_is_written_again(changes: dict[str, Any]) -> None:
    """At the same place, once."""
    document = parse(KUBEADM)
    put(document)
    names = document.names("users")
    assert put(document, **changes)
    assert document.names("users") == names
    assert not put(parse(document.render()), **changes)


def test_what_a_user_added_to_fedsshs_entries_stays() -> None:
    """A namespace of their choice does not, nor a second credential in the user."""
    document = parse("")
    put(document)
    edited = yaml.safe_load(document.render())
    edited["clusters"][0]["cluster"]["proxy-url"] = "http://proxy"
    edited["users"][0]["user"]["client-key-data"] = "x"
    document = parse(yaml.safe_dump(edited))
    assert put(document)
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
        put(document)
    assert "--adopt" in caught.value.hint
    kept = yaml.safe_load(document.render())[section]
    assert kept[0] == {"name": name, kind: body}


def test_the_first_of_two_entries_of_one_name_counts() -> None:
    """As for kubectl."""
    mine = {"token": "x", "extensions": [{"name": "fedssh", "extension": {"managed-by": "fedssh"}}]}
    users = [{"name": "kubefed-member1", "user": mine}, {"name": "kubefed-member1", "user": {"token": "y"}}]
    document = parse(yaml.safe_dump({"users": users}))
    assert put(document)
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


@pytest.mark.parametrize("section", ["clusters", "contexts", "users"])
def test_an_entry_is_found_by_its_name_as_it_is_now(section: Section) -> None:
    """Of two of one name the first, after every change: entries are put in, put again and renamed."""
    kind = section.removesuffix("s")
    twice = [{"name": "twice", kind: {"a": "1"}}, {"name": "twice", kind: {"a": "2"}}]
    document = parse(yaml.safe_dump({section: twice}))
    assert document.has(section, "twice")
    assert document.has_foreign(section, "twice")
    assert document.find(section, "twice") is None
    assert not document.has(section, "new")
    assert document.put(section, "new", {"b": "1"}, keep_unknown=False)
    assert document.put(section, "new", {"b": "2"}, keep_unknown=False)
    assert document.put(section, "twice", {"a": "3"}, keep_unknown=False, adopt=True)
    assert not document.put(section, "twice", {"a": "3"}, keep_unknown=False)
    for again in (document, parse(document.render())):
        assert again.names(section) == ["twice", "twice", "new"]
        fields = {name: (again.find(section, name) or ({}, {}))[0] for name in ("twice", "new")}
        assert [fields["twice"]["a"], fields["new"]["b"]] == ["3", "2"]
        assert not again.has_foreign(section, "new")
    written = yaml.safe_load(document.render())[section]
    assert written[1] == twice[1]


def test_a_renamed_context_is_found_by_its_new_name_alone() -> None:
    """Also when its old name is looked for before; entries that are put in afterwards keep theirs."""
    document = parse(KUBEADM)
    assert document.has("contexts", "kubernetes-admin@kubernetes")
    assert document.name_host_context("fedhost", how="rename")
    assert document.has("contexts", "fedhost")
    assert not document.has("contexts", "kubernetes-admin@kubernetes")
    assert document.host_context("fedhost") == "fedhost"
    assert put(document)
    assert document.names("contexts") == ["fedhost", "member1"]
    assert not document.name_host_context("fedhost", how="rename")
    assert parse(document.render()).names("contexts") == ["fedhost", "member1"]


def test_of_two_current_contexts_the_first_is_renamed() -> None:
    """The second one has the old name afterwards, and is nobody's."""
    contexts = [{"name": "a", "context": {"user": user}} for user in ("first", "second")]
    document = parse(yaml.safe_dump({"contexts": contexts, "current-context": "a"}))
    assert document.name_host_context("fedhost", how="rename")
    assert document.names("contexts") == ["fedhost", "a"]
    found = document.find("contexts", "fedhost")
    assert found
    assert found[0]["user"] == "first"
    assert document.has_foreign("contexts", "a")


def visits(members: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many nodes are looked at when so many members are put into a kubeconfig, and put in again."""
    counted: Counter[str] = Counter()
    with monkeypatch.context() as patched:
        for name in ("entry", "replace", "plain", "represent"):
            patched.setattr(kubeconfig, name, counting(counted, name))
        document = parse("")
        for is_new in (True, False):
            for number in range(members):
                names = EntryNames(context=f"m{number}", cluster=f"c{number}", user=f"u{number}")
                endpoint = Endpoint(server=f"https://m{number}", trust=Trust(word="ca", ca=CA))
                own = Credential(endpoint=endpoint, token=Sensitive("x"))
                assert put_member(document, names, own, cluster_uid="uid", namespace="default") == is_new
            document = parse(document.render())
    return counted.total()


def counting(counted: Counter[str], name: str) -> Callable[..., Any]:
    """Return a function of the module that counts its calls."""
    real = getattr(kubeconfig, name)

    def count(*arguments: Any) -> Any:
        counted[name] += 1
        return real(*arguments)

    return count


def test_four_hundred_members_cost_four_times_as_much_as_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is found by its name, not by a look through all of them; counted, not measured."""
    hundred, four = visits(100, monkeypatch), visits(400, monkeypatch)
    assert hundred * 3 < four < hundred * 5


def test_a_document_is_parsed_once_and_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many entries are put into it, found in it and named."""
    composed = 0
    real = documents.compose

    def compose(*arguments: Any, **more: Any) -> Any:
        nonlocal composed
        composed += 1
        return real(*arguments, **more)

    monkeypatch.setattr(kubeconfig, "compose", compose)
    document = parse(KUBEADM)
    document.name_host_context("fedhost", how="rename")
    for number in range(50):
        document.put("users", f"u{number}", {"token": "x"}, keep_unknown=False)
        assert document.find("users", f"u{number}")
    document.render()
    assert composed == 1


@given(
    text=mangled(yaml.safe_load(HOST_KUBECONFIG))
    | st.text()
    | st.sampled_from(["a: &x", "- ", "? ", "{", "\ufeff", "\t", "%YAML 9\n---\n"])
)
def test_whatever_stands_in_the_hosts_file(text: str) -> None:
    """It is a kubeconfig that a member can be put into, or a FedsshError without a word of it."""
    document = answer_of(lambda: parse(text))
    if isinstance(document, FedsshError):
        return
    answer_of(lambda: document.name_host_context("fedhost", how="rename"))
    answer_of(lambda: document.name_host_context("other", how="alias"))
    answer_of(lambda: put(document))
    answer_of(lambda: parse(document.render()))
