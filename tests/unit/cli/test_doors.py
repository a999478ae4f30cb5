"""What both front doors, as programs, make of their command lines."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import invoke
import pytest

from fedssh.cli.tasks import TASKS
from tests.fakes.programs import DOORS, READY, REPORT, Run, pretender
from tests.fakes.reports import read_document
from tests.warm import ROOT

if TYPE_CHECKING:
    import socket


def connections(listener: socket.socket) -> int:
    """Return how often somebody connected."""
    found = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return found
        found += 1


@pytest.mark.parametrize(
    ("door", "flags", "words"),
    [
        (
            "fedssh",
            [],
            ["which members?", "--member NAME", "--label KEY=VALUE", "--member member1 or --member member2 or --all"],
        ),
        ("fedssh", ["--all", "--member", "member1"], ["--all excludes --member and --label"]),
        (
            "invoke",
            ["-m", "member3"],
            ["no member 'member3' in hosts.yaml", "did you mean 'member", "member1, member2"],
        ),
        ("fedssh", ["-m", "member1", "-m", "nember2"], ["no member 'nember2'", "did you mean 'member2'"]),
        ("invoke", ["--member", "fedhost"], ["'fedhost' is the host cluster, not a member"]),
        ("fedssh", ["--member", ""], ["no member ''"]),
        ("invoke", ["--member", "\x1b[31m"], [r"no member matches '\x1b[31m'"]),
        ("fedssh", ["--all", "-o", "xml"], ["--output is 'xml'; it can be table, wide, json, yaml or name"]),
        ("fedssh", ["--all", "--output", ""], ["--output has an empty value"]),
        ("fedssh", ["--all", "--hosts", "gone.yaml"], ["gone.yaml: No such file or directory"]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_connected(
    *, run: Run, hosts: Path, listener: socket.socket, door: str, flags: list[str], words: list[str]
) -> None:
    """Exit code 2; the error on stderr, with what to do; nothing on stdout."""
    assert hosts.exists()
    done = run(*DOORS[door], "federate", *flags)
    assert (done.code, done.out, connections(listener)) == (2, "", 0)
    for text in words:
        assert text in done.err
    assert done.err.startswith("error: ")


@pytest.mark.parametrize(
    ("verb", "text", "place"),
    [
        ("federate --all", "host: [\n", "2:1"),
        ("prepare", "\n\nhots: 1\n", "3:1"),
        ("status", "a: \x01\n", "1:4"),
    ],
)
def test_a_wrong_inventory_is_named_with_its_place(run: Run, hosts: Path, verb: str, text: str, place: str) -> None:
    """File, line and column, by every verb."""
    hosts.write_text(text)
    done = run(*DOORS["fedssh"], *verb.split())
    assert (done.code, done.out) == (2, "")
    assert re.match(rf"error: hosts\.yaml:{place}: ", done.err), done.err


def test_the_inventory_is_looked_for_upwards_or_named(run: Run, tmp_path: Path, hosts: Path) -> None:
    """By --hosts before FEDSSH_HOSTS before the folder; without one it says so."""
    other = tmp_path / "other.yaml"
    other.write_text("x")
    find = [*DOORS["fedssh"], "federate", "-m", "x"]
    assert "in hosts.yaml" in run(*find).err
    assert "other.yaml:1:1" in run(*find, FEDSSH_HOSTS="other.yaml").err
    assert "in hosts.yaml" in run(*find, "--hosts", "hosts.yaml", FEDSSH_HOSTS="other.yaml").err
    hosts.unlink()
    done = run(*find)
    assert (done.code, "no hosts.yaml in" in done.err, "--hosts FILE or FEDSSH_HOSTS" in done.err) == (2, True, True)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("flags", ["federate --all --dry-run", "-R federate --all", "prepare -R"])
@pytest.mark.usefixtures("hosts")
def test_a_dry_run_can_be_wished_for_in_every_way(run: Run, listener: socket.socket, door: str, flags: str) -> None:
    """By the verb's flag, before and behind the verb: it never runs for real."""
    listener.close()  # nobody is there: what is wished for is known all the same
    done = run(*DOORS[door], *flags.split(), "-o", "json")
    assert read_document(done.out)["dryRun"] is True


@pytest.mark.parametrize(
    ("flags", "dry"), [([], False), (["--dry-run"], True), (["-R"], True), (["--all", "-R"], True)]
)
@pytest.mark.usefixtures("hosts")
def test_the_wish_reaches_the_verb(run: Run, flags: list[str], *, dry: bool) -> None:
    """As one of its wishes, beside the members that are meant."""
    members = [] if "--all" in flags else ["-m", "member2"]
    body = "print(wishes.dry_run, [member.name for member in wishes.members], wishes.adopt, file=sys.stderr); "
    done = run(*pretender(body + "return " + REPORT.format(clusters=READY, code=0), verb="federate"), *flags, *members)
    assert f"\n{dry} {['member2'] if members else ['member1', 'member2']} False\n" in done.err


@pytest.mark.usefixtures("hosts")
def test_a_verb_that_changes_nothing_has_no_dry_run(run: Run) -> None:
    """There is nothing that it would do else. Under ``invoke``, whose -R it is, it runs."""
    for flags in ("-R status", "status -R", "status --dry-run"):
        assert run(*DOORS["fedssh"], *flags.split()).code == 2
    assert "no member 'x'" in run(*DOORS["invoke"], "-R", "status", "-m", "x").err


def test_the_environments_dry_run_is_invokes_alone(run: Run, hosts: Path) -> None:
    """INVOKE_RUN_DRY and invoke.yaml reach ``invoke``, never ``fedssh``."""
    flags = ["federate", "-m", "x", "-o", "json"]

    def is_dry(door: str, **environment: str) -> bool:
        return bool(read_document(run(*DOORS[door], *flags, **environment).out)["dryRun"])

    assert (is_dry("invoke"), is_dry("fedssh")) == (False, False)
    assert (is_dry("invoke", INVOKE_RUN_DRY="1"), is_dry("fedssh", INVOKE_RUN_DRY="1")) == (True, False)
    hosts.with_name("invoke.yaml").write_text("run: {dry: true}\n")
    assert (is_dry("invoke", INVOKE_RUNTIME_CONFIG="invoke.yaml"), is_dry("fedssh")) == (True, False)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--nonsense"], "'--nonsense' is not known here"),
        (["nonsense"], "there is no command 'nonsense'"),
        (["fedrate"], "did you mean 'federate'?"),
        (["federate", "--nonsense"], "fedssh federate --help"),
        (["federate", "--hel"], "did you mean '--help'?"),
        (["--hel"], "did you mean '--help'?"),
        (["init", "-o", "json"], "init has no --output"),
        (["-o", "json", "init"], "init has no --output"),
        (["prepare", "status"], "one command at a time"),
        (["status", "-o", "json", "-o", "yaml"], "--output is given twice"),
        (["federate", "--all", "--", "x"], "'--' and what stands behind it mean nothing here"),
        (["federate", "--membr", "x"], "did you mean '--member'?"),
        (["federate", "--member", "--all"], "--member needs a value"),
        (["status", "member1"], "members are named by --member NAME"),
    ],
)
@pytest.mark.usefixtures("hosts")
def test_fedssh_answers_flags_it_does_not_know_with_2(
    run: Run, listener: socket.socket, flags: list[str], words: str
) -> None:
    """One line. A --member without a name does not take the next flag for one, which would mean something else."""
    done = run(*DOORS["fedssh"], *flags)
    assert (done.code, connections(listener)) == (2, 0)
    assert (done.out == "") == ("-o" not in flags)
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("error: ")
    assert words in done.err


@pytest.mark.usefixtures("hosts")
def test_a_member_without_a_name_is_refused_by_invoke_too(run: Run, listener: socket.socket) -> None:
    """``--member --all`` must not mean all members; Invoke's own exit code is 1."""
    done = run(*DOORS["invoke"], "federate", "--member", "--all")
    assert (done.code in {1, 2}, connections(listener)) == (True, 0)


@pytest.mark.parametrize("door", DOORS)
def test_help_names_every_flag(run: Run, door: str) -> None:
    """-h is help's, and no flag has a short one that the table does not name."""
    done = run(*DOORS[door], "--help", "federate")
    assert done.code == 0
    options = done.out.partition("Options:")[2].partition("Examples:")[0]
    flags = {flag.option for flag in TASKS["federate"].verb.all_flags} | {"-m", "-y", "-R", "-f", "-o", "-q", "-v"}
    found = set(re.findall(r"(?m)(?:^  |, )(--?\w[\w-]*)", options))
    assert found == flags | ({"--inventory"} if door == "invoke" else set())


def test_a_foreign_invoke_is_told_what_to_run(run: Run, tmp_path: Path) -> None:
    """One that lacks fedssh's libraries, which are imported late: one line, exit code 2, whatever the verb."""
    (tmp_path / "invoke").symlink_to(Path(invoke.__file__).parent)
    python = str(Path(sys.base_prefix, "bin", "python3"))
    done = run(python, "-S", "-m", "invoke", "--search-root", str(ROOT), "status", PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "lacks fabric, paramiko, pydantic, rich, tenacity, yaml" in done.err
    assert "make setup" in done.err
    assert len(done.err.splitlines()) == 1
