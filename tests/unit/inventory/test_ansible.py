from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.errors import ConfigurationError
from fedssh.inventory import parse_inventory
from fedssh.inventory.ansible import parse_ansible
from fedssh.inventory.draft import DraftedCluster, make_draft, render_draft

HERE = Path("/etc/ansible")


def document(hosts: dict[str, Any], **groups: Any) -> dict[str, Any]:
    """Return what ansible-inventory prints of hosts and of groups with their hosts."""
    named = {name: {"hosts": said} if isinstance(said, list) else said for name, said in groups.items()}
    return {"_meta": {"hostvars": hosts}, "all": {"children": ["ungrouped", *named]}, **named}


def read(
    hosts: dict[str, Any], *words: str, host: str = "", **groups: Any
) -> tuple[dict[str, DraftedCluster], list[str]]:
    """Return the clusters by name, and the remarks."""
    clusters, remarks = parse_ansible(document(hosts, **groups), words=words, host=host, folder=HERE)
    return {cluster.name: cluster for cluster in clusters}, remarks


def one(**variables: Any) -> tuple[DraftedCluster, list[str]]:
    """Return what becomes of one host's variables."""
    clusters, remarks = read({"h": variables})
    return clusters["h"], remarks


def test_what_leads_to_a_machine_is_taken_over() -> None:
    """Address, port, user, key and sudo; groups are labels."""
    variables = {
        "ansible_host": "192.0.2.1",
        "ansible_port": "2222",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": "~/.ssh/id",
        "ansible_become": True,
        "app_port": 80,
    }
    clusters, remarks = read({"edge1": variables, "edge2": {}}, edge=["edge1", "edge2"], eu={"children": ["edge"]})
    assert clusters == {
        "edge1": DraftedCluster(
            name="edge1",
            address="192.0.2.1",
            port=2222,
            user="root",
            identity_file="~/.ssh/id",
            sudo=True,
            labels={"edge": "true", "eu": "true"},
        ),
        "edge2": DraftedCluster(name="edge2", address="edge2", labels={"edge": "true", "eu": "true"}),
    }
    assert remarks == []


def test_older_names_of_variables_are_known() -> None:
    """As Ansible knows them; the newer one stands above."""
    found, _ = one(ansible_ssh_host="a", ansible_ssh_port=23, ansible_ssh_user="u", ansible_private_key_file="k")
    assert (found.address, found.port, found.user, found.identity_file) == ("a", 23, "u", "/etc/ansible/k")
    assert one(ansible_host="new", ansible_ssh_host="old")[0].address == "new"


def test_passwords_are_left_out_and_said(canary: str) -> None:
    """By the names of the hosts alone."""
    keys = [
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_become_password",
        "ansible_become_pass",
        "ansible_sudo_pass",
    ]
    hosts = {f"h{number}": {key: canary} for number, key in enumerate(keys)}
    clusters, remarks = read({**hosts, "x": {"db_password": canary}})
    assert "canary" not in repr(clusters)
    assert remarks == ["h0, h1, h2, h3, h4: passwords are left out: they are asked for on a terminal"]
    assert "passwords are left out" in one(ansible_ssh_private_key_passphrase=canary)[1][0]
    assert one(ansible_ssh_private_key=canary)[1] == ["h: the text of a private key is left out: put it into a file"]


@pytest.mark.parametrize(
    "value", ["{{ x }}", "a{% if x %}b{% endif %}", {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}, ["a"]]
)
@pytest.mark.parametrize("key", ["ansible_user", "ansible_port", "ansible_ssh_private_key_file", "ansible_become"])
def test_what_only_ansible_can_tell_is_left_out_and_said(key: str, value: Any) -> None:
    """Templates, and what is encrypted."""
    found, remarks = one(**{key: value})
    assert found == DraftedCluster(name="h", address="h")
    assert remarks == [f"h: {key} is left out: it is encrypted, or a template"]


def test_an_address_that_only_ansible_can_tell_has_to_be_corrected() -> None:
    """The name may lead elsewhere."""
    found, remarks = one(ansible_host="{{ ip }}")
    assert found.address == "h"
    assert remarks[1] == "h: its name stands as its address: correct it"


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("ansible_user", "a b {}"),
        ("ansible_user", "u{}\x1b[31m"),
        ("ansible_port", "22{}"),
        ("ansible_port", "0"),
        ("ansible_port", "65536"),
        ("ansible_port", True),
        ("ansible_port", 22.5),
        ("ansible_ssh_private_key_file", "~nobody-{}/id"),
        ("ansible_become", "{}"),
    ],
)
def test_a_value_that_hosts_yaml_does_not_take_is_left_out_unseen(key: str, bad: Any, canary: str) -> None:
    """The variable is said, its value is not."""
    found, remarks = one(**{key: bad.format(canary) if isinstance(bad, str) else bad})
    assert found == DraftedCluster(name="h", address="h")
    (remark,) = remarks
    assert remark.startswith(f"h: {key} is left out: ")
    assert "canary" not in remark


def test_unsafe_text_is_text() -> None:
    """It is no template, whatever it looks like."""
    assert one(ansible_user={"__ansible_unsafe": "admin"}) == (DraftedCluster(name="h", address="h", user="admin"), [])


@pytest.mark.parametrize("connection", ["ssh", "smart", "paramiko", "ansible.builtin.ssh", "{{ x }}"])
def test_hosts_that_are_reached_by_ssh_are_taken(connection: str) -> None:
    """By whichever client of Ansible's; Ansible takes SSH where nothing else is said."""
    assert one(ansible_connection=connection)[0].address == "h"


@pytest.mark.parametrize("connection", ["local", "docker", "winrm", "community.docker.docker"])
def test_hosts_that_are_not_reached_by_ssh_are_left_out_and_said(connection: str) -> None:
    """So are those without an address."""
    hosts = {
        "h": {"ansible_connection": connection},
        "a b": {},
        "c": {"ansible_host": "x y"},
        "d e": {"ansible_host": "d"},
    }
    clusters, remarks = read(hosts)
    assert list(clusters) == ["d e"]
    assert remarks == [
        "h: left out: ansible_connection is not ssh",
        "a b: left out: its name is no address",
        "c: left out: ansible_host is no address",
    ]


@pytest.mark.parametrize(
    ("said", "sudo"),
    [
        ({"ansible_become": "yes"}, True),
        ({"ansible_become": 1}, True),
        ({"ansible_become": "true", "ansible_become_method": "ansible.builtin.sudo"}, True),
        ({"ansible_become": "no"}, False),
        ({"ansible_become": False, "ansible_become_method": "su"}, False),
        ({"ansible_become_method": "sudo"}, False),
    ],
)
def test_become_is_sudo(said: dict[str, Any], *, sudo: bool) -> None:
    """However the truth is written."""
    assert one(**said) == (DraftedCluster(name="h", address="h", sudo=sudo), [])


@pytest.mark.parametrize("said", [{"ansible_become_method": "su"}, {"ansible_become_user": "k8s"}])
def test_another_way_to_be_another_is_left_out_and_said(said: dict[str, Any]) -> None:
    """It would be another user, or another password."""
    found, (remark,) = one(ansible_become=True, **said)
    assert not found.sudo
    assert remark == "h: ansible_become is left out: fedssh can be root by sudo, and nothing else"


@pytest.mark.parametrize("key", ["ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"])
def test_settings_of_ssh_belong_into_ssh_config(key: str, canary: str) -> None:
    """They are no keys of hosts.yaml, and are not shown."""
    found, (remark,) = one(**{key: f"-o ProxyCommand='sshpass -p {canary} x'"})
    assert found == DraftedCluster(name="h", address="h")
    assert remark == f"h: {key} is not copied: put what it says, such as ProxyJump, into ~/.ssh/config"


def test_words_choose_and_order() -> None:
    """Hosts and groups; a host may get a name, and one that is named twice comes once."""
    hosts: dict[str, Any] = {name: {} for name in ("a", "b", "c", "d")}
    groups: dict[str, Any] = {"west": ["a", "b"], "east": ["c"]}
    assert list(read(hosts, **groups)[0]) == ["a", "b", "c", "d"]
    assert list(read(hosts, "d", "west", "a", **groups)[0]) == ["d", "a", "b"]
    assert list(read(hosts, "all", **groups)[0]) == ["a", "b", "c"]
    clusters, _ = read(hosts, "prod=c", "west", **groups)
    assert [(name, cluster.address) for name, cluster in clusters.items()] == [("prod", "c"), ("a", "a"), ("b", "b")]


def test_the_host_is_taken_though_no_word_names_it() -> None:
    """Since it is named as the host."""
    hosts: dict[str, Any] = {name: {} for name in ("a", "b", "c")}
    assert list(read(hosts, "c", host="b")[0]) == ["b", "c"]
    assert list(read(hosts, "c", host="x")[0]) == ["c"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("wets", "no host or group 'wets' in the inventory; did you mean 'west'?"),
        ("x=west", "no host 'west' in the inventory; did you mean 'west'?"),
        ("\x1b[31m", r"no host or group '\x1b[31m' in the inventory"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(word: str, message: str) -> None:
    """And with the hosts there are."""
    with pytest.raises(ConfigurationError) as caught:
        read({"a": {}}, word, west=["a"])
    assert (caught.value.message, caught.value.hint) == (message, "hosts there: a")


def test_many_hosts_are_not_all_listed() -> None:
    """A remark fits onto a screen."""
    _, (remark,) = read({f"h{number}": {"ansible_password": "x"} for number in range(100)})
    assert remark.startswith("h0, h1, h2, h3, h4, h5, h6, h7, h8, h9 and 90 more: passwords")


def test_a_groups_name_becomes_a_labels_key() -> None:
    """As near as a label can come to it; what cannot is said."""
    groups: dict[str, Any] = {"_meta-x": ["h"], "a b/c": ["h"], "g" * 70: ["h"], "---": ["h"]}
    clusters, remarks = read({"h": {}}, **groups)
    assert clusters["h"].labels == {"meta-x": "true", "a-b-c": "true", "g" * 63: "true"}
    assert remarks == ["h: the group --- is left out: no label can be called like it"]


def test_what_groups_say_holds_for_their_hosts() -> None:
    """Where the document leaves it with the groups; a deeper group, and the host itself, stand above."""
    found = document(
        {"a": {}, "b": {"ansible_user": "b"}},
        outer={"children": ["inner"], "vars": {"ansible_user": "outer", "ansible_port": 23}},
        inner={"hosts": ["a", "b"], "vars": {"ansible_user": "inner"}},
    )
    found["all"]["vars"] = {"ansible_user": "all", "ansible_become": True}
    clusters, _ = parse_ansible(found, folder=HERE)
    assert [(one.user, one.port, one.sudo) for one in clusters] == [("inner", 23, True), ("b", 23, True)]


def test_groups_in_a_circle_do_no_harm() -> None:
    """Ansible does not allow them; a script may print them."""
    clusters, _ = read({"a": {}}, x={"children": ["y"], "hosts": ["a"]}, y={"children": ["x", "gone"]})
    assert clusters["a"].labels == {"x": "true", "y": "true"}


@pytest.mark.parametrize("other", [None, [], "text", {}, {"all": {}}, {"_meta": []}])
def test_another_document_is_no_inventory(other: object) -> None:
    """What makes one is said."""
    with pytest.raises(ConfigurationError, match="no inventory of Ansible's") as caught:
        parse_ansible(other, folder=HERE)
    assert "ansible-inventory -i FILE --list" in caught.value.hint


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 70000), st.floats(), st.text(max_size=6),
    st.sampled_from(["root", "192.0.2.1", "::1", "{{ x }}", "yes", "~/id", "id", "local", "ssh", "2222"]),
    st.just({"__ansible_vault": "x"}), st.just({"__ansible_unsafe": "x"}),
)  # fmt: skip
KEYS = [
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_ssh_private_key_file",
    "ansible_become",
    "ansible_connection",
]
names = st.one_of(st.sampled_from(["a", "B_c", "admin", "192.0.2.9", "on"]), st.text(max_size=5))
variables = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), scalars, max_size=6)
sections = st.one_of(
    scalars,
    st.lists(names, max_size=3),
    st.fixed_dictionaries({}, optional={"hosts": st.lists(names), "children": st.lists(names), "vars": variables}),
)
documents = st.fixed_dictionaries(
    {"_meta": st.fixed_dictionaries({"hostvars": st.dictionaries(names, st.one_of(variables, scalars), max_size=4)})}
).flatmap(lambda meta: st.dictionaries(names, sections, max_size=4).map(lambda groups: {**groups, **meta}))


@given(said=documents, words=st.lists(names, max_size=2), host=st.one_of(st.just(""), names))
def test_whatever_an_inventory_holds_it_is_refused_or_loads_as_it_is_meant(
    said: dict[str, Any], words: list[str], host: str
) -> None:
    """Every machine that stands there has been named by the inventory, and nothing else was made up."""
    try:
        clusters, remarks = parse_ansible(said, words=words, host=host, folder=HERE)
        drafted, more = make_draft(clusters, host=host)
    except ConfigurationError as error:
        remarks, more = [error.message], [error.hint]
    else:
        inventory = parse_inventory(render_draft(drafted), path=Path("/x/hosts.yaml"))
        found = [cluster.machine for cluster in (inventory.host, *inventory.members)]
        wanted = [(one.address, one.port, one.user, one.sudo) for one in drafted.clusters]
        assert [(one.address, one.port, one.user, one.sudo) for one in found] == wanted
        for one in clusters:
            assert json.dumps(one.address) in json.dumps(said)
            assert one.user is None or json.dumps(one.user).strip('"') in json.dumps(said)
    assert all(remark.isprintable() for remark in [*remarks, *more])
