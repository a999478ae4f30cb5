from __future__ import annotations

import json
import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fedssh
from fedssh.errors import ConfigurationError
from fedssh.inventory.hostsfile import KUBERNETES_OWN, KubeFedSection, parse_hosts_file, render_schema

SCHEMA = Path(fedssh.__file__).with_name("hosts.schema.json")
HOST = "host: {name: fedhost, address: fedhost.example.com}\n"


def mistakes(text: str) -> list[str]:
    """Read a wrong hosts.yaml; give the lines of its error."""
    with pytest.raises(ConfigurationError) as caught:
        parse_hosts_file(text, source="hosts.yaml")
    assert caught.value.exit_code == 2
    assert caught.value.__context__ is None
    return caught.value.message.splitlines()


def accepted(text: str) -> bool:
    """Tell whether a hosts.yaml is right; when it is not, its error has a place."""
    try:
        parse_hosts_file(text, source="hosts.yaml")
    except ConfigurationError as error:
        if not re.match(r"hosts\.yaml:\d+:\d+: ", error.message):
            raise
        return False
    return True


def json_text(value: object) -> str:
    """Write a value as JSON, which is YAML."""
    return json.dumps(value, ensure_ascii=False)


def test_every_mistake_is_named_at_once_in_the_files_order() -> None:
    """Each with its line and column, the way to it, and what to do."""
    text = """\
hots: {}
kubefed:
  version: v0.10.0
defaults:
  port: "22"
  usr: root
host:
  name: Fed
  address: -oProxyCommand=x
  context: renamed
members:
  "../x":
    address: a
    port: 65536
  m2:
    labels: {region: 3, "a b": x}
    api_server: http://x
    become: true
  m3:
  m4: text
"""
    name = "expected a name of lower-case letters, digits and '-' (at most 63), such as member1"
    known = (
        "address, api_server, ca_file, credentials, host_key_policy, identity_file, known_hosts, kubeconfig, labels, "
        "pin, port, server_name, sudo, tls, user"
    )
    assert mistakes(text) == [
        "hosts.yaml:1:1: hots: unknown key; did you mean 'host'?",
        "hosts.yaml:3:12: kubefed.version: expected three numbers, such as 0.10.0",
        "hosts.yaml:5:9: defaults.port: expected a whole number, without quotes",
        "hosts.yaml:6:3: defaults.usr: unknown key; did you mean 'user'?",
        f"hosts.yaml:8:9: host.name: {name}; write fed",
        "hosts.yaml:9:12: host.address: expected a host name, an IP address or an alias from ssh_config",
        "hosts.yaml:10:12: host.context: expected 'rename' or 'alias'",
        f"hosts.yaml:12:3: members.../x: {name}; write x",
        "hosts.yaml:14:11: members.../x.port: expected a number from 1 to 65535",
        "hosts.yaml:15:3: members.m2.address: is missing",
        "hosts.yaml:16:22: members.m2.labels.region: expected text: quote it",
        "hosts.yaml:16:25: members.m2.labels.a b: expected a Kubernetes label's key",
        "hosts.yaml:17:17: members.m2.api_server: expected an https:// address: host, port, path",
        f"hosts.yaml:18:5: members.m2.become: unknown key; known here: {known}",
        "hosts.yaml:19:3: members.m3.address: is missing",
        "hosts.yaml:20:7: members.m4: expected a mapping (lines of key: value)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# nothing\n", "hosts.yaml:1:1: empty: a host and its members are wanted"),
        ("just text\n", "hosts.yaml:1:1: expected a mapping (lines of key: value)"),
        ("- a\n", "hosts.yaml:1:1: expected a mapping (lines of key: value)"),
        ("members: {}\n", "hosts.yaml:1:1: host: is missing"),
        (HOST + "members: [m]\n", "hosts.yaml:2:10: members: expected a mapping: each member's name, and under it "),
        (HOST + "members:\n  - name: m\n", "hosts.yaml:3:3: members: expected a mapping: each member's name, and "),
        (
            HOST + "members:\n  on: {address: a}\n",
            "hosts.yaml:3:3: the key 'on' is not clearly text: quote it",
        ),
        (
            HOST + "members:\n  m: {address: [::1]}\n",
            "hosts.yaml:3:17: did not find expected node content; text that begins with [ or { must be quoted",
        ),
        (
            HOST + "members:\n  m: {address: [fe80::1]}\n",
            "hosts.yaml:3:16: members.m.address: expected text, and brackets make a list: write 'fe80::1'",
        ),
        (HOST + "defaults: {user: on}\n", "hosts.yaml:2:18: not clear whether this is text or true or false"),
        (HOST + "defaults: {user: 4711}\n", "hosts.yaml:2:18: defaults.user: expected text: quote it"),
        (HOST + "kubefed: {version: 0.10}\n", "hosts.yaml:2:20: not clear whether this is text or a number"),
        (HOST + "kubefed: {version: '0.10'}\n", "hosts.yaml:2:20: kubefed.version: expected three numbers"),
        (HOST + "kubefed: {values: [a]}\n", "hosts.yaml:2:19: kubefed.values: expected a mapping"),
    ],
)
def test_a_mistake_of_any_kind_has_its_place(text: str, expected: str) -> None:
    """Those of YAML, of the shape and of the values read alike."""
    assert mistakes(text)[0].startswith(expected)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("root@10.0.0.1", "address: 10.0.0.1, user: root"),
        ("10.0.0.2:22", "address: 10.0.0.2, port: 22"),
        ("ssh://admin@m1.example.com:2222/", "address: m1.example.com, user: admin, port: 2222"),
        ("'[::1]'", "address: '::1'"),
        ("'[fe80::1%eth0]:22'", "address: 'fe80::1%eth0', port: 22"),
        ("https://m1:6443", ""),
        ("root@", ""),
        ("root@-oProxyCommand=x", ""),
        ("a b", ""),
        ("999.0.0.1:22", ""),
    ],
)
def test_what_ssh_takes_in_one_text_is_taken_apart(written: str, meant: str) -> None:
    """The error says which keys to write; where that is not clear it says only what an address is."""
    (told,) = mistakes(HOST + f"members:\n  m1: {{address: {written}}}\n")
    expected = "hosts.yaml:3:17: members.m1.address: expected a host name, an IP address or an alias from ssh_config"
    assert told == expected + f"; write {meant}" * bool(meant)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Prod_EU", "prod-eu"), ("eu.west.1", "eu-west-1"), ("-m1-", "m1"), ("m" * 70, "m" * 63), ("'\u65e5'", "")],
)
def test_a_name_that_is_none_is_answered_by_the_nearest(written: str, meant: str) -> None:
    """Which is one."""
    (told,) = mistakes(HOST + f"members:\n  {written}: {{address: a}}\n")
    assert told.partition("; write ")[2] == meant
    assert not meant or parse_hosts_file(HOST + f"members:\n  {meant}: {{address: a}}\n", source="h").members


def test_keys_without_a_value_count_as_absent() -> None:
    """So that everything below a key can be commented out."""
    hosts = parse_hosts_file(HOST + "kubefed:\ndefaults:\n  user:\nmembers:\n", source="hosts.yaml")
    assert hosts.kubefed == KubeFedSection()
    assert hosts.members == {}
    assert mistakes("host:\n  name: a\n  address:\n") == ["hosts.yaml:3:3: host.address: is missing"]


@pytest.mark.parametrize("word", ["off", "'off'", '"off"'])
@pytest.mark.parametrize(
    "place",
    [
        "defaults: {",
        "host: {name: a, address: a, ",
        "host: {name: a, address: a, nodes: {n2: {address: b, ",
        "members: {m: {address: b, ",
    ],
)
def test_off_needs_no_quotes_where_it_is_a_policy(place: str, word: str) -> None:
    """It is the natural spelling; anywhere else, and in another spelling, it may be meant as false."""
    text = f"{place}host_key_policy: {word}}}" + "}" * (place.count("{") - 1) + "\n"
    hosts = parse_hosts_file(text if place.startswith("host:") else HOST + text, source="hosts.yaml")
    sections = (hosts.defaults, hosts.host, *hosts.host.nodes.values(), *hosts.members.values())
    assert "off" in [section.host_key_policy for section in sections]
    if word == "off":
        assert "not clear" in mistakes(HOST + "kubefed: {values: {host_key_policy: off}}\n")[0]
        assert "not clear" in mistakes(HOST + "defaults: {host_key_policy: Off}\n")[0]


def test_helm_values_pass_as_they_are() -> None:
    """Nested, with nulls, which helm understands as: take the default away."""
    text = HOST + "kubefed:\n  values: {a: {b: null, c: [1, 1.5, true]}, d: '1.30', e: null}\n"
    hosts = parse_hosts_file(text, source="hosts.yaml")
    assert hosts.kubefed.values == {"a": {"b": None, "c": [1, 1.5, True]}, "d": "1.30", "e": None}


def test_fault_43_clashes_are_mistakes() -> None:
    """A member with the host's name, and machines that are the same one, defaults included."""
    text = """\
defaults: {user: root, port: 22}
host: {name: fedhost, address: a.example.com}
members:
  fedhost: {address: b.example.com}
  m1: {address: A.example.com, user: root}
  m2: {address: c.example.com}
  m3: {address: c.example.com, port: 2222}
  m4: {address: c.example.com, user: other}
  m5: {address: c.example.com, port: 22}
"""
    assert mistakes(text) == [
        "hosts.yaml:4:3: members.fedhost: the host has this name, too",
        "hosts.yaml:5:3: members.m1: the same address, port and user as fedhost",
        "hosts.yaml:9:3: members.m5: the same address, port and user as m2",
    ]


def test_a_node_is_a_machine_of_its_own() -> None:
    """One that is called as a cluster, or is the host's machine or another node, is a mistake at its own key."""
    text = """\
defaults: {user: root, port: 22}
members:
  m1: {address: m1.example.com}
  m2: {address: m2.example.com}
host:
  name: fedhost
  address: a.example.com
  nodes:
    n1: {address: A.example.com, user: root}
    n2: {address: b.example.com}
    n3: {address: b.example.com, port: 2222}
    n4: {address: a.example.com, user: other}
    n5: {address: b.example.com, port: 22}
    m2: {address: c.example.com}
    fedhost: {address: d.example.com}
    m1: {address: b.example.com}
"""
    assert mistakes(text) == [
        "hosts.yaml:9:5: host.nodes.n1: the same address, port and user as fedhost",
        "hosts.yaml:13:5: host.nodes.n5: the same address, port and user as n2",
        "hosts.yaml:14:5: host.nodes.m2: a cluster has this name, too",
        "hosts.yaml:15:5: host.nodes.fedhost: a cluster has this name, too",
        "hosts.yaml:16:5: host.nodes.m1: a cluster has this name, too",
    ]


def test_a_key_that_no_node_has_is_answered_by_those_that_nodes_have() -> None:
    """Not by those of the host."""
    text = "host: {name: a, address: a, nodes: {n2: {address: b, labels: {a: x}}, n3: {address: c, usr: d}}}\n"
    known = "address, host_key_policy, identity_file, known_hosts, port, sudo, user"
    assert mistakes(text) == [
        f"hosts.yaml:1:54: host.nodes.n2.labels: unknown key; known here: {known}",
        "hosts.yaml:1:88: host.nodes.n3.usr: unknown key; did you mean 'user'?",
    ]


@pytest.mark.parametrize("name", ["default", "view", "edit", "admin", "cluster-admin"])
def test_fault_64_a_member_called_as_kubernetes_own_is_a_mistake(name: str) -> None:
    """Its account or its role would be one that every cluster has. The host has neither, and may be called so."""
    kind = "ServiceAccount" if name == "default" else "ClusterRole"
    expected = f"hosts.yaml:4:3: members.{name}: every cluster has a {kind} of this name; choose another"
    assert mistakes(HOST + f"members:\n  m: {{address: b}}\n  {name}: {{address: c}}\n") == [expected]
    assert accepted(f"host: {{name: {name}, address: a}}\nmembers: {{m: {{address: b}}}}\n")
    assert accepted(HOST + f"members: {{{name}s: {{address: b}}}}\n")
    both = mistakes(f"host: {{name: {name}, address: a}}\nmembers:\n  {name}: {{address: b}}\n")
    assert both == [expected.replace(":4:", ":3:")]


PIN = "SHA256:" + "0aB1" * 16
SPELLINGS = [PIN, PIN.upper(), "SHA256:" + ":".join(["0a", "B1"] * 16)]
NO_PINS = [
    *["", "SHA256:", PIN[:-1], PIN + "0", PIN[:-2], PIN + "00", "sha256:" + "0a" * 32, "0a" * 32, "SHA1:" + "0a" * 20],
    *["SHA256:" + ":".join(["0a"] * 31), "SHA256:" + ":".join(["0a"] * 33), "SHA256:" + ":".join(["0a1"] * 32)],
    *[PIN[:-1] + "g", f"{PIN}\n", f" {PIN}", "SHA256:" + "\u0660" * 64, "SHA256:" + "0a" * 16 + ":" + "0a" * 16, 5],
]


@pytest.mark.parametrize("pin", SPELLINGS)
def test_a_pin_is_written_as_fedssh_and_openssl_show_it(pin: str) -> None:
    """With colons or without, in letters of either size."""
    member = parse_hosts_file(with_setting("pin", pin), source="hosts.yaml").members["m"]
    assert member.pin == pin


@pytest.mark.parametrize("pin", NO_PINS)
def test_a_pin_of_another_length_or_kind_is_a_mistake(pin: object) -> None:
    """At its place."""
    (mistake,) = mistakes(HOST + f"members:\n  m:\n    address: m\n    pin: {json_text(pin)}\n")
    expected = "quote it" if pin == 5 else "a certificate's fingerprint, such as SHA256:0A:1B:"
    assert mistake.startswith("hosts.yaml:5:10: members.m.pin: expected ")
    assert expected in mistake


@pytest.mark.parametrize(
    ("beside", "problem"),
    [
        ("ca_file: ca.pem", "pin and ca_file exclude each other"),
        ("tls: ca", "pin and tls: ca exclude each other"),
        ("tls: system", "pin and tls: system exclude each other"),
        ("tls: insecure", "pin and tls: insecure exclude each other"),
        ("{tls: system, ca_file: ca.pem}", "pin and ca_file exclude each other"),
    ],
)
def test_a_pin_excludes_every_other_trust(beside: str, problem: str) -> None:
    """Also the one that would be meant without a word; the member is named."""
    text = HOST + f"members:\n  m: {{address: m, pin: {PIN}, {beside.strip('{}')}}}\n"
    assert mistakes(text) == [f"hosts.yaml:3:6: members.m: {problem}"]


def test_a_pin_goes_with_its_own_word_and_with_a_name() -> None:
    """Both say more than nothing."""
    for beside in ("tls: pin", "server_name: kubernetes", "tls: pin, server_name: kubernetes", "tls: "):
        assert accepted(HOST + f"members: {{m: {{address: m, pin: {PIN}, {beside}}}}}\n")


BAD_NAMES = [
    *["a;id", "--help", "-oProxyCommand=x", "../x", "Member", "münchen", "a_b", "a.b", "a-", "-a", "$(id)"],
    *["`id`", "a'b", "a\\b"],
    *["", " ", "a b", "a\n", "a\nb", "a\x00", "a" * 64, "\u0663", "\u017f", "a\u200b"],
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_fault_42_bad_names_are_mistakes(name: str) -> None:
    """As a member's key and as the host's name."""
    written = json_text(name)
    assert not accepted(HOST + f"members: {{{written}: {{address: a}}}}\n")
    assert not accepted(f"host: {{name: {written}, address: a}}\n")


@given(st.text(max_size=70) | st.text(alphabet=string.ascii_lowercase + string.digits + "-", max_size=70))
def test_fault_42_exactly_rfc_1123_labels_are_names(name: str) -> None:
    """Nothing that a shell, a tool or a path could take for something else gets in."""
    letters = set(string.ascii_lowercase + string.digits)
    good = 0 < len(name) <= 63 and {name[0], name[-1]} <= letters and set(name) <= letters | {"-"}
    assert accepted(HOST + f"members: {{{json_text(name)}: {{address: a}}}}\n") == (
        good and name not in {"fedhost", *KUBERNETES_OWN}
    )


GOOD: dict[str, list[Any]] = {
    "address": ["a", "a.b-c.example.com", "my_alias", "10.0.0.1", "::1", "fe80::1%eth0", "2001:db8::1"],
    "user": ["root", "4711-42", "first.last", "_svc"],
    "port": [1, 22, 65535],
    "identity_file": ["~/.ssh/id", "/k", ".lab/id_ed25519", "a folder/key"],
    "kubeconfig": ["/etc/kubernetes/admin.conf", "/root/my config"],
    "api_server": ["https://a", "https://a.de:6443/k8s/", "https://[::1]:6443", "https://10.0.0.1/a%20b"],
    "labels": [{"region": "eu", "a.de/zone_1.x": ""}, {"a": "B.c_d-1"}, {f"{'a.' * 126}a/{'b' * 63}": "x"}],
}
BAD: dict[str, list[Any]] = {
    "address": [
        *["-x", "a;id", "u@a", "[::1]", "1.2.3", "999.1.1.1", "::g", "fe80::1%;id", "a/b", "$(id)", "ä"],
        *["ssh://a", "a:22"],
        *["", "a b", "a\n", "a" * 254, 1],
    ],
    "user": ["", "a b", "a\n", "a" * 65, 4711, "-l", "a;id", "u@a", "D\\u", "$x", "ü"],
    "port": [0, 65536, -1, "22", True, 22.5, [22]],
    "identity_file": ["", " ", "a\nb", "~nobody-has-this-name/x", "a\u202eb", 1],
    "kubeconfig": ["", "admin.conf", "~/.kube/config", "/", "/etc/", "/a\nb"],
    "api_server": [
        *["http://a", "a:6443", "https://", "https://u:p@a", "https://a?x=1", "https://a#x", "HTTPS://a"],
        *["https://-a"],
        *["https://a:0", "https://a:65536", "https://[::g]", "https://1.2.3"],
        *["", "https://a b", "https://a/\n"],
    ],
    "labels": [
        *[{"": "x"}, {"-a": "x"}, {"a/b/c": "x"}, {"A.com/x": "y"}, {"a" * 64: "x"}],
        *[{f"{'a.' * 127}a/b": "x"}, {"a": "b c"}, {"a": "x" * 64}, {"a": "-"}, {"a": True}],
        *[{"a": None}, ["a"]],
    ],
}


def cases(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    """List every key with every one of its values."""
    return [(key, value) for key, values in table.items() for value in values]


def with_setting(key: str, value: object) -> str:
    """Write a hosts.yaml whose member m has a setting; JSON is YAML."""
    return HOST + f"members: {{m: {json_text({'address': 'm', key: value})}}}\n"


@pytest.mark.parametrize(("key", "value"), cases(GOOD))
def test_good_settings_are_accepted(key: str, value: object) -> None:
    """What users have is possible."""
    text = with_setting(key, value)
    assert getattr(parse_hosts_file(text, source="hosts.yaml").members["m"], key) == value


@pytest.mark.parametrize(("key", "value"), cases(BAD))
def test_bad_settings_are_mistakes(key: str, value: object) -> None:
    """What a tool or a shell could take for something else is not."""
    assert mistakes(with_setting(key, value))[0].startswith("hosts.yaml:2:")


@pytest.mark.parametrize("version", ["v0.10.0", "0.10", "0.10.0.1", "00.1.0", "0.1.0-rc1", "../0.1.0", "\u0660.1.2"])
def test_bad_versions_are_mistakes(version: str) -> None:
    """They go into addresses and paths."""
    assert not accepted(HOST + f"kubefed: {{version: {json_text(version)}}}\n")


@pytest.mark.parametrize("key", ["chart_repository", "kubefedctl_url"])
@pytest.mark.parametrize(
    ("url", "good"),
    [
        *[("http://artefacts/charts", True), ("https://a.example.com:8443/x/y-0.10.0.tgz", True)],
        *[("oci://a/b", False), ("file:///etc/x", False), ("http://u:p@a/", False), ("--repo=x", False)],
        *[("http://a/$(id)", False), ("http://a/?x", False)],
    ],
)
def test_addresses_of_artefacts(key: str, url: str, *, good: bool) -> None:
    """HTTP is possible, for mirrors; everything that could carry a secret or a command is not."""
    assert accepted(HOST + f"kubefed: {{{key}: {json_text(url)}}}\n") == good


def test_the_json_schema_is_that_of_the_models() -> None:
    """Editors check hosts.yaml with the file, fedssh with the models."""
    render = 'from fedssh.inventory.hostsfile import render_schema as r; print(r(), end="")'
    again = f"python -c '{render}' > {SCHEMA}"
    assert SCHEMA.read_text(encoding="utf-8") == render_schema(), f"make it again: {again}"


@pytest.mark.parametrize("said", ["0", "-1", "1001", "'8'", "many", "1.5"])
def test_a_concurrency_that_is_none_is_told_with_its_place(said: str) -> None:
    """It is a number of machines."""
    with pytest.raises(ConfigurationError, match=r"hosts.yaml:2:14: concurrency: expected a (whole )?number"):
        parse_hosts_file(f"host: {{name: h, address: a}}\nconcurrency: {said}\n", source="hosts.yaml")
