import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundle import bundle, opening
from export.bundle.select import choose
from export.onnx import quantise, save
from export.onnx.deployed_model import SpeechModel
from export.onnx.session import as_function, on_corpus, session
from export.validate import dialogue
from export.validate.dialogue import run_checks
from replicate import errors
from replicate.corpus.synthetic import generate
from replicate.files import sha256
from replicate.store.record import digest


@pytest.fixture(scope="module")
def corpus():
    return generate("synthetic-tiny")


@pytest.fixture
def copied(smoke_bundle, tmp_path):
    shutil.copytree(smoke_bundle.folder, tmp_path / "copied")
    return tmp_path / "copied"


def test_a_bundle_contains_all_files_and_metadata(smoke_bundle, smoke_results):
    folder, run = smoke_bundle.folder, choose(smoke_results).run
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    key = run.record.key
    of_run = {f"run/{key}/{name}" for name in ("run.json", "checkpoint.safetensors", "predictions.npz")}
    assert files == {"model.onnx", "model.int8.onnx", "README.md", "predict.py", "checksums.json"} | of_run
    listed = json.loads((folder / "checksums.json").read_text())
    assert listed == {name: sha256(folder / name) for name in files - {"checksums.json"}}
    for name in ("model.onnx", "model.int8.onnx"):
        about = {entry.key: entry.value for entry in onnx.load(folder / name).metadata_props}
        assert json.loads(about["labels"]) == ["happy", "sad", "neutral", "angry"]
        assert json.loads(about["speakers"]) == ["M", "F"] and json.loads(about["widths"])["audio"] == 12
        assert json.loads(about["window"]) == [5, 5] and json.loads(about["seed"]) in (24, 25)
        assert json.loads(about["run"]) == key
        assert json.loads(about["corpus"])["hash"] == run.record.corpus.hash
        assert len(json.loads(about["standardisation"])["audio"]["mean"]) == 12
        assert "code" in json.loads(about["versions"])
    assert all(check.passed for check in smoke_bundle.checks)


def test_the_card_shows_results_and_licence(smoke_bundle):
    card = (smoke_bundle.folder / "README.md").read_text()
    for words in ("± ", "over 2 seeds", "| happy |", "ositive control", "Licence", "Apache-2.0", "Not for"):
        assert words in card
    assert "Trained with the smoke profile (2 epochs): for trying out only" in card
    assert "wrong at least as often as those of the results above" in card


def test_the_card_names_the_commit_and_the_builds_of_the_training(smoke_bundle):
    (record,) = (smoke_bundle.folder / "run").rglob("run.json")
    found = json.loads(record.read_text())["provenance"]
    (line,) = [one for one in (smoke_bundle.folder / "README.md").read_text().splitlines() if found["processor"] in one]
    assert f"BLAS of torch {found['builds']['BLAS of torch']}" in line
    assert (found["git_commit"] or "no repository")[:12] in line


@pytest.mark.parametrize("arm", ["COGMEN-AV", "COGMEN-Mask", "COGMEN-Mask-deep"])
def test_a_model_trained_on_video_is_exported_for_audio_alone(runs, corpus, arm, tmp_path):
    save.write(runs[arm], corpus.speakers, tmp_path / "model.onnx")
    checks = run_checks(tmp_path / "model.onnx", runs[arm], corpus)
    assert [check for check in checks if check.passed is not True] == []
    found = {check.name: check.found for check in checks}
    assert "as in the table" in found["test F1"] and "28 cases" in found["onnxruntime against torch_geometric"]


def test_every_failure_is_named_and_nothing_is_written(smoke_results, corpus, tmp_path, monkeypatch):
    real = save.build

    def wrong(model, portable=False):
        built = real(model)
        for tensor in built.graph.initializer:
            if list(tensor.dims) == [4] and tensor.data_type == onnx.TensorProto.FLOAT:
                shifted = onnx.numpy_helper.to_array(tensor) + np.arange(4, dtype="f4")
                tensor.CopyFrom(onnx.numpy_helper.from_array(shifted, tensor.name))
        built.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 1
        return built

    choice = choose(smoke_results)
    bundle.write(choice, corpus, tmp_path / "bundle")
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    monkeypatch.setattr(save, "build", wrong)
    with pytest.raises(errors.ExportFailed) as error:
        bundle.write(choice, corpus, tmp_path / "bundle")
    for words in ("names and dynamic axes", "length 1,", "length 500,", "batch of lengths", "test F1"):
        assert words in str(error.value)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_only_an_earlier_bundle_is_replaced(smoke_results, corpus, tmp_path, copied):
    choice = choose(smoke_results)
    (copied / "model.onnx").write_text("an old one")
    bundle.write(choice, corpus, copied)
    assert all(check.passed for check in bundle.check(copied, corpus))
    assert [path.name for path in tmp_path.iterdir()] == ["copied"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("my thesis")
    (mine / "checksums.json").write_text('{"thesis.tex": "ab"}')
    (copied / "notes.txt").write_text("mine, too")
    for target, words in ((mine, "not an exported"), (mine / "thesis.tex", "not an exported"), (copied, "notes.txt")):
        with pytest.raises(errors.CannotWrite, match=words):
            bundle.write(choice, corpus, target)
    assert (mine / "thesis.tex").read_text() == "my thesis" and (copied / "notes.txt").exists()


def test_a_link_to_a_bundle_stays_a_link(smoke_results, corpus, tmp_path, copied):
    (tmp_path / "link").symlink_to(copied, target_is_directory=True)
    (copied / "model.onnx").write_text("an old one")
    bundle.write(choose(smoke_results), corpus, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and opening.open_run(copied)
    assert {path.name for path in tmp_path.iterdir()} == {"link", "copied"}


def sign(folder):
    """Update the checksums, as somebody would who changes a bundle on purpose."""
    listed = json.loads((folder / "checksums.json").read_text())
    listed = {name: sha256(folder / name) for name in listed if (folder / name).exists()}
    (folder / "checksums.json").write_text(json.dumps(listed))


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("labels", ["sad", "happy", "neutral", "angry"]), ("speakers", ["F", "M"]), ("window", [1, 1]), ("widths", {})],
)
def test_metadata_that_differ_from_the_run_are_named(copied, corpus, name, key, value):
    model = onnx.load(copied / name)
    about = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, about | {key: json.dumps(value)})
    onnx.save(model, copied / name)
    sign(copied)
    failed = [check for check in bundle.check(copied, corpus) if check.passed is False]
    assert [check.name for check in failed] == ["metadata" if name == "model.onnx" else "int8 metadata"]
    assert key in failed[0].found


def test_the_quantised_file_of_another_model_is_named(copied, corpus, runs):
    save.write(runs["COGMEN-Mask"], corpus.speakers, copied / "other.onnx")
    quantise.quantise(copied / "other.onnx", copied / "model.int8.onnx")
    (copied / "other.onnx").unlink()
    sign(copied)
    for known in (corpus, None):
        found = {check.name: check for check in bundle.check(copied, known)}
        assert found["int8 metadata"].passed is False and found["int8 against fp32"].passed is False
    assert found["int8 dev F1"].passed is None and "--data" in found["int8 dev F1"].found


@pytest.mark.parametrize("content", [b"", b"no model", "foreign"])
@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx"])
def test_a_foreign_file_fails_its_checks(replicate, copied, name, content):
    if content == "foreign":
        node = onnx.helper.make_node("Relu", ["x"], ["y"])
        ends = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [2]) for n in "xy"]
        graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:])
        opset = [onnx.helper.make_opsetid("", 18)]
        content = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()
    (copied / name).write_bytes(content)
    sign(copied)
    status, _, stderr = replicate("export", "check", copied)
    assert status == 3 and "error (export failed)" in stderr and "FAILED" in stderr and "Traceback" not in stderr


def test_a_quantised_model_that_loses_too_much_is_removed(smoke_bundle, corpus, tmp_path, monkeypatch):
    kept = quantise.write(smoke_bundle.folder / "model.onnx", tmp_path / "int8.onnx", corpus, "audio")
    assert (
        kept.kept
        and (tmp_path / "int8.onnx").stat().st_size < 0.5 * (smoke_bundle.folder / "model.onnx").stat().st_size
    )
    monkeypatch.setattr(quantise, "MAX_LOSS", -1.0)
    lost = quantise.write(smoke_bundle.folder / "model.onnx", tmp_path / "int8.onnx", corpus, "audio")
    assert not lost.kept and "not written" in lost.summary and not (tmp_path / "int8.onnx").exists()


def test_quantising_leaves_the_root_logger_as_it_was(smoke_bundle, tmp_path, monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    before = root.level
    quantise.quantise(smoke_bundle.folder / "model.onnx", tmp_path / "int8.onnx")
    assert root.handlers == [] and root.level == before


def test_quantised_weights_do_not_saturate_on_any_processor(smoke_bundle):
    # Processors without VNNI add two 8-bit products in 16 bits and saturate.
    tensors = onnx.load(smoke_bundle.folder / "model.int8.onnx").graph.initializer
    weights = [numpy_helper.to_array(tensor) for tensor in tensors if tensor.data_type == onnx.TensorProto.INT8]
    matrices = [weight for weight in weights if weight.ndim == 2]
    assert matrices and max(abs(weight.astype(int)).max() for weight in matrices) <= 64


def test_the_quantised_model_computes_nearly_the_same(smoke_bundle, corpus):
    both = [session(smoke_bundle.folder / name) for name in ("model.onnx", "model.int8.onnx")]
    ours = [on_corpus(as_function(runner), corpus, "audio", "test") for runner in both]
    assert 0 < np.abs(ours[0] - ours[1]).max() < 0.05


def test_under_the_released_protocol_the_file_matches_the_model_without_padding(runs, corpus, tmp_path):
    run = runs["COGMEN-A"]
    record = replace(run.record, protocol=replace(run.record.protocol, attend_padding=True))
    save.write(run, corpus.speakers, tmp_path / "model.onnx")
    found = {r.name: r for r in run_checks(tmp_path / "model.onnx", replace(run, record=record), corpus)}
    assert found["test F1"].passed and "without padding" in found["test F1"].found


def test_a_check_without_the_corpus_names_it(runs, corpus, tmp_path):
    save.write(runs["COGMEN-A"], corpus.speakers, tmp_path / "model.onnx")
    last = run_checks(tmp_path / "model.onnx", runs["COGMEN-A"], None)[-1]
    assert last.passed is None and "needs the corpus synthetic-tiny" in last.found


def test_external_weights_and_another_run_are_named(runs, corpus, tmp_path):
    save.write(runs["COGMEN-A"], corpus.speakers, tmp_path / "model.onnx")
    onnx.save(onnx.load(tmp_path / "model.onnx"), tmp_path / "two.onnx", save_as_external_data=True, location="two.bin")
    found = {r.name: r for r in run_checks(tmp_path / "two.onnx", runs["COGMEN-Mask"], None)}
    assert found["onnxruntime"].passed is False and "another file" in found["onnxruntime"].found
    found = {r.name: r for r in run_checks(tmp_path / "model.onnx", runs["COGMEN-Mask"], None)}
    assert found["metadata"].passed is False
    (tmp_path / "none.onnx").write_bytes(b"none")
    assert run_checks(tmp_path / "none.onnx", runs["COGMEN-A"], None)[-1].name == "onnxruntime"


def test_the_banded_form_is_checked_too(runs, corpus, tmp_path, monkeypatch):
    class Wrong(SpeechModel):
        def forward(self, audio, speaker, length):
            return super().forward(audio, speaker, length) * (1.0 if self.form == "reference" else 1.001)

    save.write(runs["COGMEN-A"], corpus.speakers, tmp_path / "model.onnx")
    monkeypatch.setattr(dialogue, "SpeechModel", Wrong)
    found = {r.name: r.passed for r in run_checks(tmp_path / "model.onnx", runs["COGMEN-A"], corpus)}
    assert [name for name, holds in found.items() if not holds] == ["banded form against torch_geometric"]


def test_export_and_check_from_the_command_line(replicate, smoke_results, tmp_path):
    status, stdout, stderr = replicate("export", "onnx", "--results", smoke_results, "--out", tmp_path / "b")
    assert status == 0 and stdout.strip() == str(tmp_path / "b")
    assert "replicate benchmark" in stderr and "ok        test F1" in stderr
    assert stderr.startswith(f"from {smoke_results} (smoke profile, for trying out only): mean dev F1")
    status, _, stderr = replicate("export", "check", tmp_path / "b")
    assert status == 0 and "ok        checksums" in stderr and "ok        int8" in stderr
    (tmp_path / "b" / "README.md").write_text("changed")
    status, _, stderr = replicate("export", "check", tmp_path / "b")
    assert status == 3 and "error (export failed)" in stderr and "README.md" in stderr


def test_an_arm_can_be_chosen_on_the_command_line(replicate, smoke_results, tmp_path):
    status, _, stderr = replicate(
        "export", "onnx", "--results", smoke_results, "--arm", "COGMEN-Mask", "--out", tmp_path / "b"
    )
    assert status == 0 and "COGMEN-Mask, seed" in stderr
    assert "as requested" in (tmp_path / "b" / "README.md").read_text()
    assert replicate("export", "onnx", "--results", smoke_results, "--arm", "x", "--run", "y").status == 2


@pytest.mark.parametrize(("number", "message"), [(0, "older version.*export again"), (99, "newer version")])
def test_a_bundle_with_a_run_of_another_version_is_named(copied, number, message):
    (path,) = (copied / "run").glob("*/run.json")
    content = json.loads(path.read_text()) | {"format": number}
    path.write_text(json.dumps(content | {"sha256": digest(content)}))
    sign(copied)
    with pytest.raises(errors.BadBundle, match=message):
        opening.open_run(copied)


def test_a_bundle_is_checked_against_its_own_corpus_only(replicate, copied):
    status, _, stderr = replicate("export", "check", copied, "--data", "synthetic-small")
    assert status == 1 and "error (bad bundle)" in stderr and "hash differs" in stderr


def test_a_run_that_cannot_be_read_fails_the_check(replicate, copied):
    (record,) = (copied / "run").glob("*/run.json")
    predictions = record.with_name("predictions.npz")
    predictions.write_bytes(b"PK no archive")
    content = json.loads(record.read_text())
    content["files"]["predictions.npz"] = sha256(predictions)
    record.write_text(json.dumps(content | {"sha256": digest(content)}))
    sign(copied)
    status, _, stderr = replicate("check", "bundle", copied)
    assert status == 3 and "predictions.npz" in stderr and "export again" in stderr and "Traceback" not in stderr
    assert "--repair" not in stderr  # nothing trains the run of a bundle again
    listed = {
        name: one for name, one in json.loads((copied / "checksums.json").read_text()).items() if "run/" not in name
    }
    (copied / "checksums.json").write_text(json.dumps(listed))
    with pytest.raises(errors.BadBundle, match="lists 0 complete runs"):
        opening.open_run(copied)
