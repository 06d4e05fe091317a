"""``predict.py`` is the predictor with the modules that it imports, and nothing else of this package."""

import ast
from collections import Counter

from export.bundle import script


def test_the_script_imports_nothing_of_this_package_and_defines_each_name_once():
    tree = ast.parse(script.text())
    modules = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert modules and not any(str(module).startswith(("export", "replicate")) for module in modules)
    names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    names += [
        name.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for name in ast.walk(node.targets[0])
        if isinstance(name, ast.Name)
    ]
    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert {"Predictor", "check_graph", "verify", "LimitedSession"} <= set(names)
