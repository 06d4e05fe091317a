"""The import graph of the packages has no circle, imports go one way, and modules and functions are short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP = {"api", "cli", "__main__", "__init__"}
# The modules directly in replicate/, such as errors.py.
BOTTOM = {path.stem for path in (ROOT / "replicate").glob("*.py")} - TOP
DATA = BOTTOM | {"corpus"}
TRAINING = DATA | {"model", "training"}
RUNS = TRAINING | {"config", "store"}
EXPERIMENT = RUNS | {"runner", "results", "experiment"}
# What the modules of each package may import, besides their own package.
ALLOWED = {
    **dict.fromkeys(BOTTOM, BOTTOM),
    "corpus": BOTTOM,
    "features": DATA,
    "model": DATA,
    "training": DATA | {"model"},
    "config": TRAINING,
    "store": TRAINING,
    "runner": RUNS,
    "results": RUNS,
    "experiment": RUNS | {"runner", "results"},
    "benchmark": EXPERIMENT,
    "report": EXPERIMENT,
    "expected": EXPERIMENT | {"report"},
    "export": EXPERIMENT | {"features"},
}


def modules() -> dict[str, Path]:
    """Every module of the packages by its dotted name."""
    found = {}
    for package in ("replicate", "export"):
        for path in (ROOT / package).rglob("*.py"):
            names = path.relative_to(ROOT).with_suffix("").parts
            if names[:3] == ("export", "demo", "bundle"):  # written by the exporter
                continue
            found[".".join(names[:-1] if names[-1] == "__init__" else names)] = path
    return found


MODULES = modules()


def imports(module: str) -> set[str]:
    """The modules that a module imports, also inside functions, but not for types alone."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for branch in ast.walk(tree)
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for body in branch.body
        for node in ast.walk(body)
    }
    found = {name for node in ast.walk(tree) if id(node) not in typing_only for name in _targets(node)}
    return {name for name in found if name in MODULES} - {module}


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            name = f"{node.module}.{alias.name}"
            yield name if name in MODULES else node.module


def package(module: str) -> str:
    """The room of a module: its package below replicate, or export."""
    first, *rest = module.split(".")
    return "export" if first == "export" else rest[0] if rest else "__init__"


def test_imports_go_one_way():
    wrong = []
    for module in MODULES:
        own = package(module)
        if own not in TOP:
            # The version number is in replicate/__init__.py.
            others = {name for name in imports(module) - {"replicate"} if package(name) not in ALLOWED[own] | {own}}
            wrong += [f"{module} imports {name}" for name in sorted(others)]
    assert wrong == []


def test_there_is_no_circle():
    # Commands import what they need inside functions, and so does the Python API.
    graph = {name: imports(name) - {"replicate"} for name in MODULES if package(name) not in TOP}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_package_has_its_place():
    assert {package(name) for name in MODULES} == set(ALLOWED) | TOP


def written() -> dict[str, Path]:
    """The modules of the packages and of their tests by dotted name."""
    tests = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "tests").rglob("*.py")}
    return MODULES | tests


def test_modules_are_short():
    long = {name for name, path in written().items() if len(path.read_text(encoding="utf-8").splitlines()) > 300}
    assert long == set()


def test_functions_are_short():
    long = []
    for module, path in written().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60:
                long.append(f"{module}.{node.name}")
    assert long == []
