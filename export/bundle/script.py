"""Write ``predict.py``: the program, with the modules that it imports from this package in place of the imports."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

_IMPORT = re.compile(r"^from (export\.\w+) import (?:\([^)]*\)|[^(\n]+)\n", re.MULTILINE)
_DOCSTRING = re.compile(r'\A""".*?"""\n', re.DOTALL)


def text() -> str:
    """Return the content of ``predict.py``. It needs Python, numpy and onnxruntime alone."""
    return _joined("export.program", set())


def _joined(module: str, written: set[str]) -> str:
    """Return a module's source with the modules that it imports, each in place of its first import."""
    path = importlib.import_module(module).__file__
    assert path is not None
    source = Path(path).read_text(encoding="utf-8")
    if written:
        source = f"\n# {module}\n{_DOCSTRING.sub('', source)}"
    written.add(module)
    return _IMPORT.sub(lambda found: "" if found[1] in written else _joined(found[1], written), source)
