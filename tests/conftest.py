"""What every test lives in: a home of its own, and a watch for secrets that show.

No test sees the user's home, kubeconfig or SSH agent. After each test, everything it printed, logged, raised or left
behind is searched for forbidden strings: the canary, which the secrets of all fixtures hold, and whatever a test
forbids besides (``forbid(token)``), each also in base64. A test in which one shows is failed.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hypothesis
import pytest

from fedssh.errors import FedsshError
from tests.groups import arrange

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

# A busy machine is no mistake of the code's. The same examples each time: who looks for new ones takes "search".
hypothesis.settings.register_profile("fedssh", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis.settings.load_profile("fedssh")

CANARY: Final = "canary-7d1c0f-never-to-be-seen"

_SHORTEST = 8
_FOREIGN_VARIABLES: Final = {
    "COLUMNS",
    "DISPLAY",
    "FORCE_COLOR",
    "KUBECONFIG",
    "LINES",
    "NO_COLOR",
    "PYTHONUNBUFFERED",
    "SSH_AGENT_PID",
    "SSH_ASKPASS",
    "SSH_AUTH_SOCK",
}
_FOREIGN_PREFIXES: Final = ("FEDSSH_", "HELM_", "INVOKE_", "KUBE", "TTY_", "XDG_")


class Leaks:
    """Strings that must not show, and where they did during the current test."""

    def __init__(self) -> None:
        self._forbidden: dict[bytes, None] = {}
        self._exempt: list[Path] = []
        self._found: dict[str, None] = {}
        self.forbid(CANARY)

    def forbid(self, secret: str) -> None:
        """Let no test of this run show ``secret``, its base64, or what it is the base64 of."""
        assert len(secret) >= _SHORTEST, "too short a secret would be found everywhere"
        self._add(secret.encode())
        with suppress(binascii.Error, ValueError):
            self._add(base64.b64decode(secret, validate=True))

    def look(self, text: str | bytes, where: str) -> None:
        """Fail the current test at its end if ``text`` holds a secret: for what pytest does not capture by itself."""
        content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        if any(secret in content for secret in self._forbidden):
            self._found[where] = None

    def may_hold(self, path: Path) -> Path:
        """Declare that a file, or every file in a folder, is meant to hold secrets; return it."""
        self._exempt.append(path)
        return path

    def look_into(self, folder: Path) -> None:
        """Search the files of a folder, and their names."""
        for root, _, names in os.walk(folder):
            for path in (Path(root, name) for name in names):
                if any(path.is_relative_to(one) for one in self._exempt):
                    continue
                self.look(os.fsencode(path), "a file's name")
                if path.is_file() and not path.is_symlink():
                    with suppress(PermissionError):
                        self.look(path.read_bytes(), f"the file {path}")

    def take(self) -> list[str]:
        """Return where secrets showed, and begin anew."""
        found = list(self._found)
        self._found.clear()
        self._exempt.clear()
        return found

    def _add(self, secret: bytes) -> None:
        if len(secret) < _SHORTEST:
            return
        self._forbidden[secret] = None
        # In base64, a text looks in three ways, depending on where in a longer one it begins; its edges blend.
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + secret)
            core = encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
            if len(core) >= _SHORTEST:
                self._forbidden[core] = None
                self._forbidden[core.translate(bytes.maketrans(b"+/", b"-_"))] = None


class _Records(logging.Handler):
    """Looks at every log record, as it would be written."""

    def __init__(self, leaks: Leaks) -> None:
        super().__init__(logging.DEBUG)
        self._leaks = leaks

    def emit(self, record: logging.LogRecord) -> None:
        self._leaks.look(self.format(record), f"a record of the logger {record.name}")


_LONGEST_NAME: Final = 100
_LEAKS: Final = pytest.StashKey[Leaks]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing forbidden but the canary, and with a Ctrl-C that is heard."""
    config.stash[_LEAKS] = Leaks()
    # A shell's background job ignores it, and so would every program that a test starts and interrupts.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Let a long text have no name of its own: certificates are new in each worker, and an environment is limited."""
    return argname if isinstance(val, str | bytes) and len(val) > _LONGEST_NAME else None


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in a hook of its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in an order that costs little, also for several workers."""
    items[:] = arrange(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look at what pytest itself would show of a test; fail the test if anything showed anywhere."""
    report = yield
    leaks = item.config.stash[_LEAKS]
    leaks.look(report.longreprtext, f"the exception in {report.when}")
    for title, content in report.sections:
        leaks.look(content, title)
    if report.when == "teardown" and (found := leaks.take()):
        report.outcome = "failed"
        before = f"{report.longreprtext}\n\n" if report.longreprtext else ""
        report.longrepr = f"{before}A forbidden string shows in:\n" + "\n".join(f"  {one}" for one in found)
    return report


@pytest.fixture(scope="session")
def leaks(pytestconfig: pytest.Config) -> Leaks:
    """The watch itself, for what it cannot see by itself."""
    return pytestconfig.stash[_LEAKS]


@pytest.fixture(scope="session")
def forbid(leaks: Leaks) -> Callable[[str], None]:
    """Forbids a secret to show from now on, in this test and in all later ones."""
    return leaks.forbid


@pytest.fixture(scope="session")
def canary() -> str:
    """The string that every secret of a fixture holds."""
    return CANARY


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the test; a test that wants another overrides this."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _isolated(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's reaches the test, and nothing of the test's is left outside of pytest's folder."""
    for name in os.environ:
        if name in _FOREIGN_VARIABLES or name.startswith(_FOREIGN_PREFIXES):
            monkeypatch.delenv(name)
    temporary = home / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))


@pytest.fixture(autouse=True)
def _watched(
    leaks: Leaks, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _isolated: None
) -> Iterator[None]:
    """Look at logs, errors, files, and at captured output that a test takes for itself."""
    folder = tmp_path_factory.getbasetemp()
    home = Path(os.environ["HOME"])
    before = {*os.listdir(folder)} - {home.name}  # noqa: PTH208  (there are thousands, for every test anew)
    read, make_error = pytest.CaptureFixture.readouterr, FedsshError.__init__

    def readouterr(capture: pytest.CaptureFixture[Any]) -> Any:
        taken = read(capture)
        leaks.look(taken.out, "stdout, as the test has read it")
        leaks.look(taken.err, "stderr, as the test has read it")
        return taken

    def init(error: FedsshError, message: str, **about: str) -> None:
        leaks.look("\n".join([message, *about.values()]), f"the text of a {type(error).__name__}")
        make_error(error, message, **about)

    monkeypatch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
    monkeypatch.setattr(FedsshError, "__init__", init)
    root, handler = logging.getLogger(), _Records(leaks)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield
    root.removeHandler(handler)
    root.setLevel(level)
    for name in {*os.listdir(folder)} - before:  # noqa: PTH208  (as above)
        if not (folder / name).is_symlink():
            leaks.look_into(folder / name)
