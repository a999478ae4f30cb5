"""Pairs of versions that cannot work: refused before anything is changed on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.generations.conftest import ask_for
from tests.cluster.inventories import differences, read_everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.clusters import Lab
    from tests.cluster.oracle import Federation, Run


NEW = "Kubernetes v1.33.13"
PREPARE, FEDERATE = ("prepare",), ("federate", "--member", "member1")


def look(lab: Lab) -> dict[str, list[str]]:
    """Return all objects and files of all machines; fedssh's lock, which is empty and stays, is left out."""
    found = read_everything(lab)
    return {name: [line for line in lines if ".fedssh.lock " not in line] for name, lines in found.items()}


@pytest.fixture
def untouched(lab: Lab) -> Iterator[None]:
    """Everything is the same afterwards."""
    before = look(lab)
    yield
    assert differences(before, look(lab)) == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("verb", "version", "words"),
    [
        (PREPARE, "0.7.0", f"KubeFed 0.7.0 cannot be installed on {NEW}: its webhooks are of"),
        (FEDERATE, "0.7.0", f"KubeFed 0.7.0 cannot be installed on {NEW}: its webhooks are of"),
        (FEDERATE, "0.9.2", f"a cluster of {NEW} cannot join KubeFed 0.9.2: its join waits for a token Secret"),
    ],
)
def test_fault_66_a_host_that_is_too_new(
    *,
    empty: Federation,
    of_the_newer: dict[str, Any],
    fedssh: Callable[..., Run],
    verb: tuple[str, ...],
    version: str,
    words: str,
) -> None:
    """With the version that works there."""
    assert empty.ready() == {}
    ask_for(of_the_newer, version)
    done = fedssh(*verb)
    assert done.code == 6, done.stderr
    assert words in done.stderr
    assert "KubeFed 0.10.0 works there" in done.stderr


STUBS = {
    "helm": ("helm", "echo v4.0.1", "the chart needs Helm 3"),
    "arm64": ("uname", "echo aarch64", "releases kubefedctl for amd64 only, and the machine is aarch64"),
}


@pytest.mark.parametrize("kind", STUBS)
def test_fault_66_a_machine_that_cannot(
    kind: str, empty: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Helm 4, and a processor for which there is no kubefedctl."""
    name, says, words = STUBS[kind]
    if kind == "arm64":  # whoever names an address of his own has a kubefedctl for it
        del inventory["kubefed"]["kubefedctl_url"]
    stub = f"/usr/local/sbin/{name}"
    empty.host.check("sh", "-c", f"printf '#!/bin/sh\\n{says}\\n' >{stub}; chmod 755 {stub}")
    try:
        before = look(empty.lab)
        done = fedssh("federate", "--member", "member1")
        assert done.code == 6, done.stderr
        assert words in done.stderr
        assert differences(before, look(empty.lab)) == []
    finally:
        empty.host.check("rm", stub)


@pytest.mark.usefixtures("untouched")
def test_fault_59_a_real_member_that_is_too_old_for_ephemeral_credentials(
    empty: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Kubernetes 1.21 gives every account a token without an end."""
    assert empty.objects() == []
    inventory["members"]["member1"]["credentials"] = "ephemeral"
    done = fedssh("federate", "--member", "member1")
    assert done.code == 6, done.stderr
    assert "credentials: ephemeral needs Kubernetes 1.24 or newer, and its Kubernetes is v1.21.14" in done.stderr


def test_fault_66_a_member_that_is_too_new(seeded: Federation, fedssh: Callable[..., Run]) -> None:
    """It alone is refused; what the host needs before is said."""
    before = look(seeded.lab)
    done = fedssh("federate", "--member", "member2")
    assert done.code == 6, done.stderr
    assert "member2: join: a cluster of Kubernetes v1.33.13 cannot join KubeFed 0.7.0" in done.stderr
    assert "kubefed.version: 0.10.0. Then: fedssh prepare --upgrade" in done.stderr
    assert seeded.ready() == {"fedhost": "True", "member1": "True"}
    assert differences(before, look(seeded.lab)) == []
