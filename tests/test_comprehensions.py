"""Python 3.12.1 confuses a name that one comprehension of a function assigns and another one takes from the module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("replicate", "export", "docs") for path in (ROOT / folder).rglob("*.py"))
COMPREHENSION = (ast.ListComp, ast.SetComp, ast.DictComp)


def confused(source: str) -> Iterator[tuple[str, str]]:
    """Every function with a name that one of its comprehensions assigns, and another one only reads."""
    module = ast.parse(source)
    known = set(module_names(module))
    for function in ast.walk(module):
        if isinstance(function, ast.FunctionDef):
            assigned, read = [], []
            for part in outermost(function):
                names = [each for each in ast.walk(part) if isinstance(each, ast.Name)]
                assigned.append({each.id for each in names if isinstance(each.ctx, ast.Store)})
                read.append({each.id for each in names} - assigned[-1])
            local = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
            local |= {each.id for each in statements(function) if isinstance(each.ctx, ast.Store)}
            for name in set().union(*assigned) & set().union(*read) & known - local:
                yield function.name, name


def module_names(module: ast.Module) -> Iterator[str]:
    """Every name that a module defines or imports."""
    for each in module.body:
        if isinstance(each, (ast.FunctionDef, ast.ClassDef)):
            yield each.name
        elif isinstance(each, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name for alias in each.names)
        else:
            yield from (name.id for name in ast.walk(each) if isinstance(name, ast.Name))


def outermost(part: ast.AST) -> Iterator[ast.AST]:
    """Every comprehension of a function that is in no other one."""
    for each in ast.iter_child_nodes(part):
        if isinstance(each, COMPREHENSION):
            yield each
        else:
            yield from outermost(each)


def statements(part: ast.AST) -> Iterator[ast.Name]:
    """Every name in a function outside its comprehensions."""
    for each in ast.iter_child_nodes(part):
        if isinstance(each, ast.Name):
            yield each
        if not isinstance(each, COMPREHENSION):
            yield from statements(each)


def test_a_name_in_two_roles_is_found():
    first, second = "    first = [number for number in x]\n", "    second = [number(each) for each in x]\n"
    known = "from somewhere import number\n"
    assert [*confused(f"{known}def f(x):\n{first}{second}")] == [("f", "number")]
    assert [*confused(f"{known}def f(x, number):\n{first}{second}")] == []
    assert [*confused(f"{known}def f(x):\n    number = abs\n{first}{second}")] == []
    assert [*confused(f"{known}def f(x):\n{first}\ndef g(x):\n{second}")] == []


def test_no_name_has_two_roles_in_comprehensions():
    assert {path: found for path in FILES if (found := [*confused(path.read_text(encoding="utf-8"))])} == {}
