from __future__ import annotations

from pathlib import Path

import pytest

from fedssh.errors import ConfigurationError
from fedssh.inventory import parse_inventory
from fedssh.inventory.choice import choose_beyond, choose_members

INVENTORY = parse_inventory(
    "host: {name: h, address: h}\n"
    "members:\n"
    "  eu-1: {address: a, labels: {region: eu, tier: prod}}\n"
    "  eu-2: {address: b, labels: {region: eu}}\n"
    "  us-1: {address: c, labels: {region: us, tier: prod, empty: ''}}\n",
    path=Path("hosts.yaml"),
)
ALL = "eu-1 eu-2 us-1"


@pytest.mark.parametrize(
    ("names", "labels", "expected"),
    [
        ([], [], ALL),
        (["us-1,eu-1"], [], "us-1 eu-1"),
        (["us-1", "eu-1", "us-1"], [], "us-1 eu-1"),
        (["eu-*"], [], "eu-1 eu-2"),
        (["?s-1", "*"], [], "us-1 eu-1 eu-2"),
        (["*-[13]"], [], "eu-1 us-1"),
        ([], ["region=eu"], "eu-1 eu-2"),
        ([], ["tier=prod", "region=us"], "us-1"),
        ([], ["tier=prod,region=us"], "us-1"),
        ([], ["empty="], "us-1"),
        (["eu-*"], ["tier=prod"], "eu-1"),
    ],
)
def test_members_are_chosen_by_name_pattern_and_label(names: list[str], labels: list[str], expected: str) -> None:
    """Each once, in the order of the names; all labels must hold."""
    assert " ".join(member.name for member in choose_members(INVENTORY, names, labels)) == expected


@pytest.mark.parametrize(
    ("names", "labels", "problem"),
    [
        (["eu-3"], [], "no member 'eu-3' in hosts.yaml; did you mean 'eu-2'?"),
        (["x", "eu-1", "y-*"], [], "no member 'x' in hosts.yaml\nno member matches 'y-*'"),
        (["h"], [], "'h' is the host cluster, not a member"),
        (["EU-*"], [], "no member matches 'EU-*'"),
        (["eu-1,"], [], "no member '' in hosts.yaml"),
        ([], ["region"], "--label is 'region'; it can be KEY=VALUE"),
        ([], ["=eu"], "--label is '=eu'; it can be KEY=VALUE"),
        ([], ["region=asia"], "no member has the label 'region=asia' in hosts.yaml"),
        (["us-1"], ["region=eu"], "no member has the label 'region=eu' in hosts.yaml"),
        ([], ["region=eu", "empty="], "no member has all of these labels in hosts.yaml"),
    ],
)
def test_all_that_names_nobody_is_told(names: list[str], labels: list[str], problem: str) -> None:
    """At once, with who is there; with labels, their labels, too."""
    with pytest.raises(ConfigurationError) as caught:
        choose_members(INVENTORY, names, labels)
    assert caught.value.message == problem
    there = "eu-1 (region=eu,tier=prod)" if labels else "eu-1, eu-2, us-1"
    assert caught.value.hint.startswith(f"members there: {there}")


def test_other_clusters_of_the_federation_may_be_named() -> None:
    """What is no member's may be theirs, and so may a pattern; what can be nobody's name is refused."""
    members = [member.name for member in INVENTORY.members]
    chosen, others = choose_beyond(INVENTORY, [members[0], "lost,member*"])
    assert chosen[0].name == members[0]
    assert others == ("lost", "member*")
    for wanted in (INVENTORY.host.name, "Not_a_name", "--help", "a;id", ""):
        with pytest.raises(ConfigurationError):
            choose_beyond(INVENTORY, [wanted])
