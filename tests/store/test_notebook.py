"""Which sources decide the keys of a class in a script or a notebook."""

from __future__ import annotations

import linecache
import sys
from types import ModuleType

import pytest

from replicate.errors import BadPlugin
from replicate.store.sources import module_hashes

CELL = """
from dataclasses import dataclass
import json
from replicate.training.distillation import DistillationMethod

SCALE = [2.0, None]
UNUSED = 1

def double(x):
    return SCALE[0] * x

def gram(x, UNUSED=3):
    return double(json.loads(x)) + UNUSED

def unused(x):
    return x

class Base(DistillationMethod):
    def forward(self, student, teachers, labels):
        return gram(student)

@dataclass(frozen=True)
class Size:
    width: int = 3

class Method(Base):
    def size(self):
        return Size()
"""


@pytest.fixture
def main(monkeypatch):
    """A ``__main__`` without a file, as in a notebook."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


@pytest.fixture
def hashes(main):
    """The hashes of the class ``Method`` after executing a cell."""
    cells = []

    def execute(source):
        name = f"ipykernel_1/{len(cells)}.py"  # a cell has a name, but no file
        cells.append(name)
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        exec(compile(source, name, "exec"), vars(main))
        return module_hashes([main.Method])

    yield execute
    for name in cells:
        del linecache.cache[name]


def test_a_class_depends_on_what_it_uses_of_its_notebook(hashes):
    before = hashes(CELL)
    assert set(before) == {f"__main__.{name}" for name in ("Method", "Base", "gram", "double", "SCALE", "Size")}
    assert hashes(CELL.replace("UNUSED = 1", "UNUSED = 2").replace("return x\n", "return 2 * x\n")) == before
    assert hashes(CELL + "# why not") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("[2.0", "[3.0"), ("+ UNUSED", "- UNUSED"), ("return SCALE", "return -SCALE"), ("int = 3", "int = 4")],
)
def test_a_change_of_what_it_uses_is_noticed_in_any_cell(hashes, old, new):
    before = hashes(CELL)
    after = hashes(CELL.replace(old, new))
    assert before != after and hashes(CELL) == before


def test_a_value_that_cannot_be_hashed_is_named(hashes):
    with pytest.raises(BadPlugin, match=r"the source of SCALE, which Method uses, cannot be read.*put it in a file"):
        hashes(CELL.replace("SCALE = [2.0, None]", "SCALE = [object()]"))


def test_a_class_without_a_source_is_named(main):
    exec("class Method:\n    def forward(self): pass", vars(main))
    with pytest.raises(BadPlugin, match=r"the source of Method cannot be read.*put it in a file"):
        module_hashes([main.Method])


def test_of_a_script_the_whole_file_counts_and_what_it_imports_from_its_folder(main, tmp_path):
    path = tmp_path / "script.py"
    source = "import helper\nSCALE = 1\nclass Method:\n    def forward(self): return SCALE\n"
    path.write_text(source)
    (tmp_path / "helper.py").write_text("X = 1\n")
    main.__file__ = str(path)
    vars(main)["helper"] = None
    exec(compile(source.replace("import helper", ""), str(path), "exec"), vars(main))
    before = module_hashes([main.Method])
    assert set(before) == {"__main__", "__main__/helper"}
    path.write_text(source.replace("SCALE = 1", "SCALE = 2"))
    assert module_hashes([main.Method]) != before
