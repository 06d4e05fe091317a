"""Registries find built-in classes, those of installed packages, and name every conflict."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from replicate import registry
from replicate.errors import BadPlugin, InvalidDefinition
from replicate.registry import Registry


@pytest.fixture
def things(monkeypatch):
    """A registry whose package of built-in modules is this folder of tests, without any."""
    found = Registry("thing", "tests.pages", "replicate.things")
    monkeypatch.setattr(found, "_builtin_loaded", True)
    return found


def made(module="a_module"):
    return type("Made", (), {"__module__": module})


def test_a_class_is_found_by_its_name(things):
    cls = things.register("one")(made())
    assert things.get("one") is cls and things.names() == ["one"] and things.module("one") == "a_module"


def test_a_module_may_register_again_but_no_other(things):
    things.register("one")(made())
    again = things.register("one")(made())  # a cell of a notebook that is executed twice
    assert things.get("one") is again
    with pytest.raises(BadPlugin, match="two plugins of one name: thing 'one' is registered by a_module and by other"):
        things.register("one")(made("other"))


def test_two_classes_of_one_file_must_not_share_a_name(things):
    def another(name):
        return type(name, (), {"__module__": "json.decoder"})

    things.register("one")(another("First"))
    again = another("First")  # the file is imported again
    assert things.register("one")(again) is things.get("one")
    with pytest.raises(BadPlugin, match=r"registered twice by .*decoder\.py, for First and for Second; rename one"):
        things.register("one")(another("Second"))
    things.forget("json.decoder")  # the changed file is imported again
    things.register("one")(another("Second"))


def test_the_files_of_two_modules_are_named(things):
    things.register("one")(made("json.decoder"))
    with pytest.raises(BadPlugin, match=r"json/decoder\.py and by .*json/encoder\.py"):
        things.register("one")(made("json.encoder"))


def test_an_unknown_name_names_the_place_and_the_nearest(things):
    things.register("first")(made())
    with pytest.raises(InvalidDefinition, match=r"^x\.toml: unknown thing 'frist': did you mean first\?"):
        things.get("frist", "x.toml")


def test_what_a_module_registered_can_be_forgotten(things):
    things.register("one")(made())
    things.register("two")(made("other"))
    registry.forget("a_module")
    assert things.names() == ["two"]


def test_what_is_registered_temporarily_is_forgotten(things):
    kept = things.register("kept")(made("other"))
    before = registry.plugin_modules()
    with pytest.raises(RuntimeError), registry.temporary():
        things.register("mine")(made())
        things.register("kept")(made("other"))
        assert things.get("mine") and things.get("kept") is not kept and "a_module" in registry.plugin_modules()
        raise RuntimeError
    assert things.names() == ["kept"] and things.get("kept") is kept and registry.plugin_modules() == before
    things.register("mine")(made("other"))  # the name is free again


def test_a_built_in_class_that_is_first_loaded_meanwhile_stays():
    masking = Registry("strategy", "replicate.training.masking", "replicate.things")
    with registry.temporary():
        masking.register("built-in")(made("replicate.training.masking.scenarios"))
        masking.register("mine")(made())
        assert masking.get("mine")
    assert masking.names() == ["built-in"]


def offer(things, monkeypatch, *values):
    points = [EntryPoint("one", value, "replicate.things") for value in values]
    monkeypatch.setattr(things, "_entry_points", lambda: points)


def test_two_installed_packages_of_one_name_are_named(things, monkeypatch):
    offer(things, monkeypatch, "this:A", "that:B")
    with pytest.raises(BadPlugin, match="two plugins of one name: thing 'one' is in this:A and in that:B"):
        things.get("one")


def test_an_installed_package_and_a_plugin_of_one_name_are_named(things, monkeypatch):
    things.register("one")(made("replicate_plugin_mine"))
    offer(things, monkeypatch, "this:A")
    with pytest.raises(BadPlugin, match="is in this:A and in replicate_plugin_mine"):
        things.get("one")


def test_an_installed_package_may_register_from_another_module_of_its_own(things, monkeypatch):
    cls = things.register("one")(made("this.deep.inside"))
    offer(things, monkeypatch, "this:A")
    assert things.get("one") is cls


def test_an_installed_package_that_cannot_be_imported_is_named(things, monkeypatch):
    offer(things, monkeypatch, "no_such_package:A")
    with pytest.raises(BadPlugin, match=r"plugin no_such_package:A \(thing 'one'\) cannot be imported: ModuleNotFound"):
        things.get("one")


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
        return MethodLosses({"mine": student.embedding.mean()})
"""


@pytest.mark.slow
def test_a_distillation_method_of_an_installed_package(tmp_path):
    (tmp_path / "their_package.py").write_text(METHOD)
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[replicate.distillation]\nmine = their_package:Mine\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from replicate.config.arms import arm_in_row\n"
        "arm = arm_in_row('x', {'like': 'Student-A', 'distillation': {'method': 'mine', 'mine_weight': 2}}, 'here')\n"
        "print(arm.method, arm.method.traits.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "mine_weight=2.0" in done.stdout and done.stdout.endswith("Mine\n")
