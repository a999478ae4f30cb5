"""Reading known_hosts, with ssh-keygen -F as the oracle."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedssh.ssh.known_hosts import Entry, host_name, parse_known_hosts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXB0g4Xh8bDcD3m0p2a6Z5v0gq7yqYb7v1mKqk0cXy0"


@pytest.mark.parametrize(
    ("hosts", "host", "port"),
    [
        ("gate.example.com", "gate.example.com", 22),
        ("gate.example.com", "GATE.example.com", 22),
        ("GATE.example.com", "gate.example.com", 22),
        ("*.example.com", "gate.example.com", 22),
        ("*.example.com", "example.com", 22),
        ("*.example.com,!gate.example.com", "gate.example.com", 22),
        ("!gate.example.com,*.example.com", "gate.example.com", 22),
        ("!other,gate", "gate", 22),
        ("g?te", "gate", 22),
        ("[gate]:3022", "gate", 3022),
        ("[gate]:3022", "gate", 22),
        ("[gate]:*", "gate", 3022),
        ("[gate]:22", "gate", 22),
        ("[abc]", "a", 22),
        ("::1", "::1", 22),
        ("[::1]:2222", "::1", 2222),
    ],
)
@pytest.mark.parametrize("hashed", [False, True])
def test_lines_match_as_in_openssh(tmp_path: Path, hosts: str, host: str, port: int, *, hashed: bool) -> None:
    """Whether a line is about a machine is what ssh-keygen says."""
    file = tmp_path / "known_hosts"
    file.write_text(f"{hosts} {KEY}\n")
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, stderr=subprocess.DEVNULL)
    name = host_name(host, port)
    oracle = subprocess.run(["ssh-keygen", "-F", name, "-f", file], check=False, stdout=subprocess.DEVNULL)
    known = parse_known_hosts(file.read_text(), source=file)
    [entry] = known.entries
    assert entry.matches(name) is (oracle.returncode == 0)
    is_plain = port != 22 and entry.matches(host.lower())
    assert known.about(host, port) == [entry] * (entry.matches(name) or is_plain)


def test_lines_are_told_in_their_order() -> None:
    """Whether they name a machine or have a pattern for it, and each once."""
    hosts = ["*.example.com", "a.example.com,b.example.com", "b.example.com", "A.example.com,a.example.com", "?.*"]
    text = "".join(f"{one} {KEY}\n" for one in hosts)
    known = parse_known_hosts(text, source=Path("known_hosts"))
    assert [entry.hosts for entry in known.about("a.example.com", 22)] == [hosts[0], hosts[1], hosts[3], hosts[4]]


def test_a_line_for_each_of_hundreds_of_machines_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is a pattern is asked whether it is about a machine."""
    asked: list[str] = []
    matches = Entry.matches

    def count(entry: Entry, name: str) -> bool:
        asked.append(entry.hosts)
        return matches(entry, name)

    monkeypatch.setattr(Entry, "matches", count)
    text = "".join(f"host{number} {KEY}\n" for number in range(500)) + f"*.example.com {KEY}\n"
    known = parse_known_hosts(text, source=Path("known_hosts"))
    assert all(len(known.about(f"host{number}", 22)) == 1 for number in range(500))
    assert set(asked) == {"*.example.com"}


@given(st.text(alphabet="|1=,!*?[]:@ \t\nabAB#\x00é") | st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever a file holds, it is read; what is not understood is counted."""
    known = parse_known_hosts(text + f"\n|{text} {KEY}\nhost {KEY}\n", source=Path("known_hosts"))
    assert known.about("host", 22)
