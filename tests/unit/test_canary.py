"""The watch for secrets in tests/conftest.py: a run of pytest in a subprocess, whose tests leak on purpose."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Leaks

ROOT = Path(__file__).parents[2]

SUITE = """
import base64, logging, os, subprocess, sys, tempfile
from pathlib import Path

import pytest

from fedssh.errors import StepError

TOKEN = base64.b64encode(b"a token that a cluster has minted").decode()


@pytest.fixture
def late(canary):
    yield
    print(canary)


def test_leak_stdout(canary):
    print("x", canary, "y")

def test_leak_stderr(canary):
    sys.stderr.write(canary)

def test_leak_child(canary):
    subprocess.run(["echo", canary], check=True)

def test_leak_fixture_after_the_test(late):
    pass

def test_leak_capsys(canary, capsys):
    print(canary)
    assert canary in capsys.readouterr().out

def test_leak_capfd(canary, capfd):
    os.write(2, canary.encode())
    assert canary in capfd.readouterr().err

def test_leak_capfd_unread(canary, capfd):
    print(canary)

def test_leak_debug_log(canary):
    logging.getLogger("paramiko.transport").debug("sent %s", canary)

def test_leak_log_of_an_exception(canary):
    try:
        raise ValueError(canary)
    except ValueError:
        logging.getLogger().exception("it failed")

def test_leak_caught_error(canary):
    with pytest.raises(StepError):
        raise StepError("failed: " + canary, machine="m")

def test_leak_hint(canary):
    StepError("failed", hint=canary)

def test_leak_raised_exception(canary):
    raise ValueError(canary)

def test_leak_file_at_home(canary):
    Path("~/.config").expanduser().mkdir()
    Path("~/.config/file").expanduser().write_text("x" + canary)

def test_leak_file_in_tmp_path(canary, tmp_path):
    (tmp_path / "file").write_text(canary)

def test_leak_file_elsewhere_in_tmp(canary, tmp_path_factory):
    (tmp_path_factory.mktemp("other") / "file").write_text(canary)

def test_leak_temporary_file(canary):
    Path(tempfile.mkstemp()[1]).write_text(canary)

def test_leak_mktemp(canary):
    subprocess.run(["sh", "-c", "cat >$(mktemp)"], input=canary, text=True, check=True)

def test_leak_file_name(canary, tmp_path):
    (tmp_path / canary).write_text("")

@pytest.mark.parametrize("before", ["", "x", "xy", "xyz"])
def test_leak_base64(canary, before):
    print(base64.b64encode(f"{before}{canary}z".encode()).decode())

def test_leak_told(canary, leaks):
    leaks.look("output of a program: " + canary, "the program")

def test_leak_forbidden_token(forbid):
    forbid(TOKEN)
    print(TOKEN)

def test_leak_forbidden_token_in_a_later_test():
    print(TOKEN)

def test_leak_forbidden_token_decoded():
    print(base64.b64decode(TOKEN))


def test_clean_nothing_shown(canary, capsys, tmp_path):
    print("can", capsys.readouterr())
    logging.debug("nothing")

def test_clean_declared_file(canary, leaks, tmp_path):
    leaks.may_hold(tmp_path / "kubeconfig").write_text(canary)

def test_clean_declared_folder(canary, leaks, tmp_path):
    (leaks.may_hold(tmp_path) / "folder").mkdir()
    (tmp_path / "folder" / "kubeconfig").write_text(canary)

def test_leak_declared_for_another_test_only(canary, tmp_path_factory, leaks):
    leaks.may_hold(tmp_path_factory.mktemp("declared"))
    (tmp_path_factory.mktemp("undeclared") / "file").write_text(canary)

def test_clean_environment(home):
    assert os.environ["HOME"] == str(home) == str(Path.home())
    kept = [one for one in os.environ if one.startswith(("FEDSSH_", "INVOKE_", "XDG_", "KUBE", "SSH_A"))]
    assert not kept
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")], ids=["alone", "by workers"])
def test_each_way_out_is_watched(
    workers: tuple[str, ...], tmp_path: Path, canary: str, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test of the suite that leaks fails for it, says where without the secret; no other test fails."""
    leaks.may_hold(tmp_path)
    (tmp_path / "test_suite.py").write_text(SUITE)
    for name in ("FEDSSH_HOSTS", "INVOKE_RUN_DRY", "KUBECONFIG", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, "/of/the/user")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "/dev/null"),
            *("--rootdir", tmp_path, "--basetemp", tmp_path / "temp", "-rA", "--tb=short", tmp_path),
            *workers,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    tests = set(re.findall(r"^def (test_\w+)", SUITE, re.MULTILINE))
    failed = set(re.findall(r"^ERROR \S+::(test_\w+)", run.stdout, re.MULTILINE))
    assert failed == {one for one in tests if one.startswith("test_leak")}, run.stdout.replace(canary, "***")
    assert re.search(r"^(collected |2 workers \[)31 items", run.stdout, re.MULTILINE)
    told = re.findall(r"^A forbidden string shows in:\n((?:  .*\n)+)", run.stdout, re.MULTILINE)
    assert len(told) == len([one for one in failed if one != "test_leak_base64"]) + 4
    assert canary not in "".join(told).replace("/" + canary, "")
    assert {"  the program\n", "  the text of a StepError\n", "  Captured stderr call\n"} <= set(told)


@pytest.mark.parametrize("length", [8, 9, 10, 32])
def test_base64_is_found_wherever_it_begins(leaks: Leaks, length: int) -> None:
    """Both alphabets, any alignment."""
    secret = "\u00ff\u00fb" + "~?" * length
    leaks.forbid(secret)
    for before in range(7):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            leaks.look(encode(b"." * before + secret.encode() + b"..."), "here")
            assert leaks.take() == ["here"]


def test_a_short_string_is_not_forbidden(leaks: Leaks) -> None:
    """It would be found everywhere."""
    with pytest.raises(AssertionError):
        leaks.forbid("token")
