"""What a command line or a hosts.yaml says that cannot be: rows 42 to 46 of the faults, through the whole program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.programs import DOORS, Run

if TYPE_CHECKING:
    import socket
    from pathlib import Path

HOST = "host: {name: fedhost, address: 127.0.0.1}\n"


def refusal(run: Run, listener: socket.socket, *flags: str) -> str:
    """Run fedssh; it must refuse with exit code 2 before it connects to anything. Return what it said."""
    done = run(*DOORS["fedssh"], "federate", *flags)
    assert (done.code, done.out) == (2, ""), done.err
    with pytest.raises(BlockingIOError):
        listener.accept()
    return done.err


@pytest.mark.usefixtures("hosts")
@pytest.mark.parametrize("name", ["a;id", "../x", "-oProxyCommand=x", "a" * 64, "ünïcode", "a\nb", "$(id)", "\x1b]0;x"])
def test_fault_42_a_name_on_the_command_line_is_only_compared(run: Run, listener: socket.socket, name: str) -> None:
    """Whatever it looks like, it is a member of hosts.yaml or none; it is shown escaped and cut."""
    said = refusal(run, listener, f"--member={name}")
    assert "error: " in said
    assert "\x1b" not in said


@pytest.mark.usefixtures("hosts")
def test_fault_42_a_flag_is_no_name(run: Run, listener: socket.socket) -> None:
    """What looks like a flag and stands where a name is wanted is compared, too, or refused."""
    assert "no member '--help'" in refusal(run, listener, "--member", "--help")


@pytest.mark.parametrize("name", ["a;id", "../x", "--help", "-oProxyCommand=x", "a" * 64, "ünïcode", "a\nb", "$(id)"])
def test_fault_42_a_name_in_the_inventory(run: Run, hosts: Path, listener: socket.socket, name: str) -> None:
    """A mistake at its place."""
    hosts.write_text(f"{HOST}members:\n  {json.dumps(name)}: {{address: 127.0.0.1}}\n")
    assert refusal(run, listener, "--all").startswith("error: hosts.yaml:3:3: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("members:\n  m: {address: a}\n  m: {address: b}\n", "4:3: the key 'm' is there twice; first in line 3"),
        ("members:\n  m: {address: a}\n  o: {address: a}\n", "4:3: members.o: the same address, port and user as m"),
        ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "3:8: aliases"),
        ("members: " + "{a: " * 50_000, "2:86: nested deeper than 20 levels"),
        ("members: !!python/object:os.system {}\n", "2:10: tags"),
        ("#" * 10_000_000, " larger than 1048576 bytes"),
    ],
    ids=["member", "machine", "bomb", "depth", "tag", "size"],
)
def test_fault_43_documents_made_to_hurt(run: Run, hosts: Path, listener: socket.socket, text: str, place: str) -> None:
    """Refused at their place; tests/unit/test_documents.py measures how long it takes."""
    hosts.write_text(HOST + text)
    assert f"error: hosts.yaml:{place}" in refusal(run, listener, "--all")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("on: x\n", "hosts.yaml:2:1: the key 'on' is not clearly text: quote it"),
        ("defaults: {user: on}\n", "hosts.yaml:2:18: not clear whether this is text or true or false: quote it"),
        ("defaults: {user: 0123}\n", "hosts.yaml:2:18: not clear whether this is text or a number: quote it"),
        ("members: {m: {address: m, labels: {v: 1.30}}}\n", "hosts.yaml:2:39: not clear whether this is text or a"),
        ('defaults: {port: "22"}\n', "hosts.yaml:2:18: defaults.port: expected a whole number, without quotes"),
    ],
)
def test_fault_44_what_yaml_may_read_otherwise(
    run: Run, hosts: Path, listener: socket.socket, text: str, said: str
) -> None:
    """It is to be quoted, or the quotes are to go; nothing is guessed."""
    hosts.write_text(HOST + text)
    assert refusal(run, listener, "--all").startswith(f"error: {said}")


def test_fault_45_typos_are_answered_by_what_was_meant(run: Run, hosts: Path, listener: socket.socket) -> None:
    """In hosts.yaml and on the command line."""
    assert "no member 'membr1' in hosts.yaml; did you mean 'member1'?" in refusal(run, listener, "-m", "membr1")
    hosts.write_text("hots: {name: fedhost, address: 127.0.0.1}\n")
    assert "hosts.yaml:1:1: hots: unknown key; did you mean 'host'?" in refusal(run, listener, "--all")


@pytest.mark.parametrize("key", ["password", "sudo_password", "token"])
def test_fault_46_there_is_no_place_for_a_password(
    run: Run, hosts: Path, listener: socket.socket, leaks: object, canary: str, key: str
) -> None:
    """Nobody can leave one in a hosts.yaml that others can read: the key is unknown, and its value is not quoted."""
    leaks.may_hold(hosts).write_text(f"{HOST}defaults: {{{key}: {canary}}}\n")  # type: ignore[attr-defined]
    hosts.chmod(0o644)
    assert f"hosts.yaml:2:12: defaults.{key}: unknown key" in refusal(run, listener, "--all")
