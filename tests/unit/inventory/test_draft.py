from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.errors import ConfigurationError
from fedssh.inventory import Inventory, Machine, parse_inventory
from fedssh.inventory.draft import Draft, DraftedCluster, make_draft, parse_words, render_draft
from fedssh.inventory.forms import LabelKey, User, fits
from fedssh.inventory.hostsfile import KUBERNETES_OWN


def draft(*words: str, host: str = "") -> tuple[Draft, list[str]]:
    """Draft a hosts.yaml from words."""
    return make_draft(parse_words(words), host=host)


def loaded(drafted: Draft) -> Inventory:
    """Return what a draft's text comes to."""
    return parse_inventory(render_draft(drafted), path=Path("/x/hosts.yaml"))


def means_the_same(drafted: Draft) -> bool:
    """Tell whether a draft's text says all that the draft says, and no more."""
    inventory = loaded(drafted)
    for wanted, found in zip(drafted.clusters, (inventory.host, *inventory.members), strict=True):
        key = wanted.identity_file
        assert found.machine == Machine(
            name=wanted.name,
            address=wanted.address,
            port=wanted.port,
            user=wanted.user,
            identity_file=Path(key).expanduser() if key else None,
            sudo=wanted.sudo,
        )
        assert (found.name, found.labels) == (wanted.name, wanted.labels)
        assert (found.kubeconfig, found.api_server) == (wanted.kubeconfig, wanted.api_server)
    return True


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("m1=root@192.0.2.1:2222", ("m1", "192.0.2.1", 2222, "root")),
        ("m1=192.0.2.1", ("m1", "192.0.2.1", None, None)),
        ("m1=[::1]:2222", ("m1", "::1", 2222, None)),
        ("m1=root@[2001:db8::1]", ("m1", "2001:db8::1", None, "root")),
        ("m1=root@2001:db8::1", ("m1", "2001:db8::1", None, "root")),
        ("m1=ssh://root@h.example.com:22/", ("m1", "h.example.com", 22, "root")),
        ("bastion", ("bastion", "bastion", None, None)),
        ("root@192.0.2.1:22", ("192.0.2.1", "192.0.2.1", 22, "root")),
        ("m1=my_alias", ("m1", "my_alias", None, None)),
    ],
)
def test_a_word_names_a_cluster_by_its_machine(word: str, expected: tuple[Any, ...]) -> None:
    """What a word leaves out is left to ssh_config; the name is the address where there is none."""
    (cluster,) = parse_words([word])
    assert (cluster.name, cluster.address, cluster.port, cluster.user) == expected


@pytest.mark.parametrize(
    "word",
    ["", "=", "m1=", "=root@h", "m1=@h", "m1=root@", "m1=h:", "m1=h:0", "m1=h:65536", "m1=h:x", "m1=h:٣", "m1=[::1",
     "m1=[]:22", "m1=1.2.3", "m1=h:1:2", "-oProxyCommand=x", "m1=a b", "m1=ro ot@h", "m1=h/x", "m1=h\n", "\x1b[31m"],
)  # fmt: skip
def test_a_word_that_is_no_machine_is_answered_by_the_form(word: str) -> None:
    """With the word itself, escaped, and with an example."""
    with pytest.raises(ConfigurationError) as caught:
        parse_words(["fedhost=h", word])
    assert caught.value.message.startswith(repr(word))
    assert caught.value.message.isprintable()
    assert "NAME=USER@ADDRESS:PORT" in caught.value.hint


@pytest.mark.parametrize("word", ["m1=root:{}@h", "root:{}@h:22", "m1=ssh://root:{}@h", "root:{}=x@h", "m1=r:a@{}@h"])
def test_a_password_in_a_word_is_not_shown(word: str, canary: str) -> None:
    """It is refused; its place is said."""
    with pytest.raises(ConfigurationError) as caught:
        parse_words([word.format(canary)])
    assert "a password on the command line" in caught.value.message
    assert "asked for on a terminal" in caught.value.hint


def test_the_first_is_the_host_unless_another_is_named() -> None:
    """By its name, by what it is called in the end, or by its address; the others keep their order."""
    words = ["a=h1", "B_C=h2", "root@h3"]
    assert draft(*words)[0].host.name == "a"
    for host in ("B_C", "b-c", "h2"):
        drafted, _ = draft(*words, host=host)
        assert [cluster.name for cluster in drafted.clusters] == ["b-c", "a", "h3"]
    with pytest.raises(ConfigurationError, match=r"'aa' is none of those that are named; did you mean 'a'\?") as caught:
        draft(*words, host="aa")
    assert caught.value.hint == "named are: a, B_C, h3"


@pytest.mark.parametrize(
    ("written", "called", "why"),
    [
        ("Prod_EU", "prod-eu", "a name has lower-case letters, digits and '-' only, 63 at most"),
        ("x" * 70, "x" * 63, "63 at most"),
        ("___", "cluster", "lower-case"),
        ("admin", "admin-cluster", "every cluster has a ClusterRole of that name"),
        ("Default", "default-cluster", "every cluster has a ServiceAccount of that name"),
        ("A", "a-2", "another one is called a"),
    ],
)
def test_a_name_that_does_not_fit_is_changed_and_said(written: str, called: str, why: str) -> None:
    """With the reason; a right name is left alone."""
    drafted, remarks = draft("fedhost=h", f"{written}=m1", "a=m2")
    assert [member.name for member in drafted.members] == [called, "a"]
    (remark,) = remarks
    assert remark.startswith(f"{written} is called {called}: ")
    assert why in remark


def test_an_odd_name_is_said_escaped() -> None:
    """Whatever stands in it."""
    (remark,) = draft("\x1b[31m=h")[1]
    assert remark.startswith(r"'\x1b[31m' is called 31m: ")


def test_the_host_may_be_called_like_something_of_kubernetes() -> None:
    """It gets no account of its name."""
    assert draft("default=h") == (Draft(host=DraftedCluster(name="default", address="h")), [])


def test_who_has_a_right_name_keeps_it() -> None:
    """Those that only come to it get others, wherever they stand; long ones stay short enough."""
    drafted, remarks = draft("A.b=h", "a-b=m1", "A-B=m2", f"{'X' * 63}=m3", f"{'x' * 63}=m4")
    assert [cluster.name for cluster in drafted.clusters] == ["a-b-2", "a-b", "a-b-3", f"{'x' * 61}-2", "x" * 63]
    assert len(remarks) == 3


def test_a_name_that_is_given_twice_is_a_mistake() -> None:
    """One of the two is a slip; of names that are made, none is."""
    with pytest.raises(ConfigurationError, match="2 clusters are called m1"):
        parse_words(["m1=h1", "m2=h2", "m1=h3"])
    drafted, _ = draft("h", "root@192.0.2.1:22", "root@192.0.2.1:23")
    assert [member.name for member in drafted.members] == ["192-0-2-1", "192-0-2-1-2"]


def test_one_machine_is_one_cluster() -> None:
    """As hosts.yaml would have it; the names are those of the draft."""
    with pytest.raises(ConfigurationError, match="b and a are the same machine"):
        draft("a=root@H:22", "b=root@h:22")
    with pytest.raises(ConfigurationError, match="there is no cluster"):
        draft()


def test_what_is_the_same_for_all_machines_stands_once() -> None:
    """The text, as people read it."""
    key = "~/.ssh/id"
    host = DraftedCluster(name="fedhost", address="192.0.2.1", user="root", identity_file=key, sudo=True)
    member = DraftedCluster(
        name="123",
        address="::1",
        port=2222,
        user="root",
        identity_file=key,
        sudo=True,
        labels={"region": "true"},
        kubeconfig="/etc/kubernetes/admin.conf",
        api_server="https://[::1]:6443",
    )
    text = """\
# The clusters that fedssh federates, drafted by fedssh init. What else can stand here: docs/hosts-yaml.md

# For all machines that do not say otherwise; the rest comes from ~/.ssh/config.
defaults:
  user: root
  identity_file: ~/.ssh/id
  sudo: true

# The cluster on which KubeFed runs.
host:
  name: fedhost
  address: 192.0.2.1

# The clusters that join it.
members:
  '123':
    address: '::1'
    port: 2222
    labels:
      region: 'true'
    kubeconfig: /etc/kubernetes/admin.conf
    api_server: 'https://[::1]:6443'
"""
    assert render_draft(Draft(host=host, members=(member,))) == text
    assert means_the_same(Draft(host=host, members=(member,)))


def test_what_differs_stands_with_each_machine() -> None:
    """A machine that says no user gets none from another's."""
    drafted, _ = draft("fedhost=root@h", "m1=alias")
    assert "defaults" not in render_draft(drafted)
    assert means_the_same(drafted)


TRICKY = ["on", "no", "y", "N", "null", "~", "123", "0x1f", "1e3", "1.30", "2024-01-01", "12:30:00", "0o7", "a" * 63]


@pytest.mark.parametrize("text", TRICKY)
def test_what_yaml_would_take_for_something_else_is_in_quotes(text: str) -> None:
    """Names, labels and users alike."""
    labels = {text: text} if fits(text, LabelKey) else {}
    path = f"/{text}: it's #{text}"
    cluster = DraftedCluster(name="fedhost", address="h", user="u", identity_file=path, labels=labels, kubeconfig=path)
    assert means_the_same(Draft(host=cluster))
    user = text if fits(text, User) else "root"
    assert means_the_same(make_draft([DraftedCluster(name=text, address="h", user=user)])[0])


WORD = r"([A-Za-z0-9_.-]{0,6}=)?([a-z0-9_]{1,4}@)?([a-z0-9.-]{1,8}|\[[0-9a-f:]{2,8}\])(:[0-9]{1,5})?"
words = st.one_of(
    st.text(max_size=12),
    st.from_regex(WORD, fullmatch=True),
    st.sampled_from([*TRICKY, *KUBERNETES_OWN]).flatmap(lambda name: st.sampled_from([name, f"{name}=h", f"a={name}"])),
)


@given(named=st.lists(words, max_size=6), host=st.one_of(st.just(""), words))
def test_whatever_is_named_it_is_refused_or_loads_as_it_is_meant(named: list[str], host: str) -> None:
    """No third thing happens; and nothing that is said could drive a terminal."""
    try:
        drafted, remarks = draft(*named, host=host)
    except ConfigurationError as error:
        drafted, remarks = Draft(host=DraftedCluster(name="h", address="h")), [error.message, error.hint]
        named = ["h"]
    assert means_the_same(drafted)
    assert sorted(cluster.address for cluster in drafted.clusters) == sorted(one.address for one in parse_words(named))
    assert all(remark.isprintable() for remark in remarks)


@given(
    key=st.one_of(st.none(), st.from_regex(r"/[ -~]{0,20}[!-.0-~]", fullmatch=True)),
    label=st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,5}[A-Za-z0-9])?", fullmatch=True),
    sudo=st.booleans(),
)
def test_whatever_a_draft_holds_its_text_says(key: str | None, label: str, *, sudo: bool) -> None:
    """In quotes or without."""
    host = DraftedCluster(name="h", address="h", identity_file=key, sudo=sudo, labels={label: label}, kubeconfig=key)
    assert means_the_same(Draft(host=host, members=(DraftedCluster(name="m", address="m", identity_file=key),)))
