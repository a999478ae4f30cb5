from __future__ import annotations

import os
import pty
import resource
import subprocess
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fedssh.cli.init import write_draft
from fedssh.errors import ConfigurationError, UnreachableError
from fedssh.federation.look.probe import probe
from fedssh.inventory import load_inventory
from tests.fakes.drafts import Person, loaded
from tests.fakes.programs import DOORS, Run
from tests.fakes.shells import install_tool, path_with
from tests.warm import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fedssh.federation.machines import Connect
    from fedssh.inventory import Machine
    from fedssh.shell import Shell

ASKING = """
import sys
from fedssh.cli.init import write_draft
text = write_draft([], tell=lambda said: print(f"told: {said}", file=sys.stderr))
print("text:", text)
"""


def test_words_become_a_hosts_yaml(person: Person) -> None:
    """Its text is returned; who the host is, and what is called otherwise, is told."""
    text = write_draft(
        ["fedhost=root@192.0.2.1:2222", "Prod_EU=root@192.0.2.2"], tell=person.told.append, ask=person.ask
    )
    inventory = loaded(text)
    assert (inventory.host.machine.address, inventory.host.machine.port) == ("192.0.2.1", 2222)
    assert [member.name for member in inventory.members] == ["prod-eu"]
    assert person.told == [
        "Prod_EU is called prod-eu: a name has lower-case letters, digits and '-' only, 63 at most",
        "fedhost (192.0.2.1) is the host cluster, the first one",
    ]
    assert person.asked == []


def test_another_may_be_the_host(person: Person) -> None:
    """Then it is told without a reason; a host without members is told, too."""
    write_draft(["a=h1", "b=h2"], host="b", tell=person.told.append)
    write_draft(["a=h1"], tell=person.told.append)
    assert person.told == [
        "b (h2) is the host cluster",
        "a (h1) is the host cluster, the first one",
        "there are no members yet",
    ]


def test_the_file_is_made_and_never_replaced(tmp_path: Path, person: Person) -> None:
    """Neither is what a symbolic link names, nor a link that leads nowhere; nobody is asked in vain."""
    path = tmp_path / "hosts.yaml"
    text = write_draft(["fedhost=h", "m1=m"], path=str(path), tell=person.told.append)
    assert path.read_text() == text
    assert load_inventory(path).members[0].name == "m1"
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "broken").symlink_to(tmp_path / "gone")
    for name in ("hosts.yaml", "link", "broken", "."):
        with pytest.raises(ConfigurationError, match="is there already, and stays as it is") as caught:
            write_draft([], path=str(tmp_path / name), tell=person.told.append, ask=person.ask)
        assert "Name another file" in caught.value.hint
    assert (path.read_text(), person.asked, (tmp_path / "gone").exists()) == (text, [], False)


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    """While somebody thinks about an answer."""
    path = tmp_path / "hosts.yaml"
    with pytest.raises(ConfigurationError, match="is there already"):
        write_draft(["a=h"], path=str(path), tell=lambda _: path.write_text("mine"))
    assert path.read_text() == "mine"


def test_the_file_is_no_more_open_than_the_umask_says(tmp_path: Path) -> None:
    """As every file that somebody makes."""
    before = os.umask(0o077)
    try:
        write_draft(["a=h"], path=str(tmp_path / "closed.yaml"), tell=str)
        os.umask(0o022)
        write_draft(["a=h"], path=str(tmp_path / "open.yaml"), tell=str)
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("closed.yaml", "open.yaml")]
    assert modes == [0o600, 0o644]


def test_a_file_that_cannot_be_written_is_not_left_behind(tmp_path: Path) -> None:
    """As on a full disk: half a hosts.yaml could be a right one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        with pytest.raises(ConfigurationError, match="File too large"):
            write_draft(["a=h"], path=str(tmp_path / "hosts.yaml"), tell=str)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path, person: Person) -> None:
    """Before the questions."""
    with pytest.raises(ConfigurationError, match="there is no folder") as caught:
        write_draft([], path=str(tmp_path / "new" / "hosts.yaml"), tell=person.told.append, ask=person.ask)
    assert caught.value.hint == f"mkdir -p {tmp_path / 'new'}"
    assert (person.asked, list(tmp_path.iterdir())) == ([], [])


def test_four_questions_make_a_hosts_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative key is meant from where one stands."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "id").touch()
    person = Person(" fedhost", "root@192.0.2.1:2222", "m1=root@192.0.2.2  m2=alias", "id")
    inventory = loaded(write_draft([], tell=person.told.append, ask=person.ask))
    assert len(person.asked) == 4
    assert [member.machine.address for member in inventory.members] == ["192.0.2.2", "alias"]
    assert (inventory.host.name, inventory.host.machine.port) == ("fedhost", 2222)
    clusters = (inventory.host, *inventory.members)
    assert {cluster.machine.identity_file for cluster in clusters} == {tmp_path / "id"}


def test_a_wrong_answer_is_told_and_the_question_put_again() -> None:
    """Each of the four; nothing of the right ones is asked anew."""
    members = ["m1=root@h", "m1=x:y", "m1=m m1=n", ""]
    person = Person("", "fedhost", "", "root@", "root@h", *members, "/no/such/key", "/", "~nobody-here/x", "")
    inventory = loaded(write_draft([], tell=person.told.append, ask=person.ask))
    assert inventory.members == ()
    assert [person.asked.count(one) for one in dict.fromkeys(person.asked)] == [2, 3, 4, 4]
    wrong = [told for told in person.told if told.startswith("'") or "same machine" in told or "are called" in told]
    assert len(wrong) == 9


def test_a_password_in_an_answer_is_not_shown(canary: str) -> None:
    """It is told that passwords are asked for later."""
    person = Person("fedhost", f"root:{canary}@h", "root@h", f"m1=root:{canary}@m", "", "")
    write_draft([], tell=person.told.append, ask=person.ask)
    assert sum("asked for on a terminal" in told for told in person.told) == 2
    assert "canary" not in "".join(person.told)


@pytest.mark.parametrize("answers", [[], ["fedhost"], ["fedhost", "h", ""]])
def test_without_anybody_to_ask_both_ways_to_call_it_are_shown(answers: list[str]) -> None:
    """With words, and with an inventory; also where somebody leaves in the middle."""
    person = Person(*answers)
    with pytest.raises(ConfigurationError, match="nobody answers") as caught:
        write_draft([], tell=person.told.append, ask=person.ask)
    assert "fedssh init fedhost=root@192.0.2.1 member1=root@192.0.2.2" in caught.value.hint
    assert "--from-ansible" in caught.value.hint


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where there is a /dev/tty."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ConfigurationError, match="nobody answers"):
        write_draft([], tell=str)


def test_questions_are_put_on_a_real_terminal() -> None:
    """The answers show while they are typed; stdout gets the text alone."""
    ours, theirs = pty.openpty()
    argv = ["setsid", "--ctty", "--wait", sys.executable, "-c", ASKING]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        for answer in ("fedhost", "root@h", "m1=root@m", ""):
            while not shown.endswith(b": "):
                shown += os.read(ours, 1024)
            os.write(ours, f"{answer}\n".encode())
            shown += os.read(ours, 1024)
        assert process.stdout
        printed = process.stdout.read().decode()
        with suppress(OSError):  # the terminal's end
            while chunk := os.read(ours, 1024):
                shown += chunk
        os.close(ours)
        assert process.wait(10) == 0
    assert b"m1=root@m" in shown
    assert printed.startswith("text: # The clusters")
    assert loaded(printed.removeprefix("text: ")).members[0].name == "m1"


@pytest.fixture
def k3s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Machines that have the kubeconfig of k3s: what it is tried with, by real shells, is noted."""
    kubectl = 'case "$*" in *k3s.yaml*get*|*get*k3s.yaml*) echo {} ;; *) echo refused >&2; exit 1 ;; esac'
    install_tool(tmp_path / "bin", "kubectl", kubectl)
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin"))
    return tmp_path


@pytest.fixture
def connect(local: Shell) -> Callable[[Machine], Shell]:
    """Connects to this machine, whoever is meant; to nobody called m1."""

    def reach(machine: Machine) -> Shell:
        if machine.name == "m1":
            raise UnreachableError("no answer", machine="m1", hint="Is it on?")
        return local

    return reach


@pytest.mark.usefixtures("k3s")
def test_machines_that_are_looked_at_complete_the_draft(connect: Connect, person: Person) -> None:
    """One that cannot be reached stays as it was named, and that is told."""
    text = write_draft(["a=h", "m1=m"], probe=partial(probe, connect=connect), tell=person.told.append)
    inventory = loaded(text)
    assert inventory.host.kubeconfig == "/etc/rancher/k3s/k3s.yaml"
    assert inventory.members[0].kubeconfig is None
    assert person.told[1:] == [
        "a: kubeconfig /etc/rancher/k3s/k3s.yaml was found",
        "m1: its machine could not be looked at: no answer\n  next: Is it on?",
    ]


def test_a_machine_that_does_not_answer_is_told_by_the_program(run: Run) -> None:
    """The draft is what it would be without it; progress and remarks stand on stderr."""
    done = run(*DOORS["fedssh"], "init", "a=127.0.0.1:1", "--probe")
    assert (done.code, loaded(done.out).host.kubeconfig) == (0, None)
    assert "a: looking at the machine\nwarning: a: its machine could not be looked at: 127.0.0.1 port 1: " in done.err


def test_the_program_writes_to_stdout_or_a_new_file(run: Run, tmp_path: Path) -> None:
    """As words behind the verb or behind --cluster, the only way for ``invoke``; never over a file."""
    words = ["fedhost=root@192.0.2.1", "member1=root@192.0.2.2:2222"]
    done = run(*DOORS["fedssh"], "init", *words)
    flags = [flag for word in words for flag in ("--cluster", word)]
    assert done == run(*DOORS["invoke"], "init", *flags)
    assert (done.code, done.err) == (0, "fedhost (192.0.2.1) is the host cluster, the first one\n")
    path = tmp_path / "new.yaml"
    written = run(*DOORS["fedssh"], "init", words[1], "-O", "new.yaml", words[0], "--host", "fedhost", "-q")
    assert written == (0, "", "")
    assert loaded(path.read_text()) == loaded(done.out)
    again = run(*DOORS["fedssh"], "init", *words, "-O", "new.yaml")
    assert (again.code, again.out, path.read_text() == done.out) == (2, "", True)
    assert "new.yaml is there already, and stays as it is" in again.err
    dry = run(*DOORS["invoke"], "-R", "init", *flags, "-O", "other.yaml")
    assert (dry.code, (tmp_path / "other.yaml").exists()) == (2, False)


def test_the_program_asks_nobody_without_a_terminal(run: Run) -> None:
    """It says how to name clusters."""
    done = run(*DOORS["fedssh"], "init")
    assert (done.code, done.out, "fedssh init --from-ansible" in done.err) == (2, "", True)
