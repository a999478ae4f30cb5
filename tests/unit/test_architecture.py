"""What import-linter cannot see: who calls a Shell, who knows an engine's names, which modules a contract forgets."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "fedssh"
SOURCES: Final = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}

SHELLS: Final = ("ssh/", "shell/", "federation/look/", "federation/act/")
"""Where Shells are made, described and called."""

ENGINES: Final = ("engines/kubefed/", "inventory/")
"""Where the names of KubeFed are known: its own folder, and its section of hosts.yaml."""

TABLE: Final = re.compile(r"(DEFAULT|_FOLDERS): Final = .*")
"""The lines of engines/__init__.py that name the engines."""

IMPURE: Final = {"accesses", "execute", "installation", "supplies", "look", "act", "machines", "leaving", "rotation"}
"""The modules of federation that touch machines, or hand connections on to those that do."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield every function of a module."""
    yield from (node for node in ast.walk(tree) if isinstance(node, Function))


def calls(node: ast.AST) -> Iterator[ast.Attribute]:
    """Yield every call of something's method, as in ``shell.run(…)``."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            yield call.func


def shells(function: Function) -> set[str]:
    """Return a function's parameters that are Shells, by their annotation."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {argument.arg for argument in arguments if argument.annotation and _names_shell(argument.annotation)}


def shell_calls(source: str, *, any_run: bool = True) -> list[str]:
    """Return what calls a Shell in a module: ``.run(`` or ``.hold(`` of anything, or any method of a parameter."""
    tree = ast.parse(source)
    found = [call for call in calls(tree) if any_run and call.attr in {"run", "hold"}]
    for function in functions(tree):
        names = shells(function)
        found += [call for call in calls(function) if isinstance(call.value, ast.Name) and call.value.id in names]
    return [f"line {call.lineno}: {ast.unparse(call)}" for call in found]


def engine_names(source: str) -> list[str]:
    """Return the lines of a module that name KubeFed; references to its issues are fine."""
    lines = re.sub(r"\bkubefed#\d+", "", source).splitlines()
    return [f"line {number}: {line.strip()}" for number, line in enumerate(lines, 1) if "kubefed" in line.lower()]


def imports_at_run_time(source: str, package: str) -> bool:
    """Whether a module imports a package for more than the names of types."""
    tree = ast.parse(source)
    for_types = {
        node
        for guard in ast.walk(tree)
        if isinstance(guard, ast.If) and ast.unparse(guard.test) == "TYPE_CHECKING"
        for statement in guard.body
        for node in ast.walk(statement)
    }
    others = [node for node in ast.walk(tree) if node not in for_types]
    modules = [node.module or "" for node in others if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in others if isinstance(node, ast.Import) for alias in node.names]
    return any(module.split(".")[0] == package for module in modules)


def contract(name: str) -> dict[str, Any]:
    """Return a contract of import-linter's."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = [each for each in contracts if each["name"] == name]
    return dict(found)


def _names_shell(annotation: ast.expr) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "Shell" for node in ast.walk(annotation))


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.startswith(SHELLS)])
def test_only_look_and_act_call_a_shell(path: str) -> None:
    """Everything else is pure, or hands connections on. Invoke and the verbs, which are run, too, are no Shells."""
    assert shell_calls(SOURCES[path], any_run=not path.startswith(("cli/", "library.py"))) == []


@pytest.mark.parametrize("path", [path for path in SOURCES if not path.startswith(ENGINES)])
def test_only_the_engines_folder_and_hosts_yaml_know_kubefed(path: str) -> None:
    """A second engine is a folder, and a line in the table of engines/__init__.py."""
    source = SOURCES[path]
    if path == "engines/__init__.py":
        source = "\n".join("" if TABLE.fullmatch(line) else line for line in source.splitlines())
    assert engine_names(source) == []


@pytest.mark.parametrize("path", [path for path in SOURCES if path.startswith("federation/")])
def test_federation_knows_certificates_as_types_alone(path: str) -> None:
    """What is in them is for ``kubernetes.certificates`` to tell."""
    assert not imports_at_run_time(SOURCES[path], "cryptography")


def test_no_module_of_federation_is_forgotten_by_the_contract() -> None:
    """Each is pure by contract, or one of those that touch machines."""
    named = set(contract("Only look and act touch machines")["source_modules"])
    for folder in ("federation", "federation.leaving", "federation.rotation"):
        modules = {path.name.removesuffix(".py") for path in (PACKAGE / folder.replace(".", "/")).iterdir()}
        pure = {f"fedssh.{folder}.{module}" for module in modules - IMPURE - {"__init__", "__pycache__"}}
        assert pure == {module for module in named if module.rpartition(".")[0] == f"fedssh.{folder}"}


def test_the_engines_in_the_table_are_the_folders_there_are() -> None:
    """Each by the name of its folder."""
    (line,) = [line for line in SOURCES["engines/__init__.py"].splitlines() if line.startswith("_FOLDERS")]
    table = ast.literal_eval(line.partition(" = ")[2])
    folders = {path.parent.name for path in (PACKAGE / "engines").glob("*/__init__.py")} - {"protocol"}
    assert table == {name: f"fedssh.engines.{name}" for name in folders}


@pytest.mark.parametrize(
    "planted",
    [
        "def grant(shell: Shell): return shell.run(command)",
        "def grant(self): return self._machines[name].run(command)",
        "def lock(shell: Shell | None): shell.hold(line)",
        "def end(*, shell: Shell): shell.close()",
        "async def grant(shell: 'x', /, other: Shell): other.anything()",
    ],
)
def test_a_call_of_a_shell_is_found(planted: str) -> None:
    """However the Shell has come there."""
    assert shell_calls(planted)


@pytest.mark.parametrize(
    "fine", ["def grant(shell: Shell): return act(shell)", "def grant(machines: Mapping[str, Shell]): act(machines[a])"]
)
def test_handing_a_shell_on_is_no_call(fine: str) -> None:
    """Those who decide may hold connections."""
    assert shell_calls(fine) == []


@pytest.mark.parametrize("planted", ["x = inventory.kubefed.version", "# KubeFed", '"""kubefedctl"""', "KUBEFED = 1"])
def test_a_name_of_kubefeds_is_found(planted: str) -> None:
    """In code, comments and docstrings; the number of an issue is none."""
    assert engine_names(planted)
    assert engine_names("# without it, a join would hang (kubefed#1132)") == []
    assert engine_names("# kubefed#1132, by kubefedctl")


def test_an_import_at_run_time_is_found() -> None:
    """Of a package, in any way, but for types."""
    guarded = "if TYPE_CHECKING:\n    from cryptography.x509 import Certificate\n"
    assert not imports_at_run_time(guarded, "cryptography")
    for planted in ("import cryptography.x509", "from cryptography import x509", "def f():\n    import cryptography"):
        assert imports_at_run_time(guarded + planted, "cryptography")
