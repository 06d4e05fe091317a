"""Which source files decide a run's key."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import replicate
from replicate.config import folders
from replicate.config.arms import arms
from replicate.store import sources
from replicate.store.keys import run_key, versions
from replicate.store.sources import current_hash, module_hashes
from replicate.store.versions import SOURCE, other_versions
from replicate.training.arm import Arm
from replicate.training.methods import METHODS
from tests.small_runs import SPEC

NAMES = (
    "COGMEN-A",
    "COGMEN-A-gru",
    "COGMEN-Mask",
    "Student-A",
    "Student-of-Mask",
    "Student-logits",
    "Student-PKDOT",
    "Student-DMD",
)
# This arm is not in arms.toml under this name.
LATE = "COGMEN-Mask, late fusion"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, whose files may be changed."""
    copy = tmp_path / "replicate"
    shutil.copytree(Path(replicate.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "_tables"))
    monkeypatch.setattr(replicate, "__file__", str(copy / "__init__.py"))
    return copy


@pytest.fixture
def keys(corpus):
    """Keys of some arms, by name, as of now."""
    found = arms()
    found[LATE] = replace(found["COGMEN-Mask"], name=LATE, fusion="late")

    def now():
        sources.code_hash.cache_clear()
        return {name: run_key(replace(SPEC, arm=found[name]), corpus, "cpu") for name in EVERY}

    return now


def moved(before, after):
    return {name for name in before if before[name] != after[name]}


EVERY = {*NAMES, LATE}
STUDENTS = {name for name in NAMES if name.startswith("Student")}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("model/window_graph.py", "BLOCK = 16", "BLOCK  =  16  # why not", set()),
        ("model/window_graph.py", '"""The window graph', '"""A window graph', set()),
        ("training/parity.py", "TOLERANCE = 1e-5", "TOLERANCE = 1e-4", set()),
        ("store/keys.py", "[:20]", "[:21]", set()),
        ("model/window_graph.py", "BLOCK = 16", "BLOCK = 32", EVERY),
        ("training/trainer.py", '"min")', '"max")', EVERY),
        ("training/released_order.py", "reversed(range(speakers))", "range(speakers)", EVERY),
        ("training/distillation/base.py", "if weight}", "if weight > 0}", EVERY),
        ("training/distillation/loss.py", "/ 2", "/ 3", EVERY),
        ("rng.py", ">> 1", ">> 2", EVERY),
        ("model/context/base.py", "new_zeros", "new_ones", EVERY),
        ("model/context/recurrent.py", "hidden // 2", "hidden // 1", {"COGMEN-A-gru"}),
        ("model/context/packed.py", "DIALOGUES = 8", "DIALOGUES = 9", EVERY - {"COGMEN-A-gru"}),
        ("training/masking/scenarios.py", "length == 1", "length <= 1", {"COGMEN-Mask", "Student-of-Mask", LATE}),
        ("model/context/late.py", "> 1 else", ">= 2 else", {LATE}),
        ("training/distillation/dmd_losses.py", "logits, labels", "logits, labels + 0", {"Student-DMD"}),
        # DMD uses functions of these two.
        (
            "training/distillation/triplet.py",
            "MARGIN = 1.0",
            "MARGIN = 2.0",
            {"Student-A", "Student-of-Mask", "Student-DMD"},
        ),
        ("training/distillation/logits.py", "temperature**2", "temperature**3", {"Student-logits", "Student-DMD"}),
        ("training/distillation/teacher_alignment.py", "-1.0, {}, 0", "-2.0, {}, 0", {"Student-PKDOT"}),
        ("model/heads/decoupler.py", "nn.LayerNorm(space)", "nn.LayerNorm(space, 1e-6)", {"Student-DMD"}),
        ("training/methods/base.py", "1e9", "1e8", EVERY),
        ("training/methods/logits.py", "stackable = True", "stackable = False", {"Student-logits", "Student-DMD"}),
        ("training/methods/decoupling.py", "< 0", "<= 0", {"Student-DMD"}),
        ("training/methods/dmd_trimodal.py", "!= 3", "< 3", set()),
        ("model/extractors/base.py", "per_stream: ClassVar[bool] = False", "per_stream: ClassVar[bool] = 0", EVERY),
        ("model/extractors/recurrent.py", "recurrent:Gru", "recurrent:Lstm", {"COGMEN-A-gru"}),
        ("model/heads/hallucinator.py", "(256, 128, 256)", "(256, 256)", set()),
    ],
)
def test_a_change_of_the_code_changes_the_keys_of_the_arms_that_use_it(package, keys, file, old, new, changed):
    before = keys()
    content = (package / file).read_text(encoding="utf-8")
    assert old in content
    (package / file).write_text(content.replace(old, new), encoding="utf-8")
    assert moved(before, keys()) == changed


@pytest.mark.parametrize(
    "folder",
    [
        "training/distillation",
        "training/masking",
        "training/methods",
        "model/context",
        "model/extractors",
        "model/heads",
    ],
)
def test_a_new_module_next_to_the_optional_ones_changes_no_key(package, keys, folder):
    before = keys()
    (package / folder / "another.py").write_text("VALUE = 1\n")
    assert keys() == before
    (package / "training" / "another.py").write_text("VALUE = 1\n")
    assert moved(before, keys()) == EVERY


PLUGIN = """
from dataclasses import dataclass
from replicate.training.distillation import DistillationMethod, MethodLosses, Settings, register
from replicate.training.distillation.logits import softened_divergence

@dataclass(frozen=True)
class MineSettings(Settings):
    mine_weight: float = 1.0

@register("mine", MineSettings)
class Mine(DistillationMethod):
    def __init__(self, setup):
        super().__init__(setup, {"mine": 1.0})

    def forward(self, student, teachers, labels):
        return MethodLosses({"mine": softened_divergence(student.log_prob, teachers[0].log_prob, 2.0).mean()})
"""


@pytest.fixture
def config_dir(tmp_path):
    """A function that loads a plugin of this source."""

    def load(source, folder="mine"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "mine.py").write_text(source)
        folders.use([tmp_path / folder])
        teacher = Arm("teacher", "A", ("A",), "A")
        return replace(SPEC, arm=replace(teacher, name="mine", teacher=teacher, distillation=METHODS.get("mine")()))

    return load


def test_a_plugin_changes_the_keys_of_its_own_arms_only(config_dir, keys, corpus):
    before = keys()
    first = run_key(config_dir(PLUGIN), corpus, "cpu")
    assert run_key(config_dir("# why not\n" + PLUGIN), corpus, "cpu") == first
    assert run_key(config_dir(PLUGIN, "elsewhere"), corpus, "cpu") == first
    assert run_key(config_dir(PLUGIN.replace("2.0)", "3.0)")), corpus, "cpu") != first
    assert keys() == before


def test_a_plugin_depends_on_what_it_imports(config_dir, package, corpus):
    spec = config_dir(PLUGIN)
    before = run_key(spec, corpus, "cpu")
    path = package / "training" / "distillation" / "logits.py"
    path.write_text(path.read_text().replace("temperature**2", "temperature**3"))
    assert run_key(spec, corpus, "cpu") != before


def test_a_module_that_is_not_loaded_has_no_hash(config_dir):
    spec = config_dir(PLUGIN)
    (name,) = (name for name in module_hashes([type(spec.arm.method)]) if name.startswith("replicate_plugin"))
    assert current_hash(name) is not None
    folders.use([])
    assert current_hash(name) is None


def test_modules_of_an_installed_package_count_as_far_as_they_are_imported(tmp_path, monkeypatch):
    folder = tmp_path / "installed_methods"
    folder.mkdir()
    for name, text in (
        ("__init__", ""),
        ("method", "from . import helper\nfrom .other import VALUE\nimport json\nclass Method: pass\n"),
        ("helper", ""),
        ("other", "VALUE = 1\n"),
        ("unused", ""),
    ):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    from installed_methods.method import Method  # type: ignore[import-not-found]

    assert set(module_hashes([Method])) == {f"installed_methods{name}" for name in ("", ".method", ".helper", ".other")}
    for name in [name for name in sys.modules if name.startswith("installed_methods")]:
        del sys.modules[name]


def test_a_plugin_depends_on_the_helpers_that_it_imports(config_dir, corpus, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "_util.py").write_text("import _more\n\ndef gram(x):\n    return _more.TWO * x\n")
    (folder / "_more.py").write_text("TWO = 2\n")
    (folder / "_unused.py").write_text("TWO = 2\n")
    spec = config_dir("from _util import gram\n" + PLUGIN)
    before, recorded = run_key(spec, corpus, "cpu"), versions(spec)
    assert f"{SOURCE}replicate_plugin_mine/_more" in recorded and other_versions(recorded) == {}
    (folder / "_unused.py").write_text("TWO = 3\n")
    assert run_key(spec, corpus, "cpu") == before
    (folder / "_more.py").write_text("TWO = 3\n")
    assert run_key(spec, corpus, "cpu") != before
    assert list(other_versions(recorded)) == [f"{SOURCE}replicate_plugin_mine/_more"]
