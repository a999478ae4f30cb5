"""The host's kubeconfig under every strain: others at work on it, full disks, strange files, strange places.

Whatever happens, what was there before and is not fedssh's stays.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.files import CONFIG, OURS, beside, put, restore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.machine import Machine

    from .oracle import Federation, Run


@pytest.fixture(scope="module", autouse=True)
def _member2_leaves(federation: Federation) -> Iterator[None]:
    """What these tests federate besides member1 is gone when they are through."""
    yield
    if "member2" in federation.ready():
        federation.forget("member2")


# kubectl writes in place: fedssh's own kubectl may be the one that reads half a file, and says so.
HALF_WRITTEN = (
    'context "[^"]*" does not exist|context was not found|cannot locate context|current-context must exist'
    "|error loading config file"
)


def until_free(fedssh: Callable[..., Run], host: Machine, member: str) -> list[Run]:
    """Run federate again for as long as it says that another run is at work, or that kubectl came in between."""
    runs = [fedssh("federate", "--member", member)]
    while runs[-1].code == 75 or (runs[-1].code == 3 and re.search(HALF_WRITTEN, runs[-1].stderr)):
        host.check("flock", f"{CONFIG}.fedssh.lock", "true")  # until the other run has ended
        runs.append(fedssh("federate", "--member", member))
    return runs


def test_fault_13_two_runs_at_once(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """The second is told that another one is at work (75); when it is run again, both members are there."""
    fedssh("status")
    # On a busy computer a run may be over before the other has begun.
    for _ in range(3):
        restore(unwritten.host)
        with ThreadPoolExecutor(2) as pool:
            runs = list(pool.map(lambda name: fedssh("federate", "--member", name), ("member1", "member2")))
        if [run.code for run in runs] != [0, 0]:
            break
    assert sorted(one.code for one in runs) == [0, 75], [one.stderr for one in runs]
    (busy,) = [one for one in runs if one.code == 75]
    assert "fedhost: another fedssh is at work here" in busy.stderr
    again = fedssh("federate", "--all")
    assert again.code == 0, again.stderr
    assert unwritten.contexts() == {**OURS, "member2": "kubefed-remote-member2"}


def test_fault_14_six_runs_beside_six_kubectl_writers(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """Ours are there at the end, and nothing that a kubectl config has written meanwhile is lost."""
    host = unwritten.host
    # kubectl's writers also lose each other's entries: by turns, so that what is missing was lost by fedssh.
    write = """
        rm -f /run/written-$1; number=0
        while [ ! -e /run/enough ]; do
            number=$((number + 1)); sleep 0.4
            until flock /run/turns /opt/recorded/kubectl config set-context foreign-$1-$number --cluster=kubernetes
            do [ ! -e /run/enough ] || exit 0; done >/dev/null 2>&1
            echo foreign-$1-$number >>/run/written-$1
        done
    """
    fedssh("status")
    with ThreadPoolExecutor(12) as pool:
        writers = [pool.submit(host.check, "sh", "-c", write, "sh", str(number)) for number in range(6)]
        try:
            names = ["member1", "member2"] * 3
            tried = list(pool.map(lambda name: until_free(fedssh, host, name), names))
        finally:
            host.check("touch", "/run/enough")
        for one in writers:
            one.result(timeout=60)
    host.check("rm", "/run/enough")
    assert [runs[-1].stderr for runs in tried if runs[-1].code] == []
    found = unwritten.contexts()
    assert found | OURS | {"member2": "kubefed-remote-member2"} == found
    written = host.check("sh", "-c", "cat /run/written-*").split()
    assert len(written) > 20
    assert [one for one in written if one not in found] == []


def test_fault_15_stale_kubectl_lock(unwritten: Federation, fedssh: Callable[..., Run]) -> None:
    """A lock that kubectl left behind is waited for, never deleted: 75, its age, and how to remove it."""
    unwritten.host.check("touch", "-d", "1 hour ago", f"{CONFIG}.lock")
    before = unwritten.host.check("sha256sum", CONFIG)
    done = fedssh("federate", "--member", "member1")
    assert done.code == 75, done.stderr
    assert re.search(r"kubectl's lock /root/.kube/config.lock is held: it is 36\d\d seconds old", done.stderr)
    assert "rm /root/.kube/config.lock" in done.stderr
    assert unwritten.host.check("sha256sum", CONFIG) == before
    assert beside(unwritten.host, CONFIG) == ["config", "config.lock"]
    assert fedssh("status").code in {0, 3}  # who only looks is not held up


@pytest.mark.parametrize("free_kib", [0, 12])
def test_fault_16_full_disk(
    free_kib: int, unwritten: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """No room for a proof, or none for the new file: 3, the old one intact, nothing beside it or on the member."""
    host, path = unwritten.host, "/mnt/full/config"
    inventory["host"]["kubeconfig"] = path
    fill = """
        mkdir -p /mnt/full && mount -t tmpfs -o size=256k tmpfs /mnt/full && cp /root/pristine /mnt/full/config
        free=$(df -k --output=avail /mnt/full | tail -1)
        head -c $(((free - $1) * 1024)) /dev/zero >/mnt/full/rest
    """
    host.check("sh", "-c", fill, "sh", str(free_kib))
    try:
        unwritten.kubectl(unwritten.member(), "delete", "secret", "--selector=app.kubernetes.io/managed-by=fedssh")
        done = fedssh("federate", "--member", "member1")
        assert done.code == 3, done.stderr
        assert "No space left on device" in done.stderr
        assert host.check("cat", path) == host.check("cat", "/root/pristine")
        assert beside(host, path) == ["config", "rest"]
        assert not any(name.startswith("secret/") for name in unwritten.objects())
    finally:
        host.exec("umount", "/mnt/full")


BROKEN: dict[str, tuple[bytes | None, str]] = {
    "not YAML": (b"apiVersion: v1\nclusters: [\n", "config:3:1:"),
    "not UTF-8": (b"apiVersion: v1\nkind: Config\nx: \xff\n", "UTF-8"),
    "no mapping": (b"- one\n", "is not a kubeconfig"),
    "empty": (b"", "is empty"),
    "a comment": (b"# later\n", "has no current context"),
    "missing": (None, "there is no kubeconfig"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_fault_17_no_kubeconfig_to_work_with(
    kind: str, unwritten: Federation, inventory: dict[str, Any], fedssh: Callable[..., Run]
) -> None:
    """Refused (6) before anything is granted, saying what is wrong and what to do; the file is not touched."""
    content, words = BROKEN[kind]
    host, path = unwritten.host, "/srv/broken/config"
    inventory["host"]["kubeconfig"] = path
    host.check("mkdir", "-p", "/srv/broken")
    if content is not None:
        put(host, path, content)
    before = host.exec("sha256sum", path).stdout
    objects = unwritten.objects()
    try:
        done = fedssh("federate", "--member", "member1")
        assert done.code == 6, done.stderr
        assert words in done.stderr
        assert "next: " in done.stderr
        assert host.exec("sha256sum", path).stdout == before
        assert beside(host, path) == (["config"] if content is not None else [])
        assert unwritten.objects() == objects
    finally:
        host.check("rm", "-r", "/srv/broken")
