import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from export.bundle.select import choose, corpus_of, corpus_of_results
from replicate import errors
from replicate.config import folders
from replicate.corpus.synthetic import generate
from replicate.experiment.manifest import Manifest
from replicate.experiment.plan import Source
from replicate.experiment.results_folder import newest_results
from replicate.runner.failures import FailedRun
from replicate.training.metrics import weighted_f1
from tests.report.builders import manifest


class FakeRun:
    """A run with ``right`` of eight dev utterances predicted correctly, and the opposite on test."""

    def __init__(self, key, arm, seed, right, contexts=("A",), audio_stream="audio", width=2048):
        model = SimpleNamespace(feed_forward=width)
        self.record = SimpleNamespace(arm=SimpleNamespace(name=arm, contexts=contexts), seed=seed, key=key, model=model)
        self.right, self.audio_stream = right, audio_stream

    def labels(self, split):
        return [0, 1] * 4

    def log_prob(self, split, context):
        right = self.right if split == "dev" else 8 - self.right
        return [[1.0, 0.0] if (label == 0) == (i < right) else [0.0, 1.0] for i, label in enumerate(self.labels(split))]

    def f1(self, context, split):
        return weighted_f1(self.labels(split), self.log_prob(split, context))


@pytest.fixture
def results(tmp_path, monkeypatch):
    made = {
        "a1": FakeRun("a1", "even", 24, 6),
        "a2": FakeRun("a2", "even", 25, 6),
        "b1": FakeRun("b1", "mixed", 24, 8),
        "b2": FakeRun("b2", "mixed", 25, 2),
        "c1": FakeRun("c1", "better", 24, 6),
        "c2": FakeRun("c2", "better", 25, 7),
        "d1": FakeRun("d1", "video", 24, 8, ("AV",)),
    }
    audio = tuple(key for key, run in made.items() if "A" in run.record.arm.contexts)
    manifest(runs=tuple(made), deployable=audio, store="runs", source=Source("synthetic-tiny")).save(tmp_path)
    store = SimpleNamespace(get=made.get, root=tmp_path / "runs")
    monkeypatch.setattr(Manifest, "open_store", lambda self, folder: store)
    return tmp_path


def test_the_best_mean_on_dev_wins_then_its_best_seed(results):
    choice = choose(results)
    assert list(choice.mean_dev_f1) == ["better", "even", "mixed"]
    assert choice.run.record.seed == 25


def test_hubert_is_chosen_by_name_or_if_there_is_nothing_else(results, monkeypatch):
    store = Manifest.load(results).open_store(results)
    store.get("a1").audio_stream = store.get("a2").audio_stream = store.get("b1").audio_stream = store.get(
        "b2"
    ).audio_stream = "hubert"
    assert choose(results).run.record.arm.name == "better"
    assert choose(results, "even").run.audio_stream == "hubert"
    store.get("c1").audio_stream = store.get("c2").audio_stream = "hubert"
    store.get("c2").right = 8
    assert choose(results).run.record.arm.name == "better"


def test_results_without_a_run_for_speech_alone_are_named(results):
    content = json.loads((results / "manifest.json").read_text())
    (results / "manifest.json").write_text(json.dumps(content | {"deployable": []}))
    with pytest.raises(errors.NothingToExport, match="speech alone"):
        choose(results)


def test_a_missing_run_is_named(results):
    content = json.loads((results / "manifest.json").read_text())
    runs = {"runs": [*content["runs"], "removed"], "deployable": ["a1", "removed"]}
    (results / "manifest.json").write_text(json.dumps(content | runs))
    with pytest.raises(errors.NothingToExport, match="run removed is not in"):
        choose(results)


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
        "[]",
        '{"format": 2}',
        '{"format": 2, "deployable": 3, "store": "x", "source": {"data": "x", "data_dir": null}}',
    ],
)
def test_a_broken_manifest_is_named(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(errors.NothingToExport, match=r"manifest\.json"):
        choose(tmp_path)


def test_an_arm_or_a_run_can_be_chosen(results):
    assert choose(results, arm="mixed").run.record.key == "b1"
    assert choose(results, key="a2").run.record.key == "a2"
    assert choose(results, arm="mixed").requested and not choose(results).requested
    for key in ("a", "d1", "zz"):
        with pytest.raises(errors.NothingToExport, match=f"[02] exportable runs .*'{key}'"):
            choose(results, key=key)


def changed(run, **fields):
    """A fake run whose arm has other fields, and a protocol."""
    run.record.arm.__dict__.update({"context": "transformer", "audio": "audio", "fusion": "early"} | fields)
    run.record.protocol = SimpleNamespace(hubert={"order": "release"})


@pytest.mark.parametrize(
    ("arm", "fields", "reason"),
    [
        (
            "video",
            {},
            "'video' cannot be exported: it is not tested on audio alone, only in AV; there are better, even",
        ),
        ("evn", {}, r"it is not among the trained runs of .*; did you mean even\? there are better, even, mixed"),
        ("broken", {}, r"its training failed \(broken, seed 24 failed: diverged: the loss is infinite\)"),
        ("video", {"contexts": ("A",), "context": "gru"}, "its context extractor 'gru' cannot be written"),
        ("video", {"contexts": ("A",), "fusion": "late"}, "its late fusion, .* cannot be written"),
        ("video", {"contexts": ("A",), "audio": "hubert"}, "in the order of the release"),
        ("video", {"contexts": ("A",)}, "another protocol or on a part of the corpus"),
    ],
)
def test_the_reason_why_an_arm_cannot_be_exported_is_named(results, arm, fields, reason):
    manifest = Manifest.load(results)
    failed = FailedRun("e1", "broken, seed 24", "diverged", "the loss is infinite")
    replace(manifest, runs=(*manifest.runs, "e1"), failed=(failed,)).save(results)
    changed(manifest.open_store(results).get("d1"), **fields)
    with pytest.raises(errors.NothingToExport, match=reason):
        choose(results, arm=arm)


def test_the_corpus_of_a_run_is_known_by_its_hash(smoke_results, tmp_path):
    run = choose(smoke_results).run
    corpus = corpus_of(run, "synthetic-tiny")
    assert corpus is not None and corpus.hash == run.record.corpus.hash
    assert corpus_of(run, "synthetic-small") is None


READER = """
from replicate.corpus.readers.base import Reader, register
from replicate.corpus.synthetic import generate


@register("tiny")
class Tiny(Reader):
    def accepts(self, path):
        return path.suffix == ".tiny"

    def read(self, path):
        return generate("synthetic-tiny")
"""


def test_a_reader_is_imported_only_from_a_folder_that_the_user_names(smoke_results, tmp_path):
    """Results may come from somebody else: the folders in their manifest are never imported."""
    shutil.copytree(smoke_results, tmp_path / "results")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "reader.py").write_text(READER)
    (tmp_path / "x.tiny").touch()
    trained = Manifest.load(smoke_results)
    replace(
        trained,
        config_dirs=(str(tmp_path / "mine"),),
        source=replace(trained.source, data=str(tmp_path / "x.tiny")),
    ).save(tmp_path / "results")
    run = choose(smoke_results).run
    with pytest.raises(errors.UnknownCorpus, match="--config-dir"):
        corpus_of_results(tmp_path / "results", run)
    folders.use([tmp_path / "mine"])
    assert corpus_of_results(tmp_path / "results", run).hash == run.record.corpus.hash


def test_dialogues_that_a_table_left_out_are_left_out_again(smoke_results):
    run = choose(smoke_results).run
    whole = generate("synthetic-tiny")
    kept = whole.without([whole.dialogues[0].id, whole.dialogues[-1].id])
    reduced = replace(run.record, corpus=replace(run.record.corpus, hash=kept.hash))

    class Reduced(type(run)):
        def dialogues(self, split):
            return [d.id for d in kept.split(split)]

    assert corpus_of(Reduced(run.folder, reduced), "synthetic-tiny").hash == kept.hash
