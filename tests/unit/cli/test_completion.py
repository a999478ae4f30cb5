"""What a shell may complete: by what ``fedssh`` answers, and by real shells that ask it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fedssh.cli.completion import complete
from tests.fakes.programs import DOORS, Run
from tests.fakes.ptys import ESCAPE

if TYPE_CHECKING:
    from tests.conftest import Leaks

INVENTORY = """\
host: {name: fedhost, address: h}
members:
  eu-1: {address: a, labels: {region: eu, tier: prod}}
  eu-2: {address: b, labels: {region: eu}}
  us-1: {address: c, labels: {region: us}}
"""
# In a shell: the line that was completed is shown instead of being run.
SHOWN = "\x01echo '[\x05]'\n"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hosts.yaml in the working directory, and the program on PATH."""
    path = tmp_path / "hosts.yaml"
    path.write_text(INVENTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    return path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "federate prepare fetch rotate unfederate status check init completion"),
        ("st", "status"),
        (
            "federate -",
            "--member --label --all --adopt --yes --dry-run --concurrency --hosts --output --quiet --verbose",
        ),
        ("federate --m", "--member"),
        ("--ver", "--verbose --version"),
        ("status --ver", "--verbose"),
        ("federate --member ", "eu-1 eu-2 us-1"),
        ("federate -m eu", "eu-1 eu-2"),
        ("federate --member=us", "--member=us-1"),
        ("federate --member eu-1,", "eu-1,eu-2 eu-1,us-1"),
        ("federate --label ", "region=eu region=us tier=prod"),
        ("federate --label tier=prod,region=", "tier=prod,region=eu tier=prod,region=us"),
        ("status -o ", "table wide json yaml name"),
        ("-o js", "json"),
        ("-o json stat", "status"),
        ("status --log-format ", "text json"),
        ("status --member federate --label t", "tier=prod"),
        ("completion z", "zsh"),
        ("federate --hosts ", ""),
        ("federate --timeout ", ""),
        ("init ", ""),
        ("init --pro", "--probe"),
        ("nonsense ", "federate prepare fetch rotate unfederate status check init completion"),
    ],
)
@pytest.mark.usefixtures("inventory")
def test_a_word_may_become(line: str, expected: str) -> None:
    """Verbs, flags and their values; where there is no answer, the shell offers files."""
    found = complete(line.split(" "))
    if line == "federate -":
        found = found[: len(expected.split())]
    assert " ".join(found) == expected


def test_members_are_those_of_the_file_that_is_meant(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By -f before or behind, by FEDSSH_HOSTS; of a file with mistakes there are none, and nothing is said."""
    other = inventory.with_name("other.yaml")
    other.write_text(INVENTORY.replace("us-1", "other"))
    words = ["federate", "-m", "o"]
    for line in (["-f", "other.yaml", *words], ["federate", "--hosts=other.yaml", "-m", "o"]):
        assert complete(line) == ["other"]
    assert complete(words) == []
    monkeypatch.setenv("FEDSSH_HOSTS", "other.yaml")
    assert complete(words) == ["other"]
    other.write_text("x")
    assert complete(words) == []


def test_every_shell_has_a_script_and_no_other(run: Run) -> None:
    """Which shell is wanted has to be said."""
    for shell in ("bash", "zsh", "fish"):
        done = run(*DOORS["fedssh"], "completion", shell)
        assert (done.code, done.err, " --complete -- " in done.out) == (0, "", True)
    for words in ([], ["tcsh"], ["bash", "zsh"]):
        done = run(*DOORS["fedssh"], "completion", *words)
        assert (done.code, done.out, "bash, zsh or fish" in done.err) == (2, "", True)


CASES = [
    ("fedssh fed\t", "fedssh federate"),
    ("fedssh federate --member eu-1,us\t", "fedssh federate --member eu-1,us-1"),
    ("fedssh federate --member=us\t", "fedssh federate --member=us-1"),
    ("fedssh federate --label tier\t", "fedssh federate --label tier=prod"),
    ("fedssh federate --label region=u\t", "fedssh federate --label region=us"),
    ("fedssh status -o js\t", "fedssh status -o json"),
    ("fedssh status -f hos\t", "fedssh status -f hosts.yaml"),
]


@pytest.mark.parametrize(
    ("shell", "start"),
    [
        ("bash --norc --noprofile -i", "source <(fedssh completion bash)"),
        ("zsh -f -i", "bindkey -e; autoload -U compinit; compinit -u; source <(fedssh completion zsh)"),
    ],
    ids=["bash", "zsh"],
)
@pytest.mark.usefixtures("inventory")
def test_a_real_shell_completes(tmp_path: Path, leaks: Leaks, shell: str, start: str) -> None:
    """At the Tab key; equals signs and commas among the letters."""
    program, *flags = shell.split()
    path = shutil.which(program)
    assert path, f"{program} is not there: make sshd"
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execve(path, [path, *flags], {**os.environ, "TERM": "dumb"})  # noqa: S606  (the shell under test)
    os.write(terminal, f"PS1='ready''>'; {start}\n".encode())
    read(terminal, until="ready>")
    completed = []
    for typed, _ in CASES:
        os.write(terminal, typed.encode())
        read(terminal, until="", longer_than=len(typed))
        os.write(terminal, SHOWN.encode())
        shown = read(terminal, until="ready>")
        leaks.look(shown, "what a shell has shown")
        completed += [line.strip("[] ") for line in shown.splitlines() if line.startswith("[")]
    os.write(terminal, b"exit\n")
    os.waitpid(child, 0)
    os.close(terminal)
    assert completed == [expected for _, expected in CASES]


def read(terminal: int, *, until: str, longer_than: int = 0) -> str:
    """Return what stands on a terminal, once there is more than the echo of what was typed, and that at its end."""
    text, heard, deadline = "", time.monotonic(), time.monotonic() + 30
    while not (text.rstrip(" ").endswith(until) and len(text) > longer_than and time.monotonic() - heard > 0.2):
        assert time.monotonic() < deadline, text
        if select.select([terminal], [], [], 0.1)[0]:
            text += ESCAPE.sub("", os.read(terminal, 4096).decode(errors="replace")).replace("\r", "")
            heard = time.monotonic()
    return text


@pytest.mark.parametrize(("typed", "expected"), CASES[:-1])
@pytest.mark.usefixtures("inventory")
def test_fish_completes(tmp_path: Path, typed: str, expected: str) -> None:
    """As it says itself."""
    path = shutil.which("fish")
    assert path, "fish is not there: make sshd"
    line = f"fedssh completion fish | source; complete -C '{typed.strip()}'"
    done = subprocess.run([path, "--no-config", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected.rpartition(" ")[2]]
