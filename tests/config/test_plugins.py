"""Modules of a user's folder are imported once, by a stable name, and errors in them name file and line."""

import pickle
import subprocess
import sys

import pytest

from replicate.config import folders, tables
from replicate.config.protocols import protocol
from replicate.errors import BadPlugin, InvalidDefinition
from replicate.store.keys import run_key
from replicate.training.config import Budget, RunSpec
from replicate.training.methods import METHODS
from replicate.training.methods.triplet import TripletSettings
from tests.config.things import THINGS

PLUGIN = """
from __future__ import annotations

from dataclasses import dataclass

from tests.config.things import THINGS

@THINGS.register("mine")
@dataclass(frozen=True)
class Mine:
    value: int = 1
"""


def test_a_plugin_registers_its_classes(use_folder):
    folder = use_folder(plugin_py=PLUGIN)
    assert THINGS.get("mine")().value == 1
    assert THINGS.module("mine") == "replicate_plugin_plugin"
    assert sys.modules["replicate_plugin_plugin"].__file__ == str(folder / "plugin.py")
    assert not (folder / "__pycache__").exists()


def test_without_its_folder_a_plugin_is_forgotten(use_folder):
    use_folder(plugin_py=PLUGIN)
    folders.use([])
    assert THINGS.names() == [] and "replicate_plugin_plugin" not in sys.modules


def test_an_unchanged_plugin_stays_the_same_module_and_a_changed_one_is_imported_again(use_folder):
    use_folder(plugin_py=PLUGIN)
    first = THINGS.get("mine")
    use_folder(plugin_py=PLUGIN)
    assert THINGS.get("mine") is first
    use_folder(plugin_py=PLUGIN.replace("= 1", "= 2"))
    assert THINGS.get("mine")().value == 2


def test_modules_with_an_underscore_are_not_imported(use_folder):
    use_folder(_plugin_py="raise RuntimeError")
    assert THINGS.names() == []


def test_a_worker_that_uses_the_same_folders_can_unpickle_a_class(use_folder):
    use_folder(plugin_py=PLUGIN)
    code = (
        "import pickle, sys; from replicate.config import folders; "
        f"folders.use({[str(path) for path in folders.current()]!r}); "
        "print(pickle.load(sys.stdin.buffer).value)"
    )
    made = pickle.dumps(THINGS.get("mine")(3))
    done = subprocess.run([sys.executable, "-c", code], input=made, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "3"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import nothing_of_that_name\n", r"line 1, cannot be imported: ModuleNotFoundError: No module named"),
        ("\n\nx = = 1\n", r"line 3, cannot be imported: SyntaxError: invalid syntax"),
        ("def f():\n    raise ValueError('one\\ntwo')\n\nf()\n", r"line 2, cannot be imported: ValueError: one two"),
        ("raise SystemExit(3)\n", r"line 1, cannot be imported: SystemExit: 3"),
        ("\0", r"line 1, cannot be imported: (SyntaxError|ValueError): source code"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named(use_folder, content, message):
    with pytest.raises(BadPlugin, match=r"plugin .*mine/plugin\.py, " + message) as raised:
        use_folder(plugin_py=content)
    assert "\n" not in str(raised.value)
    assert folders.current() == () and "replicate_plugin_plugin" not in sys.modules


def test_a_failing_plugin_leaves_no_other_behind(use_folder):
    with pytest.raises(BadPlugin):
        use_folder(a_py=PLUGIN, b_py="1 / 0")
    assert THINGS.names() == [] and folders.current() == ()


def test_two_plugins_of_one_file_name_are_both_named(use_folder):
    first = use_folder(plugin_py=PLUGIN)
    with pytest.raises(BadPlugin) as raised:
        use_folder(folder="other", also=(first,), plugin_py="")
    message = str(raised.value)
    assert "two plugins of one name" in message and message.count("plugin.py") == 2 and str(first) in message


def test_two_plugins_that_register_one_name_are_both_named(use_folder):
    with pytest.raises(BadPlugin) as raised:
        use_folder(a_py=PLUGIN, b_py=PLUGIN)
    message = str(raised.value)
    assert "two plugins of one name: thing 'mine' is registered by" in message
    assert "mine/a.py" in message and "mine/b.py" in message


METHOD = """
from dataclasses import dataclass

from replicate.training.distillation import DistillationMethod, MethodLosses, Settings, register

@dataclass(frozen=True)
class MineSettings(Settings):
    mine_weight: float = 1.0

@register("mine", MineSettings)
class Mine(DistillationMethod):
    def __init__(self, setup):
        super().__init__(setup, {"mine": setup.settings.mine_weight})

    def forward(self, student, teachers, labels):
        return MethodLosses({"mine": (student.embedding - teachers[0].embedding).square().mean()})
"""
TABLE = """
like = "distillation"
title = "Mine"
rows = [{ name = "mine", arm = { like = "Student-A", distillation.method = "mine" } }]
"""


def test_a_plugin_cannot_replace_a_packaged_method(use_folder):
    with pytest.raises(BadPlugin, match=r"distillation method 'triplet' is registered by .*triplet\.py and by .*a\.py"):
        use_folder(a_py=METHOD.replace('"mine"', '"triplet"'))
    assert METHODS.get("triplet") is TripletSettings


def test_an_unregistered_method_is_named_with_the_nearest(use_folder):
    use_folder(a_py=METHOD, my_table_toml=TABLE.replace('method = "mine"', 'method = "mime"'))
    message = r"my-table\.toml, row 1, arm, distillation: unknown distillation method 'mime': did you mean mine\?"
    with pytest.raises(InvalidDefinition, match=message):
        tables.table("my-table")


def test_a_plugin_adds_one_run_and_changes_no_other(use_folder, corpus):
    def keys(table):
        specs = (RunSpec(row.arm, protocol("paper"), Budget(), 24) for row in tables.table(table).rows)
        return [run_key(spec, corpus, "cpu") for spec in specs]

    before = keys("distillation")
    use_folder(a_py=METHOD, my_table_toml=TABLE)
    assert keys("distillation") == before
    *others, own = keys("my-table")
    assert others == before and own not in before
    use_folder(a_py=METHOD.replace("square", "abs"))
    assert keys("my-table")[:-1] == before and keys("my-table")[-1] != own


def test_a_name_that_is_no_module_name_is_refused(use_folder, tmp_path):
    folder = use_folder(plugin_py=PLUGIN)
    (folder / "my.plugin.py").write_text(PLUGIN)
    with pytest.raises(BadPlugin, match=r"my\.plugin\.py: a plugin's name needs letters"):
        folders.use([folder])


def test_an_unknown_name_suggests_that_of_a_plugin(use_folder):
    use_folder(plugin_py=PLUGIN)
    with pytest.raises(InvalidDefinition, match=r"arms\.toml \[x\]: unknown thing 'mime': did you mean mine"):
        THINGS.get("mime", "arms.toml [x]")


HELPED = PLUGIN.replace("from dataclasses", "from _util import VALUE\nfrom dataclasses").replace("= 1", "= VALUE")


def test_a_plugin_imports_helpers_of_its_folder(use_folder):
    folder = use_folder(plugin_py=HELPED, _util_py="from _more import VALUE", _more_py="VALUE = 5")
    assert THINGS.get("mine")().value == 5 and not (folder / "__pycache__").exists()
    first = THINGS.get("mine")
    use_folder()
    assert THINGS.get("mine") is first
    use_folder(_more_py="VALUE = 6")
    assert THINGS.get("mine")().value == 6
    folders.use([])
    assert "_util" not in sys.modules and "_more" not in sys.modules and str(folder) not in sys.path


def test_helpers_of_one_name_in_two_folders_are_both_named(use_folder):
    first = use_folder(folder="a", plugin_py=HELPED, _util_py="VALUE = 1")
    with pytest.raises(BadPlugin, match=r"two modules of one name: .*a/_util\.py and .*b/_util\.py; rename"):
        use_folder(folder="b", also=(first,), other_py=HELPED.replace('"mine"', '"other"'), _util_py="VALUE = 2")
    assert "_util" not in sys.modules and THINGS.names() == []


def test_a_helper_that_registers_something_is_refused(use_folder):
    with pytest.raises(BadPlugin, match=r"b\.py registers something, but plugin .*a\.py imports it as a helper"):
        use_folder(a_py="import b\n", b_py=PLUGIN)


def test_a_helper_that_is_mended_is_imported_again(use_folder):
    with pytest.raises(
        BadPlugin, match=r"plugin\.py, line 4, cannot be imported: ImportError: cannot import name 'VALUE'"
    ):
        use_folder(plugin_py=HELPED, _util_py="VALU = 1")
    use_folder(_util_py="VALUE = 3")
    assert THINGS.get("mine")().value == 3
