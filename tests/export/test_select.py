import json
import os
import shutil

import pytest

from export.select import best_speech_run, exported_run, newest_results
from replicate import errors


class FakeRun:
    """A run whose dev predictions get the given number of eight utterances right, and of test the opposite."""

    def __init__(self, arm, seed, right, contexts=("A",)):
        self.record = {"arm": {"name": arm, "contexts": list(contexts)}, "seed": seed}
        self.right = right

    def labels(self, split):
        return [0, 1] * 4

    def log_prob(self, split, context):
        right = self.right if split == "dev" else 8 - self.right
        return [[1.0, 0.0] if (label == 0) == (i < right) else [0.0, 1.0] for i, label in enumerate(self.labels(split))]


@pytest.fixture
def results(tmp_path, monkeypatch):
    made = {
        "a1": FakeRun("even", 24, 6),
        "a2": FakeRun("even", 25, 6),
        "b1": FakeRun("mixed", 24, 8),
        "b2": FakeRun("mixed", 25, 2),
        "c1": FakeRun("better", 24, 6),
        "c2": FakeRun("better", 25, 7),
        "d1": FakeRun("video", 24, 8, ("AV",)),
    }
    manifest = {
        "runs": list(made),
        "deployable": [key for key, run in made.items() if "A" in run.record["arm"]["contexts"]],
        "store": "runs",
        "source": {"data": "synthetic-tiny", "data_dir": None},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(
        "export.select.Store", lambda root: type("S", (), {"get": lambda _, key: made.get(key), "root": root})()
    )
    return tmp_path


def test_the_best_mean_on_dev_wins_then_its_best_seed(results):
    choice = best_speech_run(results)
    assert list(choice.mean_dev_f1) == ["better", "even", "mixed"]
    assert choice.run.record["seed"] == 25


def test_results_without_a_model_for_speech_alone_are_named(results):
    content = json.loads((results / "manifest.json").read_text())
    (results / "manifest.json").write_text(json.dumps(content | {"deployable": []}))
    with pytest.raises(errors.NothingToExport, match="speech alone"):
        best_speech_run(results)


def test_a_run_that_has_gone_is_named(results):
    content = json.loads((results / "manifest.json").read_text())
    (results / "manifest.json").write_text(json.dumps(content | {"deployable": ["a1", "gone"]}))
    with pytest.raises(errors.NothingToExport, match="run gone is not in"):
        best_speech_run(results)


def test_the_newest_results_are_taken(tmp_path):
    for age, name in ((10, "new"), (20, "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
        os.utime(tmp_path / name / "manifest.json", (1e9 - age, 1e9 - age))
    assert newest_results(tmp_path) == tmp_path / "new"


def test_without_results_the_next_command_is_named(tmp_path):
    with pytest.raises(errors.NothingToExport, match="replicate run table2"):
        newest_results(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"deployable": 3, "store": "x", "source": {"data": "x", "data_dir": null}}',
        '{"deployable": ["x"], "store": "x", "source": {}}',
        '{"runs": ["x"], "store": "x", "source": {"data": "x", "data_dir": null}}',
    ],
)
def test_a_broken_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(errors.NothingToExport, match=r"manifest\.json"):
        best_speech_run(tmp_path)


def test_a_model_that_is_none_is_refused(smoke_results, tmp_path):
    with pytest.raises(errors.NothingToExport, match="replicate export onnx"):
        exported_run(smoke_results, tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"\xff\xff no protobuf")
    with pytest.raises(errors.NotThisFormat):
        exported_run(smoke_results, tmp_path / "model.onnx")
    shutil.copy(smoke_results / "table2.json", tmp_path / "other.onnx")
    with pytest.raises(errors.ReplicateError):
        exported_run(smoke_results, tmp_path / "other.onnx")
