"""The functions of ``import replicate``."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

import replicate
from export.predictor import Predictor
from replicate import errors
from replicate.config import folders
from replicate.corpus.archive import write
from replicate.corpus.synthetic import generate
from replicate.experiment.manifest import Manifest
from replicate.experiment.prepare import Options, prepare
from replicate.training.arm import Arm
from tests.small_runs import small_corpus


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("api") / "results"


@pytest.fixture(scope="module")
def student(results):
    """A student that was trained through the API, with its teacher."""
    return replicate.train("Student-A", "synthetic-tiny", profile="smoke", results=results, progress=False)


def test_the_module_loads_nothing_heavy_until_a_function_is_used():
    code = "import sys, replicate; assert 'torch' not in sys.modules; assert 'train' in dir(replicate)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="nonsense"):
        replicate.nonsense  # noqa: B018


def test_a_run_has_its_scores(student):
    labels = student.labels("test")
    predicted = student.log_prob("test", "A").argmax(1)
    assert student.f1("A") == student.score("f1", "A")
    assert student.f1("A") == pytest.approx(f1_score(labels, predicted, average="weighted"))
    assert student.score("wa", "A") == student.score("accuracy", "A") == accuracy_score(labels, predicted)
    assert student.score("ua", "A") == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert student.score("macro_f1", "A") == pytest.approx(f1_score(labels, predicted, average="macro"))
    by_class = f1_score(labels, predicted, average=None, labels=range(len(student.record.corpus.labels)))
    assert student.score(f"f1:{student.record.corpus.labels[0]}", "A") == pytest.approx(by_class[0])
    assert 0 < student.score("ece", "A") < 1
    assert student.f1("A", "dev") == pytest.approx(student.record.best.dev_f1)
    assert student.model().config == student.record.model


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("weighted-f1", "A"), "did you mean weighted_f1"),
        (("f1", "AV"), "Student-A has no predictions"),
        (("f1", "A", "tset"), "did you mean test"),
    ],
)
def test_an_unknown_metric_context_or_split_is_named(student, arguments, message):
    with pytest.raises(errors.InvalidArgument, match=message) as raised:
        student.score(*arguments)
    assert isinstance(raised.value, ValueError)
    if arguments[0] == "f1":
        with pytest.raises(errors.InvalidArgument, match=message):
            student.predictions(arguments[2] if len(arguments) > 2 else "test", arguments[1])


def test_predictions_are_typed_and_become_a_data_frame(student):
    corpus = generate("synthetic-tiny")
    found = student.predictions("test", "A")
    assert found.classes == corpus.labels and len(found) == sum(len(d) for d in corpus.split("test"))
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    frame = found.to_pandas()
    assert list(frame.columns[:5]) == ["dialogue", "utterance", "speaker", "label", "true_label"]
    first = corpus.split("test")[0]
    shown = frame[frame.dialogue == first.id]
    assert list(shown.utterance) == list(range(1, len(first) + 1))
    assert list(shown.speaker) == [corpus.speakers[number] for number in first.speakers]
    assert list(shown.true_label) == [corpus.labels[number] for number in first.labels]
    best = frame[[f"probability_{name}" for name in corpus.labels]].idxmax(axis=1).str.removeprefix("probability_")
    assert (best == frame.label).all()


def test_without_pandas_the_message_names_how_to_install_it(student, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(errors.MissingExtra, match="pip install pandas"):
        student.predictions("test", "A").to_pandas()


def test_a_second_call_loads_the_run(student, results, monkeypatch):
    monkeypatch.setattr("replicate.runner.worker.train_program", lambda *_: pytest.fail("trained again"))
    again = replicate.train("Student-A", "synthetic-tiny", profile="smoke", results=results)
    assert again.record == student.record


def test_the_command_line_finds_the_runs(student, results, replicate):
    """Table 1 with seed 24 has Student-A and its teacher."""
    arguments = ["table1", "--data", "synthetic-tiny", "--profile", "smoke", "--seeds", "24,", "--out", results]
    done = replicate("run", *arguments, "--dry-run")
    assert "4 runs, 2 completed, 2 to train" in done.stderr


@pytest.mark.slow
def test_a_table_is_that_of_the_command_line(smoke_out, smoke_results):
    found = replicate.table("table2", "synthetic-tiny", profile="smoke", results=smoke_out)
    assert found.seeds == Manifest.load(smoke_results).seeds
    assert repr(found).startswith("TableResult(table2, corpus synthetic-tiny, profile smoke, protocol paper, 2 seeds, ")
    frame = found.to_pandas().set_index(["row", "context"])
    assert frame.loc[("COGMEN-AV", "A"), "mean"] == found.rows["COGMEN-AV"]["A"].summary.mean
    # The paper's 0.426 was not measured on generated features.
    assert frame.loc[("COGMEN-AV", "A"), "published"] is None and frame.loc["COGMEN-AV"].n.tolist() == [2, 2]
    assert frame.loc[("logistic regression", "A"), "n"] == 1
    ua = found.to_pandas("ua").set_index(["row", "context"])
    assert ua.loc[("COGMEN-AV", "A"), "mean"] == found.rows["COGMEN-AV"]["A"].of("ua").summary.mean
    one = replicate.table("table2", "synthetic-tiny", profile="smoke", results=smoke_out, seeds=1)
    assert one.seeds == (24,) and one.rows["COGMEN-AV"]["A"].summary.std is None


def test_an_arm_built_in_python_is_trained_on_a_corpus_in_memory(tmp_path):
    arm = Arm("tiny", "A", ("A",), "A", context_layers=1, gnn_heads=1)
    run = replicate.train(arm, small_corpus(), profile="smoke", seed=7, results=tmp_path, store=tmp_path / "there")
    assert (run.record.arm.name, run.record.seed, run.record.corpus.name) == ("tiny", 7, "small")
    assert run.folder.parent == tmp_path / "there" and not (tmp_path / "runs").exists()


def test_mistakes_are_named_before_anything_is_trained(tmp_path):
    with pytest.raises(errors.InvalidDefinition, match="did you mean Student-A"):
        replicate.train("Student-a", "synthetic-tiny", results=tmp_path)
    with pytest.raises(errors.InvalidDefinition, match="select"):
        Arm("wrong", "A", ("A",), "AV")
    with pytest.raises(errors.MissingStream, match="hubert"):
        replicate.train("HuBERT-A", small_corpus(), profile="smoke", results=tmp_path)
    with pytest.raises(errors.UnknownTable):
        replicate.table("tabel2", "synthetic-tiny", results=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": "fp16"}, "precision = 'fp16' is none of 'float32', 'bf16'"),
        ({"seed": "24"}, "seed '24' is not a whole number"),
        ({"seed": -1}, "seed -1 is not a whole number of 0 or more"),
        ({"seed": True}, "seed True is not a whole number"),
        ({"seed": 24.0}, r"seed 24\.0 is not a whole number"),
        ({"jobs": 0}, "jobs = 0 must be a whole number of 1 or more"),
        ({"jobs": -3}, "jobs = -3 must be"),
        ({"jobs": "2"}, "jobs = '2' must be"),
        ({"device": "gpu"}, "device = 'gpu' is none of 'auto', 'cpu', 'cuda'"),
        ({"config_dirs": "no-such-folder"}, "no-such-folder: no such folder"),
    ],
)
def test_impossible_arguments_are_named_before_anything_is_trained(tmp_path, arguments, message):
    with pytest.raises(errors.ReplicateError, match=message):
        replicate.train("COGMEN-A", "synthetic-tiny", profile="smoke", results=tmp_path, **arguments)
    if "seed" not in arguments:
        with pytest.raises(errors.ReplicateError, match=message):
            replicate.table("table4", "synthetic-tiny", profile="smoke", results=tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seeds", [True, 0, -1, 2.0, ["24"], [24, -1], []])
def test_impossible_seeds_of_a_table_are_named(tmp_path, seeds):
    with pytest.raises(errors.BadSeeds, match="seed"):
        replicate.table("table4", "synthetic-tiny", profile="smoke", results=tmp_path, seeds=seeds)


def test_integers_of_numpy_are_seeds_and_one_folder_is_a_list_of_one(student, results, tmp_path):
    try:
        again = replicate.train(
            "Student-A",
            "synthetic-tiny",
            profile="smoke",
            seed=np.int64(24),
            jobs=np.int64(1),
            results=results,
            config_dirs=str(tmp_path),
        )
        assert again.record == student.record and folders.current() == (tmp_path,)
    finally:
        folders.use(())
    assert prepare([], Options("smoke", seeds=np.int64(2)))[0].seeds == (24, 25)
    assert prepare([], Options("smoke", seeds=np.array([3, 5])))[0].seeds == (3, 5)


def test_plugins_of_an_earlier_call_are_imported_again_once_they_have_changed(tmp_path):
    path = tmp_path / "mine" / "plugin.py"
    path.parent.mkdir()
    for number in (1, 2):
        path.write_text(f"NUMBER = {number}\n")
        replicate.load_corpus("synthetic-tiny", config_dirs=path.parent if number == 1 else None)
        assert number == sys.modules["replicate_plugin_plugin"].NUMBER


def test_runs_tables_and_corpora_are_shown_in_one_line(student, results):
    assert repr(student) == f"Run(Student-A, seed 24, corpus synthetic-tiny, key {student.record.key})"
    corpus = generate("synthetic-tiny")
    utterances = sum(map(len, corpus.dialogues))
    assert repr(corpus).startswith(f"Corpus(synthetic-tiny, {len(corpus.dialogues)} dialogues, {utterances} utterances")


def test_a_run_that_fails_is_an_error_and_a_failed_row_a_warning(tmp_path, monkeypatch):
    def diverge(*arguments):
        raise errors.Diverged("the loss is not a number")

    monkeypatch.setattr("replicate.runner.worker.train_seed_group", diverge)
    with pytest.raises(errors.TrainingFailed, match="COGMEN-A, seed 24 failed: diverged: the loss") as raised:
        replicate.train("COGMEN-A", "synthetic-tiny", profile="smoke", results=tmp_path)
    assert isinstance(raised.value.__cause__, errors.Diverged)
    with pytest.warns(UserWarning, match=r"(COGMEN|HuBERT)-AV?, seed 24 failed: diverged"):
        found = replicate.table("table4", "synthetic-tiny", profile="smoke", results=tmp_path, seeds=[24])
    assert set(found.failed.values()) == {"diverged: the loss is not a number"} and found.rows["COGMEN-A"] == {}


def test_a_corpus_is_loaded_by_name_or_file(tmp_path):
    assert replicate.load_corpus("synthetic-tiny").hash == generate("synthetic-tiny").hash
    write(small_corpus(), tmp_path / "small.npz")
    assert replicate.load_corpus(tmp_path / "small.npz").hash == small_corpus().hash


def test_a_run_is_exported_as_a_checked_bundle(student, tmp_path):
    folder = replicate.export(student, tmp_path / "bundle")
    assert (folder / "model.onnx").is_file() and (folder / "run" / student.record.key).is_dir()
    corpus = generate("synthetic-tiny")
    other = corpus.without([corpus.dialogues[0].id])
    with pytest.raises(errors.BadBundle, match="another corpus"):
        replicate.export(student, tmp_path / "no", other)


def test_a_run_that_was_just_trained_is_exported_with_its_corpus(results, tmp_path):
    write(replace(small_corpus(), name="mine"), tmp_path / "mine.npz")
    run = replicate.train("COGMEN-A", tmp_path / "mine.npz", profile="smoke", results=results, progress=False)
    assert (replicate.export(run, tmp_path / "bundle") / "model.onnx").is_file()
    with pytest.raises(errors.BadBundle, match="pass it as corpus="):
        replicate.export(replace(run, corpus=None), tmp_path / "no")


@pytest.fixture(scope="module")
def with_text():
    """A tiny corpus of audio and text."""
    source = generate("synthetic-tiny")
    taken = {"audio": "audio", "text": "visual"}
    dialogues = (replace(d, features={n: d.features[o] for n, o in taken.items()}) for d in source.dialogues)
    return replace(source, name="spoken and written", dialogues=tuple(dialogues))


def test_a_model_of_audio_and_text_is_deployed_on_audio_alone(with_text, tmp_path):
    arguments = {"profile": "smoke", "results": tmp_path, "progress": False}
    run = replicate.train("COGMEN-AT", with_text, **arguments)
    assert run.record.streams == ("audio", "text") and run.record.arm.contexts == ("A", "AT")
    assert not np.array_equal(run.log_prob("test", "A"), run.log_prob("test", "AT"))
    bundle = replicate.export(run, tmp_path / "bundle")
    assert "trained on audio and text\n- absent here: text; the model takes zeros" in (bundle / "README.md").read_text()
    predictor = Predictor(bundle)
    assert predictor.metadata["absent_streams"] == ["text"] and predictor.width == with_text.widths["audio"]
    found = [
        predictor(d.features["audio"], [with_text.speakers[number] for number in d.speakers]).probabilities
        for d in with_text.split("test")
    ]
    assert np.allclose(np.log(np.concatenate(found)), run.log_prob("test", "A"), atol=1e-4)


def test_privileged_streams_are_chosen_as_on_the_command_line(with_text, tmp_path):
    arguments = {"profile": "smoke", "results": tmp_path, "progress": False}
    with pytest.raises(errors.MissingStream, match="so visual cannot be privileged: choose --privileged text or none"):
        replicate.train("COGMEN-AV", with_text, privileged="visual", **arguments)
    with pytest.raises(errors.InvalidDefinition, match="arm COGMEN-AV has other privileged streams: choose visual"):
        replicate.train("COGMEN-AV", with_text, **arguments)
    with pytest.raises(errors.MissingStream, match="no stream 'visual', only audio, text"):
        replicate.train("COGMEN-AV", with_text, privileged="none", **arguments)
    table = replicate.table("table4", with_text, privileged="none", seeds=1, **arguments)
    assert [row for row, cells in table.rows.items() if cells] == ["COGMEN-A"]
    run = replicate.train("COGMEN-A", with_text, **arguments)
    assert run.f1("A") == table.cell("COGMEN-A/A").values[0]


def test_a_word_that_is_no_choice_of_streams_is_named_before_the_corpus_is_loaded(tmp_path):
    with pytest.raises(errors.InvalidArgument, match="privileged = 'video' is no choice"):
        replicate.train("COGMEN-A", tmp_path / "none.npz", privileged="video", results=tmp_path)


def test_a_run_that_needs_video_is_not_exported(results, tmp_path):
    arm = Arm("video", "AV", ("AV",), "AV", context_layers=1, gnn_heads=1)
    run = replicate.train(arm, "synthetic-tiny", profile="smoke", results=results, progress=False)
    with pytest.raises(errors.NotExportable, match="only in AV"):
        replicate.export(run, tmp_path / "bundle")
