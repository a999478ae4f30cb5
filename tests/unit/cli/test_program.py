"""``fedssh`` federates the clusters of the file that is named, and runs nobody's code but its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fedssh
from tests.fakes.programs import DOORS, READY, REPORT, Run, pretender
from tests.fakes.reports import read_document
from tests.warm import ROOT

if TYPE_CHECKING:
    import socket


@pytest.fixture
def staging(hosts: Path) -> Path:
    """Another inventory than that of the folder: it has a member of its own."""
    path = hosts.with_name("staging.yaml")
    path.write_text(hosts.read_text().replace("member2:", "staged:"))
    return path


@pytest.mark.parametrize(
    "flags",
    [
        "federate -m x -f staging.yaml",
        "federate -f staging.yaml -m x",
        "federate -fstaging.yaml -m x",
        "federate -f=staging.yaml -m x",
        "-f staging.yaml federate -m x",
        "-fstaging.yaml federate -m x",
        "--hosts staging.yaml federate -m x",
        "--hosts=staging.yaml federate -m x",
        "-f hosts.yaml federate -m x -f staging.yaml",
    ],
)
@pytest.mark.usefixtures("staging")
def test_fault_76_f_names_the_inventory(run: Run, flags: str) -> None:
    """Wherever it stands; what stands nearer to the work counts. ``-f`` was Invoke's: ./hosts.yaml was federated."""
    done = run(*DOORS["fedssh"], *flags.split())
    assert (done.code, "no member 'x' in staging.yaml" in done.err) == (2, True), done.err


@pytest.mark.usefixtures("staging")
def test_f_is_more_than_the_environment(run: Run) -> None:
    """As --hosts is."""
    for flags in (["-f", "staging.yaml", "federate"], ["federate", "-f", "staging.yaml"]):
        assert "in staging.yaml" in run(*DOORS["fedssh"], *flags, "-m", "x", FEDSSH_HOSTS="hosts.yaml").err


@pytest.mark.usefixtures("staging")
def test_invoke_takes_f_behind_the_verb(run: Run) -> None:
    """A verb's own flags come before Invoke's there."""
    assert "in staging.yaml" in run(*DOORS["invoke"], "federate", "-m", "x", "-f", "staging.yaml").err


@pytest.mark.parametrize(
    "flags", ["-f staging.yaml federate --all", "--config staging.yaml prepare", "-f gone.yaml status"]
)
@pytest.mark.usefixtures("staging")
def test_fault_76_invokes_own_f_is_refused(run: Run, listener: socket.socket, flags: str) -> None:
    """Before the verb it names Invoke's configuration: nothing is connected to, and the way to say it is told."""
    done = run(*DOORS["invoke"], *flags.split())
    assert (done.code, done.out) == (2, "")
    assert "-f before the verb is Invoke's" in done.err
    assert f"--hosts {flags.split()[1]}" in done.err
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.usefixtures("hosts")
def test_invokes_configuration_in_the_environment_is_no_reason_to_refuse(run: Run, tmp_path: Path) -> None:
    """It is set for other tasks, and it is no mistake for an inventory."""
    tmp_path.joinpath("mine.yaml").write_text("run: {echo: true}\n")
    done = run(*DOORS["invoke"], "federate", "-m", "x", INVOKE_RUNTIME_CONFIG="mine.yaml")
    assert "no member 'x' in hosts.yaml" in done.err


@pytest.mark.parametrize(("suffixes", "text"), [("py", "raise SystemExit(99)"), ("yaml yml json", "{this: is: [none")])
@pytest.mark.usefixtures("hosts")
def test_fault_76_no_configuration_of_invokes_is_read(
    run: Run, tmp_path: Path, home: Path, suffixes: str, text: str
) -> None:
    """Neither in the home folder, nor here, nor where the environment says; a ``.py`` of it would be executed."""
    for suffix in suffixes.split():
        names = (f"{name}.{suffix}" for name in ("fedssh", "invoke"))
        for path in [path for name in names for path in (home / f".{name}", tmp_path / name)]:
            path.write_text(text)
    named = str(tmp_path / f"invoke.{suffixes.split(maxsplit=1)[0]}")
    done = run(*DOORS["fedssh"], "federate", "-m", "x", INVOKE_RUNTIME_CONFIG=named)
    assert (done.code, "no member 'x' in hosts.yaml" in done.err) == (2, True), done.err


@pytest.mark.usefixtures("hosts")
def test_no_configuration_of_the_system_is_read(run: Run, tmp_path: Path) -> None:
    """What Invoke would look for in /etc is not even looked for."""
    opened = (
        "import builtins, sys; sys.argv[0] = 'fedssh'\n"
        "def see(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).startswith('/etc/'):\n"
        "        builtins.print('opened', arguments[0], file=sys.stderr)\n"
        "sys.addaudithook(see)\n"
        "from fedssh.cli import main; main()"
    )
    done = run(sys.executable, "-P", "-c", opened, "federate", "-m", "x", HOME=str(tmp_path))
    assert "opened" not in done.err
    assert "no member 'x'" in done.err


@pytest.mark.parametrize(
    "environment",
    [
        {"FEDSSH_RUN_DRY": "1"},
        {"FEDSSH_TASKS_EXECUTOR_CLASS": "no.such.thing"},
        {"FEDSSH_RUN_ENV": "x"},
        {"INVOKE_TASKS_EXECUTOR_CLASS": "no.such.thing"},
        {"INVOKE_RUNTIME_CONFIG": "gone.toml"},
    ],
    ids=lambda environment: next(iter(environment)),
)
@pytest.mark.usefixtures("hosts")
def test_the_environment_configures_nothing(run: Run, environment: dict[str, str]) -> None:
    """FEDSSH_HOSTS and FEDSSH_DEBUG are all that fedssh reads of it."""
    done = run(*DOORS["fedssh"], "federate", "-m", "x", "-o", "json", **environment)
    assert (done.code, '"dryRun": false' in done.out, "no member 'x'" in done.err) == (2, True, True), done.err


@pytest.mark.usefixtures("staging")
def test_flags_of_invokes_that_mean_nothing_here_are_refused(run: Run, listener: socket.socket) -> None:
    """Before the verb and behind it: exit code 2, and nothing is connected to."""
    flags = ["-T 5", "-w", "-e", "--echo", "-p", "--config staging.yaml", "--prompt-for-sudo-password", "-c x", "-r x"]
    flags += ["-D 1", "-F json", "--hide both", "--write-pyc", "--no-dedupe", "-d", "-l"]
    verb = "federate --all"
    program = (
        "import sys\n"
        "from fedssh.cli import main\n"
        "for line in sys.argv[1:]:\n"
        "    sys.argv = ['fedssh', *line.split()]\n"
        "    try: main()\n"
        "    except SystemExit as end: print(end.code)\n"
    )
    lines = [line for flag in flags for line in (f"{flag} {verb}", f"{verb} {flag}")]
    done = run(sys.executable, "-P", "-c", program, *lines)
    assert done.out.split() == ["2"] * len(lines)
    expected = [f"error: '{flag.split()[0]}' is not known here" for flag in flags for _ in range(2)]
    assert [line[: len(start)] for line, start in zip(done.err.splitlines(), expected, strict=True)] == expected
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_the_inventory_may_come_by_stdin(hosts: Path) -> None:
    """Mistakes have their place there, too; nobody can be asked then."""
    text = hosts.read_text()
    hosts.unlink()
    for content, words in ((text, "no member 'x' in stdin"), ("host: 1\n", "stdin:1:7: host: expected a mapping")):
        for flags in (["-f", "-", "federate", "-m", "x"], ["federate", "-m", "x", "--hosts=-"]):
            done = subprocess.run(
                [*DOORS["fedssh"], *flags], input=content, capture_output=True, text=True, check=False,
                cwd=hosts.parent, env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            assert (done.returncode, done.stdout, words in done.stderr) == (2, "", True), done.stderr


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("-o json", ""),
        ("", "-o json"),
        ("-o yaml", "-o json"),
        ("-q -o json", ""),
        ("--log-format json -v -o json", ""),
    ],
)
@pytest.mark.usefixtures("hosts")
def test_what_every_verb_takes_may_stand_before_it(run: Run, before: str, behind: str) -> None:
    """What stands nearer to the work counts."""
    program = pretender("return " + REPORT.format(clusters=READY, code=0)).copy()
    program[-1] = program[-1].replace('sys.argv = ["fedssh", "status", *sys.argv[1:]]', 'sys.argv[0] = "fedssh"')
    done = run(*program, *before.split(), "status", *behind.split())
    assert (done.code, read_document(done.out)["exitCode"]) == (0, 0)
    assert (done.err == "") == ("-q" in before)
    if "--log-format" in before:
        assert all(json.loads(line)["level"] in {"info", "debug"} for line in done.err.splitlines())


@pytest.mark.parametrize("flags", ["", "-h", "--help", "help", "-f hosts.yaml --help"])
def test_help_names_the_verbs(run: Run, flags: str) -> None:
    """Also where nothing is asked for."""
    done = run(*DOORS["fedssh"], *flags.split())
    assert (done.code, done.err) == (0, "")
    for verb in ("federate", "prepare", "status"):
        assert f"\n  {verb}" in done.out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("-f status", "no command is named: --hosts has taken 'status' for its value"),
        ("-o json", "no command is named"),
        ("-R", "no command is named"),
        ("-vv", "no command is named"),
    ],
)
def test_a_command_line_without_a_verb_is_a_mistake(run: Run, flags: str, said: str) -> None:
    """A script whose variable is empty has done nothing, and is told so."""
    done = run(*DOORS["fedssh"], *flags.split())
    assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize("flag", ["--hosts", "--output", "--timeout", "--log-format"])
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.usefixtures("hosts")
def test_an_empty_value_is_a_mistake(run: Run, listener: socket.socket, door: str, flag: str) -> None:
    """What is named by a shell's variable that is not set is not what happens to be found."""
    lines = [["federate", "--all", flag, ""], *([[flag, "", "federate", "--all"]] if door == "fedssh" else [])]
    for line in lines:
        done = run(*DOORS[door], *line)
        assert (done.code, f"error: {flag} has an empty value" in done.err) == (2, True), done.err
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("flags", ["status --version", "federate --all -R -V", "-V federate --all", "init --version"])
@pytest.mark.usefixtures("hosts")
def test_the_version_is_told_wherever_it_is_asked_for(run: Run, listener: socket.socket, flags: str) -> None:
    """And nothing is done."""
    assert run(*DOORS["fedssh"], *flags.split()) == run(*DOORS["fedssh"], "-V")
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize("flags", ["-v status", "status -v", "-vv status", "status -v -v"])
@pytest.mark.usefixtures("hosts")
def test_verbose_means_the_same_before_the_verb_and_behind_it(run: Run, listener: socket.socket, flags: str) -> None:
    """Every attempt to connect is told, and with two of them the SSH dialogue; quiet excludes both."""
    listener.close()
    done = run(*DOORS["fedssh"], *flags.split(), "--log-format", "json")
    levels = [json.loads(line)["level"] for line in done.err.splitlines()]
    assert levels.count("debug") >= 4
    assert run(*DOORS["fedssh"], "-q", *flags.split()).code == 2


def test_a_working_directory_that_is_gone_is_no_bug(run: Run, hosts: Path) -> None:
    """With a file that is named all is as ever."""
    line = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    argv = ["sh", "-c", line, "sh", *DOORS["fedssh"], "federate", "-m", "x"]
    done = run(*argv)
    assert (done.code, "the working directory is gone" in done.err) == (2, True), done.err
    done = run(*argv, "-f", str(hosts))
    assert (done.code, f"no member 'x' in {hosts}" in done.err) == (2, True), done.err


@pytest.mark.parametrize("flags", ["--help status", "status -h", "help status"])
def test_help_for_a_verb(run: Run, flags: str) -> None:
    """Before it or behind it; for one that there is not, exit code 2."""
    done = run(*DOORS["fedssh"], *flags.split())
    assert (done.code, "-f, --hosts FILE" in done.out) == (0, True)
    done = run(*DOORS["fedssh"], *flags.replace("status", "stats").split())
    assert (done.code, "did you mean 'status'?" in done.err) == (2, True)


def test_help_is_as_wide_as_the_environment_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS, as for other programs; 80 without it, without a terminal, and where it is no number."""
    shown = {}
    for columns in ("", "0", "-1", "wide", "80", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        text = run.anew(*DOORS["fedssh"], "--help").out
        shown[columns] = text.partition("Options, ")[2].partition("Example:")[0]
    assert max(map(len, shown.pop("40").splitlines())) <= 40
    assert max(map(len, shown["80"].splitlines())) in range(70, 81)
    assert len(set(shown.values())) == 1


def test_the_version_is_told(run: Run) -> None:
    """In one line."""
    assert run(*DOORS["fedssh"], "--version") == run(*DOORS["fedssh"], "-V")
    assert run(*DOORS["fedssh"], "-V").out == f"fedssh {fedssh.__version__}\n"


@pytest.mark.parametrize("flags", ["--help", "--version", "federate --help"])
def test_help_imports_nothing_slow(run: Run, flags: str) -> None:
    """The libraries that do the work take longer to import than help takes to read."""
    program = (
        "import atexit, sys; sys.argv[0] = 'fedssh'\n"
        "slow = {'pydantic', 'rich', 'paramiko', 'fabric', 'cryptography', 'tenacity'}\n"
        "atexit.register(lambda: print(*sorted(slow & set(sys.modules)), file=sys.stderr))\n"
        "from fedssh.cli import main; main()"
    )
    assert run.anew(sys.executable, "-P", "-c", program, *flags.split()).err == "\n"


def test_every_verb_has_a_file_and_every_file_is_a_verb() -> None:
    """The table and the folder are in step."""
    from fedssh.cli.table import VERBS  # noqa: PLC0415  (all other tests here run programs)

    files = {path.stem for path in Path(ROOT, "fedssh/verbs").glob("*.py")} - {"__init__"}
    assert {verb.name for verb in VERBS if verb.has_report} == files
    assert all(Path(ROOT, f"fedssh/cli/{verb.name}.py").exists() for verb in VERBS if not verb.has_report)
